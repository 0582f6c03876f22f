import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { ColumnReader, ColumnWriter } from './columns.ts';
import { LogsDamaged, LogsTooNew } from './contract.ts';
import { eachGram, GramFilter } from './grams.ts';
import { free } from './memory.ts';
import type { FooterPlace } from './records.ts';
import { type Row, RowReader, type Rows } from './rows.ts';
import { anyWord, eachWord, WordFilter } from './words.ts';

/**
 * A blob of events: blocks of rows, each a zstd frame with a check sum, and behind them a table of the blocks, likewise. A file is
 * sorted by (group, name of the stream, its id, timestamp, ingestion, writer, sequence), its table of streams by the first three.
 */
const version = 2;

/** How rows lie in blocks, by the version of the file: events are kept for years, so that each that was ever written stays. */
const layouts: { readonly [version: number]: (bytes: Buffer) => Rows } = {
  1: (bytes) => new RowReader(bytes),
  2: (bytes) => new ColumnReader(bytes),
};

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/**
 * Where a block ends, in bytes of messages: at this size, or from the smaller one on when a stream begins. Larger ones are hardly packed
 * better, and a page of a stream unpacks a whole one.
 */
const blockSize = 1024 * 1024;
const blockSizeAtStream = 256 * 1024;
/** More than any block or table has: what claims to unpack to more is damaged. */
const unpackedLimit = 64 * 1024 * 1024;

/** What Node hands over at once: a block as a whole, since each piece costs a turn of the event loop. */
const unpackedChunk = blockSize + 256 * 1024;
/** What is packed comes at once as well, as a rule: it is a quarter of that, or less. */
const packedChunk = { least: 4 * 1024, most: 256 * 1024 };

export interface FileStream {
  /** The group's id. */
  readonly group: string;
  readonly id: string;
  readonly name: string;
}

/** A block, as the table tells. */
export interface Block extends FooterPlace {
  /** Bytes of its messages. */
  readonly raw: number;
  readonly events: number;
  /** Places in the table of streams: those of the first and the last row. */
  readonly firstStream: number;
  readonly lastStream: number;
  readonly minTimestamp: number;
  readonly maxTimestamp: number;
  readonly words: WordFilter;
  /** Absent: files of older versions of Slipway have none. */
  readonly grams: GramFilter | undefined;
  /** Reads its rows from what is unpacked. @throws LogsDamaged */
  readonly rows: (bytes: Buffer) => Rows;
}

export interface FileTable {
  readonly streams: readonly FileStream[];
  readonly blocks: readonly Block[];
  /** How much memory it takes, roughly. */
  readonly weight: number;
}

type StoredBlock = readonly [
  offset: number,
  length: number,
  raw: number,
  events: number,
  firstStream: number,
  lastStream: number,
  minTimestamp: number,
  maxTimestamp: number,
  words: string,
  /** Older versions of Slipway read the others. */
  grams?: string,
];

interface StoredTable {
  readonly version: number;
  readonly streams: readonly (readonly [group: string, id: string, name: string])[];
  readonly blocks: readonly StoredBlock[];
}

export interface Packing {
  /** Of zstd. */
  readonly level: number;
  /** Whether the table says what words blocks may have: what is read once, or soon part of another file, is written a third faster without. */
  readonly isSearched: boolean;
}

/** What was written. */
export interface WrittenFile {
  readonly digest: `sha256:${string}`;
  readonly footer: FooterPlace;
  readonly events: number;
  readonly raw: number;
  readonly minTimestamp: number;
  readonly maxTimestamp: number;
}

/** Turns sorted rows into a file: `bytes` is pulled by whoever stores it, `written` is there when it has ended. */
export class EventFile {
  readonly #streams: readonly FileStream[];
  readonly #rows: AsyncIterable<Iterable<Row>> | Iterable<Iterable<Row>>;
  readonly #packing: Packing;
  readonly #blocks: StoredBlock[] = [];
  readonly #hash = createHash('sha256');
  #offset = 0;
  #written: WrittenFile | undefined;

  /**
   * @param rows in runs, since waiting for each alone would take longer than writing it; a row is looked at before the next is asked for
   */
  constructor(
    streams: readonly FileStream[],
    rows: AsyncIterable<Iterable<Row>> | Iterable<Iterable<Row>>,
    packing: Packing,
  ) {
    this.#streams = streams;
    this.#rows = rows;
    this.#packing = packing;
  }

