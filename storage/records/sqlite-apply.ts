import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import { afterPrefix, type EncodedBatch, fenceKey } from './encode.ts';
import type { Condition } from './record-store.ts';
import { Remembered } from './remembered.ts';
import { longestInline, rememberedIds, valueOf } from './sqlite-schema.ts';

/** What became of one batch of a group. */
export type Applied =
  | { readonly kind: 'committed'; readonly version: number }
  | { readonly kind: 'conditions'; readonly failed: readonly Condition[] }
  | { readonly kind: 'stale' };

export interface Retention {
  /** Removed keys remembered per partition for the change feed. */
  readonly tombstones: number;
  /** Events kept per partition and topic. */
  readonly events: number;
}

/** Trimming costs a query, so it is looked at only once in so many commits of a partition. */
const trimEvery = 64;

const oneValue = `SELECT ${valueOf} FROM record WHERE partition = ? AND key = ?`;

/** Applies batches inside an open transaction. Holds the prepared statements of one connection. */
export class Applier {
  readonly #db: DatabaseSync;
  readonly #retention: Retention;
  readonly #statements = new Map<string, StatementSync>();
  readonly #partitions = new Remembered<number>(rememberedIds);
  readonly #streams = new Remembered<number>(rememberedIds);

  constructor(db: DatabaseSync, retention: Retention) {
    this.#db = db;
    this.#retention = retention;
    // A key that is there has no tombstone, so only one that comes anew can have left one; a trigger of this connection costs less
    // than a statement for each put.
    db.exec(`CREATE TEMP TRIGGER IF NOT EXISTS came_back AFTER INSERT ON main.record
      BEGIN DELETE FROM tombstone WHERE partition = new.partition AND key = new.key; END`);
  }

  /** Forgets what was learnt inside a transaction that has been rolled back. */
  forget(): void {
    this.#partitions.clear();
    this.#streams.clear();
  }

  /** Checks the batch's conditions and writes it, or writes nothing. An exception leaves the transaction to be rolled back. */
  apply(batch: EncodedBatch): Applied {
    const partition = this.#partition(batch.partition);
    const { fence } = batch;
    if (fence !== undefined && this.#find(partition, fenceKey(fence.name)) !== String(fence.epoch)) {
      return { kind: 'stale' };
    }
    const failed = batch.require.filter((condition) => !this.#holds(partition, condition));
    if (failed.length > 0) return { kind: 'conditions', failed };
    // Read, then written: nobody else writes meanwhile, and RETURNING would cost three times as much.
    const version = this.#number('SELECT version FROM partition WHERE id = ?', partition) + 1;
    this.#run('UPDATE partition SET version = ? WHERE id = ?', version, partition);
    for (const [key, value] of batch.put) {
      this.#run(
        `INSERT INTO record (partition, key, version, value, large) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET version = excluded.version, value = excluded.value, large = excluded.large`,
        partition,
        key,
        version,
        ...this.#placed(value),
      );
    }
    for (const key of batch.remove) {
      if (this.#run('DELETE FROM record WHERE partition = ? AND key = ?', partition, key) === 0) continue;
      this.#run('INSERT INTO tombstone (partition, key, version) VALUES (?, ?, ?)', partition, key, version);
    }
    for (const [topic, type, data] of batch.announce) this.#announce(partition, topic, type, data, batch.time);
    if (version % trimEvery === 0) this.#trimTombstones(partition);
    return { kind: 'committed', version };
  }

  #holds(partition: number, condition: Condition): boolean {
    if ('prefix' in condition) return !this.#anyWithPrefix(partition, condition.prefix);
    if ('version' in condition) return this.#version(partition, condition.key) === condition.version;
    if ('exists' in condition) return (this.#version(partition, condition.key) !== undefined) === condition.exists;
    const found = this.#find(partition, condition.key);
    // Compared as JSON: the order of members does not count, and undefined members are dropped.
    return found !== undefined && isDeepStrictEqual(JSON.parse(found), JSON.parse(JSON.stringify(condition.equals)));
  }

  /** A value's JSON. */
  #find(partition: number, key: string): string | undefined {
    const row = this.#get(oneValue, partition, key);
    return row?.['value'] as string | undefined;
  }

  #version(partition: number, key: string): number | undefined {
    const row = this.#get('SELECT version FROM record WHERE partition = ? AND key = ?', partition, key);
    return row?.['version'] as number | undefined;
  }

  /** What lies beside the key, and where the rest is: a long text is put away first. */
  #placed(text: string): [inline: string, large: number | null] {
    if (text.length <= longestInline) return [text, null];
    return ['', Number(this.#statement('INSERT INTO large (value) VALUES (?)').run(text).lastInsertRowid)];
  }

  #anyWithPrefix(partition: number, prefix: string): boolean {
    const end = afterPrefix(prefix);
    const found =
      end === undefined
        ? this.#get('SELECT 1 FROM record WHERE partition = ? AND key >= ? LIMIT 1', partition, prefix)
        : this.#get(
            'SELECT 1 FROM record WHERE partition = ? AND key >= ? AND key < ? LIMIT 1',
            partition,
            prefix,
            end,
          );
    return found !== undefined;
  }

  #partition(name: string): number {
    let id = this.#partitions.get(name);
    if (id === undefined) {
      this.#run('INSERT INTO partition (name, version, floor) VALUES (?, 0, 0) ON CONFLICT DO NOTHING', name);
      id = this.#number('SELECT id FROM partition WHERE name = ?', name);
      this.#partitions.set(name, id);
    }
    return id;
  }

  #announce(partition: number, topic: string, type: string, data: string, time: number): void {
    const name = `${partition}/${topic}`;
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      this.#run(
        'INSERT INTO stream (topic, partition, first, last, touched) VALUES (?, ?, 1, 0, 0) ON CONFLICT DO NOTHING',
        topic,
        partition,
      );
      stream = this.#number('SELECT id FROM stream WHERE partition = ? AND topic = ?', partition, topic);
      this.#streams.set(name, stream);
    }
    const position = this.#number('SELECT last FROM stream WHERE id = ?', stream) + 1;
    this.#run(
      'UPDATE stream SET last = ?, touched = (SELECT 1 + max(touched) FROM stream WHERE topic = ?) WHERE id = ?',
      position,
      topic,
      stream,
    );
    this.#run(
      'INSERT INTO event (stream, position, type, time, data, large) VALUES (?, ?, ?, ?, ?, ?)',
      stream,
      position,
      type,
      time,
      ...this.#placed(data),
    );
    if (position % trimEvery === 0 && position > this.#retention.events) {
      const first = position - this.#retention.events + 1;
      this.#run('DELETE FROM event WHERE stream = ? AND position < ?', stream, first);
      this.#run('UPDATE stream SET first = ? WHERE id = ?', first, stream);
    }
  }

  #trimTombstones(partition: number): void {
    const oldest = this.#get(
      'SELECT version FROM tombstone WHERE partition = ? ORDER BY version DESC LIMIT 1 OFFSET ?',
      partition,
      this.#retention.tombstones,
    );
    if (oldest === undefined) return;
    const floor = oldest['version'] as number;
    this.#run('DELETE FROM tombstone WHERE partition = ? AND version <= ?', partition, floor);
    this.#run('UPDATE partition SET floor = ? WHERE id = ?', floor, partition);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #get(sql: string, ...values: (string | number)[]): Record<string, unknown> | undefined {
    return this.#statement(sql).get(...values);
  }

  #number(sql: string, ...values: (string | number)[]): number {
    return Object.values(this.#get(sql, ...values)!)[0] as number;
  }

  #run(sql: string, ...values: (string | number | null)[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }
}
