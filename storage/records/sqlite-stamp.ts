import { closeSync, openSync, readSync } from 'node:fs';

/** The header of the wal-index, which every commit writes anew (https://sqlite.org/walformat.html, "WAL-Index File Format"). */
const headerBytes = 48;
/** The format's number, in the machine's byte order. */
const format = 3_007_000;

/**
 * Tells whether a database in WAL mode has changed, in whichever process, without SQLite: one read of the memory its
 * connections share, where `PRAGMA data_version` takes and gives back a lock. A header that is read while it is written equals
 * neither the one before nor the one after, which counts as a change.
 */
export class SqliteStamp {
  readonly #shared: number;
  #seen = Buffer.alloc(headerBytes);
  #next = Buffer.alloc(headerBytes);
  #count = 0;
  #closed = false;

  private constructor(shared: number) {
    this.#shared = shared;
  }

  /**
   * @param file the database; a connection of this process must be open on it, and stay so
   * @returns undefined where the format is not the one that is known here
   */
  static open(file: string): SqliteStamp | undefined {
    let shared: number;
    try {
      shared = openSync(`${file}-shm`, 'r');
    } catch {
      return undefined;
    }
    const stamp = new SqliteStamp(shared);
    stamp.now();
    if (new Uint32Array(stamp.#seen.buffer, stamp.#seen.byteOffset, 1)[0] === format) return stamp;
    stamp.close();
    return undefined;
  }

  /** Another number than before whenever something has been committed in between. */
  now(): number {
    if (this.#closed || !this.#isAsSeen()) this.#count++;
    return this.#count;
  }

  close(): void {
    this.#closed = true;
    closeSync(this.#shared);
  }

  #isAsSeen(): boolean {
    try {
      const length = readSync(this.#shared, this.#next, 0, headerBytes, 0);
      if (length === headerBytes && this.#next.equals(this.#seen)) return true;
      [this.#seen, this.#next] = [this.#next, this.#seen];
    } catch {
      // What cannot be told counts as a change.
    }
    return false;
  }
}
