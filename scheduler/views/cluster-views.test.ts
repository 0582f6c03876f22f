import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { expect, test, vi } from 'vitest';

import { clusterKeys, clusterPartition, toJson } from '../state/index.ts';
import { ClusterViews } from './cluster-views.ts';
import { askedRecords } from './testing/asked-records.ts';
import { instanceRecord } from './testing/instance-record.ts';

const account = '000000000000';
const partition = clusterPartition(account, 'default');
const silent = (): void => {};
const log = { info: silent, warn: silent, error: silent };
const waitFor = (hold: () => void): Promise<void> => vi.waitFor(hold, { timeout: 30_000 });

test('a cluster is read and followed once, however many hold its view, and no longer than somebody does', async () => {
  const { records, asked } = askedRecords(memoryRecords(systemClock));
  await records.commit(partition, { put: [{ key: clusterKeys.instance('i1'), value: toJson(instanceRecord()) }] });
  const views = new ClusterViews({ records, clock: systemClock, log, placement: { seed: 1 } });
  const [one, two, three] = [1, 2, 3].map(() => views.hold(account, 'default'));
  await one?.feed.first;
  await waitFor(() => expect(asked.following).toEqual([partition]));
  expect(asked).toMatchObject({ lists: [{ partition, prefix: '' }], follows: [partition] });
  expect(two?.view).toBe(one?.view);
  expect(three?.view.instances.size).toBe(1);
  const other = views.hold(account, 'other');
  expect(other.view).not.toBe(one?.view);
  await waitFor(() => expect(asked.following).toHaveLength(2));
  // Whoever lets go twice lets go of nothing that another one holds.
  await two?.release();
  await two?.release();
  await one?.release();
  await other.release();
  await waitFor(() => expect(asked.following).toEqual([partition]));
  await three?.release();
  await waitFor(() => expect(asked.following).toEqual([]));
  const again = views.hold(account, 'default');
  await again.feed.first;
  expect(again.view).not.toBe(one?.view);
  expect(again.view.instances.size).toBe(1);
  await again.release();
});

test('lost events cost one more reading for all who hold the view, and they are told what is different', async () => {
  const { records, asked, loseEvents } = askedRecords(memoryRecords(systemClock));
  const write = (more: object): Promise<unknown> =>
    records.commit(partition, {
      put: [{ key: clusterKeys.instance('i1'), value: toJson({ ...instanceRecord(), ...more }) }],
    });
  await write({});
  const views = new ClusterViews({ records, clock: systemClock, log, placement: { seed: 1 } });
  const held = [views.hold(account, 'default'), views.hold(account, 'default')];
  await waitFor(() => expect(asked.following).toEqual([partition]));
  const told: string[] = [];
  for (const [index, { view }] of held.entries())
    view.watch('i1', () => told.push(`${index} ${view.instances.get('i1')?.value.status}`));
  loseEvents();
  await waitFor(() => expect(asked.follows).toEqual([partition, partition]));
  expect(asked.lists).toHaveLength(2);
  expect(told).toEqual([]);
  await write({ status: 'DRAINING' });
  await waitFor(() => expect(told).toEqual(['0 DRAINING', '1 DRAINING']));
  expect(asked.lists).toHaveLength(2);
  for (const one of held) await one.release();
});
