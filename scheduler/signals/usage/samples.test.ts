import { expect, test } from 'vitest';

import { MemoryMetrics } from '../metrics/store/testing/index.ts';
import { type Series, statisticOf } from '../metrics/index.ts';
import type { InstanceUsage } from './ledger.ts';
import type { TaskUsage } from './minute.ts';
import { type ClusterResources, dimensions, usageSamples } from './samples.ts';

const account = '000000000000';
const at = Date.parse('2026-06-15T12:00:00Z');

const usage = (id: string, cpu: number, memory: number, more: Partial<TaskUsage['task']> = {}): TaskUsage => ({
  task: {
    arn: id,
    id,
    family: 'web',
    service: 'web',
    launchType: 'EC2',
    reservedCpu: 256,
    shares: 256,
    reservedMemory: 128,
    ...more,
  },
  cpu,
  memory,
  received: 10,
});

const onHost = (id: string, ...tasks: TaskUsage[]): InstanceUsage => ({
  instance: { account, cluster: 'shop', id },
  tasks,
});

type Host = ClusterResources['hosts'] extends ReadonlyMap<string, infer H> ? H : never;
/** A host that a user has registered. */
const host = (id: string, more: Partial<Host>): [string, Host] => [
  id,
  { id, ownerArn: `arn:aws:iam::${account}:user/hosts`, cpu: 1000, memory: 2048, attributes: [], ...more },
];

const shop: ClusterResources = {
  name: 'shop',
  insights: 'disabled',
  hosts: new Map([host('large', { cpu: 3072, memory: 6144 }), host('small', { cpu: 1024, memory: 2048 })]),
  busy: new Set(['large', 'small']),
};

/** What of a series is read back after parts of it came from several servers. */
async function told(parts: readonly (readonly InstanceUsage[])[], cluster: ClusterResources = shop) {
  const store = new MemoryMetrics(() => at + 60_000);
  for (const part of parts) await store.put(account, usageSamples(cluster, part, at));
  return async (name: string, of: Readonly<Record<string, string>>, namespace = 'AWS/ECS') => {
    const series: Series = { namespace, name, dimensions: dimensions(of) };
    const [buckets = []] = await store.read(account, [series], { from: at, to: at + 60_000, period: 60 });
    const [bucket] = buckets;
    if (bucket === undefined) return undefined;
    const { count, min, max, unit } = bucket;
    return { count, min, max, unit, average: statisticOf('Average')?.(bucket) };
  };
}

test('a service: each task is a sample, in percent of what it reserves, whichever server tells it', async () => {
  const read = await told([
    [onHost('large', usage('a', 64, 128), usage('b', 256, 32))],
    [onHost('small', usage('c', 512, 64))],
  ]);
  const of = { ClusterName: 'shop', ServiceName: 'web' };
  expect(await read('CPUUtilization', of)).toEqual({
    count: 3,
    min: 25,
    max: 200,
    unit: 'Percent',
    average: (25 + 100 + 200) / 3,
  });
  expect(await read('MemoryUtilization', of)).toMatchObject({ count: 3, min: 25, max: 100 });
  expect(await read('CpuUtilized', of, 'ECS/ContainerInsights')).toBeUndefined();
});

test('a service of more tasks than one sample has values is told as a whole', async () => {
  const tasks = Array.from({ length: 401 }, (_, index) => usage(`task-${index}`, 64, index % 2 === 0 ? 32 : 64));
  const read = await told([[onHost('large', ...tasks)]], { ...shop, insights: 'enabled' });
  const of = { ClusterName: 'shop', ServiceName: 'web' };
  expect(await read('CPUUtilization', of)).toEqual({ count: 401, min: 25, max: 25, unit: 'Percent', average: 25 });
  expect(await read('MemoryUtilization', of)).toMatchObject({ count: 401, min: 25, max: 50 });
  const cluster = { ClusterName: 'shop' };
  expect(await read('MemoryUtilized', cluster, 'ECS/ContainerInsights')).toMatchObject({
    count: 401,
    min: 32,
    max: 64,
  });
});

