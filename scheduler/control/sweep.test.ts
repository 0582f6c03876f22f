import { expect, test } from 'vitest';

import { createPlacementIndex } from '../placement/index.ts';
import { deleteService } from '../services/index.ts';
import { clusterKeys, type ServiceRecord, type TaskRecord, toJson } from '../state/index.ts';
import { ClusterView } from '../views/index.ts';
import { defaultRetention, sweep } from './sweep.ts';
import { ClusterWorld, partition, ref } from './testing/cluster-world.ts';

const hour = 3_600_000;
const all = { services: ['web'], tokens: true };

test('what is over goes after an hour, but for the newest; tasks on hosts that are gone end; the newest hundred events stay', async () => {
  await using world = await ClusterWorld.open();
  const { records, leases } = world.storage;
  const now = Date.now();
  const fence = await leases.acquire(partition, 'leader', { signal: AbortSignal.timeout(5_000) });
  const revision = await world.revision('app:1');
  await world.service(revision.arn, { desiredCount: 0 });
  const base: Omit<TaskRecord, 'id'> = {
    arn: '',
    taskDefinition: revision.arn,
    group: 'service:web',
    instanceId: 'nowhere',
    reservation: { cpu: 0, memory: 0, tcpPorts: [], udpPorts: [], gpus: 0 },
    desiredStatus: 'STOPPED',
    lastStatus: 'STOPPED',
    healthStatus: 'UNKNOWN',
    containers: [],
    launchType: 'EC2',
    createdAt: 0,
    tags: {},
    enableExecuteCommand: false,
    version: 1,
  };
  const tasks: TaskRecord[] = [
    ...[1, 2, 3, 4, 5, 6, 7].map((age): TaskRecord => ({ ...base, id: `old-${age}`, stoppedAt: now - age * hour })),
    { ...base, id: 'ancient', group: 'family:job', stoppedAt: now - 8 * 24 * hour },
    { ...base, id: 'recent', group: 'family:job', stoppedAt: now - hour + 1_000 },
    { ...base, id: 'orphan', group: 'family:job', desiredStatus: 'RUNNING', lastStatus: 'RUNNING' },
  ];
  await records.commit(partition, {
    put: [
      ...tasks.map((task) => ({ key: clusterKeys.task(task.id), value: toJson(task) })),
      ...Array.from({ length: 130 }, (_, index) => ({
        key: clusterKeys.serviceEvent('web', now + index, 'x'),
        value: { id: 'x', createdAt: now + index, message: `${index}` },
      })),
    ],
  });
  const view = new ClusterView(ref.account, ref.cluster, createPlacementIndex({ seed: 1 }), () => 0);
  view.apply((await records.list(partition)).records.map((stored) => ({ kind: 'put', ...stored })));

  expect(await sweep(records, view, now, defaultRetention, fence, all)).toEqual(['orphan']);
  expect((await world.tasks()).map(({ id }) => id)).toEqual([
    'old-1',
    'old-2',
    'old-3',
    'old-4',
    'old-5',
    'orphan',
    'recent',
  ]);
  expect((await world.tasks()).find(({ id }) => id === 'orphan')).toMatchObject({
    lastStatus: 'STOPPED',
    stopCode: 'InfrastructureHealth',
  });
  const events = await world.events();
  expect(events).toHaveLength(100);
  expect(events[0]).toBe('129');

  // A deleted service goes with what it said, once its hour is over.
  await deleteService(world.ecs, { ...ref, service: 'web' }, true);
  const { value: draining, version } = (await records.get<ServiceRecord>(partition, clusterKeys.service('web')))!;
  await records.commit(partition, {
    require: [{ key: clusterKeys.service('web'), version }],
    put: [{ key: clusterKeys.service('web'), value: toJson({ ...draining, status: 'INACTIVE' }) }],
  });
  view.apply((await records.list(partition)).records.map((stored) => ({ kind: 'put', ...stored })));
  await sweep(records, view, now + hour - 60_000, defaultRetention, fence, all);
  expect(await world.events()).toHaveLength(100);
  await sweep(records, view, now + hour + 60_000, defaultRetention, fence, all);
  expect(await world.events()).toEqual([]);
  expect(await records.get(partition, clusterKeys.service('web'))).toBeUndefined();
  await fence.release();
});
