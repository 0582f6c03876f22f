import type Docker from 'dockerode';

import { engineCall, EngineError } from '../docker.ts';
import { ensurePauseImage } from '../network/index.ts';
import type { TaskStoragePort } from './port.ts';

export interface TaskStorageOptions {
  readonly agentId: string;
  readonly docker: Docker;
  /** Runs a program of the host, for so many milliseconds at most. @returns its standard output */
  readonly run: (program: string, words: readonly string[], input: string, timeLimit: number) => Promise<string>;
}

/** The part of Docker's `/info` that is used. */
interface EngineInfo {
  readonly Driver?: string;
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
}

/** Milliseconds that counting the files of one task may take: some ten million of them. */
const countLimit = 60_000;

/** Where Docker keeps what containers wrote, and how much they may (Docker Engine API: `HostConfig.StorageOpt`, `GraphDriver`). */
export class TaskStorage implements TaskStoragePort {
  readonly #options: TaskStorageOptions;
  #found: { readonly reason?: string } | undefined;

  constructor(options: TaskStorageOptions) {
    this.#options = options;
  }

  async reason(): Promise<string | undefined> {
    this.#found ??= await this.#find();
    return this.#found.reason;
  }

  async used(containers: readonly Docker.ContainerInspectInfo[], volumes: readonly string[]): Promise<number> {
    const layers = containers.map((info) => ({ info, folder: layerOf(info) }));
    const folders = [...layers.flatMap(({ folder }) => folder ?? []), ...(await this.#foldersOf(volumes))];
    const counted = await this.#count(folders);
    let bytes = [...counted.values()].reduce((sum, size) => sum + size, 0);
    for (const { info, folder } of layers) {
      if (folder === undefined || !counted.has(folder)) bytes += await this.#told(info.Id);
    }
    return bytes;
  }

  async #find(): Promise<{ readonly reason?: string }> {
    const { docker } = this.#options;
    const info = await engineCall(() => docker.info() as Promise<EngineInfo>);
    const backing = info.DriverStatus?.find(([name]) => name === 'Backing Filesystem')?.[1];
    const may = info.Driver === 'btrfs' || info.Driver === 'zfs' || (info.Driver === 'overlay2' && backing === 'xfs');
    if (!may) {
      return {
        reason:
          `the Docker engine limits the size of containers only with overlay2 on xfs (mounted with pquota), btrfs or zfs, ` +
          `and its storage is ${info.Driver ?? 'not told'}${backing === undefined ? '' : ` on ${backing}`}`,
      };
    }
    try {
      await this.#tryOnce();
      return {};
    } catch (error) {
      // Whatever it refuses is a mount option away, and what went away comes back: the next registration asks again.
      if (error instanceof EngineError) return { reason: `the Docker engine refuses a size: ${error.message}` };
      throw error;
    }
  }

  /** Makes a container with a size, which never starts. */
  async #tryOnce(): Promise<void> {
    const { docker, agentId } = this.#options;
    const name = `slipway-storage-${agentId}`;
    const { Arch: architecture } = (await engineCall(() => docker.version())) as { Arch: string };
    const image = await ensurePauseImage(docker, architecture);
    const remove = async (): Promise<void> => {
      try {
        await engineCall(() => docker.getContainer(name).remove({ force: true }));
      } catch (error) {
        if (!(error instanceof EngineError && error.status === 404)) throw error;
      }
    };
    // One of a run that was killed.
    await remove();
    try {
      await engineCall(() =>
        docker.createContainer({ name, Image: image, HostConfig: { NetworkMode: 'none', StorageOpt: { size: '1G' } } }),
      );
    } finally {
      await remove();
    }
  }

  /** Folders of the engine's own volumes; what is mounted from elsewhere is not on this host's disk. */
  async #foldersOf(volumes: readonly string[]): Promise<string[]> {
    const folders: string[] = [];
    for (const name of volumes) {
      try {
        const found = await engineCall(() => this.#options.docker.getVolume(name).inspect());
        // Docker gives null for no options at all.
        const options = found.Options as Readonly<Record<string, string>> | null;
        if (found.Driver === 'local' && Object.keys(options ?? {}).length === 0) folders.push(found.Mountpoint);
      } catch (error) {
        if (!(error instanceof EngineError && error.status === 404)) throw error;
      }
    }
    return folders;
  }

  /**
   * Bytes on the disk by folder, as far as this process may look into the engine's: blocks, so that a file with holes counts for
   * what it has, and one under several names once.
   */
  async #count(folders: readonly string[]): Promise<Map<string, number>> {
    const { docker, run } = this.#options;
    const { socketPath } = docker.modem as { socketPath?: unknown };
    if (folders.length === 0 || socketPath === undefined || process.geteuid?.() !== 0) return new Map();
    // Files come and go while it looks, of which it complains.
    const words = ['-c', 'du -skx -- "$@" 2>/dev/null; :', 'du', ...folders];
    const said = await run('sh', words, '', countLimit);
    return new Map(
      said.split('\n').flatMap((line): [string, number][] => {
        const [, blocks, folder] = /^(\d+)\s+(.+)$/.exec(line) ?? [];
        return folder === undefined ? [] : [[folder, Number(blocks) * 1024]];
      }),
    );
  }

  /** What the engine counts itself: the sizes that files say they have. Zero for a container that is gone. */
  async #told(id: string): Promise<number> {
    try {
      const container = this.#options.docker.getContainer(id);
      // The client's types do not know the member, which it passes on.
      const sized: { readonly abortSignal?: AbortSignal; readonly size: boolean } = { size: true };
      const { SizeRw: bytes } = (await engineCall(() => container.inspect(sized))) as {
        readonly SizeRw?: number;
      } & object;
      return bytes ?? 0;
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return 0;
      throw error;
    }
  }
}

/** The folder with what a container wrote, where its storage driver has one. */
function layerOf({ GraphDriver: driver }: Docker.ContainerInspectInfo): string | undefined {
  const { UpperDir: folder } = (driver as { Data?: Readonly<Record<string, string>> | null } | undefined)?.Data ?? {};
  return folder;
}
