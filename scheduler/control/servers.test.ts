import { randomBytes } from 'node:crypto';

import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';

import { updateService } from '../services/index.ts';
import { newId } from '../state/index.ts';
import { placementDemand, taskDraft, type TaskDraft } from '../tasks/index.ts';
import { ClusterWorld, partition, ref } from './testing/cluster-world.ts';

const web = { ...ref, service: 'web' };

test('RunTask places on every server at once without over-commit, and the same id twice is one task', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1', { memory: 640 });
  await world.instance('i2', { memory: 640 });
  const planes = [world.plane(), world.plane(), world.plane()];
  await Promise.all(planes.map((plane) => plane.start()));
  const revision = await world.revision('app:1', {}, 64);
  const demand = placementDemand(revision, { kind: 'standalone', launchType: 'EC2', constraints: [], strategies: [] });
  const draft = (): TaskDraft =>
    taskDraft(revision, {
      region: 'us-east-1',
      ...ref,
      id: newId(randomBytes),
      now: Date.now(),
      group: 'family:web',
      tags: {},
      launchType: 'EC2',
    });
  const where = { account: ref.account, name: ref.cluster };
  const results = await Promise.all(
    planes.map((plane) => plane.placer.place(where, Array.from({ length: 10 }, draft), demand)),
  );
  const placed = results.flatMap((result) => result.placed);
  const failures = results.flatMap((result) => result.failures);
  expect(placed).toHaveLength(20);
  expect(failures).toHaveLength(10);
  expect(failures[0]).toMatchObject({ code: 'RESOURCE:MEMORY' });
  const perHost = (id: string): number => placed.filter((task) => task.instanceId === id).length;
  expect([perHost('i1'), perHost('i2')]).toEqual([10, 10]);

  const again = await planes[1]!.placer.place(where, [placed[0]!], demand);
  expect(again.placed.map(({ id }) => id)).toEqual([placed[0]!.id]);
  const missing = await planes[0]!.placer.place(where, [draft()], { ...demand, instanceId: 'nope' });
  expect(missing.failures).toMatchObject([{ code: 'MISSING' }]);
});

test('two servers: the second takes over when the first is gone, without duplicates and within the bounds', async () => {
  await using world = await ClusterWorld.open();
  for (const id of ['i1', 'i2', 'i3']) await world.instance(id);
  const first = world.plane({ leaseTtl: 600 });
  await first.start();
  await world.until(
    () => Promise.resolve(first.leads(ref.account, ref.cluster)),
    (epoch) => epoch !== undefined,
  );
  const second = world.plane({ leaseTtl: 600 });
  await second.start();
  const revision = await world.revision('app:1');
  await world.service(revision.arn, { desiredCount: 6 });
  await world.steady();
  const next = await world.revision('app:2');
  await updateService(world.ecs, web, () => ({ taskDefinition: next.arn }));
  let most = 0;
  const watching = world.until(
    async () => {
      const tasks = await world.tasks();
      most = Math.max(most, tasks.filter((task) => task.lastStatus !== 'STOPPED').length);
      return world.read();
    },
    (service) => service.steady && service.taskDefinition === next.arn && service.deployments.length === 1,
    60_000,
  );
  await systemClock.sleep(20);
  await world.stop(first);
  await watching;
  expect(most).toBeLessThanOrEqual(12);
  expect(second.leads(ref.account, ref.cluster)).toBeGreaterThan(0);
  const running = await world.running();
  expect(running).toHaveLength(6);
  expect(running.every((task) => task.taskDefinition === next.arn)).toBe(true);
});

test('a server that dies in the middle of a rollout: another takes over without duplicates and within the bounds', async () => {
  await using world = await ClusterWorld.open();
  for (const id of ['i1', 'i2', 'i3']) await world.instance(id);
  const doomed = world.severable();
  const first = world.plane({ ...doomed, leaseTtl: 500 });
  await first.start();
  await world.until(
    () => Promise.resolve(first.leads(ref.account, ref.cluster)),
    (epoch) => epoch !== undefined,
  );
  const revision = await world.revision('app:1');
  await world.service(revision.arn, { desiredCount: 6 });
  await world.steady();
  const second = world.plane({ leaseTtl: 500 });
  await second.start();
  const next = await world.revision('app:2');
  await updateService(world.ecs, web, () => ({ taskDefinition: next.arn }));
  let [most, fewest] = [0, Infinity];
  const look = async (): Promise<void> => {
    const tasks = await world.tasks();
    most = Math.max(most, tasks.filter((task) => task.lastStatus !== 'STOPPED').length);
    fewest = Math.min(
      fewest,
      tasks.filter((task) => task.desiredStatus === 'RUNNING' && task.healthySince !== undefined).length,
    );
  };
  // Cut it off when half of the work is done.
  await world.until(look, () => most > 6);
  doomed.sever();
  await world.until(
    async () => {
      await look();
      return world.read();
    },
    (service) => service.steady && service.taskDefinition === next.arn && service.deployments.length === 1,
    60_000,
  );
  expect(most).toBeLessThanOrEqual(12);
  expect(fewest).toBeGreaterThanOrEqual(6);
  expect(second.leads(ref.account, ref.cluster)).toBeGreaterThan(1);
  const running = await world.running();
  expect(running).toHaveLength(6);
  expect(running.every((task) => task.taskDefinition === next.arn)).toBe(true);
});

test('a leader that lost its lease without noticing commits nothing', async () => {
  await using world = await ClusterWorld.open();
  await world.instance('i1');
  const plane = world.plane();
  await plane.start();
  await world.until(
    () => Promise.resolve(plane.leads(ref.account, ref.cluster)),
    (epoch) => epoch !== undefined,
  );
  const epoch = plane.leads(ref.account, ref.cluster)!;
  await world.storage.leases.observe(partition, 'leader', epoch + 10);
  const revision = await world.revision('app:1');
  await world.service(revision.arn);
  await world.steady();
  expect(plane.leads(ref.account, ref.cluster)).toBeGreaterThan(epoch + 10);
  expect(await world.tasks()).toHaveLength(1);
});
