import { type BlobStore, hasSideNotes } from '@slipway/storage/blobs';
import type { RecordStore } from '@slipway/storage/records';

/** Remembers, apart from the records themselves (beside the blobs), how far an account's records had come. */
export interface Interlock {
  /** The highest version that was written; undefined when none was. */
  read(): Promise<number | undefined>;
  write(version: number): Promise<void>;
  /** Why the record store itself says that acknowledged records are gone; undefined while all is well. */
  readonly lossNoticed?: () => string | undefined;
}

/**
 * The records are older than they were at the last collection: a backup was restored, or a fail-over lost commits. References
 * may be missing, so that blobs look free which images need. Nothing is collected until a person has said that it is safe.
 */
export class RecordsWentBack extends Error {
  override readonly name = 'RecordsWentBack';
}

/**
 * The mark as a note beside the blobs: it outlives the records, and every server on the store sees the same one.
 * @throws TypeError when the store keeps no notes
 */
export function interlockOf(blobs: BlobStore, account: string, lossNoticed?: () => string | undefined): Interlock {
  if (!hasSideNotes(blobs)) throw new TypeError('the collector needs a blob store that keeps notes');
  const name = `collector-${account}`;
  return {
    read: async () => {
      const text = await blobs.readNote(name);
      return text === undefined ? undefined : Number(text);
    },
    write: (version) => blobs.writeNote(name, String(version)),
    ...(lossNoticed === undefined ? {} : { lossNoticed }),
  };
}

/** @throws RecordsWentBack */
export async function checkInterlock(records: RecordStore, partition: string, interlock: Interlock): Promise<void> {
  checkLoss(interlock);
  const before = await interlock.read();
  const version = await records.version(partition);
  if (before === undefined || version >= before) return;
  throw new RecordsWentBack(
    `the records of ${partition} are at version ${version}, but were at ${before} when garbage was collected last: they were restored or have lost commits, so nothing is collected. Check the images, then reset the collector's mark.`,
  );
}

/** Asked before every page of work: a loss may be noticed while a run is under way. @throws RecordsWentBack */
export function checkLoss(interlock: Pick<Interlock, 'lossNoticed'>): void {
  const loss = interlock.lossNoticed?.();
  if (loss === undefined) return;
  throw new RecordsWentBack(`${loss}; nothing is collected until \`slipway storage audit\` has looked.`);
}
