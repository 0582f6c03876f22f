import { expect, test } from 'vitest';

import { deregisterInstance } from '../cluster/index.ts';
import { serviceViews, updateService } from '../services/index.ts';
import { clusterKeys, type InstanceRecord } from '../state/index.ts';
import { ClusterWorld, partition, ref } from './testing/cluster-world.ts';

const web = { ...ref, service: 'web' };

test('a drained instance is emptied, a deregistered one loses its tasks at once', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  await world.instance('i2', { status: 'DRAINING' });
  await world.plane().start();
  const revision = await world.revision('app:1');
  await world.service(revision.arn, { desiredCount: 2 });
  await world.steady();
  expect((await world.running()).map((task) => task.instanceId)).toEqual(['i1', 'i1']);
  await world.changeInstance('i2', { status: 'ACTIVE' });
  await world.changeInstance('i1', { status: 'DRAINING' });
  await world.until(
    () => world.running(),
    (tasks) => tasks.length === 2 && tasks.every((task) => task.instanceId === 'i2'),
  );
  await world.steady();
  await world.instance('i3');
  await deregisterInstance(world.ecs, ref, 'i2', true);
  await world.until(
    () => world.running(),
    (tasks) => tasks.length === 2 && tasks.every((task) => task.instanceId === 'i3'),
  );
});

test('daemons leave a drained instance last, and do not wait for each other', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  await world.plane().start();
  const revision = await world.revision('app:1');
  const daemon = {
    schedulingStrategy: 'DAEMON',
    deploymentConfiguration: { maximumPercent: 100, minimumHealthyPercent: 0 },
  } as const;
  await world.service(revision.arn, daemon, 'logs');
  await world.service(revision.arn, daemon, 'metrics');
  await world.service(revision.arn, { desiredCount: 1 });
  await world.until(
    () => world.running(),
    (tasks) => tasks.length === 3,
  );
  await world.changeInstance('i1', { status: 'DRAINING' });
  await world.instance('i2');
  // Theirs come to the new host beside the one that moves.
  await world.until(
    () => world.running(),
    (tasks) => tasks.length === 3 && tasks.every(({ instanceId }) => instanceId === 'i2'),
  );
  const left = (await world.tasks()).filter(({ instanceId }) => instanceId === 'i1');
  expect(left.map(({ desiredStatus }) => desiredStatus)).toEqual(['STOPPED', 'STOPPED', 'STOPPED']);
});

test('tasks of a host that is away stay for a while, are then replaced, and duplicates are resolved when it comes back', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  await world.plane({ replaceLostAfter: 400 }).start();
  const revision = await world.revision('app:1');
  await world.service(revision.arn, { desiredCount: 1 });
  await world.steady();
  const [original] = await world.running();
  await world.instance('i2');
  world.cutOff.add('i1');
  const away = Date.now();
  await world.changeInstance('i1', { agentConnected: false });
  const [successor] = await world.until(
    () => world.running(),
    (tasks) => tasks.length === 1 && tasks[0]?.instanceId === 'i2',
  );
  // Well short of what was waited for: that is measured by another clock than tasks are dated by.
  expect(successor!.createdAt - away).toBeGreaterThan(200);
  const given = await world.until(
    async () => (await world.tasks()).find(({ id }) => id === original!.id),
    (task) => task?.desiredStatus === 'STOPPED',
  );
  expect(given).toMatchObject({ lastStatus: 'RUNNING', stopCode: 'InfrastructureHealth' });
  // Nobody can carry the order out: "services stable" does not wait for that.
  const [described] = await serviceViews(world.ecs, ref, [await world.read()]);
  expect(described).toMatchObject({ desiredCount: 1, runningCount: 1 });
  // Back again, its agent carries the order out; nothing else moves.
  world.cutOff.delete('i1');
  await world.changeInstance('i1', { agentConnected: true });
  await world.report(original!.id, () => ({ lastStatus: 'STOPPED', stoppedAt: Date.now() }));
  await world.steady();
  expect((await world.running()).map((task) => task.instanceId)).toEqual(['i2']);
});

