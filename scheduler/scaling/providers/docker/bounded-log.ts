import { appendFileSync, renameSync, statSync } from 'node:fs';

/** Bytes of a log until it is put aside; the one before goes. */
const most = 8 * 2 ** 20;

/** A file that programs write to, which takes twice {@link most} of the disk, however long they run. */
export class BoundedLog {
  readonly #path: string;
  #size: number;

  constructor(path: string) {
    this.#path = path;
    this.#size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  write(chunk: Buffer | string): void {
    try {
      if (this.#size > most) {
        renameSync(this.#path, `${this.#path}.1`);
        this.#size = 0;
      }
      appendFileSync(this.#path, chunk, { mode: 0o600 });
      this.#size += Buffer.byteLength(chunk);
    } catch {
      // The disk is full, say: what is told is lost, and what tells it runs on. An engine whose words nobody takes any more would end.
    }
  }
}
