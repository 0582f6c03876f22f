import { statfs } from 'node:fs/promises';
import type { Clock } from '../clock/index.ts';
import { BlobStoreError } from './blob-store.ts';

/** How long a look counts for uploads that begin, in milliseconds. */
const counts = 200;

/** Keeps a reserve of the disk free, so that records can be written and the collector can work. */
export class FreeSpace {
  readonly #folder: string;
  readonly #reserve: number;
  readonly #clock: Clock;
  #lookedAt = -Infinity;

  /** @param reserve bytes; 0 looks at nothing */
  constructor(folder: string, reserve: number, clock: Clock) {
    this.#folder = folder;
    this.#reserve = reserve;
    this.#clock = clock;
  }

  /** For the beginning of an upload: a look of a moment ago is good enough. @throws BlobStoreError `full` */
  async check(): Promise<void> {
    if (Math.abs(this.#clock.monotonic() - this.#lookedAt) > counts) await this.look();
  }

  /** @throws BlobStoreError `full` */
  async look(): Promise<void> {
    if (this.#reserve === 0) return;
    const { bavail, bsize } = await statfs(this.#folder);
    if (bavail * bsize < this.#reserve) {
      this.#lookedAt = -Infinity;
      throw new BlobStoreError('full', `less than ${this.#reserve} bytes are free under ${this.#folder}`);
    }
    this.#lookedAt = this.#clock.monotonic();
  }
}
