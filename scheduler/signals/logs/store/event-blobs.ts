import { BlobMissing, type BlobSource, type BlobStore } from '@slipway/storage/blobs';
import { LRUCache } from 'lru-cache';

import { LogsDamaged, LogsTooNew } from './contract.ts';
import {
  type Block,
  EventFile,
  type FileStream,
  type FileTable,
  type Packing,
  parseTable,
  unpacked,
} from './event-file.ts';
import { free, letGo } from './memory.ts';
import type { EventsRecord, FooterPlace, StoredBlob } from './records.ts';
import type { Row, Rows } from './rows.ts';

/** Tables, pages of files and blocks that were read last, in bytes of memory, each. */
const tableMemory = 16 * 1024 * 1024;
const pageMemory = 16 * 1024 * 1024;
const blockMemory = 32 * 1024 * 1024;
/** What is read of a file at once: one or two blocks, as a rule. */
const pageSize = 256 * 1024;
/** What the numbers of a row take, bytes, about. */
const numbersOf = 12;
/** Blocks and texts of which it is remembered that the one does not have the other, in bytes of their names. */
const absentMemory = 1024 * 1024;

/** What was read last, as far as it weighs no more than that together; who asks while it is being read waits for the same reading. */
const cache = <T extends object>(
  maxSize: number,
  weight: (value: T) => number,
): LRUCache<string, T, () => Promise<T>> =>
  new LRUCache({
    maxSize,
    sizeCalculation: (value) => Math.max(1, weight(value)),
    fetchMethod: (_name, _stale, { context: read }) => read(),
    // Who waits for something gets it, whatever had to make room meanwhile.
    ignoreFetchAbort: true,
  });

/** What rows are read from, for one reader, who ends with one of the two. */
export interface LentBlock {
  readonly bytes: Buffer;
  /** Others may have it. */
  readonly keep: () => void;
  /** Nobody has it any more, nor rows of it. */
  readonly drop: () => void;
}

/** Files of events in the blob store: written once, read by blocks. */
export class EventBlobs {
  readonly #blobs: BlobStore;
  readonly #tables = cache<FileTable>(tableMemory, ({ weight }) => weight);
  readonly #pages = cache<Uint8Array>(pageMemory, ({ length }) => length);
  readonly #blocks = cache<Buffer>(blockMemory, ({ length }) => length);

  /** Files never change, so that what a block has not it will never have. */
  readonly #absent = new LRUCache<string, true>({ maxSize: absentMemory, sizeCalculation: (_, name) => name.length });

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /**
   * Writes sorted rows as a file; it is durable when this resolves. A failure leaves nothing behind but what a crash would.
   * @throws BlobStoreError
   */
  async write(
    streams: readonly FileStream[],
    rows: AsyncIterable<Iterable<Row>> | Iterable<Iterable<Row>>,
    packing: Packing,
  ): Promise<EventsRecord> {
    const file = new EventFile(streams, rows, packing);
    const appended = await this.#blobs.append(await this.#blobs.stage(), file.bytes());
    try {
      if (appended.cut !== undefined) throw appended.cut;
      const { digest, ...written } = file.written;
      const { generation, size } = await this.#blobs.seal(appended.staged, digest, { quiet: true });
      return { blob: { digest, generation, size }, ...written };
    } catch (error) {
      await this.#blobs.abandon(appended.staged).catch(() => undefined);
      throw error;
    }
  }

  /** Removes a file that no record names. */
  async remove({ blob }: Pick<EventsRecord, 'blob'>): Promise<void> {
    await this.#blobs.remove(blob);
  }

