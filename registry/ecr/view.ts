import type { Repository } from '@aws-sdk/client-ecr';
import type { Call } from '@slipway/auth/contract';
import type { RepositoryRecord } from '../images/index.ts';
import type { EcrPorts } from './ports.ts';

/** A repository as the ECR API shows it. Its URI is where this caller reached us, so that `docker push` to it works. */
export function repositoryView(ports: EcrPorts, call: Call, account: string, repository: RepositoryRecord): Repository {
  return {
    repositoryArn: ports.resources.arn(account, repository.name),
    registryId: account,
    repositoryName: repository.name,
    repositoryUri: `${hostOf(call)}/${repository.name}`,
    createdAt: new Date(repository.createdAt),
    imageTagMutability: repository.tagMutability,
    imageScanningConfiguration: { scanOnPush: repository.scanOnPush },
    encryptionConfiguration: {
      encryptionType: repository.encryption.encryptionType as 'AES256',
      ...(repository.encryption.kmsKey === undefined ? {} : { kmsKey: repository.encryption.kmsKey }),
    },
    ...(repository.tagExclusions ? { imageTagMutabilityExclusionFilters: [...repository.tagExclusions] } : {}),
  };
}

const hostOf = (call: Call): string => call.endpoint.replace(/^[a-z]+:\/\//, '').replace(/\/.*$/, '');
