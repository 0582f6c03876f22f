import type { TransferBuffers } from './transfer-buffers.ts';

/**
 * Bytes gathered before they are written in one call: fewer at first, so that a body of a megabyte is being written while its rest
 * arrives. Measured: a call per 64 KiB chunk costs a fifth of the throughput of a large body.
 */
const batchAfter = (received: number): number => (received < 1024 * 1024 ? 256 * 1024 : 1024 * 1024);

export interface Received {
  /** Bytes that were taken and written. */
  readonly size: number;
  /** Why the body ended early. */
  readonly cut?: unknown;
}

export interface Receiver {
  /** Sees each chunk as it comes; what takes time (hashing) is spread that way and does not gather at a batch's end. */
  readonly seen: (chunk: Uint8Array) => void;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly buffers: TransferBuffers;
  readonly signal: AbortSignal | undefined;
}

/**
 * Takes a body and hands it on in batches with one write under way, so that taking and writing overlap. The batches are copies in
 * recycled buffers: a socket's own chunks would live long enough to wait for a full garbage collection. What the body throws, and an
 * abort, end it early but are no errors of the store.
 * @throws what `write` throws
 */
export async function receive(
  body: AsyncIterable<Uint8Array>,
  { seen, write, buffers, signal }: Receiver,
): Promise<Received> {
  const iterator = body[Symbol.asyncIterator]();
  const leave = buffers.enter();
  let batch: Buffer | undefined;
  let filled = 0;
  let size = 0;
  let writing: Promise<void> = Promise.resolve();
  let cut: { readonly reason: unknown } | undefined;

  const flush = async (): Promise<void> => {
    await writing;
    if (batch === undefined) return;
    const full = batch;
    const bytes = full.subarray(0, filled);
    batch = undefined;
    filled = 0;
    writing = write(bytes).finally(() => buffers.giveBack(full));
    // Looked at by the next flush; without this a failure in between would count as unhandled.
    writing.catch(() => {});
  };

  const take = async (chunk: Uint8Array): Promise<void> => {
    for (let from = 0; from < chunk.byteLength;) {
      if (batch === undefined) {
        if (buffers.exhausted) {
          await writing;
          await buffers.room();
        }
        batch = buffers.borrow(batchAfter(size));
      }
      const piece = chunk.subarray(from, from + batch.byteLength - filled);
      batch.set(piece, filled);
      filled += piece.byteLength;
      from += piece.byteLength;
      size += piece.byteLength;
      if (filled === batch.byteLength || buffers.exhausted) await flush();
    }
  };

  try {
    for (;;) {
      const step = await next(iterator, signal).catch((reason: unknown) => {
        cut = { reason };
      });
      if (!step || step.done === true) break;
      seen(step.value);
      await take(step.value);
    }
    await flush();
    await writing;
  } catch (error) {
    end(iterator);
    throw error;
  } finally {
    leave();
    if (batch) buffers.giveBack(batch);
  }
  if (cut === undefined) return { size };
  end(iterator);
  return { size, cut: cut.reason };
}

/** Lets go of a body that will not be read to its end; its own errors are of no interest any more. */
function end(iterator: AsyncIterator<Uint8Array>): void {
  iterator.return?.().catch(() => {});
}

function next(
  iterator: AsyncIterator<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<Uint8Array, unknown>> {
  if (signal === undefined) return iterator.next();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    iterator
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}
