import { newEventId, type RandomBytes } from '../../../state/index.ts';
import type { Query } from '../insights/index.ts';
import { logKeys } from '../store/keys.ts';

import type { QueryRequest } from './records.ts';
import { QueryRunner, type RunnerPorts } from './runner.ts';
import { mostUnfinished, StoredQueries, type StoredQueriesPorts, tooMany } from './stored-queries.ts';

export interface LogQueriesPorts extends StoredQueriesPorts, Omit<RunnerPorts, 'queries'> {
  readonly random: RandomBytes;
}

/** The queries of accounts: this process works on those that it is asked for, and answers for all of them. */
export class LogQueries extends StoredQueries {
  readonly #runner: QueryRunner;
  readonly #random: RandomBytes;
  /** How many of an account this process has not done with: records of those that begin together, or were stopped, do not count them. */
  readonly #held = new Map<string, number>();

  constructor(ports: LogQueriesPorts) {
    super(ports);
    this.#runner = new QueryRunner({ ...ports, queries: this });
    this.#random = ports.random;
  }

  /** Begins a query in the background. @returns its id @throws TooManyQueries */
  async start(account: string, request: QueryRequest, query: Query): Promise<string> {
    const id = newEventId(this.#random);
    const held = this.#held.get(account) ?? 0;
    if (held >= mostUnfinished) throw tooMany();
    this.#held.set(account, held + 1);
    const isOver = (): void => {
      const left = (this.#held.get(account) ?? 0) - 1;
      if (left > 0) this.#held.set(account, left);
      else this.#held.delete(account);
    };
    try {
      const record = await this.create(account, id, request);
      this.#runner.start(account, record, query, isOver);
      return id;
    } catch (error) {
      isOver();
      throw error;
    }
  }

  override async stop(account: string, id: string): Promise<boolean | undefined> {
    const stopped = await super.stop(account, id);
    if (stopped === true) this.#runner.stopped(account, logKeys.query(id));
    return stopped;
  }

  /** Resolves when no query is at work here. */
  idle(): Promise<void> {
    return this.#runner.idle();
  }

  /** Ends whatever is at work here, as failed. */
  close(): Promise<void> {
    return this.#runner.close();
  }
}
