import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import type { BlobStore } from '@slipway/storage/blobs';

import type { ResultRow } from '../insights/index.ts';
import { LogsDamaged } from '../store/contract.ts';
import type { StoredBlob } from '../store/records.ts';

import type { AnswerPage } from './records.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** A frame ends with the row that takes it past so many characters, or so many rows. */
const pageCharacters = 256 * 1024;
const pageRows = 1000;
/** More than any frame has: a row alone may be some megabytes. */
const unpackedLimit = 64 * 1024 * 1024;

/** An answer, as its record tells. */
export interface StoredAnswer {
  readonly blob: StoredBlob;
  readonly pages: readonly AnswerPage[];
}

/**
 * Writes the rows of an answer as a blob: frames of JSON, each compressed. It is durable when this resolves.
 * @throws BlobStoreError
 */
export async function writeAnswer(blobs: BlobStore, rows: readonly ResultRow[]): Promise<StoredAnswer | undefined> {
  if (rows.length === 0) return undefined;
  const pages: AnswerPage[] = [];
  const hash = createHash('sha256');
  async function* frames(): AsyncGenerator<Uint8Array> {
    let offset = 0;
    for (const some of split(rows)) {
      const frame = await compress(`[${some.join(',')}]`, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
      pages.push({ offset, length: frame.length, rows: some.length });
      offset += frame.length;
      hash.update(frame);
      yield frame;
    }
  }
  const appended = await blobs.append(await blobs.stage(), frames());
  try {
    if (appended.cut !== undefined) throw appended.cut;
    const digest = `sha256:${hash.digest('hex')}` as const;
    const { generation, size } = await blobs.seal(appended.staged, digest, { quiet: true });
    return { blob: { digest, generation, size }, pages };
  } catch (error) {
    await blobs.abandon(appended.staged).catch(() => undefined);
    throw error;
  }
}

/**
 * Reads rows of an answer.
 * @param from how many to leave out
 * @throws LogsDamaged, BlobMissing, BlobStoreError
 */
export async function readAnswer(
  blobs: BlobStore,
  { blob, pages }: StoredAnswer,
  from: number,
  count: number,
): Promise<readonly ResultRow[]> {
  const found: ResultRow[] = [];
  let first = 0;
  for (const page of pages) {
    if (first < from + count && first + page.rows > from) {
      const rows = await rowsOf(blobs, blob, page);
      found.push(...rows.slice(Math.max(0, from - first), from + count - first));
    }
    first += page.rows;
  }
  return found;
}

/** JSON of rows, a frame at a time. */
function* split(rows: readonly ResultRow[]): Generator<readonly string[]> {
  let some: string[] = [];
  let characters = 0;
  for (const row of rows) {
    const text = JSON.stringify(row);
    some.push(text);
    characters += text.length;
    if (some.length < pageRows && characters < pageCharacters) continue;
    yield some;
    some = [];
    characters = 0;
  }
  if (some.length > 0) yield some;
}

async function rowsOf(blobs: BlobStore, blob: StoredBlob, { offset, length, rows }: AnswerPage): Promise<ResultRow[]> {
  const source = await blobs.open(blob);
  if (source.size !== blob.size) throw new LogsDamaged(`the answer of a query (${blob.digest}) has another size`);
  const packed = await source.read({ start: offset, end: offset + length - 1 });
  try {
    const text = await decompress(packed, { maxOutputLength: unpackedLimit });
    const found = JSON.parse(text.toString('utf8')) as ResultRow[];
    if (found.length !== rows) throw new Error(`there are ${found.length} rows, not ${rows}`);
    return found;
  } catch (cause) {
    throw new LogsDamaged(`the answer of a query (${blob.digest}) cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}
