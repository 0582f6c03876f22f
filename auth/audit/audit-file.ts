import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import type { Audited, AuditMoment, AuditSink } from './audit-line.ts';
import { RotationLock } from './rotation-lock.ts';

export interface AuditFileOptions {
  readonly path: string;
  /** Bytes after which the file is put aside as `<path>.1`. Default 64 MiB. */
  readonly maxBytes?: number;
  /** How many files are kept beside the current one. Default 5. */
  readonly keep?: number;
  /** Called once for each failure to write; requests go on. */
  readonly onError?: (error: unknown) => void;
}

/** Lines wait in memory for at most this many milliseconds, or until about this many bytes are together. */
const FLUSH_MS = 100;
const BATCH_BYTES = 256 * 1024;
/** When the disk does not keep up, lines beyond this are dropped and counted rather than filling the memory. */
const MAX_PENDING_BYTES = 32 * 1024 * 1024;

/** Lines that are written at once. They wait as bytes: as texts, the collector would move all of them again and again. */
interface Batch {
  readonly bytes: Buffer;
  used: number;
  lines: number;
}

/**
 * Audit lines as JSON, one a line, in a file that is rotated by size. Mode 0600. Any number of processes may write to the
 * same one: each batch is one appending write, and who finds the file put aside opens the new one.
 */
export class AuditFile implements AuditSink {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #keep: number;
  readonly #onError: (error: unknown) => void;
  #pending: Batch[] = [];
  #pendingBytes = 0;
  /** The bytes of a batch that has been written, for another one. */
  #spare: Buffer | undefined;
  #dropped = 0;
  #file: FileHandle | undefined;
  #inode = 0n;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: AuditFileOptions) {
    this.#path = options.path;
    this.#maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
    this.#keep = options.keep ?? 5;
    this.#onError = options.onError ?? (() => undefined);
  }

  write(moment: AuditMoment, audited: Audited): void {
    const line = `${JSON.stringify(moment).slice(0, -1)},${audited.text}}\n`;
    const batch = this.#batchFor(line);
    if (batch === undefined) {
      this.#dropped++;
      return;
    }
    batch.used += batch.bytes.write(line, batch.used);
    batch.lines++;
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  /** Resolves when everything written so far is in the file. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#drain()).catch((error: unknown) => this.#onError(error));
    return this.#writing;
  }

  /** Writes what waits and closes the file. */
  async close(): Promise<void> {
    await this.flush();
    await this.#file?.close();
    this.#file = undefined;
  }

  async #drain(): Promise<void> {
    const batches = this.#pending;
    if (batches.length === 0) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    if (this.#dropped > 0) {
      const bytes = Buffer.from(`${JSON.stringify({ dropped: this.#dropped })}\n`);
      batches.push({ bytes, used: bytes.length, lines: this.#dropped });
      this.#dropped = 0;
    }
    for (const [index, { bytes, used }] of batches.entries()) {
      try {
        await this.#append(bytes.subarray(0, used));
      } catch (error) {
        for (const { lines } of batches.slice(index)) this.#dropped += lines;
        throw error;
      }
      if (bytes.length === BATCH_BYTES) this.#spare = bytes;
    }
  }

  /** The batch that has room for a line; undefined when as much waits as may. */
  #batchFor(line: string): Batch | undefined {
    // No character takes more than three bytes; only of a very long line is it worth the time to count them.
    let most = 3 * line.length;
    if (most > BATCH_BYTES) most = Buffer.byteLength(line);
    const last = this.#pending.at(-1);
    if (last !== undefined && last.used + most <= last.bytes.length) return last;
    const length = Math.max(most, BATCH_BYTES);
    if (this.#pendingBytes + length > MAX_PENDING_BYTES) return undefined;
    let bytes: Buffer | undefined;
    if (length === BATCH_BYTES) [bytes, this.#spare] = [this.#spare, undefined];
    const batch = { bytes: bytes ?? Buffer.allocUnsafeSlow(length), used: 0, lines: 0 };
    this.#pending.push(batch);
    this.#pendingBytes += length;
    // What is full need not wait.
    if (last !== undefined) void this.flush();
    return batch;
  }

  /** In one write, so that no other process's lines come between. */
  async #append(bytes: Buffer): Promise<void> {
    const file = await this.#current(bytes.byteLength);
    const { bytesWritten } = await file.write(bytes);
    if (bytesWritten === bytes.byteLength) return;
    await file.write('\n');
    throw new Error(`only ${bytesWritten} of ${bytes.byteLength} bytes fit into ${this.#path}`);
  }

  #found(): Promise<BigIntStats | undefined> {
    return stat(this.#path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return undefined;
    });
  }

  /** The file that is to take as many bytes more. */
  async #current(bytes: number): Promise<FileHandle> {
    const found = await this.#found();
    const full = found !== undefined && found.size > 0n && found.size + BigInt(bytes) > BigInt(this.#maxBytes);
    const rotated = full && (await this.#rotate(found.ino));
    if (this.#file === undefined || rotated || found?.ino !== this.#inode) {
      await this.#file?.close();
      this.#file = undefined;
      const file = await open(this.#path, 'a', 0o600);
      this.#inode = (await file.stat({ bigint: true })).ino;
      this.#file = file;
    }
    return this.#file;
  }

  /**
   * `audit.log` becomes `audit.log.1`, `.1` becomes `.2`, and the oldest goes.
   * @returns false when another process is doing it
   */
  async #rotate(inode: bigint): Promise<boolean> {
    const lock = await RotationLock.take(`${this.#path}.rotating`);
    if (lock === undefined) return false;
    try {
      // Between our look at it and the lock, another process may have put it aside, and nobody made the next one yet.
      if ((await this.#found())?.ino !== inode) return true;
      await rm(`${this.#path}.${this.#keep}`, { force: true });
      for (let i = this.#keep - 1; i >= 0; i--) {
        const from = i === 0 ? this.#path : `${this.#path}.${i}`;
        // Who goes on with what another has done meanwhile would put one file over another.
        if (!(await lock.keep())) return true;
        await rename(from, `${this.#path}.${i + 1}`).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
        });
      }
      return true;
    } finally {
      await lock.release();
    }
  }
}
