import { type FileHandle, open, rename, rm } from 'node:fs/promises';
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

/** Audit lines as JSON, one a line, in a file that is rotated by size. Mode 0600. */
export class AuditFile implements AuditSink {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #keep: number;
  readonly #onError: (error: unknown) => void;
  #pending: string[] = [];
  #pendingBytes = 0;
  #dropped = 0;
  #file: FileHandle | undefined;
  #size = 0;
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
    const bytes = Buffer.from(this.#pending.join(''));
    this.#pending = [];
    this.#pendingBytes = 0;
    if (this.#file !== undefined && this.#size + bytes.byteLength > this.#maxBytes) await this.#rotate();
    if (this.#file === undefined) {
      this.#file = await open(this.#path, 'a', 0o600);
      this.#size = (await this.#file.stat()).size;
    }
    await this.#file.appendFile(bytes);
    this.#size += bytes.byteLength;
  }

  /** `audit.log` becomes `audit.log.1`, `.1` becomes `.2`, and the oldest goes. */
  async #rotate(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    await rm(`${this.#path}.${this.#keep}`, { force: true });
    for (let i = this.#keep - 1; i >= 0; i--) {
      const from = i === 0 ? this.#path : `${this.#path}.${i}`;
      await rename(from, `${this.#path}.${i + 1}`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
  }
}
