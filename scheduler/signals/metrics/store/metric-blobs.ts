import type { BlobLocation, BlobStore } from '@slipway/storage/blobs';
import { LRUCache } from 'lru-cache';

import { MetricsDamaged } from './contract.ts';
import { type Block, MetricFile, parseTable, type PlacedRun, type Run, runsOf, unpacked } from './metric-file.ts';
import type { SegmentRecord } from './records.ts';

/** Bytes of memory for what was read last: tables, and unpacked blocks. */
const tableMemory = 8 * 1024 * 1024;
const blockMemory = 48 * 1024 * 1024;
/** What a placed run weighs, roughly. */
const runWeight = 120;

/** An unpacked block with its runs in the order of their keys. */
export interface OpenBlock {
  readonly bytes: Buffer;
  readonly runs: readonly PlacedRun[];
}

const cache = <T extends object>(maxSize: number, weight: (value: T) => number) =>
  new LRUCache<string, T, () => Promise<T>>({
    maxSize,
    sizeCalculation: (value) => Math.max(1, weight(value)),
    fetchMethod: (_name, _stale, { context: read }) => read(),
    // Who waits for something gets it, whatever had to make room meanwhile.
    ignoreFetchAbort: true,
  });

/** Files of runs in the blob store, and whatever else is unpacked again and again: written once, read by blocks. */
export class MetricBlobs {
  readonly #blobs: BlobStore;
  readonly #tables = cache<readonly Block[]>(tableMemory, ({ length }) => length * runWeight);
  readonly #blocks = cache<OpenBlock>(blockMemory, ({ bytes, runs }) => bytes.length + runs.length * runWeight);

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /**
   * Writes a file; it is durable when this resolves. A failure leaves nothing behind but what a crash would.
   * @throws BlobStoreError, and what reading the runs throws
   */
  async write(runs: AsyncIterable<Run>, seconds: number, now: number): Promise<SegmentRecord> {
    const file = new MetricFile(runs, seconds);
    const { staged, cut } = await this.#blobs.append(await this.#blobs.stage(), file.bytes());
    try {
      if (cut !== undefined) throw cut;
      const { digest, ...written } = file.written;
      const { generation, size } = await this.#blobs.seal(staged, digest, { quiet: true });
      return { blob: { digest, generation, size }, ...written, writtenAt: now };
    } catch (error) {
      await this.#blobs.abandon(staged).catch(() => undefined);
      throw error;
    }
  }

  /** Removes a file that no record names. */
  removeBlob(blob: BlobLocation): Promise<void> {
    return this.#blobs.remove(blob);
  }

  /** @throws BlobMissing, MetricsDamaged, BlobStoreError */
  table(segment: SegmentRecord): Promise<readonly Block[]> {
    return this.#tables.forceFetch(segment.blob.generation, {
      context: () =>
        this.#read(segment, segment.table.offset, segment.table.length)
          .then(unpacked)
          .then(parseTable)
          .catch(rethrowIn(segment)),
    });
  }

  /** @throws as `table` */
  block(segment: SegmentRecord, block: Block): Promise<OpenBlock> {
    return this.#blocks.forceFetch(`${segment.blob.generation} ${block.offset}`, {
      context: () => this.readOnce(segment, block),
    });
  }

  /** As `block`, for whoever reads a whole file once. */
  async readOnce(segment: SegmentRecord, { offset, length }: Block): Promise<OpenBlock> {
    return this.#read(segment, offset, length).then(open).catch(rethrowIn(segment));
  }

  /** A chunk of this key, unpacked. Those of several accounts may have the same one. @throws MetricsDamaged */
  chunk(account: string, key: string, data: string): Promise<OpenBlock> {
    return this.#blocks.forceFetch(`${account} ${key}`, { context: () => open(Buffer.from(data, 'base64')) });
  }

  async #read({ blob }: SegmentRecord, offset: number, length: number): Promise<Buffer> {
    // Before anything is allocated by what the table says.
    if (!(offset >= 0 && length > 0 && offset + length <= blob.size))
      throw new MetricsDamaged('its table points beyond its end');
    const source = await this.#blobs.open(blob);
    if (source.size !== blob.size) throw new MetricsDamaged(`it has ${source.size} bytes, not ${blob.size}`);
    return source.read({ start: offset, end: offset + length - 1 });
  }
}

async function open(packedBytes: Uint8Array): Promise<OpenBlock> {
  const bytes = await unpacked(packedBytes);
  return { bytes, runs: runsOf(bytes) };
}

function rethrowIn({ blob }: SegmentRecord): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof MetricsDamaged)) throw error;
    const where = `metrics in the blob ${blob.digest} (${blob.generation}) cannot be read`;
    throw new MetricsDamaged(`${where}: ${error.message}`, { cause: error });
  };
}
