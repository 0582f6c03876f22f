import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Log } from '@slipway/auth/contract';
import { Counter, type Registry } from '@prometheus-io/client';
import type { Watched, WatchdogMessage } from './watchdog-thread.ts';

export interface WatchdogOptions {
  readonly log: Log;
  readonly metrics: Registry;
  /** Milliseconds for which nothing else may run before it counts as a stall. Default 1000. */
  readonly stallMs?: number;
}

/**
 * Tells when this process stood still, and what ran meanwhile: a thread of its own looks whether the event loop turns, and asks the
 * debugger for the stack when it does not. A stall that lasts is told on standard error while it does, by the thread itself.
 * @returns what ends it
 */
export function startWatchdog({ log, metrics, stallMs = 1000 }: WatchdogOptions): () => Promise<void> {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const stalls = new Counter({
    name: 'slipway_event_loop_stalls_total',
    help: `Times when nothing could run for ${stallMs} ms because something else did`,
    registers: [metrics],
  });
  const beating = setInterval(() => Atomics.add(beats, 0, 1), stallMs / 10).unref();
  const worker = new Worker(join(import.meta.dirname, 'watchdog-thread.ts'), {
    workerData: { beats: beats.buffer, stallMs } satisfies Watched,
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 },
  });
  worker.on('message', ({ milliseconds, stack }: WatchdogMessage) => {
    stalls.inc();
    log.warn({ milliseconds, stack }, 'the process stood still; what ran is in the stack');
  });
  worker.on('error', (err) => log.warn({ err }, 'stalls of the process are not noticed any more'));
  worker.unref();
  return async () => {
    clearInterval(beating);
    await worker.terminate();
  };
}
