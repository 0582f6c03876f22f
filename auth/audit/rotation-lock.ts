import { mkdir, rm, stat, utimes } from 'node:fs/promises';

/** A lock that was used this long ago, or so far in the future of a clock that was put back, was left by a process that died. */
const STALE_MS = 10_000;

/**
 * The right of one process at a time to put a file aside: a folder that it made. Who stands still with it for long loses it to another, and
 * finds that out before the next step.
 */
export class RotationLock {
  readonly #path: string;
  readonly #made: string | undefined;

  private constructor(path: string, made: string | undefined) {
    this.#path = path;
    this.#made = made;
  }

  /** @returns undefined while another process has it, or had it until it died: that one is taken away, for the next who asks */
  static async take(path: string): Promise<RotationLock | undefined> {
    try {
      await mkdir(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const since = await stat(path).catch(() => undefined);
      if (since !== undefined && Math.abs(Date.now() - since.mtimeMs) > STALE_MS)
        await rm(path, { recursive: true, force: true });
      return undefined;
    }
    return new RotationLock(path, await nameOf(path));
  }

  /** Whether it is still ours, and then for as long again. */
  async keep(): Promise<boolean> {
    if (!(await this.#isOurs())) return false;
    const now = new Date();
    return utimes(this.#path, now, now).then(
      () => true,
      () => false,
    );
  }

  async release(): Promise<void> {
    if (await this.#isOurs()) await rm(this.#path, { recursive: true, force: true });
  }

  async #isOurs(): Promise<boolean> {
    return this.#made !== undefined && (await nameOf(this.#path)) === this.#made;
  }
}

/** Which folder it is: an inode may be another's soon, but was not made at the same moment. */
async function nameOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.ino} ${found.birthtimeNs}`;
}
