import { type Json, type RecordStore, scanAll, transact } from '@slipway/storage/records';

import type { RandomBytes } from '../../../state/index.ts';
import { FilterMissing, TooManyFilters } from '../filters/index.ts';
import { isTooLong } from '../store/checks.ts';
import { type LogGroup, LogGroupMissing, LogNameTooLong, type LogStore } from '../store/contract.ts';
import { logKeys, logsPartition } from '../store/keys.ts';

import type { DeliveryRecord, SubscriptionRecord } from './records.ts';

/** Subscription filters of a group (CloudWatch Logs quotas). */
const mostSubscriptions = 2;

export interface Subscription extends SubscriptionRecord {
  readonly name: string;
}

export interface SubscriptionsPorts {
  readonly records: RecordStore;
  readonly random: RandomBytes;
  readonly logs: Pick<LogStore, 'group'>;
}

/** The subscription filters of log groups, as records under the ids of their groups: another group of the name has none of them. */
export class Subscriptions {
  readonly #ports: SubscriptionsPorts;

  constructor(ports: SubscriptionsPorts) {
    this.#ports = ports;
  }

  /**
   * Makes a filter, which is told what comes from now on, or changes one, which goes on where it is.
   * @throws LogGroupMissing, LogNameTooLong, TooManyFilters
   */
  async put(account: string, name: string, given: Omit<SubscriptionRecord, 'id'>): Promise<void> {
    const { records, random } = this.#ports;
    if (isTooLong(name)) throw new LogNameTooLong('subscription filter');
    const group = await this.#known(account, given.group);
    const others = (await this.of(account, group)).filter((other) => other.name !== name);
    if (others.length >= mostSubscriptions)
      throw new TooManyFilters(`A log group has at most ${mostSubscriptions} subscription filters.`);
    const partition = logsPartition(account);
    const version = await records.version(partition);
    const id = Buffer.from(random(12)).toString('hex');
    await transact(records, partition, async (tx) => {
      const key = logKeys.subscription(group.id, name);
      const before = await tx.get<SubscriptionRecord>(key);
      const record: SubscriptionRecord = {
        ...given,
        id: before?.id ?? id,
        createdAt: before?.createdAt ?? given.createdAt,
      };
      tx.put(key, record as unknown as Json);
      if (before !== undefined) return;
      const begun: DeliveryRecord = { version, delivered: 0, dropped: 0 };
      tx.put(logKeys.delivery(id), { ...begun, failure: undefined });
    });
  }

  /** Those of a group, in the order of their names. */
  of(account: string, { id }: Pick<LogGroup, 'id'>): Promise<Subscription[]> {
    return subscriptionsOf(this.#ports.records, account, id);
  }

  /** How far the receiver of a filter is. @throws LogGroupMissing, FilterMissing */
  async progress(account: string, group: string, name: string): Promise<DeliveryRecord & { readonly owed: number }> {
    const { records } = this.#ports;
    const found = (await this.of(account, await this.#known(account, group))).find((one) => one.name === name);
    const partition = logsPartition(account);
    const stored = found && (await records.get<DeliveryRecord>(partition, logKeys.delivery(found.id)));
    if (found === undefined || stored === undefined) throw missing();
    const owed = await scanAll<{ readonly events: number }>(records, partition, { prefix: logKeys.owedTo(found.id) });
    return { ...stored.value, owed: owed.reduce((sum, { value }) => sum + value.events, 0) };
  }

  /** @throws LogGroupMissing, FilterMissing */
  async remove(account: string, group: string, name: string): Promise<void> {
    const key = logKeys.subscription((await this.#known(account, group)).id, name);
    if (isTooLong(name)) throw missing();
    await transact(this.#ports.records, logsPartition(account), async (tx) => {
      const record = await tx.get<SubscriptionRecord>(key);
      if (record === undefined) throw missing();
      tx.remove(key);
      tx.remove(logKeys.delivery(record.id));
    });
  }

  async #known(account: string, group: string): Promise<LogGroup> {
    const found = await this.#ports.logs.group(account, group);
    if (found === undefined) throw new LogGroupMissing(group);
    return found;
  }
}

const missing = (): FilterMissing => new FilterMissing('The specified subscription filter does not exist.');

/** The subscription filters of a group, by its id. */
export async function subscriptionsOf(records: RecordStore, account: string, group: string): Promise<Subscription[]> {
  const prefix = logKeys.subscriptionsOf(group);
  const found = await scanAll<SubscriptionRecord>(records, logsPartition(account), { prefix });
  return found.map(({ key, value }) => ({ ...value, name: key.slice(prefix.length) }));
}
