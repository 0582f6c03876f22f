import { isDeepStrictEqual } from 'node:util';
import { type Clock, waitAtMost } from '../clock/index.ts';
import { checkStamp, type Format, foreign, stampOf } from '../format/index.ts';
import type { AnnouncedEvent, AnnouncedStream, EventSource } from './announced.ts';
import { Bell } from './bell.ts';
import {
  afterPrefix,
  compareKeys,
  encodeBatch,
  type EncodedBatch,
  fenceKey,
  limits,
  pageCharacters,
  pageLimit,
} from './encode.ts';
import { HighWater } from './high-water.ts';
import {
  type Batch,
  type Change,
  type Committed,
  type Condition,
  ConditionFailed,
  type FollowOptions,
  type Json,
  type ListOptions,
  type Page,
  type RecordStore,
  StaleEpoch,
  type Stored,
  StoreUnavailable,
} from './record-store.ts';
import { RedisClient, type RedisConnection } from './redis-client.ts';
import { shardCount } from './redis-library.ts';
import { ShardTags } from './shard-tags.ts';

export interface RedisRecordsConfig extends RedisConnection {
  /** Begins every key; two installations may share a Redis under different ones. Default `slipway`. */
  readonly prefix?: string;
  /** As for sqlite. Default 10,000. */
  readonly keptTombstones?: number;
  /** As for sqlite, about. Default 100,000. */
  readonly keptEvents?: number;
}

export interface RedisRecords extends RecordStore, EventSource {
  /** What is unsafe about the server's settings, and loss of data that was noticed; in plain words. */
  warnings(): Promise<readonly string[]>;
  /** Why data that this process has seen seems to be gone; undefined while all is well. Deleting by reachability must stop then. */
  lossNoticed(): string | undefined;
}

/** Raised when the keys or what lies under them change in a way that older servers would misread. */
const format: Format = { holds: 'records', version: 1 };

/** Wake-ups by publish and subscribe may get lost; so often followers look without one. */
const lookEvery = 1000;
/** A condition on a value is turned into one on the version it was seen at; this often when the row keeps changing. */
const resolveAttempts = 20;

/**
 * Facts in Redis 7 or newer, alone or as a cluster. A resolved commit is as durable as the server's settings make it: with
 * `appendonly yes` and `appendfsync always` it is on the disk; `warnings()` says when they are otherwise.
 * @throws StoreUnavailable when no such Redis answers
 * @throws FormatRefused when what lies under the prefix has a newer format, or is not ours
 */
export async function openRedisRecords(config: RedisRecordsConfig, clock: Clock): Promise<RedisRecords> {
  const prefix = config.prefix ?? 'slipway';
  const bells = new Map<string, Bell>();
  let store: RedisStore | undefined;
  const wake = (channel: string): void => bells.get(channel)?.ring();
  const client = await RedisClient.open(config, clock, wake, () => store?.reconnected());
  try {
    await checkFormat(client, prefix);
  } catch (error) {
    await client.close();
    throw error;
  }
  store = new RedisStore(client, clock, bells, { prefix, ...config });
  return store;
}

/** Compares the stamp, and leaves one where there is none yet. Not written again: a Redis that is full can still be read. */
async function checkFormat(client: RedisClient, prefix: string): Promise<void> {
  const key = `${prefix}:{${prefix}-0}:format`;
  const where = `Redis under the prefix "${prefix}"`;
  const type = await client.run((redis) => redis.type(key));
  if (type !== 'none' && type !== 'string') throw foreign(where, format.holds, `${key} is a ${type}`);
  let found = await client.run((redis) => redis.get(key));
  if (found === null) {
    await client.run((redis) => redis.set(key, stampOf(format), 'NX'));
    found = (await client.run((redis) => redis.get(key))) ?? '';
  }
  checkStamp(found, format, where);
}

class RedisStore implements RedisRecords {
  readonly #client: RedisClient;
  readonly #clock: Clock;
  /** By channel, so that a commit wakes only those who follow its partition or one of its topics. */
  readonly #bells: Map<string, Bell>;
  readonly #config: { readonly prefix: string; readonly keptTombstones?: number; readonly keptEvents?: number };
  readonly #closing = new AbortController();
  readonly #highWater = new HighWater();
  readonly #tags: ShardTags;
  readonly #underWay = new Set<Promise<Committed>>();

  constructor(
    client: RedisClient,
    clock: Clock,
    bells: Map<string, Bell>,
    config: { readonly prefix: string; readonly keptTombstones?: number; readonly keptEvents?: number },
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#bells = bells;
    this.#config = config;
    this.#tags = new ShardTags(config.prefix);
  }

