import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type Docker from 'dockerode';

import { engineCall } from '../docker.ts';
import { mountsIn } from '../mountinfo.ts';
import { socketName } from './configuration.ts';
import { RouterError, type RouterFiles, type RouterPort } from './port.ts';

export interface HostFilesOptions {
  readonly agentId: string;
  readonly docker: Docker;
  /** Runs a program of the host. @returns its standard output @throws when it refuses */
  readonly run: (program: string, words: readonly string[]) => Promise<string>;
  /** The folder of all agents of the host. */
  readonly root?: string;
  /** The mounts of this process, as the kernel tells them. */
  readonly mounts?: () => Promise<string>;
}

/**
 * What the folder of a task may be and hold. The engine, which is root, opens the router's socket by its path: a router that could put a
 * symbolic link there would have the engine write what the task says into any socket of the host.
 */
const flags = 'size=1m,nr_inodes=64,mode=0755,nosymfollow,nodev,nosuid,noexec';

/** Where the files of log routers are; no task has any business there but by its own mounts. */
export const routersRoot = '/run/slipway-routers';

/** Task ids as folders. */
const isId = (name: string): boolean => /^[\w-]{1,64}$/.test(name);

/**
 * The files of log routers: for each task a small file system of its own in memory, in which symbolic links lead nowhere, with the
 * configuration and the folder of the socket. It is gone with the task, and with the host's next start.
 */
export class HostFiles implements RouterPort {
  readonly #options: HostFilesOptions;
  readonly #root: string;
  readonly #folder: string;
  #found: { readonly reason?: string } | undefined;

  constructor(options: HostFilesOptions) {
    this.#options = options;
    this.#root = options.root ?? routersRoot;
    // Short: the path of a socket has 107 characters at most.
    this.#folder = join(this.#root, createHash('sha256').update(options.agentId).digest('hex').slice(0, 12));
  }

  async reason(): Promise<string | undefined> {
    this.#found ??= await this.#find();
    return this.#found.reason;
  }

  socket(id: string): string {
    return join(this.#at(id), 'socket', socketName);
  }

  async prepare(id: string, configuration: string, added?: string): Promise<RouterFiles> {
    const reason = await this.reason();
    if (reason !== undefined) throw new RouterError(`this container instance runs no log routers: ${reason}`);
    const at = this.#at(id);
    const files = { configuration: join(at, 'router.conf'), added: join(at, 'added.conf'), folder: join(at, 'socket') };
    return guarded(async () => {
      await this.#mount(at);
      for (const [path, text] of [[files.configuration, configuration] as const, [files.added, added] as const]) {
        if (text === undefined) continue;
        await writeFile(path, text);
        // A router may run as any user of its image; nobody else gets as far as here.
        await chmod(path, 0o644);
      }
      await mkdir(files.folder, { recursive: true });
      await chmod(files.folder, 0o777);
      return files;
    });
  }

  async remove(id: string): Promise<void> {
    const at = this.#at(id);
    await guarded(async () => {
      if ((await this.#mounted(at)) !== undefined) await this.#options.run('umount', [at]);
      await ignoring(['ENOENT'], rmdir(at));
      for (const folder of [this.#folder, this.#root]) await ignoring(['ENOENT', 'ENOTEMPTY'], rmdir(folder));
    });
  }

  async sweep(kept: ReadonlySet<string>): Promise<number> {
    const names = await guarded(async () => (await ignoring(['ENOENT'], readdir(this.#folder))) ?? []);
    const left = names.filter((name) => isId(name) && !kept.has(name));
    for (const id of left) await this.remove(id);
    return left.length;
  }

  #at(id: string): string {
    if (!isId(id)) throw new RouterError(`'${id}' is no id of a task`);
    return join(this.#folder, id);
  }

  async #find(): Promise<{ readonly reason?: string }> {
    const { docker } = this.#options;
    const { socketPath } = docker.modem as { socketPath?: unknown };
    if (socketPath === undefined) return { reason: 'its Docker engine is not reached by a local socket' };
    const [info, { ApiVersion: api = '' }] = await Promise.all([
      engineCall(() => docker.info() as Promise<{ Plugins?: { Log?: readonly string[] | null } }>),
      engineCall(() => docker.version() as Promise<{ ApiVersion?: string }>),
    ]);
    if (info.Plugins?.Log?.includes('fluentd') !== true) return { reason: "its engine has no log driver 'fluentd'" };
    // The first whose driver waits for nobody and forgets what cannot be sent when a container ends.
    if (Number(api.split('.')[1] ?? 0) < 41) return { reason: 'its Docker engine is older than 20.10' };
    if (process.platform !== 'linux' || process.geteuid?.() !== 0)
      return { reason: 'its agent does not run as root on Linux' };
    const probe = 'probe';
    try {
      await this.#mount(this.#at(probe));
      await this.remove(probe);
      return {};
    } catch (error) {
      return { reason: `a file system without symbolic links cannot be mounted: ${(error as Error).message}` };
    }
  }

  /** @throws what mkdir, the kernel's list or mount says; Error when what is mounted there follows links */
  async #mount(at: string): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    await mkdir(at, { recursive: true, mode: 0o700 });
    if ((await this.#mounted(at)) === undefined)
      await this.#options.run('mount', ['-t', 'tmpfs', '-o', flags, 'slipway-router', at]);
    const options = await this.#mounted(at);
    if (options?.includes('nosymfollow') !== true) throw new Error(`what is mounted at ${at} follows symbolic links`);
  }

  /** The options of what is mounted at a path; undefined when nothing is. */
  async #mounted(at: string): Promise<readonly string[] | undefined> {
    const read = this.#options.mounts ?? (() => readFile('/proc/self/mountinfo', 'utf8'));
    return mountsIn(await read()).findLast(({ point }) => point === at)?.options;
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RouterError) throw error;
    throw new RouterError(`the files of the log router: ${(error as Error).message}`, { cause: error });
  }
}

async function ignoring<T>(codes: readonly string[], done: Promise<T>): Promise<T | undefined> {
  try {
    return await done;
  } catch (error) {
    if (codes.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
