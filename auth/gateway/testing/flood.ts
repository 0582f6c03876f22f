import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** What every connection does; texts are bytes in latin1. */
export interface FloodOptions {
  readonly port: number;
  readonly count: number;
  /** Said at once. */
  readonly say: string;
  /** Said again and again. */
  readonly drip?: string;
  /** Milliseconds between two drips. */
  readonly every?: number;
  /** Milliseconds between hundreds of new connections. Default 10. */
  readonly pause?: number;
}

export interface FloodStatus {
  /** Connections that came about, and those that ended. */
  open: number;
  closed: number;
  /** How many of the ended had got an answer with which status; '' for none. */
  readonly answers: Record<string, number>;
}

export interface Flood extends AsyncDisposable {
  status(): Promise<FloodStatus>;
}

/** Connections at the default size, or at the larger ones of the nightly and release runs. */
export const floodSize = { nightly: 8000, release: 8000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 1000;

/** Opens many slow connections to a port of this machine, from a process of its own. */
export async function flood(options: FloodOptions): Promise<Flood> {
  const child = fork(join(import.meta.dirname, 'flood-process.ts'), { stdio: 'ignore' });
  child.send(options);
  return {
    async status() {
      const answer = once(child, 'message');
      child.send('status');
      return ((await answer) as [FloodStatus])[0];
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}
