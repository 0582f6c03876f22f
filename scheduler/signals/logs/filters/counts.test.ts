import { describe, expect, test } from 'vitest';

import { LogGroupMissing } from '../store/index.ts';
import { account, openedLogs } from '../store/testing/index.ts';

import type { Sample } from '../../metrics/index.ts';
import { MetricsThrottled, TooManySeries } from '../../metrics/index.ts';
import { FilterMissing, MetricFilters, TooManyFilters } from './index.ts';

const transformation = { namespace: 'web', name: 'errors', value: '1', unit: 'Count' } as const;

/** Logs whose metrics are put into a list, as far as `fail` lets them. */
async function opened() {
  const told: Sample[] = [];
  const at = { fail: undefined as Error | undefined };
  const put = (_account: string, samples: readonly Sample[]): Promise<void> => {
    if (at.fail !== undefined) return Promise.reject(at.fail);
    told.push(...samples);
    return Promise.resolve();
  };
  const logs = openedLogs(undefined, undefined, { put });
  const store = logs.server();
  const filters = new MetricFilters({ records: logs.records, logs: store });
  await store.createGroup(account, 'web', { tags: {}, logGroupClass: 'STANDARD' });
  await store.createStream(account, 'web', 'one');
  const add = (name: string, pattern: string, createdAt = logs.clock.time) =>
    filters.put(account, 'web', name, { pattern, transformation, createdAt }, (text) => text.startsWith('%'));
  const write = (...lines: string[]) =>
    store.put(
      account,
      'web',
      'one',
      lines.map((message) => ({ timestamp: logs.clock.time, message })),
    );
  const count = (): number =>
    told.reduce(
      (sum, { measured }) =>
        sum +
        (typeof measured === 'object' && 'values' in measured ? (measured.counts ?? []).reduce((a, b) => a + b, 0) : 0),
      0,
    );
  return { ...logs, store, filters, add, write, told, at, count };
}

describe('events of a group with filters', () => {
  test('are counted once, whatever comes after', async () => {
    const { add, write, store, upkeep, count, server } = await opened();
    await write('ERROR before there is a filter');
    await upkeep(store);
    await add('errors', 'ERROR');
    await write('ERROR', 'fine', 'ERROR');
    await upkeep(store);
    expect(count()).toBe(2);
    // Segments that become one are looked at by nobody.
    await write('ERROR');
    const other = server();
    await upkeep(other);
    await upkeep(other);
    expect(count()).toBe(3);
  });

  test('wait for a metric store that is away, and are told then', async () => {
    const { add, write, store, upkeep, count, at, server, said } = await opened();
    await add('errors', 'ERROR');
    await write('ERROR');
    at.fail = new MetricsThrottled('full', 1);
    await upkeep(store);
    await write('ERROR', 'ERROR');
    await upkeep(store);
    expect([count(), said.some((line) => line.includes('waits for the metric store'))]).toEqual([0, true]);
    // Of a server that was killed, another one tells it.
    at.fail = undefined;
    await upkeep(server());
    expect(count()).toBe(3);
    await upkeep(server());
    expect(count()).toBe(3);
  });

  test('that cannot be told stop nothing else', async () => {
    const { add, write, store, upkeep, count, at } = await opened();
    await add('errors', 'ERROR');
    for (const failure of [new TooManySeries('enough'), new RangeError('no metric')]) {
      await write('ERROR');
      at.fail = failure;
      await upkeep(store);
    }
    at.fail = undefined;
    await write('ERROR');
    await upkeep(store);
    expect(count()).toBe(1);
  });
});

describe('filters', () => {
  test('go with their group: one of the same name has none of them', async () => {
    const { add, write, store, upkeep, count, filters, records } = await opened();
    await add('errors', 'ERROR');
    await store.deleteGroup(account, 'web');
    await store.createGroup(account, 'web', { tags: {}, logGroupClass: 'STANDARD' });
    await store.createStream(account, 'web', 'one');
    const group = await store.group(account, 'web');
    expect(await filters.count(account, group?.id ?? '')).toBe(0);
    await write('ERROR');
    await upkeep(store);
    expect(count()).toBe(0);
    const left = await records.list(`logs/${account}`, { prefix: 'filter/', limit: 10 });
    expect(left.records).toEqual([]);
  });

  test('are changed under their name, and keep when they were made', async () => {
    const { add, filters, store } = await opened();
    await add('errors', 'ERROR', 5);
    await add('errors', 'WARN', 6);
    const group = await store.group(account, 'web');
    if (group === undefined) throw new Error('no group');
    expect(await filters.of(account, group)).toEqual([
      { name: 'errors', group: 'web', pattern: 'WARN', transformation, createdAt: 5 },
    ]);
    await filters.remove(account, 'web', 'errors');
    await expect(filters.remove(account, 'web', 'errors')).rejects.toThrow(FilterMissing);
    await expect(filters.remove(account, 'none', 'errors')).rejects.toThrow(LogGroupMissing);
  });

  test('are a hundred of a group at most, five of them with regular expressions', async () => {
    const { add } = await opened();
    for (let n = 0; n < 5; n++) await add(`x${n}`, '%a%');
    await expect(add('x5', '%a%')).rejects.toThrow(TooManyFilters);
    await add('x4', '%b%');
    for (let n = 0; n < 95; n++) await add(`f${n}`, 'a');
    await expect(add('more', 'a')).rejects.toThrow('at most 100 metric filters');
    await add('f0', 'b');
  });
});
