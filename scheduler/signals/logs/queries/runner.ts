import { setImmediate as turn } from 'node:timers/promises';
import type { Log } from '@slipway/auth/contract';
import type { BlobStore } from '@slipway/storage/blobs';
import type { Clock } from '@slipway/storage/clock';
import type { Stored } from '@slipway/storage/records';

import { type FoundEvent, type Query, type QueryRun, QueryTooHeavy } from '../insights/index.ts';
import { LogGroupMissing, type LogEvent, type LogStore } from '../store/contract.ts';

import { writeAnswer } from './answers.ts';
import { pointerOf } from './pointers.ts';
import type { QueryRecord, QueryStatistics } from './records.ts';
import type { StoredQueries } from './stored-queries.ts';
import { type Turn, Turns } from './turns.ts';

/** How often a process says that it works on a query, milliseconds. */
const aliveEvery = 5000;
/** How long a query may take (CloudWatch Logs quotas), milliseconds. */
export const longest = 60 * 60_000;
/** What is read at once. */
const page = { limit: 10_000, bytes: 1024 * 1024, budget: { bytes: 8 * 1024 * 1024, milliseconds: 50 } };
/** Others have their turn after so long, milliseconds. */
const slice = 8;

export interface RunnerPorts {
  readonly logs: Pick<LogStore, 'scan'>;
  readonly blobs: BlobStore;
  readonly queries: StoredQueries;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

/** A query with what is written of it, by the process that works on it alone. */
interface Job {
  readonly account: string;
  readonly query: Query;
  record: Stored<QueryRecord>;
  readonly statistics: { -readonly [name in keyof QueryStatistics]: number };
  /** The last of its writes, which come one after the other. */
  writing: Promise<unknown>;
  readonly over: AbortController;
}

/** Works on queries, in the background of a process. */
export class QueryRunner {
  readonly #ports: RunnerPorts;
  readonly #jobs = new Map<string, Promise<void>>();
  readonly #over = new Map<string, AbortController>();
  readonly #turns: Turns;

  constructor(ports: RunnerPorts) {
    this.#ports = ports;
    this.#turns = new Turns(() => ports.clock.monotonic());
  }

