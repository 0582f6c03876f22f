import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import type { Digest } from '@slipway/storage/blobs';

import { ByteReader, ByteWriter } from './bytes.ts';
import { MetricsDamaged } from './contract.ts';
import { type Buckets, type RunKey, runKeyBytes, writeBuckets } from './runs.ts';

/**
 * A file of runs: blocks of runs in the order of their keys, each a zstd frame with a check sum, and behind them a table of the blocks,
 * likewise: the first key of each, and where it lies. A chunk is one such block.
 */
const version = 1;
const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Bytes of runs after which a block ends, and of the largest run: a day of seconds with sketches is less. */
const blockSize = 64 * 1024;
/** More than any block has: what claims to unpack to more is damaged. */
const unpackedLimit = 256 * 1024 * 1024;

export interface Block {
  readonly first: RunKey;
  readonly offset: number;
  readonly length: number;
}
export interface Run {
  readonly key: RunKey;
  readonly buckets: Buckets;
}
/** A run that lies in an unpacked block. */
export interface PlacedRun {
  readonly key: RunKey;
  readonly at: number;
  readonly end: number;
}

export interface WrittenFile {
  readonly digest: Digest;
  readonly table: { readonly offset: number; readonly length: number };
  readonly raw: number;
  readonly buckets: number;
}

/**
 * Bytes up to which packing is done at once: to a thread and back takes longer than the work then, and comes back at a moment that a simulation
 * does not know.
 */
const small = 65_536;

/** @param level of zstd */
export async function packed(bytes: Buffer, level: number): Promise<Buffer> {
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 };
  return bytes.length <= small ? zstdCompressSync(bytes, { params }) : compress(bytes, { params });
}

/** @throws MetricsDamaged */
export async function unpacked(bytes: Uint8Array): Promise<Buffer> {
  try {
    // A frame that is small may stand for more than a loop should be held up for: the limit of what is done at once holds for both sides.
    if (bytes.length <= small) {
      const found = atOnce(bytes);
      if (found !== undefined) return found;
    }
    return await decompress(bytes, { maxOutputLength: unpackedLimit });
  } catch (error) {
    throw new MetricsDamaged(`it does not unpack: ${(error as Error).message}`, { cause: error });
  }
}

/** What a frame stands for; undefined where that is more than {@link small}. @throws what zlib throws for what is no frame */
function atOnce(bytes: Uint8Array): Buffer | undefined {
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: small });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined;
    throw error;
  }
}

/** Writes runs into blocks: a key, how long the buckets are, and these. */
export class RunWriter {
  readonly block = new ByteWriter();
  readonly #buckets = new ByteWriter();

  write({ key, buckets }: Run, seconds: number): void {
    this.#buckets.clear();
    writeBuckets(this.#buckets, buckets, seconds);
    this.block.hex(key);
    this.block.whole(this.#buckets.length);
    this.block.bytes(this.#buckets.written());
  }
}

/** Where the runs of an unpacked block are. @throws MetricsDamaged */
export function runsOf(block: Buffer): readonly PlacedRun[] {
  const from = new ByteReader(block);
  const found: PlacedRun[] = [];
  try {
    while (from.at < from.end) {
      const key = from.hex(runKeyBytes);
      const length = from.whole();
      const { at } = from;
      from.skip(length);
      found.push({ key, at, end: from.at });
    }
  } catch (error) {
    throw new MetricsDamaged('a block is none', { cause: error });
  }
  return found;
}

/** Writes a file as its bytes are asked for; what was written is known behind the last. @param runs in the order of their keys */
export class MetricFile {
  readonly #runs: AsyncIterable<Run>;
  readonly #seconds: number;
  #written: WrittenFile | undefined;

  constructor(runs: AsyncIterable<Run>, seconds: number) {
    this.#runs = runs;
    this.#seconds = seconds;
  }

  get written(): WrittenFile {
    if (this.#written === undefined) throw new Error('the file has not been written to its end');
    return this.#written;
  }

  async *bytes(): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    const writer = new RunWriter();
    const { block } = writer;
    const table = new ByteWriter();
    table.byte(version);
    let [offset, raw, buckets, first] = [0, 0, 0, ''];
    const end = async (): Promise<Buffer> => {
      const bytes = await packed(block.written(), 3);
      table.hex(first);
      table.whole(offset);
      table.whole(bytes.length);
      offset += bytes.length;
      raw += block.length;
      block.clear();
      hash.update(bytes);
      return bytes;
    };
    for await (const run of this.#runs) {
      if (block.length === 0) first = run.key;
      writer.write(run, this.#seconds);
      buckets += run.buckets.size;
      if (block.length >= blockSize) yield await end();
    }
    if (block.length > 0) yield await end();
    const bytes = await packed(table.written(), 3);
    hash.update(bytes);
    yield bytes;
    this.#written = {
      digest: `sha256:${hash.digest('hex')}`,
      table: { offset, length: bytes.length },
      raw,
      buckets,
    };
  }
}

/** The blocks that a table names. @throws MetricsDamaged */
export function parseTable(bytes: Buffer): readonly Block[] {
  const from = new ByteReader(bytes);
  const blocks: Block[] = [];
  try {
    const found = from.byte();
    if (found !== version) throw new MetricsDamaged(`it is of version ${found}, not ${version}`);
    while (from.at < from.end)
      blocks.push({ first: from.hex(runKeyBytes), offset: from.whole(), length: from.whole() });
  } catch (error) {
    if (error instanceof MetricsDamaged) throw error;
    throw new MetricsDamaged('its table is none', { cause: error });
  }
  return blocks;
}

/** The blocks that may have runs of a key that begins so. */
export function blocksFor(blocks: readonly Block[], prefix: string): readonly Block[] {
  let [low, high] = [0, blocks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((blocks[middle] as Block).first < prefix) low = middle + 1;
    else high = middle;
  }
  const found: Block[] = [];
  for (let index = Math.max(0, low - 1); index < blocks.length; index++) {
    const block = blocks[index] as Block;
    if (block.first > prefix && !block.first.startsWith(prefix)) break;
    found.push(block);
  }
  return found;
}
