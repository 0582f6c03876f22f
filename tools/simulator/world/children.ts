import { spawn } from 'node:child_process';
import { join } from 'node:path';

/**
 * A process may read files and nothing else. Most of what a simulation makes is garbage by the next moment: with more room for what is
 * young, less of it is copied. And Node says that taking types out of sources is an experiment.
 */
const flags = [
  '--permission',
  '--allow-fs-read=*',
  '--min-semi-space-size=16',
  '--max-semi-space-size=64',
  '--disable-warning=ExperimentalWarning',
];

/** What a program printed, and how it ended. */
export interface Ended {
  readonly printed: string;
  readonly failed: string;
}

/** Runs a program of this folder in a process that Node lets reach no file but to read, no socket and no other program. */
export function runSealed(program: string, args: readonly string[], signal?: AbortSignal): Promise<Ended> {
  const path = join(import.meta.dirname, program);
  const child = spawn(process.execPath, [...flags, path, ...args], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal, killSignal: 'SIGKILL' }),
  });
  let printed = '';
  let failed = '';
  child.stdout.on('data', (data: Buffer) => (printed += data.toString()));
  child.stderr.on('data', (data: Buffer) => (failed += data.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', (error) => (signal?.aborted === true ? resolve({ printed, failed: '' }) : reject(error)));
    child.once('close', () => resolve({ printed, failed }));
  });
}

/** Does every piece of work, so many at a time, in their order. It ends early when one of them says so by returning false. */
export async function together<T>(
  pieces: readonly T[],
  atOnce: number,
  work: (piece: T) => Promise<boolean>,
): Promise<void> {
  let next = 0;
  let over = false;
  const worker = async (): Promise<void> => {
    while (!over && next < pieces.length) {
      const piece = pieces[next++]!;
      if (!(await work(piece))) over = true;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
