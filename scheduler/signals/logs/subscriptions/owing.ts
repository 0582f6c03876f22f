import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import type { RandomBytes } from '../../../state/index.ts';
import { parsePattern } from '../patterns/index.ts';
import type { EventBlobs } from '../store/event-blobs.ts';
import type { FileStream } from '../store/event-file.ts';
import { logKeys, logsPartition } from '../store/keys.ts';
import { renumbered, streamsOf } from '../store/merge.ts';
import type { Row } from '../store/rows.ts';

import type { DeliveryRecord, OwedRecord } from './records.ts';
import { subscriptionsOf } from './subscriptions.ts';

/** Of zstd: what is owed is read once. */
const packing = { level: 1, isSearched: false };
/** Milliseconds for which matching keeps others from their turn. */
const turn = 20;

export interface OwingPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
}

/** Sets aside what receivers of subscription filters have not been told, when the chunks that it is in go. */
export class Owing {
  readonly #ports: OwingPorts;
  readonly #blobs: EventBlobs;
  readonly #account: string;

  constructor(account: string, ports: OwingPorts, blobs: EventBlobs) {
    this.#account = account;
    this.#ports = ports;
    this.#blobs = blobs;
  }

  /**
   * Files for the filters of a group that are behind: to be named by the commit that removes the chunks.
   * @param group its id
   * @param rowsAfter the group's rows of those chunks that were committed after a version
   */
  async of(
    group: string,
    streams: readonly FileStream[],
    rowsAfter: (version: number) => Promise<readonly Row[]>,
  ): Promise<{ readonly key: string; readonly value: OwedRecord }[]> {
    const { records, clock, random } = this.#ports;
    const owed: { key: string; value: OwedRecord }[] = [];
    for (const { id, pattern } of await subscriptionsOf(records, this.#account, group)) {
      const delivery = await records.get<DeliveryRecord>(logsPartition(this.#account), logKeys.delivery(id));
      if (delivery === undefined) continue;
      const rows = await this.#matching(pattern, await rowsAfter(delivery.value.version));
      if (rows.length === 0) continue;
      const file = await this.#blobs.write(streamsOf(rows, streams), [renumbered(rows, streams)], packing);
      const at = clock.now();
      const name = `${String(at).padStart(14, '0')}-${Buffer.from(random(4)).toString('hex')}`;
      owed.push({ key: `${logKeys.owedTo(id)}${name}`, value: { ...file, at } });
    }
    return owed;
  }

  async #matching(text: string, rows: readonly Row[]): Promise<readonly Row[]> {
    const { clock } = this.#ports;
    const pattern = parsePattern(text);
    const needs = pattern.needs.map((need) => Buffer.from(need));
    const found: Row[] = [];
    let since = clock.monotonic();
    for (const row of rows) {
      const { buffer, byteOffset, byteLength } = row.message;
      const bytes = Buffer.from(buffer, byteOffset, byteLength);
      if (needs.every((need) => bytes.includes(need)) && pattern.matches(bytes.toString('utf8'))) found.push(row);
      if (clock.monotonic() - since < turn) continue;
      await clock.sleep(0);
      since = clock.monotonic();
    }
    return found;
  }
}
