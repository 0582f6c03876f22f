import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { AnnouncedEvent, AnnouncedStream } from './announced.ts';
import { afterPrefix, compareKeys, limits } from './encode.ts';
import type { Change, Json, Page, Stored } from './record-store.ts';
import { StoreUnavailable } from './record-store.ts';
import { Remembered } from './remembered.ts';
import { dataOf, rememberedIds, valueOf } from './sqlite-schema.ts';
import { SqliteStamp } from './sqlite-stamp.ts';

/** Changes handed over in one piece, unless a single commit has more. */
const feedSize = 1000;

/** Rows that are remembered at most, and the length of the longest. */
const mostRows = 1000;
const longestRow = 4096;

type Row = Record<string, string | number>;

// Made once: a text that is put together for each read is also hashed for each, to find the statement that was prepared for it.
const rowsOf = `SELECT key, ${valueOf}, version FROM record WHERE partition = ?`;
const oneRow = `${rowsOf} AND key = ?`;
const manyRows = `${rowsOf} AND key IN (SELECT value FROM json_each(?))`;
const pagesBy = (than: '>' | '>=') => ({
  open: `${rowsOf} AND key ${than} ? ORDER BY key LIMIT ?`,
  upTo: `${rowsOf} AND key ${than} ? AND key < ? ORDER BY key LIMIT ?`,
});
const pages = { past: pagesBy('>'), from: pagesBy('>=') };
const eventsOf = `SELECT position, type, ${dataOf}, time FROM event WHERE stream = (SELECT id FROM stream WHERE partition = ? AND topic = ?)
       AND position > ? ORDER BY position LIMIT ?`;
const changesOf = `SELECT key, ${valueOf}, version FROM record WHERE partition = ?1 AND version > ?2 AND version <= ?3
       UNION ALL SELECT key, NULL, version FROM tombstone WHERE partition = ?1 AND version > ?2 AND version <= ?3
       ORDER BY version`;

/** Reads on the calling thread: short prepared statements, each one a snapshot of the newest committed state. */
export class SqliteReader {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #partitions = new Remembered<number>(rememberedIds);
  readonly #stamp: SqliteStamp | undefined;
  /** Rows as they are at a stamp. */
  readonly #rows = new Map<string, Row>();
  #rowsAt: number | undefined;

  constructor(file: string) {
    this.#db = new DatabaseSync(file, { readOnly: true, timeout: 1000 });
    // The first read takes a lock that is kept: a writer that closes is not the last then and leaves the log alone, which matters
    // after a failed sync.
    this.version('');
    this.#stamp = SqliteStamp.open(file);
  }

  /** Another number whenever another connection has committed, in whichever process; absent where that cannot be told cheaply. */
  get stamp(): (() => number) | undefined {
    const stamp = this.#stamp;
    return stamp && (() => stamp.now());
  }

  close(): void {
    this.#stamp?.close();
    this.#db.close();
  }

  /** Changes whenever another connection has committed, in whichever process. */
  dataVersion(): number {
    return this.#number('PRAGMA data_version');
  }

  get<T>(partition: string, key: string): Stored<T> | undefined {
    const id = this.#partition(partition);
    if (id === undefined) return undefined;
    const row = this.#row(id, key);
    return row && toStored<T>(row);
  }

  /** One row; from memory when it was read before and nothing was committed since. */
  #row(id: number, key: string): Row | undefined {
    const stamp = this.#stamp?.now();
    if (stamp !== this.#rowsAt) this.#rows.clear();
    this.#rowsAt = stamp;
    const name = `${id} ${key}`;
    const known = this.#rows.get(name);
    if (known !== undefined) return known;
    const [row] = this.#all(oneRow, id, key);
    if (row === undefined || stamp === undefined || (row['value'] as string).length > longestRow) return row;
    if (this.#rows.size >= mostRows) this.#rows.clear();
    this.#rows.set(name, row);
    return row;
  }

  getMany<T>(partition: string, keys: readonly string[]): ReadonlyMap<string, Stored<T>> {
    const id = this.#partition(partition);
    if (id === undefined || keys.length === 0) return new Map();
    const rows = this.#all(manyRows, id, JSON.stringify(keys));
    return new Map(rows.map((row) => [row['key'] as string, toStored<T>(row)]));
  }

  list<T>(partition: string, prefix: string, after: string | undefined, limit: number, characters: number): Page<T> {
    const id = this.#partition(partition);
    if (id === undefined) return { records: [], more: false };
    const past = after !== undefined && compareKeys(after, prefix) >= 0;
    const end = afterPrefix(prefix);
    const { rows, more } = this.#some(
      characters,
      limit,
      pages[past ? 'past' : 'from'][end === undefined ? 'open' : 'upTo'],
      id,
      past ? after : prefix,
      ...(end === undefined ? [] : [end]),
      limit + 1,
    );
    return { records: rows.map(toStored<T>), more };
  }

