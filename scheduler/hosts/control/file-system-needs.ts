import type { TaskDefinitionBody } from '../../tasks/index.ts';

import type { FileSystemNeed } from './options.ts';

/** The volumes of a definition that are of file systems. */
export const fileSystemNeeds = ({ volumes = [] }: TaskDefinitionBody): FileSystemNeed[] =>
  volumes.flatMap(({ name = '', efsVolumeConfiguration: efs }) =>
    efs === undefined
      ? []
      : [
          {
            name,
            fileSystemId: efs.fileSystemId ?? '',
            rootDirectory: efs.rootDirectory ?? '/',
            accessPointId: efs.authorizationConfig?.accessPointId,
            iam: efs.authorizationConfig?.iam === 'ENABLED',
            encryptedTransit: efs.transitEncryption === 'ENABLED',
          },
        ],
  );
