import { Cluster, Redis, ReplyError } from 'ioredis';
import type { Clock } from '../clock/index.ts';
import { StoreUnavailable } from './record-store.ts';
import { library, libraryName } from './redis-library.ts';

export interface RedisConnection {
  /** `redis://[user:password@]host:port[/db]` or `rediss://…`; several for a Redis Cluster. */
  readonly url: string | readonly string[];
  /** Milliseconds a call waits for a lost connection to come back before it is refused. Default 2,000. */
  readonly reconnectWait?: number;
  /** Milliseconds without a byte from Redis after which calls on their way end with an unknown outcome, and the connection is made anew. Default 10,000. */
  readonly silence?: number;
}

/** The oldest Redis with functions (redis.io/docs/latest/develop/programmability/functions-intro). */
const oldestMajor = 7;

/**
 * One connection for calls and one for wake-ups. A call that was on its way when the connection broke is never sent again: the
 * caller is told that the outcome is unknown, because doing a commit twice is not the same as doing it once.
 */
export class RedisClient {
  readonly #client: Redis | Cluster;
  readonly #subscriber: Redis | Cluster;
  readonly #clock: Clock;
  readonly #reconnectWait: number;
  #closed = false;

  private constructor(connection: RedisConnection, clock: Clock) {
    const urls = typeof connection.url === 'string' ? [connection.url] : connection.url;
    const one = {
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      // Without this, calls on their way would never be settled when the connection breaks.
      maxRetriesPerRequest: 0,
      // Where packets are lost, nothing tells of it: the kernel would go on trying for a quarter of an hour, and each call wait as long.
      socketTimeout: connection.silence ?? 10_000,
      // The connection for wake-ups waits for no answer: the kernel asks whether the other end is there.
      keepAlive: 10_000,
      retryStrategy: (times: number) => Math.min(50 * times, 1000),
    } as const;
    this.#client =
      typeof connection.url === 'string'
        ? new Redis(connection.url, { ...one, enableAutoPipelining: true })
        : new Cluster([...urls], {
            lazyConnect: true,
            enableOfflineQueue: false,
            retryDelayOnFailover: 0,
            redisOptions: one,
          });
    this.#subscriber = this.#client instanceof Cluster ? this.#client.duplicate() : this.#client.duplicate();
    this.#clock = clock;
    this.#reconnectWait = connection.reconnectWait ?? 2000;
    for (const client of [this.#client, this.#subscriber]) {
      // Every call reports its own failure; without a listener the connection's would end the process.
      client.on('error', () => {});
    }
  }

  /**
   * @param wake called with the channel that something was published to
   * @param reconnected called when the connection is there again after a loss
   * @throws StoreUnavailable when there is no Redis 7 at the address
   */
  static async open(
    connection: RedisConnection,
    clock: Clock,
    wake: (channel: string) => void,
    reconnected: () => void,
  ): Promise<RedisClient> {
    const opened = new RedisClient(connection, clock);
    try {
      await Promise.all([opened.#client.connect(), opened.#subscriber.connect()]);
      const version = /redis_version:(\d+)/.exec(await opened.#anyNode().info('server'))?.[1];
      if (version === undefined || Number(version) < oldestMajor) {
        throw new Error(`Redis ${oldestMajor} or newer is needed, this one says ${version ?? 'nothing'}`);
      }
      await opened.#load();
      opened.#subscriber.on('message', (channel: string) => wake(channel));
      opened.#client.on('ready', reconnected);
      return opened;
    } catch (error) {
      opened.#disconnect();
      const why = (error as Error).message;
      throw new StoreUnavailable(`cannot use Redis: ${why}`, 'not-committed', { cause: error });
    }
  }

  /** Calls a function of the library on a shard. */
  async call(name: string, tag: string, args: readonly (string | number)[]): Promise<unknown> {
    return this.run(async (client) => {
      const invoke = (): Promise<unknown> => client.fcall(`${libraryName}_${name}`, 1, tag, ...args);
      try {
        return await invoke();
      } catch (error) {
        // A Redis that came back empty has no library either; nothing was run.
        if (!/Function not found/i.test((error as Error).message)) throw error;
        await this.#load();
        return invoke();
      }
    });
  }

  /** @throws StoreUnavailable, its outcome `unknown` only when Redis may have run the command */
  async run<T>(command: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    await this.#ready();
    try {
      return await command(this.#client);
    } catch (error) {
      const { message } = error as Error;
      const refused = error instanceof ReplyError || /isn't writeable|offline queue/i.test(message);
      const text = error instanceof ReplyError ? message : 'the connection broke before the answer came';
      throw new StoreUnavailable(`Redis: ${text}`, refused ? 'not-committed' : 'unknown', { cause: error });
    }
  }

  /** Asks to be woken by a channel; after a lost connection it is asked for again by itself. */
  async listen(channel: string): Promise<void> {
    // Without it followers look on their own every now and then.
    await this.#subscriber.subscribe(channel).catch(() => {});
  }

  /** What is unsafe about the server's settings, in plain words. */
  async warnings(): Promise<readonly string[]> {
    const found: string[] = [];
    const node = this.#anyNode();
    const setting = async (name: string): Promise<string | undefined> => {
      const reply = (await node.config('GET', name).catch(() => [])) as string[];
      return reply[1];
    };
    const wanted: readonly [string, string, string][] = [
      ['appendonly', 'yes', 'everything since the last snapshot is lost when Redis stops'],
      ['appendfsync', 'always', 'commits that were answered are lost when the machine fails'],
      ['maxmemory-policy', 'noeviction', 'Redis throws records away when its memory is full'],
      ['no-appendfsync-on-rewrite', 'no', 'commits are not synced to the disk while the log is being rewritten'],
    ];
    for (const [name, value, consequence] of wanted) {
      const actual = await setting(name);
      if (actual === undefined) found.push(`cannot read Redis's setting ${name}; it must be "${value}"`);
      else if (actual !== value) found.push(`Redis has ${name} "${actual}": ${consequence}; set it to "${value}"`);
    }
    const replication = await node.info('replication').catch(() => '');
    if (/connected_slaves:[1-9]/.test(replication)) {
      found.push('Redis has replicas: a failover loses the commits that had not reached the replica yet');
    }
    return found;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#client.quit().catch(() => {});
    this.#disconnect();
  }

  #disconnect(): void {
    this.#client.disconnect();
    this.#subscriber.disconnect();
  }

  #anyNode(): Redis {
    return this.#client instanceof Cluster ? this.#client.nodes('master')[0]! : this.#client;
  }

  async #load(): Promise<void> {
    const nodes = this.#client instanceof Cluster ? this.#client.nodes('master') : [this.#client];
    for (const node of nodes) await node.function('LOAD', 'REPLACE', library);
  }

  /** Waits a little for a connection that is just being made again. */
  async #ready(): Promise<void> {
    if (this.#closed) throw new StoreUnavailable('the store is closed', 'not-committed');
    const until = this.#clock.monotonic() + this.#reconnectWait;
    for (let status: string = this.#client.status; status !== 'ready'; status = this.#client.status) {
      if (this.#closed || this.#clock.monotonic() >= until) {
        throw new StoreUnavailable('Redis cannot be reached', 'not-committed');
      }
      await this.#clock.sleep(20);
    }
  }
}
