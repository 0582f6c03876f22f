import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { promisify } from 'node:util';

/** After a commit's thread had to wait for the processor, its lock is left to others for so many times as long. */
const restFactor = 10;
/** Milliseconds: waits that do not count, and the longest rest. */
const leastWait = 50;
const longestRest = 30_000;

/**
 * Leaves the processor to whatever else wants it, at once (SCHED_IDLE, sched(7)): a lower priority alone still lets others wait for
 * some milliseconds. Call it before stores open, whose threads inherit it. Where there is no such thing, a lower priority must do.
 */
export async function yieldProcessor(): Promise<void> {
  try {
    await promisify(execFile)('chrt', ['--all-tasks', '--idle', '--pid', '0', String(process.pid)]);
  } catch {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  }
}

/**
 * Work and rest in turns, half and half: what work that gives way still costs others (caches, the disk, what the kernel does for it)
 * then falls into half of the time. On a machine without any time to spare a commit may stand still while it holds the lock that
 * servers' pushes wait for: the time that the committing thread has waited for a processor is answered with a rest ten times as long.
 */
export class Rests {
  readonly #now: () => number;
  readonly #waited: () => number;
  readonly #sleep: (milliseconds: number) => Promise<void>;
  #since: number;
  #waitedBefore: number;

  /** @param waited milliseconds that the committing thread has waited for a processor, in all */
  constructor(
    now = () => performance.now(),
    waited = writerWaited,
    sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds)),
  ) {
    this.#now = now;
    this.#waited = waited;
    this.#sleep = sleep;
    this.#since = now();
    this.#waitedBefore = waited();
  }

  /** Call it where no commit is under way. */
  async rest(): Promise<void> {
    const wait = this.#waited() - this.#waitedBefore;
    const worked = this.#now() - this.#since;
    await this.#sleep(Math.min(longestRest, wait < leastWait ? worked : Math.max(worked, wait * restFactor)));
    this.#since = this.#now();
    this.#waitedBefore = this.#waited();
  }
}

/** From the scheduler's statistics (proc_pid_schedstat: nanoseconds run, nanoseconds waited, turns); 0 where there are none. */
function writerWaited(): number {
  try {
    let nanoseconds = 0;
    for (const task of readdirSync('/proc/self/task')) {
      if (readFileSync(`/proc/self/task/${task}/comm`, 'utf8') !== 'sqlite-writer\n') continue;
      nanoseconds += Number(readFileSync(`/proc/self/task/${task}/schedstat`, 'utf8').split(' ')[1]);
    }
    return nanoseconds / 1e6;
  } catch {
    return 0;
  }
}
