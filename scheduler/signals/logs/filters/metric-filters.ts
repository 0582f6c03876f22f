import { type Json, type RecordStore, scanAll, transact } from '@slipway/storage/records';

import { isTooLong } from '../store/checks.ts';
import { type LogGroup, LogGroupMissing, LogNameTooLong, type LogStore } from '../store/contract.ts';
import { logKeys, logsPartition } from '../store/keys.ts';

import type { MetricFilterRecord } from './records.ts';

/** Filters of a group, and those of them with a regular expression (CloudWatch Logs quotas). */
export const mostFilters = 100;
export const mostExpressions = 5;

export interface MetricFilter extends MetricFilterRecord {
  readonly name: string;
  readonly group: string;
}

/** The group has as many filters as it may. */
export class TooManyFilters extends Error {
  override readonly name = 'TooManyFilters';
}

/** There is no filter of the name. */
export class FilterMissing extends Error {
  override readonly name = 'FilterMissing';
}

export interface MetricFiltersPorts {
  readonly records: RecordStore;
  readonly logs: Pick<LogStore, 'group'>;
}

/** The metric filters of log groups, as records under the ids of their groups: another group of the name has none of them. */
export class MetricFilters {
  readonly #ports: MetricFiltersPorts;

  constructor(ports: MetricFiltersPorts) {
    this.#ports = ports;
  }

  /**
   * Makes a filter or changes one; what was counted before stays, and the time of its creation too.
   * @throws LogGroupMissing, LogNameTooLong, TooManyFilters
   */
  async put(
    account: string,
    group: string,
    name: string,
    filter: MetricFilterRecord,
    hasExpression: (pattern: string) => boolean,
  ): Promise<void> {
    if (isTooLong(name)) throw new LogNameTooLong('metric filter');
    const id = await this.#idOf(account, group);
    const others = (await this.of(account, { name: group, id })).filter((other) => other.name !== name);
    if (others.length >= mostFilters)
      throw new TooManyFilters(`A log group has at most ${mostFilters} metric filters.`);
    if (
      hasExpression(filter.pattern) &&
      others.filter(({ pattern }) => hasExpression(pattern)).length >= mostExpressions
    )
      throw new TooManyFilters(`A log group has at most ${mostExpressions} filter patterns with regular expressions.`);
    await transact(this.#ports.records, logsPartition(account), async (tx) => {
      const key = logKeys.filter(id, name);
      const before = await tx.get<MetricFilterRecord>(key);
      const value = { ...filter, createdAt: before?.createdAt ?? filter.createdAt };
      tx.put(key, value as unknown as Json);
    });
  }

  /** Those of one group, in the order of their names. */
  async of(account: string, { name: group, id }: Pick<LogGroup, 'name' | 'id'>): Promise<MetricFilter[]> {
    const found = await filtersOf(this.#ports.records, account, id);
    return found.map(({ name, record }) => ({ ...record, name, group }));
  }

  /** @throws LogGroupMissing, FilterMissing */
  async remove(account: string, group: string, name: string): Promise<void> {
    const key = logKeys.filter(await this.#idOf(account, group), name);
    const missing = (): FilterMissing => new FilterMissing('The specified metric filter does not exist.');
    if (isTooLong(name)) throw missing();
    await transact(this.#ports.records, logsPartition(account), async (tx) => {
      if ((await tx.get(key)) === undefined) throw missing();
      tx.remove(key);
    });
  }

  /** How many a group has. @param id the group's */
  async count(account: string, id: string): Promise<number> {
    const prefix = logKeys.filtersOf(id);
    const page = await this.#ports.records.list(logsPartition(account), { prefix, limit: 2 * mostFilters });
    return page.records.length;
  }

  async #idOf(account: string, group: string): Promise<string> {
    const found = await this.#ports.logs.group(account, group);
    if (found === undefined) throw new LogGroupMissing(group);
    return found.id;
  }
}

/** The filters of a group, by its id. */
export async function filtersOf(
  records: RecordStore,
  account: string,
  id: string,
): Promise<{ readonly name: string; readonly record: MetricFilterRecord }[]> {
  const prefix = logKeys.filtersOf(id);
  const found = await scanAll<MetricFilterRecord>(records, logsPartition(account), { prefix });
  return found.map(({ key, value }) => ({ name: key.slice(prefix.length), record: value }));
}
