import { Worker } from 'node:worker_threads';
import type { Inventory } from './inventory.ts';
import { defaultInventoryLimits, type InventoryLimits, Unscannable } from './limits.ts';

export type ToWorker = { readonly kind: 'chunk'; readonly bytes: Uint8Array } | { readonly kind: 'end' };
export type FromWorker =
  /** The worker begins this layer. */
  | { readonly kind: 'layer'; readonly position: number }
  /** It has taken a chunk. */
  | { readonly kind: 'more' }
  | { readonly kind: 'done'; readonly inventory: Inventory }
  | { readonly kind: 'failed'; readonly unscannable: boolean; readonly message: string };

/** Chunks on their way to the worker. */
const window = 8;

/**
 * Takes the inventory of an image in a thread of its own, so that whatever its layers do to the reader (no end, no memory left,
 * a crash), the server goes on: the thread is ended when its time is over, it grows too large, or `signal` aborts.
 * Layers are opened one after the other and only bytes are handed over.
 * @throws Unscannable; the signal's reason; what opening or reading a layer throws
 */
export async function inventoryOf(
  layers: readonly (() => Promise<AsyncIterable<Uint8Array>>)[],
  options: { readonly limits?: Partial<InventoryLimits>; readonly signal?: AbortSignal } = {},
): Promise<Inventory> {
  const limits = { ...defaultInventoryLimits, ...options.limits };
  options.signal?.throwIfAborted();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: { layers: layers.length, limits },
    resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32 },
    stderr: true,
  });
  const feeder = new Feeder(worker, layers);
  let timer: NodeJS.Timeout | undefined;
  let abort = (): void => {};
  try {
    return await new Promise<Inventory>((resolve, reject) => {
      timer = setTimeout(() => reject(new Unscannable(`reading it takes longer than ${limits.time} ms`)), limits.time);
      abort = () => reject(options.signal?.reason as Error);
      options.signal?.addEventListener('abort', abort, { once: true });
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'layer') feeder.feed(message.position).catch(reject);
        else if (message.kind === 'more') feeder.taken();
        else if (message.kind === 'done') resolve(message.inventory);
        else reject(message.unscannable ? new Unscannable(message.message) : new Error(message.message));
      });
      worker.on('error', (error: Error & { code?: string }) =>
        reject(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? new Unscannable('reading it takes too much memory') : error),
      );
      worker.on('exit', (code) => reject(new Error(`the scanner's thread ended with code ${code}`)));
    });
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', abort);
    feeder.stop();
    await worker.terminate();
  }
}

/** Sends a layer's chunks, a few at a time. */
class Feeder {
  readonly #worker: Worker;
  readonly #layers: readonly (() => Promise<AsyncIterable<Uint8Array>>)[];
  #onTheWay = 0;
  #stopped = false;
  #wake: () => void = () => {};

  constructor(worker: Worker, layers: readonly (() => Promise<AsyncIterable<Uint8Array>>)[]) {
    this.#worker = worker;
    this.#layers = layers;
  }

  async feed(position: number): Promise<void> {
    const open = this.#layers[position];
    if (open === undefined) throw new Error(`there is no layer ${position}`);
    for await (const chunk of await open()) {
      // Copied, because the store may use its buffer again; handed over without another copy.
      const bytes = new Uint8Array(chunk);
      this.#onTheWay++;
      this.#worker.postMessage({ kind: 'chunk', bytes } satisfies ToWorker, [bytes.buffer]);
      while (this.#onTheWay >= window && !this.#stopped) {
        await new Promise<void>((resolve) => void (this.#wake = resolve));
      }
      if (this.#stopped) return;
    }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    this.#worker.postMessage({ kind: 'end' } satisfies ToWorker);
  }

  taken(): void {
    this.#onTheWay--;
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
  }
}
