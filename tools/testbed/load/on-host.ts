import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../command.ts';
import type { TestHost } from '../hosts.ts';
import type { LoadOptions } from './load.ts';
import type { Report } from './report.ts';

/** Loads that run within the network of a host, in a process of their own. */
export interface LoadsOnHost {
  /** Waits until each of them has ended another hundred requests. */
  more(): Promise<void>;
  /** Lets what is in flight come to its end. @returns how each of them went, in their order */
  stop(): Promise<readonly Report[]>;
}

interface Line {
  readonly totals?: readonly number[];
  readonly reports?: readonly Report[];
  readonly error?: string;
}

/** Milliseconds that a busy machine may take for a hundred requests of each load. */
const patience = 240_000;

/** @param log a file that is not there yet, where the process writes what it has to say */
export function startLoadsOn(host: TestHost, loads: readonly LoadOptions[], log: string): LoadsOnHost {
  const child = host.start(process.execPath, [join(import.meta.dirname, 'process.ts'), JSON.stringify(loads)], {}, log);
  const last = (): Line => {
    const text = readFileSync(log, 'utf8').split('\n').at(-2) ?? '{}';
    try {
      return JSON.parse(text) as Line;
    } catch (cause) {
      throw new Error(`the load says: ${text}`, { cause });
    }
  };
  return {
    async more() {
      const before = await until(`the loads on ${host.name} to begin`, patience, async () => last().totals);
      await until(`another hundred requests of each load on ${host.name}`, patience, async () =>
        loads.every((_, i) => (last().totals?.[i] ?? 0) > (before[i] ?? 0) + 100),
      );
    },
    async stop() {
      child.kill('SIGTERM');
      const { reports, error } = await until(`the reports of the loads on ${host.name}`, patience, async () => {
        const line = last();
        if (line.reports === undefined && line.error === undefined && child.exitCode !== null)
          return { error: `the load ended with ${child.exitCode}:\n${readFileSync(log, 'utf8').slice(-2_000)}` };
        return (line.reports ?? line.error) !== undefined && line;
      });
      if (reports === undefined) throw new Error(error);
      return reports;
    },
  };
}
