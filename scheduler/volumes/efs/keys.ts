import { definePartition, type OwnedRows } from '@slipway/storage/records';

/** Where file systems lie: one partition for each account. */
const efs = definePartition('efs/<account>', 'the file systems of one account, their mount targets and access points');
export const efsPartition = efs.name;

export const efsKeys = {
  fileSystem: (id: string): string => `file-system/${id}`,
  fileSystems: 'file-system/',
  /** The file system that was made with a token. */
  token: (token: string): string => `token/${token}`,
  tokens: 'token/',
  mountTarget: (id: string): string => `mount-target/${id}`,
  mountTargets: 'mount-target/',
  accessPoint: (id: string): string => `access-point/${id}`,
  accessPoints: 'access-point/',
  /** Signs the page tokens of the account's lists. */
  signingKey: 'signing-key',
} as const;

export const efsRows: OwnedRows = {
  partition: efs,
  owner: 'scheduler/volumes/efs',
  keys: [efsKeys.fileSystems, efsKeys.tokens, efsKeys.mountTargets, efsKeys.accessPoints, efsKeys.signingKey],
};
