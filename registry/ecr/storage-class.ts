import type * as sdk from '@aws-sdk/client-ecr';
import { AwsError, type Operations } from '@slipway/auth/contract';
import { ImagesError } from '../images/index.ts';
import { invalidParameter, operation } from './errors.ts';
import { theImage } from './images.ts';
import { onRepository, type EcrPorts, targetOf } from './ports.ts';

/** Moving images into the archive class and back. A restore is done at once here, so no image is ever ACTIVATING. */
export function storageClassOperations(ports: EcrPorts) {
  const { images } = ports;
  return {
    UpdateImageStorageClass: operation({
      access: onRepository(ports, 'UpdateImageStorageClass'),
      handle: async (input: sdk.UpdateImageStorageClassCommandInput, call) => {
        const target = targetOf(input, call);
        const storageClass = input.targetStorageClass;
        if (storageClass !== 'ARCHIVE' && storageClass !== 'STANDARD')
          throw invalidParameter(
            "Invalid parameter at 'targetStorageClass' failed to satisfy constraint: 'Member must satisfy enum value set: [STANDARD, ARCHIVE]'",
          );
        const { digest } = await theImage(ports, target, input.imageId);
        try {
          const { archivedAt } = await images.manifests.changeStorageClass({
            account: target.account,
            repository: target.name,
            digest,
            target: storageClass === 'ARCHIVE' ? 'archive' : 'standard',
            actor: call.principal.arn,
          });
          return {
            registryId: target.account,
            repositoryName: target.name,
            imageId: { ...input.imageId, imageDigest: digest },
            imageStatus: archivedAt === undefined ? ('ACTIVE' as const) : ('ARCHIVED' as const),
          };
        } catch (error) {
          if (error instanceof ImagesError && error.code === 'ManifestInUse')
            throw new AwsError('ImageStorageClassUpdateNotSupportedException', error.message);
          throw error;
        }
      },
    }),
  } satisfies Operations<typeof sdk>;
}
