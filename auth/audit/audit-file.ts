import type { BigIntStats } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import type { AuditLine, AuditSink } from './audit-line.ts';

export interface AuditFileOptions {
  readonly path: string;
  /** Bytes after which the file is put aside as `<path>.1`. Default 64 MiB. */
  readonly maxBytes?: number;
  /** How many files are kept beside the current one. Default 5. */
  readonly keep?: number;
  /** Called once for each failure to write; requests go on. */
  readonly onError?: (error: unknown) => void;
}

/** Lines wait in memory for at most this many milliseconds, or until this many bytes are together. */
const FLUSH_MS = 100;
const FLUSH_BYTES = 256 * 1024;
/** When the disk does not keep up, lines beyond this are dropped and counted rather than filling the memory. */
const MAX_PENDING_BYTES = 32 * 1024 * 1024;

/** Who wants to put the file aside makes `<path>.rotating` first; one this old was left by a process that died. */
const STALE_ROTATION_MS = 10_000;

/**
 * Audit lines as JSON, one a line, in a file that is rotated by size. Mode 0600. Any number of processes may write to the
 * same one: each batch is one appending write, and who finds the file put aside opens the new one.
 */
export class AuditFile implements AuditSink {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #keep: number;
  readonly #onError: (error: unknown) => void;
  #pending: string[] = [];
  #pendingBytes = 0;
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

  write(line: AuditLine): void {
    const text = `${JSON.stringify(line)}\n`;
    if (this.#pendingBytes + text.length > MAX_PENDING_BYTES) {
      this.#dropped++;
      return;
    }
    this.#pending.push(text);
    this.#pendingBytes += text.length;
    if (this.#pendingBytes >= FLUSH_BYTES) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
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
    if (this.#pending.length === 0) return;
    if (this.#dropped > 0) {
      this.#pending.push(`${JSON.stringify({ dropped: this.#dropped })}\n`);
      this.#dropped = 0;
    }
    const lines = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    for (let start = 0, end = 0; start < lines.length; start = end) {
      for (let length = 0; end < lines.length && (end === start || length < FLUSH_BYTES); end++)
        length += (lines[end] as string).length;
      try {
        await this.#append(Buffer.from(lines.slice(start, end).join('')));
      } catch (error) {
        this.#dropped += lines.length - start;
        throw error;
      }
    }
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
   * @returns false when another process is doing it, or has done it to the file with this inode
   */
  async #rotate(inode: bigint): Promise<boolean> {
    const lock = `${this.#path}.rotating`;
    try {
      await mkdir(lock);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const since = await stat(lock).catch(() => undefined);
      if (since !== undefined && Date.now() - since.mtimeMs > STALE_ROTATION_MS)
        await rm(lock, { recursive: true, force: true });
      return false;
    }
    try {
      // Between our look at it and the lock, another process may have put it aside, and nobody made the next one yet.
      if ((await this.#found())?.ino !== inode) return true;
      await rm(`${this.#path}.${this.#keep}`, { force: true });
      for (let i = this.#keep - 1; i >= 0; i--) {
        const from = i === 0 ? this.#path : `${this.#path}.${i}`;
        await rename(from, `${this.#path}.${i + 1}`).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
        });
      }
      return true;
    } finally {
      await rm(lock, { recursive: true, force: true });
    }
  }
}