test('a cluster: its mean is what all its instances use of what all have registered; tasks of Fargate do not count', async () => {
  const read = await told([
    [onHost('large', usage('a', 1536, 1024), usage('f', 1024, 1024, { launchType: 'FARGATE' }))],
    [onHost('small', usage('b', 256, 512, { service: undefined }))],
  ]);
  const of = { ClusterName: 'shop' };
  expect(await read('CPUUtilization', of)).toMatchObject({ count: 2, min: 25, max: 50, average: (1792 / 4096) * 100 });
  expect((await read('MemoryUtilization', of))?.average).toBeCloseTo((1536 / 8192) * 100);
});

test('an instance with nothing on it uses nothing, and counts; one whose tasks nothing was heard of does not', async () => {
  const part = [onHost('large', usage('a', 1536, 1024)), onHost('small')];
  const of = { ClusterName: 'shop' };
  const idle = await told([part], { ...shop, busy: new Set(['large']) });
  expect(await idle('CPUUtilization', of)).toMatchObject({ count: 2, min: 0, max: 50, average: (1536 / 4096) * 100 });
  const silent = await told([part]);
  expect(await silent('CPUUtilization', of)).toMatchObject({ count: 1, min: 50 });
});

test('tasks that are in no service have no numbers of one, and no running task is no point', async () => {
  const read = await told([[onHost('small', usage('b', 256, 512, { service: undefined }))], []]);
  expect(await read('CPUUtilization', { ClusterName: 'shop', ServiceName: 'web' })).toBeUndefined();
});

test('Container Insights: by service, family and cluster; of what reserves no CPU none is told; enhanced has percentages', async () => {
  const part = [onHost('large', usage('a', 64, 100), usage('b', 64, 60, { reservedCpu: 0, shares: 2, family: 'job' }))];
  const read = await told([part], { ...shop, insights: 'enabled' });
  const insights = 'ECS/ContainerInsights';
  const of = { ClusterName: 'shop', ServiceName: 'web' };
  expect(await read('CpuUtilized', of, insights)).toMatchObject({ count: 1, average: 64, unit: 'None' });
  expect(await read('CpuReserved', of, insights)).toMatchObject({ count: 1, average: 256 });
  expect(await read('MemoryUtilized', of, insights)).toMatchObject({ count: 2, average: 80, unit: 'Megabytes' });
  expect(await read('NetworkRxBytes', { ClusterName: 'shop' }, insights)).toMatchObject({ unit: 'Bytes/Second' });
  const family = { ClusterName: 'shop', TaskDefinitionFamily: 'job' };
  expect(await read('MemoryUtilized', family, insights)).toMatchObject({ count: 1, average: 60 });
  expect(await read('TaskCpuUtilization', of, insights)).toBeUndefined();
  const enhanced = await told([part], { ...shop, insights: 'enhanced' });
  expect(await enhanced('TaskCpuUtilization', of, insights)).toMatchObject({ average: 25, unit: 'Percent' });
});

test('an Auto Scaling group: each of its machines is a sample, in percent of the CPU that it has registered, by tasks of any kind', async () => {
  const attributes = [{ name: 'slipway.auto-scaling-group', value: 'lab' }];
  const machine = (id: string) => ({ attributes, ownerArn: `arn:aws:sts::${account}:assumed-role/node/i-${id}` });
  const hosts = new Map([
    host('large', { cpu: 4000, ...machine('large') }),
    host('small', machine('small')),
    host('other', {}),
    // Whoever may register a host may have it say what it likes.
    host('rogue', { attributes }),
    host('guise', machine('large')),
  ]);
  const tasks = [
    [onHost('large', usage('a', 1000, 128), usage('b', 1000, 32, { launchType: 'FARGATE' }))],
    [
      onHost('small', usage('c', 100, 128)),
      ...['other', 'rogue', 'guise'].map((id) => onHost(id, usage(id, 900, 128))),
    ],
  ];
  const read = await told(tasks, { ...shop, hosts });
  expect(await read('CPUUtilization', { AutoScalingGroupName: 'lab' }, 'AWS/EC2')).toMatchObject({
    count: 2,
    min: 10,
    max: 50,
    average: 30,
  });
  // Nothing is said of a busy machine of which nothing is known.
  const silent = await told([[onHost('large')]], { ...shop, hosts });
  expect(await silent('CPUUtilization', { AutoScalingGroupName: 'lab' }, 'AWS/EC2')).toBeUndefined();
});
