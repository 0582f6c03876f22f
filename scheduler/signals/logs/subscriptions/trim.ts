import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type { EventDraft, Fence, Json, RecordStore } from '@slipway/storage/records';

import { garbageRow } from '../store/changes.ts';
import { logKeys, logsPartition } from '../store/keys.ts';

import type { DeliveryNumbers } from './numbers.ts';
import type { DeliveryRecord } from './records.ts';
import type { Standings } from './standing.ts';

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
  {
    account,
    fence,
    standings,
    numbers,
  }: {
    readonly account: string;
    readonly fence: Fence;
    readonly standings: Standings;
    readonly numbers: DeliveryNumbers;
  },
): Promise<void> {
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
    const put: { key: string; value: Json }[] = [garbageRow(record, now)];
    const announce: EventDraft[] = [];
    if (standing !== undefined) {
      const { filter, name, delivery } = standing;
      const data = {
        account,
        group: filter.group,
        filter: name,
        events: record.events,
        from: record.minTimestamp,
        to: record.maxTimestamp,
      };
      const dropped: DeliveryRecord = { ...delivery, dropped: delivery.dropped + record.events };
      put.push({ key: logKeys.delivery(filter.id), value: { ...dropped } as unknown as Json });
      announce.push({ topic: 'logs', type: 'logs.undelivered', data });
      numbers.dropped += record.events;
      log.warn(
        { ...data, why },
        'log events were not delivered: the receiver of a subscription filter does not take them',
      );
    }
    const { version } = await records.commit(logsPartition(account), {
      require: [{ key, exists: true }],
      put,
      remove: [key],
      announce,
      fence,
    });
    standings.take({ kind: 'removed', key, version });
    for (const row of put) standings.take({ kind: 'put', ...row, version });
  }
}
