import type { BlobLocation, BlobStore, SealedBlob } from '../blobs/index.ts';
import {
  definePartition,
  type EventSource,
  type Json,
  limits,
  type OwnedRows,
  type RecordStore,
  scan,
  scanPartitions,
} from '../records/index.ts';

export interface Installation {
  readonly records: RecordStore & EventSource;
  readonly blobs: BlobStore;
}

export interface TransferProgress {
  readonly phase: 'blobs' | 'records' | 'verification';
  readonly done: number;
  readonly bytes: number;
}

export interface TransferOptions {
  readonly from: Installation;
  readonly to: Installation;
  /** Puts new generations into a record that names blobs, or returns it as it is. The owner of the records tells how. */
  readonly relocate: (
    partition: string,
    key: string,
    value: Json,
    where: (blob: BlobLocation) => Promise<BlobLocation | undefined>,
  ) => Promise<Json>;
  readonly progress?: (progress: TransferProgress) => void;
  readonly signal?: AbortSignal;
}

export interface TransferReport {
  readonly partitions: number;
  readonly records: number;
  readonly blobs: number;
  readonly bytes: number;
  /** Copied by an earlier, interrupted run. */
  readonly blobsAlreadyThere: number;
}

/** The target had something else in a record than the source, at the end. Nobody may write to either while it is copied. */
export class TransferFailed extends Error {
  override readonly name = 'TransferFailed';
}

/** Where the transfer notes, in the target, which generation a blob got; it makes the transfer resumable. */
const notes = definePartition('$transfer', 'one transfer');
const notePartition = notes.name();
export const transferRows: OwnedRows = { partition: notes, owner: 'storage/audit', keys: ['blob/'] };
const noteKey = ({ digest, generation }: BlobLocation): string => `blob/${digest}/${generation}`;
/** Records written in one commit, and how many characters of JSON. */
const batchRecords = 500;
const batchLength = 4 * 1024 * 1024;

/**
 * Copies a whole installation to other engines: first every blob, verified by its digest as it is sealed, then every record,
 * then both are compared. Stop all servers first. Run it again after an interruption: what is there already is not copied twice.
 * Events and the places of consumer groups are not carried over: consumers begin anew, and every level-triggered pass finds the
 * same work (leases likewise, their epochs are kept).
 * @throws TransferFailed, BlobStoreError, StoreUnavailable, DigestMismatch
 */
export async function transfer(options: TransferOptions): Promise<TransferReport> {
  const blobs = await copyBlobs(options);
  const where = async (blob: BlobLocation): Promise<BlobLocation | undefined> =>
    (await options.to.records.get(notePartition, noteKey(blob)))?.value as unknown as BlobLocation | undefined;
  const counts = await copyRecords(options, where);
  await verify(options, where);
  // The notes have served; the installation looks as if it had always been here.
  for await (const { key } of scan(options.to.records, notePartition)) {
    await options.to.records.commit(notePartition, { remove: [key] });
  }
  return { ...counts, ...blobs };
}

async function copyBlobs({
  from,
  to,
  progress,
  signal,
}: TransferOptions): Promise<Pick<TransferReport, 'blobs' | 'bytes' | 'blobsAlreadyThere'>> {
  const totals = { blobs: 0, bytes: 0, blobsAlreadyThere: 0 };
  for await (const blob of from.blobs.list()) {
    signal?.throwIfAborted();
    if (await isThere(to, blob)) totals.blobsAlreadyThere++;
    else await copyBlob(from.blobs, to, blob, signal);
    totals.blobs++;
    totals.bytes += blob.size;
    progress?.({ phase: 'blobs', done: totals.blobs, bytes: totals.bytes });
  }
  return totals;
}

async function isThere(to: Installation, blob: SealedBlob): Promise<boolean> {
  const noted = await to.records.get(notePartition, noteKey(blob));
  if (noted === undefined) return false;
  return (await to.blobs.stat(noted.value as unknown as BlobLocation))?.size === blob.size;
}

async function copyBlob(
  from: BlobStore,
  to: Installation,
  blob: SealedBlob,
  signal: AbortSignal | undefined,
): Promise<void> {
  const source = await from.open(blob);
  const { staged, cut } = await to.blobs.append(await to.blobs.stage(), source.stream(), signal);
  if (cut !== undefined) throw cut as Error;
  const { digest, generation } = await to.blobs.seal(staged, blob.digest);
  await to.records.commit(notePartition, { put: [{ key: noteKey(blob), value: { digest, generation } }] });
}

async function copyRecords(
  { from, to, relocate, progress, signal }: TransferOptions,
  where: (blob: BlobLocation) => Promise<BlobLocation | undefined>,
): Promise<Pick<TransferReport, 'partitions' | 'records'>> {
  const totals = { partitions: 0, records: 0 };
  for await (const partition of partitionsOf(from.records)) {
    totals.partitions++;
    let batch: { key: string; value: Json }[] = [];
    let length = 0;
    const flush = async (): Promise<void> => {
      if (batch.length > 0) await to.records.commit(partition, { put: batch });
      totals.records += batch.length;
      batch = [];
      length = 0;
      progress?.({ phase: 'records', done: totals.records, bytes: 0 });
    };
    for await (const { key, value } of scan(from.records, partition)) {
      signal?.throwIfAborted();
      batch.push({ key, value: await relocate(partition, key, value, where) });
      length += JSON.stringify(value).length;
      if (batch.length >= Math.min(batchRecords, limits.batchEntries) || length >= batchLength) await flush();
    }
    await flush();
  }
  return totals;
}

/** Compares every record, both ways. */
async function verify(
  { from, to, relocate, progress, signal }: TransferOptions,
  where: (blob: BlobLocation) => Promise<BlobLocation | undefined>,
): Promise<void> {
  let done = 0;
  for await (const partition of partitionsOf(from.records)) {
    const target = scan(to.records, partition);
    for await (const { key, value } of scan(from.records, partition)) {
      signal?.throwIfAborted();
      const expected = JSON.stringify(await relocate(partition, key, value, where));
      const found = await target.next();
      if (found.done === true || found.value.key !== key || JSON.stringify(found.value.value) !== expected) {
        throw new TransferFailed(`record ${key} of ${partition} is not the same in both; is a server still running?`);
      }
      progress?.({ phase: 'verification', done: ++done, bytes: 0 });
    }
    const extra = await target.next();
    if (extra.done !== true) {
      throw new TransferFailed(
        `the target has a record ${extra.value.key} of ${partition} that the source has not; begin with an empty one`,
      );
    }
  }
}

async function* partitionsOf(records: RecordStore): AsyncGenerator<string> {
  for await (const name of scanPartitions(records)) {
    if (name !== notePartition && !name.startsWith('$consumers/')) yield name;
  }
}
