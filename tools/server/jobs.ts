import type { Clock } from '@slipway/storage/clock';
import { lead, type Leases } from '@slipway/storage/leases';
import { definePartition, type OwnedRows, type RecordStore } from '@slipway/storage/records';
import type { Tracing } from '@slipway/storage/telemetry';
import type { Job, Log } from '@slipway/auth/contract';
import type { JobMetrics } from './job-metrics.ts';

export interface JobsOptions {
  readonly records: RecordStore;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly log: Log;
  readonly jobs: readonly Job[];
  /** Told of each run. */
  readonly metrics?: Pick<JobMetrics, 'ran'>;
  /** Each run is a trace of its own. Default: no traces. */
  readonly tracing?: Tracing | undefined;
  /** Milliseconds between looks for due jobs. Default 15,000. */
  readonly lookEvery?: number;
}

/** Where the leader's lease and the times of the last runs lie. */
const kind = definePartition('jobs', 'the times of the last runs of upkeep');
const partition = kind.name();
const lastRun = (name: string): string => `last/${name}`;
export const jobRows: OwnedRows = { partition: kind, owner: 'tools/server', keys: [lastRun('')] };

/**
 * Runs jobs on one server of the installation at a time, whoever holds the lease; a restart or another leader goes on by the
 * recorded times. A job that fails is logged and comes again at its next time; jobs are written to be interrupted anywhere.
 */
export function startJobs(options: JobsOptions): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { leases, clock, log } = options;
  const finished = lead(
    leases,
    {
      partition,
      name: 'maintenance',
      clock,
      signal: stopping.signal,
      interrupted: (err) => log.warn({ err }, 'maintenance waits for the store'),
      retryAfter: 5000,
    },
    (_, signal) => work(options, signal),
  );
  return {
    stop: async () => {
      stopping.abort();
      await finished;
    },
  };
}

async function work(options: JobsOptions, signal: AbortSignal): Promise<void> {
  const { records, clock, log } = options;
  while (!signal.aborted) {
    for (const job of options.jobs) {
      const last = (await records.get<number>(partition, lastRun(job.name)))?.value;
      // A clock that was set back must not stop a job for good.
      const elapsed = last === undefined ? Infinity : Math.abs(clock.now() - last);
      if (signal.aborted || elapsed < job.every) continue;
      const started = clock.monotonic();
      let failed = false;
      try {
        const done = await run(job, signal, options.tracing);
        if (done !== undefined)
          log.info({ job: job.name, ms: Math.round(clock.monotonic() - started), ...done }, 'maintenance done');
      } catch (error) {
        if (signal.aborted) return;
        failed = true;
        log.error({ job: job.name, err: error }, 'maintenance failed; it is tried again at its next time');
      }
      options.metrics?.ran(job.name, clock.monotonic() - started, failed, clock.now());
      await records.commit(partition, { put: [{ key: lastRun(job.name), value: clock.now() }] });
    }
    await clock.sleep(options.lookEvery ?? 15_000, signal).catch(() => undefined);
  }
}

function run(job: Job, signal: AbortSignal, tracing: Tracing | undefined): ReturnType<Job['run']> {
  if (tracing === undefined) return job.run(signal);
  return tracing.run(`job ${job.name}`, {}, async (span) => {
    const done = await job.run(signal);
    for (const [name, value] of Object.entries(done ?? {})) {
      if (typeof value === 'number') span.set({ [`slipway.${name}`]: value });
    }
    return done;
  });
}
