import { transact } from '@slipway/storage/records';
import { expect, test } from 'vitest';

import { changeService, deleteService, updateService, withTags } from '../services/index.ts';
import { Alarms } from '../signals/alarms/store/index.ts';
import { clusterKeys, type TaskRecord, toJson } from '../state/index.ts';
import { ClusterWorld, partition, ref } from './testing/cluster-world.ts';

const web = { ...ref, service: 'web' };
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

test('a service gets its tasks, becomes steady, and its tasks run the digest that the tag had', async () => {
  await using world = await ClusterWorld.open();
  await world.tag('web', 'prod', digest('a'));
  await world.instance('i1');
  await world.plane().start();
  const revision = await world.revision('127.0.0.1:7500/web:prod');
  await world.service(revision.arn, { desiredCount: 3 });
  const service = await world.steady();
  expect(service.deployments).toMatchObject([{ status: 'PRIMARY', rolloutState: 'COMPLETED' }]);
  const tasks = await world.running();
  expect(tasks).toHaveLength(3);
  expect(new Set(tasks.map((task) => task.containers[0]?.image))).toEqual(
    new Set([`127.0.0.1:7500/web:prod@${digest('a')}`]),
  );
  expect(tasks[0]).toMatchObject({ group: 'service:web', startedBy: service.deployments[0]?.id, instanceId: 'i1' });
  expect((await world.events()).filter((message) => message.includes('steady'))).toHaveLength(1);
});

test('an image of another registry is pinned to what the first task was given, unless the container disables that', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  await world.plane().start();
  const container = { essential: true, memory: 64 };
  const revision = await world.revision('', {
    containerDefinitions: [
      { ...container, name: 'app', image: 'ghcr.io/me/app:1' },
      { ...container, name: 'side', image: 'side:1', versionConsistency: 'disabled' },
    ],
  });
  await world.service(revision.arn, { desiredCount: 1 });
  await world.steady();
  const [first] = await world.running();
  if (first === undefined) throw new Error('no task');
  await transact(world.storage.records, partition, async (tx) => {
    const containers = first.containers.map((one) => ({ ...one, imageDigest: digest('c') }));
    tx.put(clusterKeys.task(first.id), toJson({ ...first, containers, version: first.version + 1 }));
  });
  await updateService(world.ecs, web, () => ({ desiredCount: 2 }));
  const tasks = await world.until(
    () => world.running(),
    (running) => running.length === 2,
  );
  const images = tasks.map((task) => task.containers.map(({ image }) => image));
  expect(images).toContainEqual(['ghcr.io/me/app:1', 'side:1']);
  expect(images).toContainEqual([`ghcr.io/me/app:1@${digest('c')}`, 'side:1']);
});

test('moves a task to a host that has come, as its strategies would have it, and says why', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  const plane = world.plane();
  await plane.start();
  const revision = await world.revision('app:1');
  await world.service(revision.arn, { desiredCount: 2 });
  await world.steady();
  await world.instance('i2');
  await changeService(world.ecs, web, (service) => withTags(service, { 'slipway:rebalance': 'true' }, undefined));
  const tasks = await world.until(
    () => world.running(),
    (running) => running.length === 2 && new Set(running.map(({ instanceId }) => instanceId)).size === 2,
  );
  expect(new Set(tasks.map(({ instanceId }) => instanceId))).toEqual(new Set(['i1', 'i2']));
  const moves = (await world.events()).filter((message) => message.includes('moves'));
  expect(moves).toEqual([
    expect.stringMatching(
      /^\(service web\) moves \(task \w+\) from \(container-instance i1\) to \(container-instance i2\): spread by instanceId: beside 1 other tasks of the service where it is, 0 where it goes\.$/,
    ),
  ]);
  const explained = await plane.explain(ref.account, ref.cluster, 'web');
  expect(explained?.moves).toMatch(/^No task moves /);
});

test('rolls without ever having fewer than the minimum or more than the maximum', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  await world.instance('i2');
  await world.plane().start();
  const first = await world.revision('app:1');
  await world.service(first.arn, { desiredCount: 4 });
  await world.steady();
  const second = await world.revision('app:2');
  await updateService(world.ecs, web, () => ({ taskDefinition: second.arn }));
  let [most, fewest] = [0, Infinity];
  await world.until(
    async () => {
      const tasks = await world.tasks();
      most = Math.max(most, tasks.filter((task) => task.lastStatus !== 'STOPPED').length);
      fewest = Math.min(
        fewest,
        tasks.filter((task) => task.desiredStatus === 'RUNNING' && task.healthySince !== undefined).length,
      );
      return world.read();
    },
    (service) => service.steady && service.deployments.length === 1,
  );
  expect(most).toBeLessThanOrEqual(8);
  expect(fewest).toBeGreaterThanOrEqual(4);
  expect((await world.running()).every((task) => task.taskDefinition === second.arn)).toBe(true);
});

