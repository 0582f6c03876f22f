import type { Clock } from '@slipway/storage/clock';
import { lead, type Leases } from '@slipway/storage/leases';
import type { RecordStore } from '@slipway/storage/records';

import type { Log } from '@slipway/auth/contract';
import { installationPartition } from '../state/index.ts';
import { sweepDefinitions } from '../tasks/index.ts';

import { listAccounts } from './accounts.ts';

/** Milliseconds between rounds. */
const interval = 3_600_000;

/** Milliseconds before a failed round is tried again. */
const retryAfter = 60_000;

/** Removes what belongs to no cluster and is over: deleted task definitions. On one server at a time, until the signal aborts. */
export async function takeCare(
  parts: { readonly records: RecordStore; readonly leases: Leases; readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  const { records, leases, clock, log } = parts;
  await lead(
    leases,
    {
      partition: installationPartition,
      name: 'caretaker',
      clock,
      signal,
      interrupted: (err) => log.warn({ err }, 'cannot remove deleted task definitions now; trying again'),
      retryAfter,
    },
    async (_, over) => {
      while (!over.aborted) {
        for (const account of await listAccounts(records)) await sweepDefinitions({ records }, account);
        await clock.sleep(interval, over);
      }
    },
  );
}