  /**
   * Begins a query, and returns at once: what goes wrong becomes the query's status.
   * @param isOver is called once nothing of it is left here
   */
  start(account: string, record: Stored<QueryRecord>, query: Query, isOver: () => void): void {
    const { value } = record;
    const key = `${account} ${record.key}`;
    const job: Job = {
      account,
      query,
      record,
      statistics: { ...value.statistics },
      writing: Promise.resolve(),
      over: new AbortController(),
    };
    this.#over.set(key, job.over);
    const done = this.#work(job)
      .catch((err: unknown) => this.#ports.log.warn({ err, account }, 'a query of logs cannot be ended'))
      .finally(() => {
        this.#jobs.delete(key);
        this.#over.delete(key);
        isOver();
      });
    this.#jobs.set(key, done);
  }

  /** Says that a query was ended, so that one that is at work here ends at once. @param key of its record */
  stopped(account: string, key: string): void {
    this.#over.get(`${account} ${key}`)?.abort(new Ended());
  }

  /** Resolves when no query is at work here. */
  async idle(): Promise<void> {
    await Promise.all(this.#jobs.values());
  }

  /** Ends whatever is at work, as failed. */
  async close(): Promise<void> {
    for (const over of this.#over.values()) over.abort(new Error('the server stops'));
    await this.idle();
  }

  async #work(job: Job): Promise<void> {
    const { clock, log } = this.#ports;
    const ended = new AbortController();
    const telling = this.#tell(job, ended.signal);
    let status: QueryRecord['status'] = 'Failed';
    let rows: Awaited<ReturnType<QueryRun['finish']>> = [];
    const turn = await this.#turns.take(job.account, job.over.signal);
    try {
      const began = clock.monotonic();
      job.over.signal.throwIfAborted();
      if (turn === undefined) throw new Error('there is no turn');
      await this.#write(job, { status: 'Running' });
      const run = job.query.run(job.record.value.limit);
      status = (await this.#scan(job, run, began, turn)) ? 'Complete' : 'Timeout';
      if (status === 'Complete') rows = await run.finish(this.#pauses());
    } catch (error) {
      status = 'Failed';
      rows = [];
      // Stopped, or found to be lost: its record says so already.
      if (!(job.over.signal.reason instanceof Ended)) log.warn(reasonOf(error, job), 'a query of logs failed');
    } finally {
      ended.abort();
      turn?.end();
    }
    await telling;
    if (!(job.over.signal.reason instanceof Ended)) await this.#end(job, status, rows);
  }

  /** Says again and again that somebody works on the query, and how far it is; learns whether it was stopped. */
  async #tell(job: Job, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    for (;;) {
      await clock.sleep(aliveEvery, signal).catch(() => undefined);
      if (signal.aborted || job.over.signal.aborted) return;
      try {
        await this.#write(job, {});
      } catch (err) {
        if (err instanceof Ended) return;
        // The store is away; a query of which nothing is heard for a minute is given up by who asks for it.
        log.warn({ err, account: job.account }, 'cannot say how far a query of logs is');
      }
    }
  }

  /** @throws Ended when somebody else has ended it */
  async #write(job: Job, change: Partial<QueryRecord>): Promise<void> {
    const before = job.writing;
    const writing = async (): Promise<void> => {
      await before;
      const aliveAt = this.#ports.clock.now();
      const statistics = { ...job.statistics };
      const written = await this.#ports.queries.write(job.account, job.record, { ...change, aliveAt, statistics });
      if (written === undefined) {
        const error = new Ended();
        job.over.abort(error);
        throw error;
      }
      job.record = written;
    };
    const write = writing();
    job.writing = write.catch(() => undefined);
    await write;
  }

  /** @returns whether it got to the end in time */
  async #scan(job: Job, run: QueryRun, began: number, share: Turn): Promise<boolean> {
    const { logs, clock } = this.#ports;
    const { account, query, statistics } = job;
    const { groups, start, end } = job.record.value;
    const pause = this.#pauses();
    if (query.streams?.length === 0) return true;
    for (const group of groups) {
      const log = `${account}:${group}`;
      let after: string | undefined;
      do {
        job.over.signal.throwIfAborted();
        if (clock.monotonic() - began > longest) return false;
        const found = await logs.scan(account, group, {
          ...page,
          start,
          end,
          after,
          streams: query.streams,
          terms: query.terms,
          signal: job.over.signal,
        });
        for (const event of found.events) {
          run.add(asFound(event, group, log));
          statistics.matched = run.matched;
          statistics.scanned++;
          statistics.bytes += Buffer.byteLength(event.message);
          await pause();
        }
        after = found.next;
        await turn();
        await share.pass();
      } while (after !== undefined);
    }
    return true;
  }

  /** Lets others have their turn whenever some time has passed. */
  #pauses(): () => Promise<void> | void {
    const { clock } = this.#ports;
    let since = clock.monotonic();
    const wait = async (): Promise<void> => {
      await turn();
      since = clock.monotonic();
    };
    return () => (clock.monotonic() - since < slice ? undefined : wait());
  }

  async #end(job: Job, status: QueryRecord['status'], rows: Awaited<ReturnType<QueryRun['finish']>>): Promise<void> {
    const { blobs, clock } = this.#ports;
    const answer = await writeAnswer(blobs, rows);
    try {
      await this.#write(job, { status, endedAt: clock.now(), ...answer });
    } catch (error) {
      // Nobody knows of the answer: what was stopped has none.
      if (answer !== undefined && error instanceof Ended) await blobs.remove(answer.blob);
      if (!(error instanceof Ended)) throw error;
    }
  }
}

/** Somebody else has ended the query. */
class Ended extends Error {
  override readonly name = 'Ended';
}

const asFound = (event: LogEvent, group: string, log: string): FoundEvent => ({
  ...event,
  log,
  get pointer() {
    return pointerOf(group, event);
  },
});

function reasonOf(error: unknown, { account, record }: Job): { readonly [name: string]: unknown } {
  const { query, groups } = record.value;
  const about = { account, groups, query: query.slice(0, 1000) };
  if (error instanceof QueryTooHeavy || error instanceof LogGroupMissing) return { ...about, reason: error.message };
  return { ...about, err: error };
}
