import type Docker from 'dockerode';

import { volumeName } from './create-options.ts';
import { engineCall, EngineError, EngineUnavailable, labels, withoutOurs } from './docker.ts';
import type { AllowedEscapes } from './policy.ts';
import { bindOptions } from './file-systems/index.ts';
import type { AgentFileSystem, AgentTask, AgentVolume } from '../wire/index.ts';

/** The volume of a task cannot be had; the message says why, and what the operator can do. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
}

/** Whose volumes they are, and which of others tasks may share. */
export interface VolumeRights {
  readonly docker: Docker;
  readonly agentId: string;
  /** Cluster name or ARN. */
  readonly cluster: string;
  readonly allow: AllowedEscapes;
}

/**
 * The Docker volume behind a volume of a task exists and is the task's to mount: made for this task alone, or shared by tasks of
 * this cluster. An engine's other volumes (a database's, another installation's) are no task's, whatever their name.
 * Nothing is done for a path of the host.
 * @throws EngineUnavailable, VolumeError
 */
export async function ensureVolume(task: AgentTask, name: string, rights: VolumeRights): Promise<void> {
  try {
    await ensure(task, name, rights);
  } catch (error) {
    if (error instanceof EngineUnavailable) throw error;
    throw new VolumeError((error as Error).message, { cause: error });
  }
}

async function ensure(task: AgentTask, name: string, rights: VolumeRights): Promise<void> {
  const volume = task.volumes.find((candidate) => candidate.name === name);
  const dockerName = volume === undefined ? undefined : volumeName(task, volume);
  if (volume === undefined || dockerName === undefined) return;
  if (volume.dockerVolumeConfiguration?.scope === 'shared') await ensureShared(volume, dockerName, rights);
  else if (volume.fileSystem !== undefined) await createFileSystem(task, volume.fileSystem, dockerName, rights);
  else await create(volume, dockerName, rights, { [labels.agent]: rights.agentId, [labels.task]: task.arn });
}

/** The Docker volume of one task that is a folder of a file system; where that leads is looked at when it was mounted. */
async function createFileSystem(
  task: AgentTask,
  { id, path }: AgentFileSystem,
  Name: string,
  { docker, agentId, allow }: VolumeRights,
): Promise<void> {
  const device = `${allow.fileSystems ?? ''}/${id}${path === '/' ? '' : path}`;
  await engineCall(() =>
    docker.createVolume({
      Name,
      Driver: 'local',
      DriverOpts: bindOptions(device),
      Labels: { [labels.agent]: agentId, [labels.task]: task.arn },
    }),
  );
}

async function ensureShared(volume: AgentVolume, dockerName: string, rights: VolumeRights): Promise<void> {
  const cluster = rights.cluster.slice(rights.cluster.lastIndexOf('/') + 1);
  const find = () => rights.docker.getVolume(dockerName).inspect();
  let found: Docker.VolumeInspectInfo;
  try {
    found = await engineCall(find);
  } catch (error) {
    const absent = error instanceof EngineError && error.status === 404;
    if (!absent || volume.dockerVolumeConfiguration?.autoprovision !== true) throw error;
    await create(volume, dockerName, rights, { [labels.sharedVolume]: cluster });
    // Docker answers with the volume that is there when somebody else made one of this name meanwhile.
    found = await engineCall(find);
  }
  // Docker gives null for no labels at all.
  if ((found.Labels as Record<string, string> | null)?.[labels.sharedVolume] === cluster) return;
  if (rights.allow.volumes?.includes(dockerName) === true) return;
  throw new Error(
    `the volume ${dockerName} of this container instance was not made for tasks of cluster ${cluster}. Its operator can allow it ` +
      `with the agent's option allow.volumes, or make volumes for them with docker volume create --label ${labels.sharedVolume}=${cluster}.`,
  );
}

async function create(
  volume: AgentVolume,
  dockerName: string,
  { docker }: VolumeRights,
  ours: Readonly<Record<string, string>>,
): Promise<void> {
  const config = volume.dockerVolumeConfiguration;
  await engineCall(() =>
    docker.createVolume({
      Name: dockerName,
      Driver: config?.driver ?? 'local',
      DriverOpts: config?.driverOpts ?? {},
      // What says whose a volume is comes from nobody but the agent.
      Labels: { ...withoutOurs(config?.labels), ...ours },
    }),
  );
}
