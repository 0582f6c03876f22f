import type { RecordStore } from '@slipway/storage/records';

/** Remembers, apart from the records themselves (beside the blobs), how far an account's records had come. */
export interface Interlock {
  /** The highest version that was written; undefined when none was. */
  read(): Promise<number | undefined>;
  write(version: number): Promise<void>;
}

/**
 * The records are older than they were at the last collection: a backup was restored, or a fail-over lost commits. References
 * may be missing, so that blobs look free which images need. Nothing is collected until a person has said that it is safe.
 */
export class RecordsWentBack extends Error {
  override readonly name = 'RecordsWentBack';
  constructor(partition: string, version: number, before: number) {
    super(
      `the records of ${partition} are at version ${version}, but were at ${before} when garbage was collected last: they were restored or have lost commits, so nothing is collected. Check the images, then reset the collector's mark.`,
    );
  }
}

/** @throws RecordsWentBack */
export async function checkInterlock(records: RecordStore, partition: string, interlock: Interlock): Promise<void> {
  const before = await interlock.read();
  const version = await records.version(partition);
  if (before !== undefined && version < before) throw new RecordsWentBack(partition, version, before);
}