test('a host that stays away leaves the cluster after the time that was set, with its tasks; one that only lost its engine stays', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  // As if the leader had begun long ago: it looks for such hosts when it begins, and twice a minute.
  const ago = Date.now() - 10_000;
  await world.instance('i2', { agentConnected: false, connectionId: 'there', connectivityChangedAt: ago });
  const first = world.plane({ replaceLostAfter: 100 });
  await first.start();
  const revision = await world.revision('app:1');
  await world.service(revision.arn, { desiredCount: 1 });
  await world.steady();
  const [lost] = await world.running();
  world.cutOff.add('i1');
  await world.changeInstance('i1', { agentConnected: false });
  const state = async (id: string): Promise<string | undefined> =>
    (await world.storage.records.get<InstanceRecord>(partition, clusterKeys.instance(id)))?.value.status;
  await world.until(
    async () => (await world.tasks()).find(({ id }) => id === lost!.id)?.desiredStatus,
    (desired) => desired === 'RUNNING',
  );
  await world.stop(first);
  expect(await state('i1')).toBe('ACTIVE');
  await world.plane({ replaceLostAfter: 0, deregisterLostAfter: 0 }).start();
  expect(
    await world.until(
      () => state('i1'),
      (status) => status !== 'ACTIVE',
    ),
  ).toBe('INACTIVE');
  const over = await world.until(
    async () => (await world.tasks()).find(({ id }) => id === lost!.id),
    (task) => task?.lastStatus === 'STOPPED',
  );
  expect(over).toMatchObject({ stopCode: 'InfrastructureHealth' });
  expect(await state('i2')).toBe('ACTIVE');
  expect(() => world.plane({ deregisterLostAfter: 1_000 })).toThrow(/once their tasks are replaced/);
});

test('a task that a vanished host has said nothing of is replaced before what ran there is', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1', { memory: 128 });
  await world.plane({ replaceUnseenAfter: 100 }).start();
  const revision = await world.revision('app:1');
  await world.service(revision.arn, { desiredCount: 1 });
  await world.steady();
  const [original] = await world.running();
  world.cutOff.add('i1');
  const next = await world.revision('app:2');
  await updateService(world.ecs, web, () => ({ taskDefinition: next.arn }));
  const unseen = await world.until(
    async () => (await world.tasks()).find(({ id }) => id !== original!.id),
    (task) => task !== undefined,
  );
  expect(unseen).toMatchObject({ instanceId: 'i1', lastStatus: 'PENDING' });
  await world.instance('i2', { memory: 64 });
  // Long enough ago for what it has not seen, not for what runs there.
  await world.changeInstance('i1', { agentConnected: false, connectivityChangedAt: Date.now() - 10_000 });
  await world.until(
    () => world.tasks(),
    (tasks) => tasks.some(({ instanceId, lastStatus }) => instanceId === 'i2' && lastStatus === 'RUNNING'),
    60_000,
  );
  const given = await world.until(
    async () => (await world.tasks()).find(({ id }) => id === unseen!.id),
    (task) => task?.desiredStatus === 'STOPPED',
  );
  expect(given).toMatchObject({ stopCode: 'InfrastructureHealth' });
  expect((await world.read()).deployments[0]).toMatchObject({ failedTasks: 0, taskDefinition: next.arn });
});

test('a host that comes back before its replacement is up keeps its task', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  await world.plane({ replaceLostAfter: 100 }).start();
  const revision = await world.revision('app:1');
  await world.service(revision.arn, { desiredCount: 1 });
  await world.steady();
  const [original] = await world.running();
  world.behaviours.set('app:1', { startsIn: 60_000, stopsIn: 1 });
  await world.changeInstance('i1', { agentConnected: false });
  await world.instance('i2');
  await world.until(
    () => world.tasks(),
    (tasks) => tasks.length === 2,
  );
  await world.changeInstance('i1', { agentConnected: true });
  await world.until(
    () => world.tasks(),
    (tasks) => tasks.some((task) => task.instanceId === 'i2' && task.lastStatus === 'STOPPED'),
  );
  expect((await world.running()).map(({ id }) => id)).toEqual([original!.id]);
});
