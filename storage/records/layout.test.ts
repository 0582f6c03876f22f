import { expect, test } from 'vitest';
import { checkLayout, definePartition, type OwnedRows, ownerOf } from './index.ts';

const account = definePartition('ecs/<account>', 'one account');
const cluster = definePartition('ecs/<account>/<cluster>', 'one cluster');
const all = definePartition('ecs', 'the installation');

const layout: readonly OwnedRows[] = [
  { partition: account, owner: 'scheduler/state', keys: ['cluster/', 'family/'] },
  { partition: cluster, owner: 'scheduler/state', keys: ['cluster', 'task/'] },
  { partition: cluster, owner: 'scheduler/hosts', keys: ['connections/'] },
  { partition: all, owner: 'scheduler/triggers', keys: ['webhooks/'] },
];

test('names are made of their parts', () => {
  expect(cluster.name('1', 'default')).toBe('ecs/1/default');
  expect(account.name('1')).toBe('ecs/1');
  expect(all.name()).toBe('ecs');
  // @ts-expect-error -- a part is missing
  cluster.name('1');
});

test('a table in which every record has one owner is well', () => {
  expect(checkLayout(layout)).toEqual([]);
  expect(ownerOf(layout, 'ecs/1/default', 'task/abc')).toBe('scheduler/state');
  expect(ownerOf(layout, 'ecs/1/default', 'cluster')).toBe('scheduler/state');
  expect(ownerOf(layout, 'ecs/1/default', 'connections/x')).toBe('scheduler/hosts');
  expect(ownerOf(layout, 'ecs/1/default', '$lease/leader/epoch')).toBe('storage/leases');
});

test('a record that nobody owns is found', () => {
  expect(ownerOf(layout, 'ecs/1/default', 'clusters')).toBeUndefined();
  expect(ownerOf(layout, 'ecs/1/default', 'webhooks/1')).toBeUndefined();
  expect(ownerOf(layout, 'ecs/1/default/more', 'task/abc')).toBeUndefined();
  expect(ownerOf(layout, 'other', 'task/abc')).toBeUndefined();
});

test.each<[string, OwnedRows, string]>([
  [
    'a key that two rooms claim',
    { partition: cluster, owner: 'x', keys: ['task/'] },
    'x claims task/ and scheduler/state task/',
  ],
  [
    'a key below another',
    { partition: cluster, owner: 'x', keys: ['task/old/'] },
    'x claims task/old/ and scheduler/state task/',
  ],
  ['a whole key below another', { partition: cluster, owner: 'x', keys: ['task/one'] }, 'x claims task/one'],
  ['a key above another', { partition: account, owner: 'x', keys: ['family/'] }, 'x claims family/'],
  ['a key claimed twice by one room', { partition: cluster, owner: 'x', keys: ['a/', 'a/b'] }, 'x claims a/b and a/'],
  [
    'a partition that is defined twice',
    { partition: definePartition('ecs/<account>/<name>', 'one name'), owner: 'x', keys: ['a'] },
    'x and scheduler/state both define a partition',
  ],
  [
    'a partition whose names another may have',
    { partition: definePartition('ecs/settings', 'all'), owner: 'x', keys: ['a'] },
    'x and scheduler/state both define a partition: ecs/settings, ecs/<account>',
  ],
  ['a reserved key', { partition: cluster, owner: 'x', keys: ['$lease/'] }, 'x may not own $lease/'],
  ['a reserved partition', { partition: definePartition('$x', 'all'), owner: 'x', keys: ['a'] }, 'x may not own $x'],
])('%s is a problem', (_, rows, problem) => {
  const problems = checkLayout([...layout, rows]);
  expect(problems.length).toBeGreaterThan(0);
  expect(problems[0]).toContain(problem);
});