  /** @throws BlobMissing, LogsDamaged, BlobStoreError */
  table(file: EventsRecord): Promise<FileTable> {
    return this.#tables.forceFetch(file.blob.generation, {
      context: () =>
        this.#read(file, file.footer)
          .then((packed) => parseTable(packed))
          .catch(rethrowIn(file)),
    });
  }

  /** The rows of a block. @throws BlobMissing, LogsDamaged, BlobStoreError */
  async rows(file: EventsRecord, block: Block): Promise<Rows> {
    return this.#readable(file, block, await this.block(file, block));
  }

  /** The bytes that rows are read from. */
  block(file: EventsRecord, block: Block): Promise<Buffer> {
    return this.#blocks.forceFetch(placeOf(file, block), {
      context: () => this.#unpacked(file, block),
    });
  }

  /**
   * As `block`, for whoever looks for a text in many blocks, in most of them in vain: memory that is let go at once instead of when it is
   * noticed. Of every few tens of MiB that are left to that, the whole memory of the process is gone through.
   */
  async lent(file: EventsRecord, block: Block): Promise<LentBlock> {
    const name = placeOf(file, block);
    const known = this.#blocks.get(name);
    if (known !== undefined) return { bytes: known, keep: () => undefined, drop: () => undefined };
    const bytes = await this.#unpackedAlone(file, block);
    const keep = (): void => {
      this.#blocks.set(name, bytes);
    };
    return { bytes, keep, drop: () => free(bytes) };
  }

  /** The rows of what was lent. @throws LogsDamaged */
  rowsOf(file: EventsRecord, block: Block, { bytes }: LentBlock): Rows {
    return this.#readable(file, block, bytes);
  }

  /** Whether it is remembered that no message of a block has a text: pages of a search, and searches of those who follow, begin again. */
  lacks(file: EventsRecord, block: Block, text: string): boolean {
    return this.#absent.get(nameOf(file, block, text)) === true;
  }

  /** Remembers that no message of a block has a text. */
  rememberAbsent(file: EventsRecord, block: Block, text: string): void {
    this.#absent.set(nameOf(file, block, text), true);
  }

  /** As `rows`, for whoever reads a whole file once: nobody else has the bytes of these rows. */
  async rowsOnce(file: EventsRecord, block: Block): Promise<Rows> {
    return this.#readable(file, block, await this.#unpackedAlone(file, block));
  }

  #readable(file: EventsRecord, block: Block, bytes: Buffer): Rows {
    try {
      return block.rows(bytes);
    } catch (error) {
      return rethrowIn(file)(error);
    }
  }

  #unpacked(file: EventsRecord, block: Block): Promise<Buffer> {
    return this.#read(file, block)
      .then((packed) => unpacked(packed, sizeOf(block)))
      .catch(rethrowIn(file));
  }

  /**
   * As `#unpacked`, for whoever goes through a file: what was packed is let go at once as well. Of small files all is in a page with their
   * tables.
   */
  async #unpackedAlone(file: EventsRecord, block: Block): Promise<Buffer> {
    if (file.blob.size <= pageSize) return this.#unpacked(file, block);
    try {
      checkPlace(file, block);
      const source = await this.#sourceOf(file.blob);
      const packed = await source.read({ start: block.offset, end: block.offset + block.length - 1 });
      try {
        return await unpacked(packed, sizeOf(block));
      } finally {
        letGo(packed);
      }
    } catch (error) {
      return rethrowIn(file)(error);
    }
  }

  /** Bytes of a file, from pages of it: blocks that are asked for one after the other lie beside each other, as a rule. */
  async #read(file: EventsRecord, place: FooterPlace): Promise<Uint8Array> {
    checkPlace(file, place);
    const { blob } = file;
    const { offset, length } = place;
    const first = Math.floor(offset / pageSize);
    const last = Math.floor((offset + length - 1) / pageSize);
    const pages = await Promise.all(
      Array.from({ length: last - first + 1 }, (_, index) => this.#page(blob, first + index)),
    );
    const bytes = pages.length === 1 ? pages[0]! : Buffer.concat(pages);
    return bytes.subarray(offset - first * pageSize, offset - first * pageSize + length);
  }

  #page(blob: StoredBlob, index: number): Promise<Uint8Array> {
    return this.#pages.forceFetch(`${blob.generation} ${index}`, {
      context: () => this.#readPage(blob, index * pageSize),
    });
  }

  async #readPage(blob: StoredBlob, start: number): Promise<Uint8Array> {
    const source = await this.#sourceOf(blob);
    return source.read({ start, end: Math.min(blob.size, start + pageSize) - 1 });
  }

  async #sourceOf(blob: StoredBlob): Promise<BlobSource> {
    const source = await this.#blobs.open(blob);
    if (source.size !== blob.size) throw new LogsDamaged(`it has ${source.size} bytes, not ${blob.size}`);
    return source;
  }
}

/** Before anything is allocated by what the table says. @throws LogsDamaged */
function checkPlace({ blob }: EventsRecord, { offset, length }: FooterPlace): void {
  if (!(offset >= 0 && length > 0 && offset + length <= blob.size))
    throw new LogsDamaged('its table points beyond its end');
}

/** About how much a block unpacks to. */
const sizeOf = ({ raw, events }: Block): number => raw + numbersOf * events + 64;
const placeOf = ({ blob }: EventsRecord, { offset }: Block): string => `${blob.generation} ${offset}`;
const nameOf = (file: EventsRecord, block: Block, text: string): string => `${placeOf(file, block)} ${text}`;

function rethrowIn({ blob }: EventsRecord): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof LogsDamaged)) throw error;
    const Refusal = error instanceof LogsTooNew ? LogsTooNew : LogsDamaged;
    throw new Refusal(`log events in the blob ${blob.digest} (${blob.generation}) cannot be read: ${error.message}`, {
      cause: error,
    });
  };
}

/** Whether a file went because compaction wrote its events elsewhere, or retention ended: list anew. */
export function isGone(error: unknown): boolean {
  return error instanceof BlobMissing;
}
