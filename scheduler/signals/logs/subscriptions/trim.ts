import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import { garbageRow } from '../store/changes.ts';
import { logsPartition } from '../store/keys.ts';

import { changeDelivery, type DeliveryPlace } from './change.ts';
import type { DeliveryNumbers } from './numbers.ts';

/**
 * What may be owed: for how long, milliseconds (as CloudWatch Logs goes on trying for a day), and in bytes on disk and rows of an account;
 * of what logs may take a tenth at most.
 */
export const owedLimits = { age: 86_400_000, bytes: 256 * 1024 * 1024, share: 0.1, rows: 10_000 } as const;

export interface TrimPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly limit: () => number;
}

/** Lets go of what is owed to filters that are gone, and, oldest first, of what is too old or too much: counted, announced and said. */
export async function trim(
  { records, clock, log, limit }: TrimPorts,
  place: DeliveryPlace,
  numbers: DeliveryNumbers,
): Promise<void> {
  const { account, fence, standings } = place;
  const all = standings.owed();
  if (all.length === 0) return;
  const now = clock.now();
  const most = Math.min(owedLimits.bytes, owedLimits.share * limit());
  let bytes = all.reduce((sum, { record }) => sum + record.blob.size, 0);
  let rows = all.length;
  for (const { key, record, standing } of all) {
    const why =
      now - record.at > owedLimits.age ? 'too old' : bytes > most || rows > owedLimits.rows ? 'too much' : undefined;
    if (standing !== undefined && why === undefined) continue;
    bytes -= record.blob.size;
    rows -= 1;
    const put = [garbageRow(record, now)];
    if (standing === undefined) {
      const { version } = await records.commit(logsPartition(account), {
        require: [{ key, exists: true }],
        put,
        remove: [key],
        fence,
      });
      standings.take({ kind: 'removed', key, version });
      continue;
    }
    const { filter, name } = standing;
    const data = {
      account,
      group: filter.group,
      filter: name,
      events: record.events,
      from: record.minTimestamp,
      to: record.maxTimestamp,
    };
    await changeDelivery(
      records,
      place,
      filter.id,
      (delivery) => ({ ...delivery, dropped: delivery.dropped + record.events }),
      { put, remove: [key], announce: [{ topic: 'logs', type: 'logs.undelivered', data }] },
    );
    numbers.dropped += record.events;
    log.warn(
      { ...data, why },
      'log events were not delivered: the receiver of a subscription filter does not take them',
    );
  }
}
