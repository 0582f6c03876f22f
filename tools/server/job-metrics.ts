import { Counter, Gauge, type Registry } from '@prometheus-io/client';

/** Of upkeep, so that somebody can be told when none has been done for a day. */
export class JobMetrics {
  readonly #runs: Counter<'job' | 'result'>;
  readonly #seconds: Counter<'job'>;
  readonly #last: Gauge<'job'>;

  constructor(registry: Registry, jobs: readonly string[]) {
    const registers = [registry];
    this.#runs = new Counter({
      name: 'slipway_jobs_total',
      help: 'Runs of upkeep in this server, by job and result; one server of an installation does it',
      labelNames: ['job', 'result'],
      registers,
    });
    this.#seconds = new Counter({
      name: 'slipway_job_seconds_total',
      help: 'Time spent in runs of upkeep',
      labelNames: ['job'],
      registers,
    });
    this.#last = new Gauge({
      name: 'slipway_job_last_success_timestamp_seconds',
      help: 'When this server last did the job, seconds since the epoch; absent until it did',
      labelNames: ['job'],
      registers,
    });
    // Counters that are there from the start can be compared with: a first failure is an increase.
    for (const job of jobs) for (const result of ['done', 'failed']) this.#runs.inc({ job, result }, 0);
  }

  /** @param now milliseconds since the epoch */
  ran(job: string, milliseconds: number, failed: boolean, now: number): void {
    this.#runs.inc({ job, result: failed ? 'failed' : 'done' });
    this.#seconds.inc({ job }, milliseconds / 1000);
    if (!failed) this.#last.set({ job }, now / 1000);
  }
}
