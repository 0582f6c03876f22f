import {
  ConditionFailed,
  type EventDraft,
  type Fence,
  type Json,
  type RecordStore,
  transact,
} from '@slipway/storage/records';

import { logKeys, logsPartition } from '../store/keys.ts';

import type { DeliveryRecord } from './records.ts';
import type { Standings } from './standing.ts';

/** Whose deliveries they are, by whom they are written, and what is known of them here. */
export interface DeliveryPlace {
  readonly account: string;
  readonly fence: Fence;
  readonly standings: Standings;
}

/** What is written together with how far a receiver is. */
export interface Beside {
  readonly put?: readonly { readonly key: string; readonly value: Json }[];
  /** Rows that must still be there. */
  readonly remove?: readonly string[];
  readonly announce?: readonly EventDraft[];
}

/**
 * Changes how far the receiver of a filter is, from what is stored: what is told and what is let go of are written side by side, and neither may
 * undo the other.
 * @param filter its id
 * @throws ConditionFailed when the filter was deleted, or what is to be removed is gone; StaleEpoch
 */
export async function changeDelivery(
  records: RecordStore,
  { account, fence, standings }: DeliveryPlace,
  filter: string,
  change: (delivery: DeliveryRecord) => DeliveryRecord,
  { put = [], remove = [], announce = [] }: Beside = {},
): Promise<DeliveryRecord> {
  const key = logKeys.delivery(filter);
  let version = 0;
  const delivery = await transact(
    records,
    logsPartition(account),
    async (tx) => {
      const there = async <T>(name: string): Promise<T> => {
        const value = await tx.get<T>(name);
        if (value === undefined) throw new ConditionFailed([{ key: name, exists: true }]);
        return value;
      };
      // Whoever deletes the filter deletes this.
      const changed = change(await there<DeliveryRecord>(key));
      for (const gone of remove) {
        await there(gone);
        tx.remove(gone);
      }
      tx.put(key, { ...changed } as unknown as Json);
      for (const row of put) tx.put(row.key, row.value);
      for (const event of announce) tx.announce(event);
      return changed;
    },
    {
      fence,
      committed: (at) => {
        version = at;
      },
    },
  );
  standings.take({ kind: 'put', key, value: { ...delivery } as unknown as Json, version });
  for (const gone of remove) standings.take({ kind: 'removed', key: gone, version });
  return delivery;
}
