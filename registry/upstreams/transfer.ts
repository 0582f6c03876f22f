import type { Writable } from 'node:stream';
import type { BlobSource } from '@slipway/storage/blobs';
import type { Spool } from './spool.ts';

/** A blob that is on its way from upstream into the store. */
export interface IncomingBlob {
  /** Bytes it will have, where upstream says so. */
  readonly size: number | undefined;
  /** Resolves when the blob is verified, stored and the repository's; rejects with why it never will be. */
  readonly stored: Promise<void>;
  /**
   * Writes bytes as they arrive, at the destination's pace, which nobody else feels; does not end the destination. The blob's
   * last byte follows only when the whole is stored, so that nobody takes for whole what is not.
   * @param range inclusive; its end must be that of the blob where the size is not known
   * @throws what `stored` rejects with; the destination's error; the signal's reason
   */
  pipe(
    destination: Writable,
    range?: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): Promise<void>;
}

/** Bytes read and written at a time. */
const piece = 256 * 1024;

export interface TransferPorts {
  readonly size: number | undefined;
  readonly source: AsyncIterable<Uint8Array>;
  /** Takes the bytes; what it throws is what readers are told. */
  readonly store: (bytes: AsyncIterable<Uint8Array>) => Promise<void>;
  /** The blob in the store, once it is there. */
  readonly reopen: () => Promise<BlobSource>;
}

/** One fetch from upstream, for the store and for everybody who wants to read along. */
export class Transfer implements IncomingBlob {
  readonly size: number | undefined;
  readonly stored: Promise<void>;
  readonly #spool: Spool;
  readonly #reopen: () => Promise<BlobSource>;
  readonly #waiting = new Set<() => void>();
  #state: 'arriving' | 'stored' | { readonly failed: unknown } = 'arriving';
  #readers = 0;
  #closed = false;

  constructor(spool: Spool, { size, source, store, reopen }: TransferPorts) {
    this.#spool = spool;
    this.#reopen = reopen;
    this.size = size;
    this.stored = store(this.#arriving(source)).then(
      () => this.#end('stored'),
      (error: unknown) => {
        this.#end({ failed: error });
        throw error;
      },
    );
    // Whoever waits for it is told; when nobody does, whoever began it has it logged.
    this.stored.catch(() => undefined);
  }

  async pipe(
    destination: Writable,
    range?: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): Promise<void> {
    // Who comes when everybody is done finds the blob where it is from now on.
    if (this.#state === 'stored' && this.#closed) return (await this.#reopen()).pipe(destination, range, signal);
    this.#readers++;
    try {
      const buffer = Buffer.allocUnsafe(piece);
      let at = range?.start ?? 0;
      for (;;) {
        signal?.throwIfAborted();
        const end = Math.min(this.#readable(), range === undefined ? Infinity : range.end + 1);
        if (at < end) {
          const length = await this.#spool.read(buffer.subarray(0, Math.min(piece, end - at)), at);
          await written(destination, buffer.subarray(0, length));
          at += length;
        } else if (this.#state === 'stored' || (range !== undefined && at > range.end)) return;
        else await this.#change(signal);
      }
    } finally {
      this.#readers--;
      await this.#closeUnused();
    }
  }

  /** Up to where readers may go. @throws why the blob will not be whole */
  #readable(): number {
    if (typeof this.#state === 'object') throw this.#state.failed;
    return this.#state === 'stored' ? this.#spool.size : Math.max(0, this.#spool.size - 1);
  }

  async *#arriving(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const bytes of source) {
      await this.#spool.append(bytes);
      this.#wake();
      yield bytes;
    }
  }

  #end(state: 'stored' | { readonly failed: unknown }): void {
    this.#state = state;
    this.#wake();
    // Nothing can be done about a file without a name that does not close.
    this.#closeUnused().catch(() => undefined);
  }

  async #closeUnused(): Promise<void> {
    if (this.#state === 'arriving' || this.#readers > 0 || this.#closed) return;
    this.#closed = true;
    await this.#spool.close();
  }

  #wake(): void {
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  /** Waits for more bytes, the end, or the signal. */
  #change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        this.#waiting.delete(go);
        signal?.removeEventListener('abort', go);
        resolve();
      };
      this.#waiting.add(go);
      signal?.addEventListener('abort', go);
    });
  }
}

/**
 * Resolves when the bytes have left the process: the buffer may be used again, and no more than one piece waits per reader. An answer
 * whose connection is gone may never say so of what it was given; then it ends here, or the file would stay open for it.
 */
const written = (destination: Writable, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    const gone = (): void =>
      reject(Object.assign(new Error('the reader is gone'), { code: 'ERR_STREAM_PREMATURE_CLOSE' }));
    destination.once('close', gone);
    destination.write(bytes, (error) => {
      destination.off('close', gone);
      if (error) reject(error);
      else resolve();
    });
  });
