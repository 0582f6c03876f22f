import { constants, type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock/index.ts';
import { StagedLost } from './blob-store.ts';
import { diskError } from './disk.ts';
import type { Segment } from './segments.ts';

interface Kept {
  readonly file: FileHandle;
  /** Bytes that are in the file. */
  readonly size: number;
  /** On the monotonic clock. */
  readonly until: number;
}

/** How long a segment stays open for the call that follows, in milliseconds, and how many do at most. */
const keptFor = 2_000;
const keptMost = 64;

/**
 * The files of uploads that are still arriving. The one written last stays open for a moment: most uploads are sealed right after
 * their only body, and opening, measuring and closing the file again would be a third of a small push.
 */
export class StagingFiles {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();
  readonly #closing = new Set<Promise<void>>();
  readonly #closed = new AbortController();
  #sweeping = false;
  /** Segments after a failed sync that could not even be removed. */
  readonly #distrusted = new Set<string>();

  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  /** A new file, for its owner's eyes only. */
  create(name: string): Promise<FileHandle> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    return open(this.path(name), flags, 0o600);
  }

  /** The file of a segment, with the bytes that count and none behind them. @throws StagedLost when they are not all there */
  async open(segment: Segment): Promise<FileHandle> {
    if (this.#distrusted.has(segment.file)) throw new StagedLost(`the disk did not keep the upload's bytes`);
    const kept = this.#takeKept(segment.file);
    const file = kept?.file ?? (await this.#open(segment.file));
    try {
      const size = kept?.size ?? (await file.stat()).size;
      if (size < segment.size) throw new StagedLost(`the upload has ${size} bytes where ${segment.size} were recorded`);
      // What an unrecorded attempt left behind.
      if (size > segment.size) await file.truncate(segment.size);
      return file;
    } catch (error) {
      this.release(file);
      throw error;
    }
  }

  /** Leaves a segment open for the call that is likely to follow; `segment.size` is what was written. */
  keep(segment: Segment, file: FileHandle): void {
    if (this.#closed.signal.aborted) return this.release(file);
    // One that waits under that name is nobody's any more, and would never be closed.
    this.#dropKept(segment.file);
    this.#kept.set(segment.file, { file, size: segment.size, until: this.#clock.monotonic() + keptFor });
    if (this.#kept.size > keptMost) this.#dropKept(this.#kept.keys().next().value!);
    // Rejected once it is closed, and nothing is kept.
    if (!this.#sweeping) this.#sweep().catch(() => undefined);
  }

  /** Closes a file without waiting for it; what had to be durable was synced before. */
  release(file: FileHandle): void {
    const closing: Promise<void> = file
      .close()
      .catch(() => {})
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Removes a file; harmless when it is gone. */
  async remove(name: string): Promise<void> {
    this.#dropKept(name);
    await removeFile(this.path(name));
  }

  /** After a failed sync nobody may go on with a file: the next call for it says that its bytes are gone. */
  async distrust(name: string): Promise<void> {
    // A disk in that state may refuse this too.
    await this.remove(name).catch(() => this.#distrusted.add(name));
  }

  async close(): Promise<void> {
    this.#closed.abort();
    for (const name of this.#kept.keys()) this.#dropKept(name);
    await Promise.all(this.#closing);
  }

  async #open(name: string): Promise<FileHandle> {
    try {
      return await open(this.path(name), constants.O_RDWR | constants.O_NOFOLLOW);
    } catch (error) {
      if (isAbsent(error)) throw new StagedLost(`the upload's bytes are gone`, { cause: error });
      throw error;
    }
  }

  #takeKept(name: string): Kept | undefined {
    const kept = this.#kept.get(name);
    this.#kept.delete(name);
    return kept;
  }

  /** Closes what nobody came for, by one timer for all: the oldest is the first. */
  async #sweep(): Promise<void> {
    this.#sweeping = true;
    try {
      for (let [oldest] = this.#kept.values(); oldest !== undefined; [oldest] = this.#kept.values()) {
        await this.#clock.sleep(Math.max(0, oldest.until - this.#clock.monotonic()), this.#closed.signal);
        const due = Math.max(oldest.until, this.#clock.monotonic());
        for (const [name, { until }] of this.#kept) if (until <= due) this.#dropKept(name);
      }
    } finally {
      this.#sweeping = false;
    }
  }

  #dropKept(name: string): void {
    const kept = this.#takeKept(name);
    if (kept) this.release(kept.file);
  }
}

/** Removes a file; harmless when it is gone. @throws BlobStoreError */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isAbsent(error)) throw diskError(error, 'removing a file');
  }
}

export function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
