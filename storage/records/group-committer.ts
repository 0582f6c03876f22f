import { Worker } from 'node:worker_threads';
import { FormatRefused } from '../format/index.ts';
import type { EncodedBatch } from './encode.ts';
import { type Committed, ConditionFailed, StaleEpoch, StoreUnavailable } from './record-store.ts';
import type { FromWriter, Outcome, ToWriter, WriterOptions } from './sqlite-writer.ts';

interface Waiting {
  readonly batch: EncodedBatch;
  readonly resolve: (committed: Committed) => void;
  readonly reject: (error: Error) => void;
}

/** So many batches share one transaction at most, which bounds how long a reader of the newest state waits. */
const groupSize = 512;

/**
 * Group commit: while the worker syncs one transaction to the disk, further batches gather, and become the next one. The calling
 * thread never waits for a disk. A worker that died is started again by the next commit.
 */
export class GroupCommitter {
  readonly #options: WriterOptions;
  /** Called with each batch that changed anything, before the callers of its group go on. */
  readonly #committed: (batch: EncodedBatch) => void;
  #worker: Worker | undefined;
  #waiting: Waiting[] = [];
  #inFlight: readonly Waiting[] = [];
  #closed: Promise<void> | undefined;

  private constructor(options: WriterOptions, committed: (batch: EncodedBatch) => void) {
    this.#options = options;
    this.#committed = committed;
  }

  /**
   * @throws StoreUnavailable when the file cannot be opened for writing
   * @throws FormatRefused when it is newer, or not ours
   */
  static async open(options: WriterOptions, committed: (batch: EncodedBatch) => void): Promise<GroupCommitter> {
    const committer = new GroupCommitter(options, committed);
    await committer.#start().catch((error: StoreUnavailable) => {
      throw error.cause instanceof FormatRefused ? error.cause : error;
    });
    return committer;
  }

  commit(batch: EncodedBatch): Promise<Committed> {
    if (this.#closed !== undefined) return Promise.reject(new StoreUnavailable('the store is closed', 'not-committed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject });
      this.#send();
    });
  }

  /** Commits what waits, then ends the worker. */
  close(): Promise<void> {
    this.#closed ??= this.#drainAndStop();
    return this.#closed;
  }

  async #drainAndStop(): Promise<void> {
    while (this.#inFlight.length > 0 || this.#waiting.length > 0) {
      await new Promise<void>((resolve) => {
        const last = this.#waiting.at(-1) ?? this.#inFlight.at(-1)!;
        const { resolve: then, reject: orElse } = last;
        Object.assign(last, {
          resolve: (committed: Committed) => (then(committed), resolve()),
          reject: (error: Error) => (orElse(error), resolve()),
        });
      });
    }
    const worker = this.#worker;
    if (worker === undefined) return;
    await new Promise<void>((resolve) => {
      worker.ref();
      worker.once('exit', () => resolve());
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
      worker.postMessage({ kind: 'close' } satisfies ToWriter);
    });
  }

  async #start(): Promise<void> {
    const worker = new Worker(new URL('./sqlite-writer.ts', import.meta.url), {
      workerData: this.#options,
      name: 'sqlite-writer',
    });
    await new Promise<void>((resolve, reject) => {
      let opened = false;
      let cause: Error | undefined;
      worker.on('message', (message: FromWriter) => {
        switch (message.kind) {
          case 'ready':
            opened = true;
            this.#worker = worker;
            resolve();
            return;
          case 'unusable':
            cause = message.refused ? new FormatRefused(message.message) : new Error(message.message);
            return;
          case 'group':
            this.#settle(message.outcomes);
            return;
          case 'closed':
            this.#worker = undefined;
        }
      });
      worker.on('error', (error) => {
        cause = error as Error;
      });
      worker.on('exit', () => {
        const reason = cause?.message ?? 'its writer ended';
        if (opened) this.#died(reason);
        else reject(new StoreUnavailable(`cannot open ${this.#options.file}: ${reason}`, 'not-committed', { cause }));
      });
    });
    // A process may end while its store is open and idle; pending commits keep it alive by the ref below.
    worker.unref();
  }

  #send(): void {
    if (this.#inFlight.length > 0 || this.#waiting.length === 0) return;
    const group = this.#waiting.splice(0, groupSize);
    this.#inFlight = group;
    if (this.#worker !== undefined) {
      this.#post(this.#worker, group);
      return;
    }
    this.#start().then(
      () => this.#post(this.#worker!, group),
      (error: Error) => this.#fail(error),
    );
  }

  #post(worker: Worker, group: readonly Waiting[]): void {
    worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    worker.postMessage({ kind: 'group', batches: group.map(({ batch }) => batch) } satisfies ToWriter);
  }

  #settle(outcomes: readonly Outcome[]): void {
    const group = this.#inFlight;
    this.#inFlight = [];
    this.#worker?.unref();
    this.#send();
    for (const [index, { batch }] of group.entries()) if (outcomes[index]!.kind === 'committed') this.#committed(batch);
    for (const [index, { batch, resolve, reject }] of group.entries()) {
      const outcome = outcomes[index]!;
      if (outcome.kind === 'committed') resolve({ version: outcome.version });
      else reject(toError(outcome, batch));
    }
  }

  #died(reason: string): void {
    this.#worker = undefined;
    this.#fail(new StoreUnavailable(`the store's writer ended: ${reason}`, 'unknown'));
  }

  #fail(error: Error): void {
    const group = this.#inFlight;
    this.#inFlight = [];
    for (const { reject } of group) reject(error);
    this.#send();
  }
}

function toError(outcome: Exclude<Outcome, { kind: 'committed' }>, batch: EncodedBatch): Error {
  switch (outcome.kind) {
    case 'conditions':
      return new ConditionFailed(outcome.failed);
    case 'stale':
      return new StaleEpoch(batch.fence!);
    case 'invalid':
      return new RangeError(outcome.message);
    case 'unavailable':
      return new StoreUnavailable(outcome.message, outcome.outcome);
  }
}
