import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from './contract.ts';

/** How long a process may take to start or to change, in milliseconds; it takes 0.3 s, more with thousands of certificates. */
const patience = 60_000;
const step = 20;

/** Asks until something is found. @param failure what did not come about. @throws EngineError when it takes too long */
export async function until<T>(probe: () => Promise<T | undefined>, failure: string): Promise<T> {
  for (let waited = 0; waited < patience; waited += step) {
    const found = await probe();
    if (found !== undefined) return found;
    await sleep(step);
  }
  throw new EngineError(`${failure} within ${patience / 1000} s`);
}

/** A program that is to outlive this process. */
export interface Detached<T> {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** What it writes goes here, for its owner alone; emptied first. */
  readonly logPath: string;
  /** What it answers once it works. */
  readonly probe: () => Promise<T | undefined>;
  /** In messages. */
  readonly name: string;
  /** What it says of its own end, from its log. */
  readonly complaints: () => Promise<string>;
}

/** Starts a program and waits until it works. @throws EngineError with its own words where it ends instead */
export async function startDetached<T>(given: Detached<T>): Promise<T> {
  const log = await emptied(given.logPath);
  const child = spawn(given.program, given.args, {
    cwd: given.cwd,
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  let ended: string | undefined;
  child.on('error', (error) => (ended = error.message));
  child.on('exit', (code, signal) => (ended = `it ended with ${code ?? signal}`));
  child.unref();
  await log.close();
  const found = await until(async () => {
    // Read before the probe, whose answer may be a moment old.
    const end = ended;
    if (end !== undefined) throw new EngineError(`${given.name} does not start: ${(await given.complaints()) || end}`);
    return given.probe();
  }, `${given.name} did not start`);
  child.removeAllListeners();
  return found;
}

/** Opens a log and empties it: whoever has it open appends, so that no hole remains. The caller closes it. */
export async function emptied(logPath: string): Promise<Awaited<ReturnType<typeof open>>> {
  const log = await open(logPath, 'a', 0o600);
  await log.truncate();
  return log;
}
