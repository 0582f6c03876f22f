import type { Clock } from '@slipway/storage/clock';
import type { Leases } from '@slipway/storage/leases';
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
  while (!signal.aborted) {
    try {
      const held = await leases.acquire(installationPartition, 'caretaker', { signal });
      const over = AbortSignal.any([signal, held.lost]);
      try {
        while (!over.aborted) {
          for (const account of await listAccounts(records)) await sweepDefinitions({ records }, account);
          await clock.sleep(interval, over).catch(() => {});
        }
      } finally {
        if (!held.lost.aborted) await held.release();
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, 'cannot remove deleted task definitions now; trying again');
      await clock.sleep(retryAfter, signal).catch(() => {});
    }
  }
}
