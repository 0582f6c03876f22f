import type { Clock } from '@slipway/storage/clock';

import type { Log } from '@slipway/auth/contract';

import type { NetworkBinding } from '../../state/index.ts';

/** A container in a {@link TaskReport}. */
export interface ContainerReport {
  readonly name: string;
  readonly status: 'PENDING' | 'RUNNING' | 'STOPPED';
  readonly imageDigest?: string;
  readonly runtimeId?: string;
  readonly exitCode?: number;
  readonly reason?: string;
  readonly networkBindings: readonly NetworkBinding[];
}

/** How a task stands, for SubmitTaskStateChange. Times in milliseconds since the epoch. */
export interface TaskReport {
  readonly arn: string;
  readonly status: 'PENDING' | 'RUNNING' | 'STOPPED';
  readonly reason?: string;
  readonly containers: readonly ContainerReport[];
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  readonly executionStoppedAt?: number;
}

/** What sending a report came to: `refused` means that it never will be accepted. */
export type Submission = 'accepted' | 'refused';

export interface ReporterOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Rejects when it is worth trying again. */
  readonly submit: (report: TaskReport) => Promise<Submission>;
}

const firstWait = 250;
const longestWait = 30_000;

/**
 * Delivers reports: each task's in order, one at a time, again and again until the control plane answers. Reports of the
 * same status that have not left yet are replaced by the newest.
 */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #queues = new Map<string, TaskReport[]>();
  readonly #stopped = new AbortController();
  #wake = new AbortController();

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  report(report: TaskReport): void {
    const queue = this.#queues.get(report.arn);
    if (queue === undefined) {
      const fresh = [report];
      this.#queues.set(report.arn, fresh);
      void this.#deliver(report.arn, fresh);
      return;
    }
    // The first one may be on its way already.
    if (queue.length > 1 && queue.at(-1)?.status === report.status) queue[queue.length - 1] = report;
    else queue.push(report);
  }

  /** Whether something of a task is still to be delivered. */
  has(taskArn: string): boolean {
    return this.#queues.has(taskArn);
  }

  /** Tries at once what waits for its next attempt: the control plane can be reached again. */
  retryNow(): void {
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #deliver(arn: string, queue: TaskReport[]): Promise<void> {
    const { clock, random, log, submit } = this.#options;
    let wait = firstWait;
    for (let report = queue[0]; report !== undefined && !this.#stopped.signal.aborted; report = queue[0]) {
      try {
        if ((await submit(report)) === 'refused') {
          log.warn({ task: arn, status: report.status }, 'the control plane refused a state change; dropped');
        }
        queue.shift();
        wait = firstWait;
      } catch (error) {
        log.warn({ task: arn, status: report.status, err: error }, 'could not report a state change; trying again');
        const signal = AbortSignal.any([this.#stopped.signal, this.#wake.signal]);
        await clock.sleep(wait * (0.5 + random()), signal).catch(() => undefined);
        wait = Math.min(wait * 2, longestWait);
      }
    }
    this.#queues.delete(arn);
  }
}
