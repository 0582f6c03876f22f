import type { BlobStore } from '@slipway/storage/blobs';
import type { Clock } from '@slipway/storage/clock';
import { ConditionFailed, type Json, type RecordStore, scanAll, type Stored } from '@slipway/storage/records';

import type { ResultRow } from '../insights/index.ts';
import { logKeys, logsPartition } from '../store/keys.ts';
import type { GarbageRecord } from '../store/records.ts';

import { readAnswer } from './answers.ts';
import type { QueryRecord, QueryRequest } from './records.ts';

/** Queries of an account that wait or run at once (CloudWatch Logs quotas had 30 for years). */
export const mostUnfinished = 30;
/** How long a query is remembered with its answer, and how many of an account are. */
export const rememberedFor = 24 * 3_600_000;
const mostRemembered = 200;
/** Bytes of the answers of an account that are remembered; the newest one is, however much it takes. */
const mostAnswers = 256 * 1024 * 1024;
/** After so long without a word the process that worked on a query is lost, milliseconds. */
export const lostAfter = 60_000;

/** The account has as many queries at work as it may. */
export class TooManyQueries extends Error {
  override readonly name = 'TooManyQueries';
}

export const tooMany = (): TooManyQueries =>
  new TooManyQueries(`${mostUnfinished} queries are at work already. Wait for one of them, or stop it.`);

export interface StoredQueriesPorts {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}

/** A query as its record says, by its id. */
export interface FoundQuery extends QueryRecord {
  readonly id: string;
}

export const isUnfinished = ({ status }: Pick<QueryRecord, 'status'>): boolean =>
  status === 'Scheduled' || status === 'Running';

/** The queries of accounts, as records that every server reads, and answers as blobs. */
export class StoredQueries {
  readonly #ports: StoredQueriesPorts;

  constructor(ports: StoredQueriesPorts) {
    this.#ports = ports;
  }

  /**
   * Writes down a query that is to be worked on, and forgets old ones.
   * @returns its record, with the version on which whoever works on it writes
   * @throws TooManyQueries
   */
  async create(account: string, id: string, request: QueryRequest): Promise<Stored<QueryRecord>> {
    const { clock } = this.#ports;
    const all = await this.#all(account);
    if (all.filter(({ value }) => isUnfinished(value)).length >= mostUnfinished) throw tooMany();
    const now = clock.now();
    let answers = 0;
    const over = all
      .filter(({ value }) => !isUnfinished(value))
      .toSorted((one, other) => other.value.createdAt - one.value.createdAt)
      .filter(
        ({ value }, index) =>
          (answers += value.blob?.size ?? 0) > (index === 0 ? Infinity : mostAnswers) ||
          index >= mostRemembered - mostUnfinished ||
          value.createdAt < now - rememberedFor,
      );
    for (const one of over) await this.#forget(account, one);
    const value: QueryRecord = {
      ...request,
      status: 'Scheduled',
      createdAt: now,
      aliveAt: now,
      statistics: { matched: 0, scanned: 0, bytes: 0, groups: request.groups.length },
    };
    const key = logKeys.query(id);
    const { version } = await this.#ports.records.commit(logsPartition(account), {
      require: [{ key, exists: false }],
      put: [{ key, value: { ...value } as unknown as Json }],
    });
    return { key, value, version };
  }

  /** A query, of which nobody works any more if nothing was heard of it for a minute: then it has failed. */
  async get(account: string, id: string): Promise<FoundQuery | undefined> {
    if (!isId(id)) return undefined;
    const found = await this.#ports.records.get<QueryRecord>(logsPartition(account), logKeys.query(id));
    return found === undefined ? undefined : { ...(await this.#settled(account, found)).value, id };
  }

  /** All that are remembered, the newest first. */
  async list(account: string): Promise<readonly FoundQuery[]> {
    const all = await this.#all(account);
    return all
      .map(({ key, value }) => ({ ...value, id: key.slice(logKeys.queries.length) }))
      .toSorted((one, other) => other.createdAt - one.createdAt || (one.id < other.id ? -1 : 1));
  }

  /** Ends a query for whoever works on it, here or elsewhere. @returns whether it was still at work; undefined when there is none */
  async stop(account: string, id: string): Promise<boolean | undefined> {
    for (;;) {
      if (!isId(id)) return undefined;
      const found = await this.#ports.records.get<QueryRecord>(logsPartition(account), logKeys.query(id));
      if (found === undefined) return undefined;
      if (!isUnfinished(found.value)) return false;
      if ((await this.write(account, found, { status: 'Cancelled', endedAt: this.#ports.clock.now() })) !== undefined)
        return true;
    }
  }

  /**
   * Changes a query, on condition that nobody has since.
   * @returns the record as it is now; undefined when somebody has
   */
  async write(
    account: string,
    { key, value, version }: Stored<QueryRecord>,
    change: Partial<QueryRecord>,
  ): Promise<Stored<QueryRecord> | undefined> {
    const changed = { ...value, ...change };
    try {
      const committed = await this.#ports.records.commit(logsPartition(account), {
        require: [{ key, version }],
        put: [{ key, value: { ...changed } as unknown as Json }],
      });
      return { key, value: changed, version: committed.version };
    } catch (error) {
      if (error instanceof ConditionFailed) return undefined;
      throw error;
    }
  }

  /** Rows of an answer. @throws LogsDamaged, BlobMissing, BlobStoreError */
  async rows(query: QueryRecord, from: number, count: number): Promise<readonly ResultRow[]> {
    const { blob, pages } = query;
    return blob === undefined || pages === undefined ? [] : readAnswer(this.#ports.blobs, { blob, pages }, from, count);
  }

  async #all(account: string): Promise<readonly Stored<QueryRecord>[]> {
    const all = await scanAll<QueryRecord>(this.#ports.records, logsPartition(account), { prefix: logKeys.queries });
    return Promise.all(all.map((one) => this.#settled(account, one)));
  }

  async #settled(account: string, found: Stored<QueryRecord>): Promise<Stored<QueryRecord>> {
    const now = this.#ports.clock.now();
    if (!isUnfinished(found.value) || now - found.value.aliveAt < lostAfter) return found;
    // Whoever worked on it finds that it was ended, should it come again.
    const ended = await this.write(account, found, { status: 'Failed', endedAt: now });
    return ended ?? (await this.#ports.records.get<QueryRecord>(logsPartition(account), found.key)) ?? found;
  }

  /** Removes a query. Who reads its answer may go on for some minutes. */
  async #forget(account: string, { key, value: { blob }, version }: Stored<QueryRecord>): Promise<void> {
    const { records, clock } = this.#ports;
    const garbage: GarbageRecord | undefined = blob && {
      blob: { digest: blob.digest, generation: blob.generation },
      at: clock.now(),
    };
    try {
      await records.commit(logsPartition(account), {
        require: [{ key, version }],
        remove: [key],
        put:
          garbage === undefined
            ? []
            : [{ key: logKeys.garbageOf(garbage.blob.generation), value: { ...garbage } as unknown as Json }],
      });
    } catch (error) {
      // Another server forgets it.
      if (!(error instanceof ConditionFailed)) throw error;
    }
  }
}

/** Whether a text is an id as queries have them: nothing else is looked up. */
const isId = (text: string): boolean => /^[0-9a-f-]{36}$/.test(text);
