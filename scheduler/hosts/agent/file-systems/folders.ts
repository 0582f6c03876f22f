import { createHash } from 'node:crypto';

import type Docker from 'dockerode';

import { engineCall, EngineError, labels } from '../docker.ts';
import type { AgentFileSystem } from '../../wire/index.ts';

import { FileSystemError } from './errors.ts';
import { type Folder, folderArchive } from './folder-archive.ts';

/** What folders are made with. */
export interface FolderPorts {
  readonly docker: Docker;
  readonly agentId: string;
  /** The folder of the host that file systems lie in. */
  readonly share: string;
}

/** The Docker volume that is the whole share, or one file system of it. */
export const shareVolume = ({ agentId, share }: Pick<FolderPorts, 'agentId' | 'share'>, id?: string): string => {
  const hash = createHash('sha256')
    .update(JSON.stringify([agentId, share]))
    .digest('hex');
  return `slipway-efs-${hash.slice(0, 16)}${id === undefined ? '' : `-${id}`}`;
};

/** Options of Docker's local driver for a folder of the host. */
export const bindOptions = (device: string): Record<string, string> => ({ type: 'none', o: 'bind', device });

/** Makes sure that there is the volume of {@link shareVolume}. */
export async function ensureShareVolume(ports: FolderPorts, id?: string): Promise<string> {
  const name = shareVolume(ports, id);
  await engineCall(() =>
    ports.docker.createVolume({
      Name: name,
      Driver: 'local',
      DriverOpts: bindOptions(id === undefined ? ports.share : `${ports.share}/${id}`),
      Labels: { [labels.agent]: ports.agentId },
    }),
  );
  return name;
}

/**
 * Makes the folders that a task's file systems are mounted from, where they are missing and may be made. The engine does it, in a
 * container that is never started and has nothing but the one file system: the share need not be within this process's reach, and what
 * links in a file system point to is looked for in that container.
 * @param container a name for it, and what it is made of
 * @throws FileSystemError, EngineUnavailable
 */
export async function ensureFolders(
  ports: FolderPorts,
  container: { readonly name: string; readonly image: string; readonly labels: Readonly<Record<string, string>> },
  fileSystems: readonly AgentFileSystem[],
): Promise<void> {
  try {
    for (const fileSystem of fileSystems) {
      await within(ports, container, undefined, async (folder) => {
        const { id } = fileSystem;
        if ((await kindOf(folder, `/mnt/${id}`)) === 'absent')
          await make(folder, '/mnt', [{ path: id, uid: 0, gid: 0, mode: 0o755 }]);
      });
      if (fileSystem.path !== '/')
        await within(ports, container, fileSystem.id, (folder) => descend(folder, fileSystem));
    }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new FileSystemError(`the share ${ports.share} of this container instance cannot be used: ${error.message}`, {
      cause: error,
    });
  }
}

async function descend(container: Docker.Container, { id, path, creation }: AgentFileSystem): Promise<void> {
  const failed = (why: string): FileSystemError =>
    new FileSystemError(`mount.nfs4: mounting ${id}:${path} failed, reason given by server: ${why}`);
  const names = path.split('/').filter((name) => name !== '');
  for (const index of names.keys()) {
    const kind = await kindOf(container, ['/mnt', ...names.slice(0, index + 1)].join('/'));
    if (kind === 'folder') continue;
    if (kind === 'other') throw failed('Not a directory');
    if (creation === undefined) throw failed('No such file or directory');
    const { uid, gid, permissions } = creation;
    const missing = names.keys().drop(index);
    const mode = Number.parseInt(permissions, 8);
    const folders = [...missing].map((last) => ({ path: names.slice(0, last + 1).join('/'), uid, gid, mode }));
    return make(container, '/mnt', folders);
  }
}

type Work = (container: Docker.Container) => Promise<void>;

/** Those who look into one file system, each behind the one before: by its volume. */
const turns = new Map<string, Promise<void>>();

/**
 * Does something with a container that has the share, or one file system, at `/mnt`. The volume of a file system goes afterwards: a task that
 * begins meanwhile would have it taken away, and an engine makes an empty one of its name where there is none.
 */
async function within(
  ports: FolderPorts,
  container: Parameters<typeof ensureFolders>[1],
  id: string | undefined,
  work: Work,
): Promise<void> {
  if (id === undefined) return open(ports, container, id, work);
  const volume = shareVolume(ports, id);
  const turn = (turns.get(volume) ?? Promise.resolve()).then(() => open(ports, container, id, work));
  const over = turn.catch(() => undefined);
  turns.set(volume, over);
  try {
    await turn;
  } finally {
    if (turns.get(volume) === over) turns.delete(volume);
  }
}

async function open(
  ports: FolderPorts,
  { name, image, labels: own }: Parameters<typeof ensureFolders>[1],
  id: string | undefined,
  work: Work,
): Promise<void> {
  const { docker } = ports;
  const volume = await ensureShareVolume(ports, id);
  const container = docker.getContainer(name);
  // One of a run of the agent that was killed.
  await gone(() => container.remove({ force: true }));
  try {
    await engineCall(() =>
      docker.createContainer({
        name,
        Image: image,
        Labels: { ...own },
        HostConfig: { NetworkMode: 'none', Binds: [`${volume}:/mnt:nocopy`] },
      }),
    );
    await work(container);
  } finally {
    await gone(() => container.remove({ force: true }));
    if (id !== undefined) await gone(() => docker.getVolume(volume).remove());
  }
}

/** What is at a path of a container, without following what it ends in. */
async function kindOf(container: Docker.Container, path: string): Promise<'folder' | 'other' | 'absent'> {
  try {
    const response = (await engineCall(() => container.infoArchive({ path }))) as {
      readonly headers: Readonly<Record<string, string | undefined>>;
    };
    const said = Buffer.from(response.headers['x-docker-container-path-stat'] ?? '', 'base64').toString('utf8');
    // Go's os.FileMode: the highest bit is that of a folder.
    return (JSON.parse(said) as { readonly mode: number }).mode >= 2 ** 31 ? 'folder' : 'other';
  } catch (error) {
    if (error instanceof EngineError && error.status === 404) return 'absent';
    throw error;
  }
}

const make = async (container: Docker.Container, path: string, folders: readonly Folder[]): Promise<void> => {
  await engineCall(() => container.putArchive(folderArchive(folders), { path, noOverwriteDirNonDir: 'true' }));
};

/** Removes something; what is gone already, or still used by somebody else, is let be. */
async function gone(work: () => Promise<unknown>): Promise<void> {
  try {
    await engineCall(work);
  } catch (error) {
    if (!(error instanceof EngineError && (error.status === 404 || error.status === 409))) throw error;
  }
}
