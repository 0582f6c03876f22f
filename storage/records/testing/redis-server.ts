import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

import { freePort } from '../../testing/free-port.ts';

/** Whether the real part is on this machine. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

/** What is missing for tests on a real Redis; undefined when it is there. */
export const redisMissing = hasRedis
  ? undefined
  : 'redis-server is not on this machine (Debian: apt install redis-server)';

/** A real Redis in a folder of its own, with the settings that the driver wants unless told otherwise. */
export class RedisServer {
  readonly url: string;
  readonly folder: string;
  readonly #port: number;
  readonly #settings: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, folder: string, settings: readonly string[]) {
    this.#port = port;
    this.folder = folder;
    this.#settings = settings;
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** @throws Error when there is no Redis on this machine */
  static async start(
    settings: readonly string[] = ['--appendonly', 'yes', '--appendfsync', 'always'],
    folder?: string,
  ): Promise<RedisServer> {
    if (redisMissing !== undefined) throw new Error(redisMissing);
    const server = new RedisServer(
      await freePort(),
      folder ?? (await mkdtemp(join(tmpdir(), 'slipway-redis-'))),
      settings,
    );
    await server.resume();
    return server;
  }

  /** Starts it again on what its folder holds. */
  async resume(): Promise<void> {
    this.#child = spawn(
      'redis-server',
      ['--port', String(this.#port), '--bind', '127.0.0.1', '--dir', this.folder, '--save', '', ...this.#settings],
      { stdio: 'ignore' },
    );
    // The client's own look at whether a server is still loading comes once a second.
    const client = new Redis(this.url, {
      retryStrategy: () => 20,
      maxRetriesPerRequest: null,
      enableReadyCheck: false,
    });
    client.on('error', () => {});
    while ((await client.ping().catch(() => '')) !== 'PONG') await new Promise((resolve) => setTimeout(resolve, 20));
    client.disconnect();
  }

  /** Makes a cluster of this one node: every slot is its own, and calls across slots fail as in a larger one. */
  async becomeCluster(): Promise<void> {
    const client = new Redis(this.url);
    await client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
    while (!/cluster_state:ok/.test(String(await client.call('CLUSTER', 'INFO')))) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    client.disconnect();
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT' = 'SIGKILL'): Promise<void> {
    const child = this.#child!;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await ended;
  }

  async dispose(): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}
