import { AwsError, type Call } from '@slipway/auth/contract';
import { MalformedPolicy, parsePolicy } from '@slipway/auth/policy';

import { noFileSystem, notDone, refuse } from './errors.ts';
import { access, type EfsApi, type EfsOperations } from './options.ts';

/** Policies of file systems; lifecycles and backups, of which there are none. */
export function policyOperations(api: EfsApi): EfsOperations {
  const { fileSystems } = api;
  const of =
    (action: string) =>
    async ({ FileSystemId = '' }: { readonly FileSystemId?: string | undefined }, { account }: Call) =>
      [access(action, await fileSystems.fileSystemRef(account, FileSystemId))] as const;
  return {
    PutFileSystemPolicy: {
      access: of('PutFileSystemPolicy'),
      handle: async ({ FileSystemId = '', Policy = '', BypassPolicyLockoutSafetyCheck }, call) => {
        const { id } = await fileSystems.fileSystem(call.account, FileSystemId);
        const policy = await bound(api, Policy);
        if (BypassPolicyLockoutSafetyCheck !== true) await checkLockout(api, id, policy, call);
        await fileSystems.change(call.account, id, (before) => ({ ...before, policy }));
        return { FileSystemId: id, Policy: await api.principals.show(policy) };
      },
    },
    DescribeFileSystemPolicy: {
      access: of('DescribeFileSystemPolicy'),
      handle: async ({ FileSystemId = '' }, { account }) => {
        const { id, policy } = await fileSystems.fileSystem(account, FileSystemId);
        if (policy === undefined)
          throw refuse('PolicyNotFound', `The file system ${id} has no policy: who may mount it may do everything.`);
        return { FileSystemId: id, Policy: await api.principals.show(policy) };
      },
    },
    DeleteFileSystemPolicy: {
      access: of('DeleteFileSystemPolicy'),
      handle: async ({ FileSystemId = '' }, { account }) => {
        await fileSystems.change(account, FileSystemId, (before) => {
          const { policy: _, ...rest } = before;
          return rest;
        });
        return {};
      },
    },
    PutLifecycleConfiguration: {
      access: of('PutLifecycleConfiguration'),
      handle: async ({ FileSystemId = '', LifecyclePolicies = [] }, { account }) => {
        await fileSystems.fileSystem(account, FileSystemId);
        if (LifecyclePolicies.length > 0)
          throw notDone('A lifecycle policy', 'There is one storage class, the share; leave the policies out.');
        return { LifecyclePolicies: [] };
      },
    },
    DescribeLifecycleConfiguration: {
      access: of('DescribeLifecycleConfiguration'),
      handle: async ({ FileSystemId = '' }, { account }) => {
        await fileSystems.fileSystem(account, FileSystemId);
        return { LifecyclePolicies: [] };
      },
    },
    PutBackupPolicy: {
      access: of('PutBackupPolicy'),
      handle: async ({ FileSystemId = '', BackupPolicy }, { account }) => {
        await fileSystems.fileSystem(account, FileSystemId);
        if (BackupPolicy?.Status === 'ENABLED' || BackupPolicy?.Status === 'ENABLING')
          throw notDone('A backup policy', 'Back up the share by your own means.');
        return { BackupPolicy: { Status: 'DISABLED' } };
      },
    },
    DescribeBackupPolicy: {
      access: of('DescribeBackupPolicy'),
      handle: async ({ FileSystemId = '' }, { account }) => {
        await fileSystems.fileSystem(account, FileSystemId);
        return { BackupPolicy: { Status: 'DISABLED' } };
      },
    },
  };
}

/** A policy with its principals by their ids. @throws InvalidPolicyException */
async function bound({ principals }: EfsApi, policy: string): Promise<string> {
  try {
    parsePolicy(policy, 'resource');
    return await principals.bind(policy);
  } catch (error) {
    if (!(error instanceof MalformedPolicy) && !(error instanceof AwsError)) throw error;
    throw refuse('InvalidPolicyException', error.message);
  }
}

/** Whether the one who puts a policy could put another one after it. @throws InvalidPolicyException, FileSystemNotFound */
async function checkLockout(api: EfsApi, id: string, policy: string, call: Call): Promise<void> {
  const { policy: _, ...before } = await api.fileSystems.fileSystemRef(call.account, id);
  if (before.tags === undefined) throw noFileSystem(id);
  const { allowed } = await api.authorizer.authorize(
    call.principal,
    access('PutFileSystemPolicy', { ...before, policy }),
    call,
  );
  if (!allowed)
    throw refuse(
      'InvalidPolicyException',
      'The policy would lock you out: you could not put another one. Allow elasticfilesystem:PutFileSystemPolicy, or set BypassPolicyLockoutSafetyCheck.',
    );
}