  get written(): WrittenFile {
    if (this.#written === undefined) throw new Error('the file has not been written to its end');
    return this.#written;
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    for await (const block of this.#compressed()) yield this.#take(block);
    const table: StoredTable = {
      version,
      streams: this.#streams.map(({ group, id, name }) => [group, id, name]),
      blocks: this.#blocks,
    };
    const packed = await compressed(Buffer.from(JSON.stringify(table)), this.#packing.level);
    const footer = { offset: this.#offset, length: packed.length };
    yield this.#take(packed);
    const sum = (of: (block: StoredBlock) => number): number => this.#blocks.reduce((total, it) => total + of(it), 0);
    this.#written = {
      digest: `sha256:${this.#hash.digest('hex')}`,
      footer,
      events: sum((block) => block[3]),
      raw: sum((block) => block[2]),
      minTimestamp: Math.min(...this.#blocks.map((block) => block[6])),
      maxTimestamp: Math.max(...this.#blocks.map((block) => block[7])),
    };
  }

  /** Blocks in order; the next one is put together while one is compressed. */
  async *#compressed(): AsyncGenerator<Buffer> {
    let before: { readonly packed: Promise<Buffer>; readonly entry: BlockEntry } | undefined;
    for await (const { rows, entry } of this.#cut()) {
      const packed = compressed(rows, this.#packing.level).finally(() => free(rows));
      // Whoever stores the file may end early, and then nobody waits for it.
      packed.catch(() => undefined);
      if (before !== undefined) yield this.#enter(await before.packed, before.entry);
      before = { packed, entry };
    }
    if (before !== undefined) yield this.#enter(await before.packed, before.entry);
  }

  async *#cut(): AsyncGenerator<{ readonly rows: Buffer; readonly entry: BlockEntry }> {
    const writer = new ColumnWriter();
    let entry = new BlockEntry(this.#packing);
    const full = (next: Row): boolean =>
      writer.length >= blockSize || (writer.length >= blockSizeAtStream && next.stream !== entry.lastStream);
    for await (const run of this.#rows) {
      for (const row of run) {
        if (full(row)) {
          yield { rows: writer.take(), entry };
          entry = new BlockEntry(this.#packing);
        }
        writer.add(row);
        entry.add(row);
      }
    }
    if (writer.length > 0) yield { rows: writer.take(), entry };
  }

  #enter(packed: Buffer, entry: BlockEntry): Buffer {
    this.#blocks.push(entry.stored(this.#offset, packed.length));
    return packed;
  }

  #take(bytes: Buffer): Buffer {
    this.#hash.update(bytes);
    this.#offset += bytes.length;
    return bytes;
  }
}

/** What the table will say of a block. */
class BlockEntry {
  lastStream = 0;
  #firstStream = -1;
  #raw = 0;
  #events = 0;
  #min = Infinity;
  #max = -Infinity;
  readonly #filters: { readonly words: WordFilter; readonly grams: GramFilter } | undefined;

  constructor({ isSearched }: Packing) {
    this.#filters = isSearched ? { words: new WordFilter(), grams: new GramFilter() } : undefined;
  }

  add({ stream, timestamp, message }: Row): void {
    if (this.#events === 0) this.#firstStream = stream;
    this.lastStream = stream;
    this.#events += 1;
    this.#raw += message.length;
    if (timestamp < this.#min) this.#min = timestamp;
    if (timestamp > this.#max) this.#max = timestamp;
    if (this.#filters === undefined) return;
    eachWord(message, 0, message.length, this.#filters.words.add);
    eachGram(message, 0, message.length, this.#filters.grams.add);
  }

  stored(offset: number, length: number): StoredBlock {
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
    const words = base64(this.#filters?.words.folded() ?? anyWord);
    const grams = this.#filters && [base64(this.#filters.grams.folded())];
    const counts = [this.#raw, this.#events, this.#firstStream, this.lastStream, this.#min, this.#max] as const;
    return [offset, length, ...counts, words, ...((grams ?? []) as [string?])];
  }
}

/** @throws LogsDamaged, LogsTooNew */
export async function parseTable(packed: Uint8Array): Promise<FileTable> {
  const text = (await unpacked(packed, 4 * packed.length)).toString();
  const table = parsed(text);
  const layout = layouts[table.version];
  if (layout === undefined) {
    const Refusal = table.version > version ? LogsTooNew : LogsDamaged;
    throw new Refusal(`log events have the format ${table.version}; this Slipway reads 1 to ${version}`);
  }
  const blocks = table.blocks.map(
    ([offset, length, raw, events, firstStream, lastStream, minTimestamp, maxTimestamp, words, grams]): Block => ({
      offset,
      length,
      raw,
      events,
      firstStream,
      lastStream,
      minTimestamp,
      maxTimestamp,
      words: new WordFilter(Buffer.from(words, 'base64')),
      grams: grams === undefined ? undefined : new GramFilter(Buffer.from(grams, 'base64')),
      rows: layout,
    }),
  );
  const streams = table.streams.map(([group, id, name]): FileStream => ({ group, id, name }));
  return { blocks, streams, weight: 2 * text.length };
}

function parsed(text: string): StoredTable {
  try {
    return JSON.parse(text) as StoredTable;
  } catch (error) {
    throw new LogsDamaged('the table of a file of log events is no JSON', { cause: error });
  }
}

/**
 * What a frame holds.
 * @param size about how much that is, bytes
 * @throws LogsDamaged
 */
export async function unpacked(packed: Uint8Array, size = unpackedChunk): Promise<Buffer> {
  // Room for all of it at once, but not for what only a damaged table claims.
  const chunkSize = Math.max(1024, Math.min(unpackedChunk, Math.ceil(size)));
  try {
    return await decompress(packed, { maxOutputLength: unpackedLimit, chunkSize });
  } catch (error) {
    throw new LogsDamaged('a frame of log events is damaged', { cause: error });
  }
}

function compressed(bytes: Uint8Array, level: number): Promise<Buffer> {
  return compress(bytes, {
    chunkSize: Math.max(packedChunk.least, Math.min(packedChunk.most, Math.ceil(bytes.length / 4))),
    // Said in the frame, so that it is unpacked to where it belongs without a window of its own.
    pledgedSrcSize: bytes.length,
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_checksumFlag]: 1,
      // Ids and numbers of lines are alike in four or five characters by chance: to say where would take more than they do.
      ...(level > 1 ? { [constants.ZSTD_c_minMatch]: 6 } : {}),
    },
  });
}

/** The order of streams in a file, by the bytes of their names. */
export function compareStreams(one: FileStream, other: FileStream): number {
  return (
    Buffer.compare(Buffer.from(one.group), Buffer.from(other.group)) ||
    Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)) ||
    Buffer.compare(Buffer.from(one.id), Buffer.from(other.id))
  );
}

/** The order of rows in a file. */
export function compareRows(one: Row, other: Row): number {
  return (
    one.stream - other.stream ||
    one.timestamp - other.timestamp ||
    one.ingestionTime - other.ingestionTime ||
    one.writer - other.writer ||
    one.sequence - other.sequence
  );
}
