import type { Digest } from '@slipway/storage/blobs';
import { scan } from '@slipway/storage/records';
import { type ImagesPorts, keys, registryPartition } from '../images/index.ts';

/** What the collector has to look at: each entry names a blob that was let go, or that a push was told is here. */
export interface Journal {
  readonly due: number;
  /** Entries whose time has not come: leases of pushes, and the grace of what was let go. */
  readonly waiting: number;
  /** When the next of those falls due, milliseconds since the epoch. */
  readonly nextDueAt?: number;
}

/** Counts an account's journal; for people who ask, since it reads all of it. */
export async function readJournal({ records, clock }: ImagesPorts, account: string): Promise<Journal> {
  const upTo = keys.review(clock.now(), '~' as Digest);
  let due = 0;
  let waiting = 0;
  let first: string | undefined;
  const reviews = { prefix: keys.reviews, limit: 10_000 };
  for await (const { key } of scan(records, registryPartition(account), reviews)) {
    if (key <= upTo) due += 1;
    else {
      waiting += 1;
      first ??= key;
    }
  }
  return { due, waiting, ...(first === undefined ? {} : { nextDueAt: Number(first.split('|')[1]) }) };
}