  count(partition: string, prefix: string, most: number): number {
    const id = this.#partition(partition);
    if (id === undefined) return 0;
    const end = afterPrefix(prefix);
    const [row] = this.#all(
      `SELECT count(*) AS rows FROM (SELECT 1 FROM record WHERE partition = ? AND key >= ?
       ${end === undefined ? '' : 'AND key < ?'} LIMIT ?)`,
      id,
      prefix,
      ...(end === undefined ? [] : [end]),
      most,
    );
    return row!['rows'] as number;
  }

  version(partition: string): number {
    return (this.#all('SELECT version FROM partition WHERE name = ?', partition)[0]?.['version'] ?? 0) as number;
  }

  partitions(prefix: string, after: string, limit: number): { names: readonly string[]; more: boolean } {
    const end = afterPrefix(prefix);
    const rows = this.#all(
      `SELECT name FROM partition WHERE name >= ? AND name > ? ${end === undefined ? '' : 'AND name < ?'}
       AND EXISTS (SELECT 1 FROM record WHERE partition = partition.id) ORDER BY name LIMIT ?`,
      prefix,
      after,
      ...(end === undefined ? [] : [end]),
      limit + 1,
    );
    return { names: rows.slice(0, limit).map((row) => row['name'] as string), more: rows.length > limit };
  }

  /** Changes after a version, ending at the border of a commit; empty when there are none. */
  changes(partition: string, after: number): readonly Change[] {
    const id = this.#partition(partition);
    if (id === undefined) return after > 0 ? [{ kind: 'reset', version: 0 }] : [];
    const [state] = this.#all('SELECT version, floor FROM partition WHERE id = ?', id);
    const { version, floor } = state as { version: number; floor: number };
    if (version === after) return [];
    // Behind what is remembered, or ahead of it because the file was put back from an older copy.
    if (after < floor || after > version) return [{ kind: 'reset', version }];
    const { rows, more } = this.#changed(id, after, Number.MAX_SAFE_INTEGER, feedSize, limits.pageCharacters);
    if (!more) return rows.map(toChange);
    const last = rows.at(-1)!['version'] as number;
    const whole = rows.filter((row) => row['version'] !== last);
    const border = this.#changed(id, last - 1, last, Infinity, Infinity);
    return [...whole, ...border.rows].map(toChange);
  }

  announced(partition: string, topic: string, after: number, limit: number): readonly AnnouncedEvent[] {
    const id = this.#partition(partition);
    if (id === undefined) return [];
    const rows = this.#all(eventsOf, id, topic, after, limit);
    return rows.map((row) => ({
      position: row['position'] as number,
      partition,
      topic,
      type: row['type'] as string,
      data: JSON.parse(row['data'] as string) as Json,
      time: row['time'] as number,
    }));
  }

  /** Streams of a topic that were appended to after the mark, and the new mark. */
  streams(topic: string, mark: number): { streams: readonly AnnouncedStream[]; mark: number } {
    const rows = this.#all(
      `SELECT name, first, last, touched FROM stream JOIN partition ON partition.id = stream.partition
       WHERE topic = ? AND touched > ? ORDER BY touched`,
      topic,
      mark,
    );
    const streams = rows.map((row) => ({
      partition: row['name'] as string,
      first: row['first'] as number,
      last: row['last'] as number,
    }));
    return { streams, mark: (rows.at(-1)?.['touched'] ?? mark) as number };
  }

  #changed(partition: number, after: number, upTo: number, limit: number, characters: number) {
    return this.#some(characters, limit, changesOf, partition, after, upTo);
  }

  /** A partition's number never changes once it is there. */
  #partition(name: string): number | undefined {
    let id = this.#partitions.get(name);
    if (id === undefined) {
      id = this.#all('SELECT id FROM partition WHERE name = ?', name)[0]?.['id'] as number | undefined;
      if (id !== undefined) this.#partitions.set(name, id);
    }
    return id;
  }

  #number(sql: string): number {
    return Object.values(this.#all(sql)[0]!)[0] as number;
  }

  #all(sql: string, ...values: (string | number)[]): Row[] {
    try {
      return this.#statement(sql).all(...values) as Row[];
    } catch (error) {
      throw unreadable(error);
    }
  }

  /** Rows up to a number and up to the one whose value takes them past so many characters, and whether the query has more. */
  #some(
    characters: number,
    limit: number,
    sql: string,
    ...values: (string | number)[]
  ): { rows: Row[]; more: boolean } {
    try {
      const rows: Row[] = [];
      let held = 0;
      for (const row of this.#statement(sql).iterate(...values) as Iterable<Row>) {
        if (rows.length >= limit || held > characters) return { rows, more: true };
        rows.push(row);
        held += (row['value'] as string | null)?.length ?? 0;
      }
      return { rows, more: false };
    } catch (error) {
      throw unreadable(error);
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

const unreadable = (error: unknown): StoreUnavailable =>
  new StoreUnavailable(`cannot read: ${(error as Error).message}`, 'not-committed', { cause: error });

function toStored<T>(row: Row): Stored<T> {
  return {
    key: row['key'] as string,
    value: JSON.parse(row['value'] as string) as T,
    version: row['version'] as number,
  };
}

function toChange(row: Row): Change {
  const { key, version, value } = row as { key: string; version: number; value: string | null };
  if (value === null) return { kind: 'removed', key, version };
  return { kind: 'put', key, version, value: JSON.parse(value) as Json };
}
