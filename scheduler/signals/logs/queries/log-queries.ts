import { newEventId, type RandomBytes } from '../../../state/index.ts';
import type { Query } from '../insights/index.ts';
import { logKeys } from '../store/keys.ts';

import type { QueryRequest } from './records.ts';
import { QueryRunner, type RunnerPorts } from './runner.ts';
import { StoredQueries, type StoredQueriesPorts } from './stored-queries.ts';

export interface LogQueriesPorts extends StoredQueriesPorts, Omit<RunnerPorts, 'queries'> {
  readonly random: RandomBytes;
}

/** The queries of accounts: this process works on those that it is asked for, and answers for all of them. */
export class LogQueries extends StoredQueries {
  readonly #runner: QueryRunner;
  readonly #random: RandomBytes;

  constructor(ports: LogQueriesPorts) {
    super(ports);
    this.#runner = new QueryRunner({ ...ports, queries: this });
    this.#random = ports.random;
  }

  /** Begins a query in the background. @returns its id @throws TooManyQueries */
  async start(account: string, request: QueryRequest, query: Query): Promise<string> {
    const id = newEventId(this.#random);
    this.#runner.start(account, await this.create(account, id, request), query);
    return id;
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