  warnings = async (): Promise<readonly string[]> => {
    const lost = this.lossNoticed();
    return [...(lost === undefined ? [] : [lost]), ...(await this.#client.warnings())];
  };

  lossNoticed(): string | undefined {
    return this.#highWater.regressed;
  }

  /** Looks whether the partitions seen lately are as new as they were. */
  reconnected(): void {
    for (const bell of this.#bells.values()) bell.ring();
    void Promise.all(
      this.#highWater.partitions().map((partition) => this.version(partition)),
      // Not reachable again; the next connection looks again.
    ).catch(() => {});
  }

  async get<T = Json>(partition: string, key: string): Promise<Stored<T> | undefined> {
    const row = await this.#client.run((client) => client.hget(this.#key(partition, 'rec'), key));
    return row === null ? undefined : toStored<T>(key, row);
  }

  async getMany<T = Json>(partition: string, keys: readonly string[]): Promise<ReadonlyMap<string, Stored<T>>> {
    if (keys.length === 0) return new Map();
    const rows = await this.#client.run((client) => client.hmget(this.#key(partition, 'rec'), ...keys));
    return new Map(
      keys.flatMap((key, index) => {
        const row = rows[index];
        return row == null ? [] : [[key, toStored<T>(key, row)] as const];
      }),
    );
  }

  async list<T = Json>(partition: string, options: ListOptions = {}): Promise<Page<T>> {
    const { prefix = '', after } = options;
    const limit = pageLimit(options.limit);
    const end = afterPrefix(prefix);
    const from = after !== undefined && compareKeys(after, prefix) >= 0 ? `(${after}` : `[${prefix}`;
    const upTo = end === undefined ? '+' : `(${end}`;
    const most = pageCharacters(options.characters);
    const reply = await this.#client.call('list', this.#tags.of(partition), [partition, from, upTo, limit + 1, most]);
    const [names, rows] = reply as [string[], string[]];
    const listed = rows.slice(0, limit);
    return {
      records: listed.map((row, index) => toStored<T>(names[index]!, row)),
      more: names.length > listed.length,
    };
  }

  async count(partition: string, prefix: string, most: number): Promise<number> {
    const end = afterPrefix(prefix);
    const upTo = end === undefined ? '+' : `(${end}`;
    const there = await this.#client.run((client) =>
      client.zlexcount(this.#key(partition, 'keys'), `[${prefix}`, upTo),
    );
    return Math.min(there, most);
  }

  async commit(partition: string, batch: Batch): Promise<Committed> {
    const encoded = encodeBatch(partition, batch, this.#clock.now());
    if (this.#closing.signal.aborted) throw new StoreUnavailable('the store is closed', 'not-committed');
    const commit = this.#commit(partition, encoded);
    this.#underWay.add(commit);
    return commit.finally(() => this.#underWay.delete(commit));
  }

  async version(partition: string): Promise<number> {
    const found = await this.#client.run((client) => client.hget(this.#key(partition, 'meta'), 'version'));
    const version = Number(found ?? 0);
    this.#highWater.see(partition, version, 'present');
    return version;
  }

  async *follow(partition: string, options: FollowOptions): AsyncIterable<readonly Change[]> {
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    let after = options.after ?? (await this.version(partition));
    const bell = await this.#bell(this.#key(partition, 'wake'));
    while (!signal.aborted) {
      const { rings } = bell;
      const changes = await this.#changes(partition, after);
      if (changes.length > 0) {
        after = changes.at(-1)!.version;
        yield changes;
      } else {
        await this.#wait(bell, rings, signal);
      }
    }
  }

  async partitions(options: ListOptions = {}): Promise<{ readonly names: readonly string[]; readonly more: boolean }> {
    const { prefix = '', after } = options;
    const limit = pageLimit(options.limit);
    const end = afterPrefix(prefix);
    const from = after !== undefined && compareKeys(after, prefix) >= 0 ? `(${after}` : `[${prefix}`;
    const found = await Promise.all(
      Array.from({ length: shardCount }, (_, shard) =>
        this.#client.run((client) =>
          client.zrangebylex(
            `${this.#tags.ofShard(shard)}:partitions`,
            from,
            end === undefined ? '+' : `(${end}`,
            'LIMIT',
            0,
            limit + 1,
          ),
        ),
      ),
    );
    const names = found.flat().sort(compareKeys);
    return { names: names.slice(0, limit), more: names.length > limit };
  }

  async announced(partition: string, topic: string, after: number, limit: number): Promise<readonly AnnouncedEvent[]> {
    const entries = await this.#client.run((client) =>
      client.xrange(this.#key(partition, `ev:${topic}`), `(${after}-0`, '+', 'COUNT', limit),
    );
    return entries.map(([id, [, type, , time, , data]]) => ({
      position: Number(id.split('-')[0]),
      partition,
      topic,
      type: type!,
      data: JSON.parse(data!) as Json,
      time: Number(time),
    }));
  }

  async *streams(topic: string, until: AbortSignal): AsyncIterable<readonly AnnouncedStream[]> {
    const signal = AbortSignal.any([until, this.#closing.signal]);
    const bell = await this.#bell(`${this.#config.prefix}:wake:${topic}`);
    const marks = Array.from({ length: shardCount }, () => '0');
    while (!signal.aborted) {
      const { rings } = bell;
      const found = await Promise.all(
        marks.map(async (mark, shard) => {
          const reply = await this.#client.call('streams', this.#tags.ofShard(shard), [topic, mark]);
          const rows = reply as [string, string, string, string][];
          marks[shard] = rows.at(-1)?.[3] ?? mark;
          return rows.map(([partition, first, last]) => ({
            partition,
            first: Number(first.split('-')[0]),
            last: Number(last),
          }));
        }),
      );
      const grown = found.flat();
      if (grown.length > 0) yield grown;
      else await this.#wait(bell, rings, signal);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#underWay);
    await this.#client.close();
  }

  async #commit(partition: string, encoded: EncodedBatch): Promise<Committed> {
    for (let attempt = 1; ; attempt++) {
      const resolved = await this.#resolve(encoded);
      const reply = await this.#client.call(
        'commit',
        this.#tags.of(partition),
        this.#commitArguments(encoded, resolved),
      );
      const [kind, detail] = reply as ['committed', string] | ['failed', number[]];
      if (kind === 'committed') {
        const version = Number(detail);
        this.#highWater.see(partition, version, 'next');
        return { version };
      }
      const fenceCount = encoded.fence === undefined ? 0 : 1;
      if (fenceCount === 1 && detail.includes(0)) throw new StaleEpoch(encoded.fence!);
      const failed = detail.map((index) => encoded.require[index - fenceCount]!);
      // The row that a value was compared with has changed meanwhile: compare again.
      const again = failed.every((condition) => 'equals' in condition) && attempt < resolveAttempts;
      if (!again) throw new ConditionFailed(failed);
    }
  }

  async #changes(partition: string, after: number): Promise<readonly Change[]> {
    const reply = await this.#client.call('changes', this.#tags.of(partition), [
      partition,
      after,
      1000,
      limits.pageCharacters,
    ]);
    const [kind, ...rest] = reply as ['none'] | ['reset', string] | ['changes', string[], string[], (string | null)[]];
    if (kind === 'none') return [];
    if (kind === 'reset') {
      this.#highWater.see(partition, Number(rest[0]), 'present');
      return [{ kind: 'reset', version: Number(rest[0]) }];
    }
    const [versions, names, rows] = rest as [string[], string[], (string | null)[]];
    return names.map((key, index) => {
      const version = Number(versions[index]);
      const row = rows[index];
      return row == null
        ? { kind: 'removed', key, version }
        : { kind: 'put', key, version, value: toStored<Json>(key, row).value };
    });
  }

  /** Conditions on values as conditions on versions: comparing JSON is left to JavaScript. */
  async #resolve(batch: EncodedBatch): Promise<readonly (readonly [string, string, string])[]> {
    const compared = batch.require.flatMap((condition) => ('equals' in condition ? [condition.key] : []));
    const seen = await this.getMany(batch.partition, compared);
    const mismatched: Condition[] = [];
    const resolved = batch.require.map((condition): readonly [string, string, string] => {
      if ('prefix' in condition) return ['empty', condition.prefix, afterPrefix(condition.prefix) ?? ''];
      if ('version' in condition) return ['version', condition.key, String(condition.version)];
      if ('exists' in condition) return [condition.exists ? 'present' : 'absent', condition.key, ''];
      const stored = seen.get(condition.key);
      const equal = isDeepStrictEqual(stored?.value, JSON.parse(JSON.stringify(condition.equals)));
      if (stored === undefined || !equal) mismatched.push(condition);
      return ['version', condition.key, String(stored?.version ?? 0)];
    });
    if (mismatched.length > 0) throw new ConditionFailed(mismatched);
    const { fence } = batch;
    return fence === undefined ? resolved : [['json', fenceKey(fence.name), String(fence.epoch)], ...resolved];
  }

  #commitArguments(
    batch: EncodedBatch,
    conditions: readonly (readonly [string, string, string])[],
  ): readonly (string | number)[] {
    return [
      batch.partition,
      batch.time,
      this.#config.keptTombstones ?? 10_000,
      this.#config.keptEvents ?? 100_000,
      conditions.length,
      ...conditions.flat(),
      batch.put.length,
      ...batch.put.flat(),
      batch.remove.length,
      ...batch.remove,
      batch.announce.length,
      ...batch.announce.flat(),
    ];
  }

  async #bell(channel: string): Promise<Bell> {
    let bell = this.#bells.get(channel);
    if (bell === undefined) {
      bell = new Bell();
      this.#bells.set(channel, bell);
      await this.#client.listen(channel);
    }
    return bell;
  }

  /** Waits until a bell rings that has rung so often, or it is time to look again. */
  #wait(bell: Bell, rings: number, signal: AbortSignal): Promise<void> {
    return waitAtMost(lookEvery, (wake) => bell.listen(rings, wake), this.#clock, signal);
  }

  #key(partition: string, part: string): string {
    return `${this.#tags.of(partition)}:${partition}:${part}`;
  }
}

function toStored<T>(key: string, row: string): Stored<T> {
  const colon = row.indexOf(':');
  return { key, value: JSON.parse(row.slice(colon + 1)) as T, version: Number(row.slice(0, colon)) };
}
