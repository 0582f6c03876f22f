import type { Digest } from '@slipway/storage/blobs';
import { type Context, keys, registryPartition } from '../images/index.ts';

/** What the collector has to look at: each entry names a blob that was let go, or that a push was told is here. */
export interface Journal {
  readonly due: number;
  /** Entries whose time has not come: leases of pushes, and the grace of what was let go. */
  readonly waiting: number;
  /** When the next of those falls due, milliseconds since the epoch. */
  readonly nextDueAt?: number;
}

/** Counts an account's journal; for people who ask, since it reads all of it. */
export async function readJournal({ records, clock }: Context, account: string): Promise<Journal> {
  const upTo = keys.review(clock.now(), '~' as Digest);
  let due = 0;
  let waiting = 0;
  let first: string | undefined;
  for (let after: string | undefined; ;) {
    const page = await records.list(registryPartition(account), {
      prefix: keys.reviews,
      limit: 10_000,
      ...(after === undefined ? {} : { after }),
    });
    for (const { key } of page.records) {
      if (key <= upTo) due += 1;
      else {
        waiting += 1;
        first ??= key;
      }
    }
    if (!page.more) break;
    after = page.records.at(-1)?.key;
  }
  return { due, waiting, ...(first === undefined ? {} : { nextDueAt: Number(first.split('|')[1]) }) };
}