test('a rollout spreads its own tasks evenly, however the outgoing ones lie after a drain', async () => {
  await using world = await ClusterWorld.open();
  const hosts = ['i1', 'i2', 'i3'];
  for (const id of hosts) await world.instance(id);
  await world.plane().start();
  const first = await world.revision('app:1');
  await world.service(first.arn, { desiredCount: 6 });
  await world.steady();
  const load = async (): Promise<number[]> => {
    const tasks = await world.running();
    return hosts.map((host) => tasks.filter(({ instanceId }) => instanceId === host).length);
  };
  await world.changeInstance('i2', { status: 'DRAINING' });
  await world.until(load, (counts) => counts.join() === '3,0,3');
  await world.changeInstance('i2', { status: 'ACTIVE' });
  await world.steady();
  const second = await world.revision('app:2');
  await updateService(world.ecs, web, () => ({ taskDefinition: second.arn }));
  await world.until(
    () => world.read(),
    (service) => service.steady && service.deployments.length === 1,
  );
  expect(await load()).toEqual([2, 2, 2]);
});

test('a broken image trips the breaker; the rollback keeps the old tasks and pins what they ran, though the tag has moved', async () => {
  await using world = await ClusterWorld.open();
  await world.tag('web', 'prod', digest('a'));
  world.behaviours.set(digest('b'), { startsIn: 1, exitsAfter: 0, stopsIn: 1 });
  await world.instance('i1');
  const plane = world.plane();
  await plane.start();
  const revision = await world.revision('127.0.0.1:7500/web:prod');
  await world.service(revision.arn, { desiredCount: 2 });
  const before = await world.steady();
  const survivors = (await world.running()).map(({ id }) => id).sort();

  await world.tag('web', 'prod', digest('b'));
  await updateService(world.ecs, web, () => ({}), { force: true });
  const after = await world.until(
    () => world.read(),
    (service) => service.steady && service.deployments[0]?.cause.kind === 'rollback',
  );
  expect(after.deployments[0]?.id).toBe(before.deployments[0]?.id);
  expect((await world.running()).map(({ id }) => id).sort()).toEqual(survivors);
  expect(after.rejected).toMatchObject([{ container: 'app', digest: digest('b') }]);

  // A task that dies now comes back with the old bytes, whatever the tag says.
  await world.report(survivors[0]!, () => ({
    lastStatus: 'STOPPED',
    desiredStatus: 'STOPPED',
    stoppedAt: Date.now(),
    stopCode: 'EssentialContainerExited',
  }));
  const [replacement] = await world.until(
    async () => (await world.running()).filter(({ id }) => !survivors.includes(id)),
    (found) => found.length === 1,
  );
  expect(replacement?.containers[0]?.image).toContain(digest('a'));

  const explained = await plane.explain(ref.account, ref.cluster, 'web');
  expect(explained?.verdict).toMatchObject({
    verdict: 'rolled back',
    evidence: expect.stringContaining('CannotPullContainerError'),
  });
  expect(explained?.lastFailures.some(({ reason }) => reason.includes('CannotPullContainerError'))).toBe(true);
});

test('a task whose container dies is replaced', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  await world.plane().start();
  const revision = await world.revision('app:1');
  await world.service(revision.arn, { desiredCount: 1 });
  await world.steady();
  const [dead] = await world.running();
  await world.report(dead!.id, () => ({
    lastStatus: 'STOPPED',
    desiredStatus: 'STOPPED',
    stoppedAt: Date.now(),
    stopCode: 'EssentialContainerExited',
  }));
  const [fresh] = await world.until(
    () => world.running(),
    (tasks) => tasks.length === 1,
  );
  expect(fresh?.id).not.toBe(dead?.id);
});

test('a task that fits nowhere is told with the reason, and placed as soon as there is room', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1', { memory: 128 });
  const plane = world.plane();
  await plane.start();
  const revision = await world.revision('app:1', {}, 512);
  await world.service(revision.arn);
  const [event] = await world.until(
    () => world.events(),
    (events) => events.length > 0,
  );
  expect(event).toMatch(
    /^\(service web\) was unable to place a task because no container instance met all of its requirements\. The closest matching container-instance i1 has insufficient memory/,
  );
  expect(await plane.explain(ref.account, ref.cluster, 'web')).toMatchObject({
    verdict: { verdict: 'unplaceable', evidence: expect.stringMatching(/^RESOURCE:MEMORY: /) },
    waitsFor: expect.arrayContaining([expect.stringMatching(/^No instance has room since/)]),
  });
  await world.instance('i2');
  expect((await world.steady()).deployments[0]).toMatchObject({ rolloutState: 'COMPLETED', failedTasks: 0 });
});

