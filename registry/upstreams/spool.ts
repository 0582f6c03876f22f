import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { BlobStoreError } from '@slipway/storage/blobs';

/**
 * Bytes that are still arriving, for readers at any place behind the writer and at any pace: a file whose name is gone as soon
 * as it is open, so that nothing of it outlives the process, and that costs no memory however far readers lie apart.
 */
export class Spool {
  readonly #file: FileHandle;
  #size = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @throws BlobStoreError when the folder cannot be written */
  static async open(folder: string): Promise<Spool> {
    const path = join(folder, `${randomUUID()}.part`);
    return orBlobStoreError(async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = await open(path, 'wx+', 0o600);
      await unlink(path);
      return new Spool(file);
    });
  }

  /** Bytes that can be read. */
  get size(): number {
    return this.#size;
  }

  /** One writer at a time. @throws BlobStoreError `full`, `unavailable` */
  async append(bytes: Uint8Array): Promise<void> {
    await orBlobStoreError(async () => {
      for (let done = 0; done < bytes.byteLength;) {
        const left = bytes.byteLength - done;
        done += (await this.#file.write(bytes, done, left, this.#size + done)).bytesWritten;
      }
    });
    this.#size += bytes.byteLength;
  }

  /** Fills `buffer` from `position` on with what is there. @returns how many bytes @throws BlobStoreError */
  async read(buffer: Uint8Array, position: number): Promise<number> {
    const length = Math.min(buffer.byteLength, this.#size - position);
    return orBlobStoreError(async () => (await this.#file.read(buffer, 0, length, position)).bytesRead);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function orBlobStoreError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    throw new BlobStoreError(full ? 'full' : 'unavailable', 'a blob on its way cannot be kept', { cause: error });
  }
}
