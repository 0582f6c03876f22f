import type * as sdk from '@aws-sdk/client-ecr';
import { AwsError, type Operations } from '@slipway/auth/contract';
import { operation } from './errors.ts';
import { theImage } from './images.ts';
import { onRegistry, onRepository, type EcrPorts, targetOf } from './ports.ts';

/**
 * Managed signing is done by AWS Signer, which is not here: a configuration is refused rather than kept and ignored, so there
 * never is one to read or to delete, and no image has a signing status.
 */
export function signingOperations(ports: EcrPorts) {
  return {
    PutSigningConfiguration: operation({
      access: onRegistry('PutSigningConfiguration'),
      handle: (_input: sdk.PutSigningConfigurationCommandInput): Promise<sdk.PutSigningConfigurationResponse> =>
        Promise.reject(
          new AwsError(
            'ValidationException',
            'This installation has no AWS Signer, so it cannot sign images by itself. Sign them with notation or cosign: signatures that are pushed are kept as referrers of their image.',
          ),
        ),
    }),
    GetSigningConfiguration: operation({
      access: onRegistry('GetSigningConfiguration'),
      handle: (_input: sdk.GetSigningConfigurationCommandInput, call): Promise<sdk.GetSigningConfigurationResponse> =>
        Promise.reject(noConfiguration(call.account)),
    }),
    DeleteSigningConfiguration: operation({
      access: onRegistry('DeleteSigningConfiguration'),
      handle: (
        _input: sdk.DeleteSigningConfigurationCommandInput,
        call,
      ): Promise<sdk.DeleteSigningConfigurationResponse> => Promise.reject(noConfiguration(call.account)),
    }),
    DescribeImageSigningStatus: operation({
      access: onRepository(ports, 'DescribeImageSigningStatus'),
      handle: async (input: sdk.DescribeImageSigningStatusCommandInput, call) => {
        const target = targetOf(input, call);
        const { digest } = await theImage(ports, target, input.imageId);
        return {
          registryId: target.account,
          repositoryName: target.name,
          imageId: { ...input.imageId, imageDigest: digest },
          signingStatuses: [],
        };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

const noConfiguration = (account: string): AwsError =>
  new AwsError(
    'SigningConfigurationNotFoundException',
    `There is no signing configuration in the registry with id '${account}'`,
  );