test('one host and a fixed port: the old task makes room when the minimum allows it', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  await world.plane().start();
  const body = (image: string) => ({
    containerDefinitions: [
      { name: 'app', image, essential: true, memory: 64, portMappings: [{ containerPort: 80, hostPort: 8080 }] },
    ],
  });
  const first = await world.revision('', body('app:1'));
  await world.service(first.arn, { deploymentConfiguration: { maximumPercent: 200, minimumHealthyPercent: 0 } });
  await world.steady();
  const second = await world.revision('', body('app:2'));
  await updateService(world.ecs, web, () => ({ taskDefinition: second.arn }));
  await world.until(
    () => world.running(),
    (tasks) => tasks.length === 1 && tasks[0]?.taskDefinition === second.arn,
  );
  expect((await world.steady()).deployments[0]).toMatchObject({ taskDefinition: second.arn, failedTasks: 0 });
});

test('deleting a service stops its tasks and makes it INACTIVE', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  await world.plane().start();
  const revision = await world.revision('app:1');
  await world.service(revision.arn, { desiredCount: 2 });
  await world.steady();
  await deleteService(world.ecs, web, true);
  await world.until(
    () => world.read(),
    (service) => service.status === 'INACTIVE',
  );
  expect(await world.running()).toEqual([]);
});

test('a deployment goes back when one of its alarms is set, and one that begins then does not watch it', async () => {
  await using world = await ClusterWorld.open();
  const alarms = new Alarms(world.ecs);
  const never = { OK: [], ALARM: [], INSUFFICIENT_DATA: [] };
  const rule = { comparison: 'GreaterThanThreshold', threshold: 1, treatMissingData: 'ignore' } as const;
  await alarms.put(
    ref.account,
    {
      name: 'errors',
      actionsEnabled: true,
      actions: never,
      subject: {
        kind: 'metric',
        source: { kind: 'metric', namespace: 'App', metric: 'errors', dimensions: [], statistic: 'Sum' },
        rule: { ...rule, period: 10, evaluationPeriods: 1, datapointsToAlarm: 1 },
      },
    },
    {},
  );
  await world.instance('i1');
  await world.plane({ reconciler: { healthyAfterRunning: 10 } }).start();
  const deploymentConfiguration = {
    maximumPercent: 200,
    minimumHealthyPercent: 100,
    bakeTimeInMinutes: 0,
    alarms: { alarmNames: ['errors'], enable: true, rollback: true },
  };
  const first = await world.revision('web:1');
  await world.service(first.arn, { desiredCount: 2, deploymentConfiguration });
  await world.steady();
  const baking = { ...deploymentConfiguration, bakeTimeInMinutes: 60 };
  const second = await world.revision('web:2');
  await updateService(world.ecs, web, () => ({ taskDefinition: second.arn, deploymentConfiguration: baking }));
  const inBake = await world.until(
    () => world.read(),
    ({ deployments }) => deployments[0]?.bakingSince !== undefined,
  );
  const plane = world.plane();
  await plane.start();
  expect((await plane.explain(ref.account, ref.cluster, 'web'))?.waitsFor.join()).toContain(
    'is watched for a while: it fails when',
  );
  await alarms.setState(ref.account, 'errors', { state: 'ALARM', reason: 'testing' });
  const back = await world.until(
    () => world.read(),
    ({ steady, deployments }) => steady && deployments[0]?.cause.kind === 'rollback',
  );
  expect(back.taskDefinition).toBe(first.arn);
  expect(back.deployments[0]?.cause.failed).toMatchObject({
    id: inBake.deployments[0]?.id,
    alarms: { triggered: ['errors'] },
  });
  const explained = await plane.explain(ref.account, ref.cluster, 'web');
  expect(explained?.verdict).toMatchObject({
    verdict: 'rolled back',
    evidence: expect.stringContaining('alarm errors went into ALARM'),
  });
  await updateService(world.ecs, web, () => ({ taskDefinition: second.arn }));
  const ignoring = await world.until(
    () => world.read(),
    ({ steady, taskDefinition }) => steady && taskDefinition === second.arn,
  );
  expect(ignoring.deployments[0]?.alarms).toEqual({ ignored: ['errors'] });
});

test('images that run or that a rollback needs are in use', async () => {
  await using world = await ClusterWorld.open();
  await world.tag('web', 'prod', digest('a'));
  await world.instance('i1');
  const plane = world.plane();
  await plane.start();
  const revision = await world.revision('127.0.0.1:7500/web:prod');
  await world.service(revision.arn);
  await world.steady();
  await world.tag('web', 'prod', digest('c'));
  expect(await plane.imagesInUse(ref.account)).toEqual([
    { repository: 'web', digest: digest('a'), usedBy: expect.stringMatching(/^task /) as string },
  ]);
});

test('the log has a line for every decision, with the reason', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  await world.plane().start();
  const revision = await world.revision('app:1');
  await world.service(revision.arn);
  await world.steady();
  // The lines follow the commits that others see.
  await world.until(
    () => Promise.resolve(world.lines),
    (lines) => lines.some(({ message }) => message === 'deployment-completed'),
  );
  const tasks: TaskRecord[] = await world.running();
  expect(world.lines).toContainEqual({
    message: 'start',
    fields: expect.objectContaining({
      service: 'web',
      count: 1,
      tasks: [`${tasks[0]!.id}@i1`],
      why: expect.any(String) as string,
    }) as Record<string, unknown>,
  });
});
