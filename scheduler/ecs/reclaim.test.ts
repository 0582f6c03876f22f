import {
  CreateServiceCommand,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  RunTaskCommand,
  type Task,
  UpdateContainerInstancesStateCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { changeInstance, createCluster } from '../cluster/index.ts';
import { idOf, type InstanceRecord } from '../state/index.ts';
import { activeDefinition, interruptedAt, reclaimInstance, reclaimNotice } from '../tasks/index.ts';
import { account, openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const spot = { attributes: { 'slipway.spot': 'true' } };
const patience = { timeout: 30_000, interval: 50 };
const told = { stopCode: 'SpotInterruption', stoppedReason: 'Your Spot Task was interrupted.' };

async function tasksOf(cluster: string, desiredStatus: 'RUNNING' | 'STOPPED'): Promise<Task[]> {
  const { taskArns = [] } = await api.ecs.send(new ListTasksCommand({ cluster, desiredStatus }));
  if (taskArns.length === 0) return [];
  return (await api.ecs.send(new DescribeTasksCommand({ cluster, tasks: taskArns }))).tasks ?? [];
}

test('a host that is taken back drains; its tasks have two minutes, and services have others started first', async () => {
  const ref = { account, cluster: 'taken' };
  await createCluster(api.ports, ref, { tags: {}, settings: [] });
  const going = await api.addInstance({ cluster: 'taken', ...spot });
  await api.define({ family: 'web' });
  await api.ecs.send(
    new CreateServiceCommand({ cluster: 'taken', serviceName: 'web', taskDefinition: 'web', desiredCount: 1 }),
  );
  const alone = await api.ecs.send(new RunTaskCommand({ cluster: 'taken', taskDefinition: 'web' }));
  const single = alone.tasks?.[0]?.taskArn ?? '';
  await vi.waitFor(async () => expect(await tasksOf('taken', 'RUNNING')).toHaveLength(2), patience);
  const old = (await tasksOf('taken', 'RUNNING')).find(({ taskArn }) => taskArn !== single)?.taskArn ?? '';
  for (const task of [old, single]) await api.report(task, 'RUNNING');
  await vi.waitFor(async () => {
    const { services } = await api.ecs.send(new DescribeServicesCommand({ cluster: 'taken', services: ['web'] }));
    expect(services?.[0]?.deployments?.[0]?.rolloutState).toBe('COMPLETED');
  }, patience);
  const staying = await api.addInstance({ cluster: 'taken' });

  const told1 = await api.post(`/slipway/hosts/taken/${idOf(going)}/reclaim`);
  expect(told1).toMatchObject({ status: 200, body: { containerInstanceArn: going } });
  const { goneAt, reclaimedAt } = told1.body as { goneAt: string; reclaimedAt: string };
  expect(Date.parse(goneAt) - Date.parse(reclaimedAt)).toBe(reclaimNotice);
  expect(api.asked.at(-1)).toMatchObject({ action: 'ecs:UpdateContainerInstancesState', resources: [{ arn: going }] });
  // Again, it is the same notice.
  expect((await api.post(`/slipway/hosts/taken/${idOf(going)}/reclaim`)).body).toEqual(told1.body);

  const [instance] =
    (
      await api.ecs.send(
        new DescribeContainerInstancesCommand({ cluster: 'taken', containerInstances: [going, staying] }),
      )
    ).containerInstances ?? [];
  expect(instance).toMatchObject({ status: 'DRAINING', statusReason: expect.stringMatching(/^Taken back since /) });
  expect((await tasksOf('taken', 'STOPPED')).find(({ taskArn }) => taskArn === single)).toMatchObject({
    ...told,
    lastStatus: 'RUNNING',
    desiredStatus: 'STOPPED',
  });
  await vi.waitFor(async () => {
    const wanted = await tasksOf('taken', 'RUNNING');
    expect(wanted.map(({ containerInstanceArn }) => containerInstanceArn)).toEqual(
      expect.arrayContaining([going, staying]),
    );
  }, patience);
  const next = (await tasksOf('taken', 'RUNNING')).find(({ taskArn }) => taskArn !== old)?.taskArn ?? '';
  await api.report(next, 'RUNNING');
  await vi.waitFor(
    async () => expect((await tasksOf('taken', 'STOPPED')).find(({ taskArn }) => taskArn === old)).toMatchObject(told),
    patience,
  );
});

test('when their time has come tasks of services are told to stop though nothing can follow them', async () => {
  const ref = { account, cluster: 'late' };
  await createCluster(api.ports, ref, { tags: {}, settings: [] });
  const going = await api.addInstance({ cluster: 'late', ...spot });
  await api.define({ family: 'late' });
  await api.ecs.send(
    new CreateServiceCommand({ cluster: 'late', serviceName: 'late', taskDefinition: 'late', desiredCount: 1 }),
  );
  await vi.waitFor(async () => expect(await tasksOf('late', 'RUNNING')).toHaveLength(1), patience);
  const [task] = await tasksOf('late', 'RUNNING');
  await api.report(task?.taskArn ?? '', 'RUNNING');
  await reclaimInstance(api.ports, ref, idOf(going));
  expect((await tasksOf('late', 'RUNNING'))[0]?.taskArn).toBe(task?.taskArn);
  // As if the notice were a minute and a half old.
  await changeInstance(api.ports, ref, idOf(going), (instance) => ({
    ...instance,
    reclaimedAt: (instance.reclaimedAt ?? 0) - 90_000,
  }));
  await vi.waitFor(async () => expect((await tasksOf('late', 'STOPPED'))[0]).toMatchObject(told), patience);
});

test('a host that stays after all takes tasks again, and can be taken back again', async () => {
  const ref = { account, cluster: 'stays' };
  await createCluster(api.ports, ref, { tags: {}, settings: [] });
  const arn = await api.addInstance({ cluster: 'stays', ...spot });
  const first = await reclaimInstance(api.ports, ref, idOf(arn));
  const { containerInstances } = await api.ecs.send(
    new UpdateContainerInstancesStateCommand({ cluster: 'stays', containerInstances: [arn], status: 'ACTIVE' }),
  );
  expect(containerInstances?.[0]?.status).toBe('ACTIVE');
  expect(containerInstances?.[0]?.statusReason).toBeUndefined();
  const found = (await changeInstance(api.ports, ref, idOf(arn), (instance) => instance)) as InstanceRecord;
  expect(found.reclaimedAt).toBeUndefined();
  expect((await reclaimInstance(api.ports, ref, idOf(arn))).reclaimedAt).toBeGreaterThanOrEqual(first.reclaimedAt!);
});

test('only what may be taken back is, by whoever may drain it', async () => {
  const ref = { account, cluster: 'refused' };
  await createCluster(api.ports, ref, { tags: {}, settings: [] });
  await api.define({ family: 'kept' });
  const arn = await api.addInstance({ cluster: 'refused' });
  await api.ecs.send(new RunTaskCommand({ cluster: 'refused', taskDefinition: 'kept' }));
  expect(await api.post(`/slipway/hosts/refused/${idOf(arn)}/reclaim`)).toMatchObject({
    status: 400,
    body: {
      code: 'InvalidParameterException',
      message: expect.stringMatching(/none that may be taken back: start its agent with --spot, or drain it/),
    },
  });
  expect(await api.post(`/slipway/hosts/refused/${'0'.repeat(32)}/reclaim`)).toMatchObject({
    status: 400,
    body: { code: 'ClientException' },
  });
  expect(await api.post(`/slipway/hosts/refused/${idOf(arn).slice(1)}/reclaim`)).toMatchObject({ status: 404 });
  expect(await tasksOf('refused', 'RUNNING')).toHaveLength(1);
  const mine = await api.addInstance({ cluster: 'refused', ...spot });
  api.denied.add('ecs:UpdateContainerInstancesState');
  expect((await api.post(`/slipway/hosts/refused/${idOf(mine)}/reclaim`)).status).toBe(403);
  api.denied.clear();
  expect(await tasksOf('refused', 'RUNNING')).toHaveLength(1);
});

test('how long tasks of services may wait for their successors follows from their stop time', async () => {
  const at = async (...timeouts: (number | undefined)[]): Promise<number> => {
    const { family = '' } = await api.define({
      containerDefinitions: timeouts.map((stopTimeout, index) => ({
        name: `c${index}`,
        image: 'busybox',
        memory: 8,
        ...(stopTimeout === undefined ? {} : { stopTimeout }),
      })),
    });
    return interruptedAt(1_000_000, await activeDefinition(api.ports, account, family)) - 1_000_000;
  };
  expect(await at(undefined)).toBe(90_000);
  expect(await at(10)).toBe(110_000);
  expect(await at(10, undefined)).toBe(80_000);
  expect(await at(120)).toBe(0);
  expect(await at(100, 100)).toBe(0);
  expect(interruptedAt(1_000_000, undefined) - 1_000_000).toBe(90_000);
  // Requests that are under way have some seconds more.
  expect(interruptedAt(1_000_000, undefined, true) - 1_000_000).toBe(70_000);
});
