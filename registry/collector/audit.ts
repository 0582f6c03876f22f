import type { BlobLocation } from '@slipway/storage/blobs';
import { type BlobRecord, type ImagesPorts, keys, registryAccounts, registryPartition } from '../images/index.ts';
import { checkLoss, type Interlock } from './interlock.ts';
import { auditKeys, audits } from './keys.ts';

const day = 86_400_000;

const partition = audits.name();

export interface AuditReport {
  readonly looked: number;
  /** Bytes that no record knows, seen for the first time or not long enough. */
  readonly unknown: number;
  readonly removed: number;
  readonly freedBytes: number;
}

/**
 * What others than registries keep in the same blob store. Asked before the store is listed: a blob that it does not know and that
 * is new is left alone for its age.
 */
export type BlobsOfOthers = () => Promise<(blob: BlobLocation) => boolean>;

export interface AuditOptions extends Pick<Interlock, 'lossNoticed'> {
  readonly signal?: AbortSignal;
}

/**
 * Finds bytes that no account's records know (an upload that was sealed and never acknowledged), by listing the whole store:
 * for now and then, never on a request's path. They are removed only when they are a week old and were unknown twice, a day
 * or more apart; a store that fails while it is listed ends the audit without removing anything more.
 * @throws RecordsWentBack when the record store has noticed a loss: what it does not know may only be forgotten
 */
export async function auditBlobs(
  ports: ImagesPorts,
  blobsOfOthers: BlobsOfOthers,
  options: AuditOptions = {},
): Promise<AuditReport> {
  const { records, blobs, clock } = ports;
  const accounts = await registryAccounts(ports);
  const isOfOthers = await blobsOfOthers();
  const report = { looked: 0, unknown: 0, removed: 0, freedBytes: 0 };
  for await (const blob of blobs.list()) {
    checkLoss(options);
    if (options.signal?.aborted) return report;
    report.looked += 1;
    if (clock.now() - blob.modifiedAt < 7 * day || isOfOthers(blob)) continue;
    const key = auditKeys.unknown(blob.digest, blob.generation);
    if (await isKnown(ports, accounts, blob)) continue;
    const seen = (await records.get<number>(partition, key))?.value;
    if (seen === undefined || clock.now() - seen < day) {
      report.unknown += 1;
      if (seen === undefined) await records.commit(partition, { put: [{ key, value: clock.now() }] });
      continue;
    }
    await blobs.remove(blob);
    await records.commit(partition, { remove: [key] });
    report.removed += 1;
    report.freedBytes += blob.size;
  }
  return report;
}

async function isKnown(
  { records }: ImagesPorts,
  accounts: readonly string[],
  { digest, generation }: BlobLocation,
): Promise<boolean> {
  for (const account of accounts) {
    const found = await records.getMany<BlobRecord>(registryPartition(account), [
      keys.blob(digest),
      keys.sweep(digest, generation),
    ]);
    if (found.get(keys.blob(digest))?.value.generation === generation || found.has(keys.sweep(digest, generation)))
      return true;
  }
  return false;
}
