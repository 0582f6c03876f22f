import { type Authorizer, AwsError, type Principal } from '@slipway/auth/contract';

import type { EcsPorts } from '../../cluster/index.ts';
import {
  type AgentFileSystem,
  type FileSystemNeed,
  type TaskVolumesPort,
  TaskVolumesRefused,
} from '../../hosts/control/index.ts';
import { callOf } from '../../services/index.ts';
import type { AccessPointRecord, FileSystemRecord, FileSystems } from '../efs/index.ts';

export interface TaskVolumesOptions extends Pick<EcsPorts, 'clock' | 'random' | 'region'> {
  readonly fileSystems: FileSystems;
  readonly authorizer: Authorizer;
}

/** What a client may do with a file system (EFS user guide, "Using IAM to control file system data access"). */
interface ClientRights {
  readonly write: boolean;
  readonly root: boolean;
}

/** Finds the file systems of tasks, with the rights of their roles, in the words of EFS's mount helper when that fails. */
export function createTaskVolumes(options: TaskVolumesOptions): TaskVolumesPort {
  return async (account, role, needs) => {
    const found: [string, AgentFileSystem][] = [];
    for (const need of needs) found.push([need.name, await find(options, account, role, need)]);
    return Object.fromEntries(found);
  };
}

const failed = (why: string): TaskVolumesRefused =>
  new TaskVolumesRefused(
    `ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: ${why} : unsuccessful EFS utils command execution; code: 1`,
  );

/** What is not there is refused; anything else (the store is away) goes on. */
const orNothing = (error: unknown): undefined => {
  if (!(error instanceof AwsError)) throw error;
  return undefined;
};

async function find(
  options: TaskVolumesOptions,
  account: string,
  role: Principal | undefined,
  need: FileSystemNeed,
): Promise<AgentFileSystem> {
  const { fileSystems, region } = options;
  const { fileSystemId: id, accessPointId } = need;
  const fileSystem = await fileSystems.fileSystem(account, id).catch(orNothing);
  const targets = await fileSystems.mountTargets(account, id);
  if (fileSystem === undefined || targets.length === 0)
    throw failed(
      `Failed to resolve "${id}.efs.${region}.amazonaws.com" - check that your file system ID is correct, and ensure that the VPC has an EFS mount target for this file system ID.`,
    );
  const point =
    accessPointId === undefined ? undefined : await fileSystems.accessPoint(account, accessPointId).catch(orNothing);
  if (accessPointId !== undefined && point?.fileSystemId !== id)
    throw failed(
      `mount.nfs4: access denied by server while mounting ${id}:/: the file system has no access point ${accessPointId}`,
    );
  const rights = await rightsOf(options, account, role, need, fileSystem);
  return {
    id,
    path: point?.path ?? (need.rootDirectory.replace(/\/$/, '') || '/'),
    ...pointOf(point),
    readOnly: !rights.write,
    noRoot: !rights.root,
  };
}

const pointOf = (point: AccessPointRecord | undefined): Pick<AgentFileSystem, 'creation' | 'user'> => ({
  ...(point?.creation === undefined ? {} : { creation: point.creation }),
  ...(point?.posixUser === undefined
    ? {}
    : { user: { ...point.posixUser, secondaryGids: [...point.posixUser.secondaryGids] } }),
});

/**
 * What the task may do. A file system without a policy lets everybody do everything who may mount it; one with a policy, those whom it or
 * their own policies allow to, by the task's role.
 * @throws TaskVolumesRefused when it may not mount it
 */
async function rightsOf(
  options: TaskVolumesOptions,
  account: string,
  role: Principal | undefined,
  { iam, accessPointId, encryptedTransit }: FileSystemNeed,
  { id, policy }: FileSystemRecord,
): Promise<ClientRights> {
  if (policy === undefined) return { write: true, root: true };
  const denied = `mount.nfs4: access denied by server while mounting ${id}:/`;
  if (!iam || role === undefined)
    throw failed(
      `${denied}: it has a policy, which is about who mounts it. Set authorizationConfig.iam to ENABLED, and a taskRoleArn`,
    );
  const resource = await options.fileSystems.fileSystemRef(account, id);
  const context = {
    'elasticfilesystem:AccessedViaMountTarget': 'true',
    'aws:SecureTransport': String(encryptedTransit),
    ...(accessPointId === undefined
      ? {}
      : { 'elasticfilesystem:AccessPointArn': options.fileSystems.arn(account, 'access-point', accessPointId) }),
  };
  const may = async (action: string) =>
    options.authorizer.authorize(
      role,
      { action: `elasticfilesystem:${action}`, resources: [resource], context },
      callOf(options, role),
    );
  const mount = await may('ClientMount');
  if (!mount.allowed)
    throw failed(
      `${denied}: User: ${role.arn} is not authorized to perform: elasticfilesystem:ClientMount on resource: ${resource.arn} because ${mount.reason}`,
    );
  return { write: (await may('ClientWrite')).allowed, root: (await may('ClientRootAccess')).allowed };
}
