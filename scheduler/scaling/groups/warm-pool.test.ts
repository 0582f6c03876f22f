import { expect, test, vi } from 'vitest';

import { findInstance } from '../../cluster/index.ts';
import { account } from '../../balancing/testing/open-balancing.ts';
import { openGroups } from '../testing/group-bench.ts';

type Bench = Awaited<ReturnType<typeof openGroups>>;

const ofGroup = { AutoScalingGroupName: 'web' };
const pool = (bench: Bench, input: object = {}) => bench.api.call('PutWarmPool', { ...ofGroup, ...input });
const warm = async (bench: Bench): Promise<string[]> =>
  (await bench.api.call('DescribeWarmPool', ofGroup)).Instances.map(
    ({ LifecycleState }: { LifecycleState: string }) => LifecycleState,
  ).sort();
const size = (bench: Bench, DesiredCapacity: number) =>
  bench.api.call('SetDesiredCapacity', { ...ofGroup, DesiredCapacity });
const serving = async (bench: Bench): Promise<string[]> =>
  (await bench.described()).Instances.map(({ InstanceId }: { InstanceId: string }) => InstanceId).sort();

async function withPool(input: object = {}, group: object = {}): Promise<Bench> {
  const bench = await openGroups();
  await bench.template();
  await bench.group({ DesiredCapacity: 1, ...group });
  await bench.settle();
  await pool(bench, input);
  await bench.settle();
  return bench;
}

test('machines are prepared and stopped up to the maximum, and are none that the group counts', async () => {
  const bench = await withPool();
  expect(await warm(bench)).toEqual(['Warmed:Stopped', 'Warmed:Stopped', 'Warmed:Stopped']);
  expect(bench.provider.stopped.size).toBe(3);
  expect(await bench.described()).toMatchObject({
    DesiredCapacity: 1,
    Instances: [{ LifecycleState: 'InService' }],
    WarmPoolSize: 3,
    WarmPoolConfiguration: { MinSize: 0, PoolState: 'Stopped', InstanceReusePolicy: { ReuseOnScaleIn: false } },
  });
  const [id] = [...bench.provider.stopped];
  const { Reservations } = await bench.ec2('DescribeInstances', { InstanceIds: [id] });
  expect(Reservations).toMatchObject([{ Instances: [{ State: { Name: 'stopped' } }] }]);
  expect(await bench.groups.instancesOf(account, 'web')).toHaveLength(1);
  expect((await bench.activities()).map(({ Description }) => Description)).toContain(
    `Launching a new EC2 instance into warm pool: ${id}`,
  );
});

test('the size of the pool is what is prepared beyond the desired capacity, and its minimum at least', async () => {
  const bench = await withPool({ MaxGroupPreparedCapacity: 2, PoolState: 'Running' });
  expect(await warm(bench)).toEqual(['Warmed:Running']);
  expect(bench.provider.calls.filter((call) => call.startsWith('stop'))).toEqual([]);
  await pool(bench, { MinSize: 2 });
  await bench.settle();
  expect(await warm(bench)).toEqual(['Warmed:Running', 'Warmed:Running']);
  await pool(bench, { MaxGroupPreparedCapacity: -1, MinSize: 0 });
  await bench.settle();
  expect(await warm(bench)).toHaveLength(3);
  await pool(bench, { MaxGroupPreparedCapacity: 1 });
  await bench.settle();
  expect(await warm(bench)).toEqual([]);
  expect(bench.provider.machines.size).toBe(1);
});

test('machines of the pool come into service before others are made, and others come into the pool in their place', async () => {
  const bench = await withPool({ MinSize: 1 });
  const prepared = new Set(bench.provider.stopped);
  await size(bench, 3);
  await bench.look();
  const launched = bench.provider.calls.filter((call) => call.startsWith('launch')).length;
  expect(launched).toBe(4);
  await bench.settle();
  const now = await serving(bench);
  expect(now).toHaveLength(3);
  expect(now.filter((id) => prepared.has(id))).toHaveLength(2);
  expect(now.filter((id) => bench.provider.stopped.has(id))).toEqual([]);
  expect(await warm(bench)).toEqual(['Warmed:Stopped']);
  expect((await bench.activities()).map(({ Description }) => Description)).toContain(
    `Launching a new EC2 instance from warm pool: ${now.find((id) => prepared.has(id))}`,
  );
});

test('with ReuseOnScaleIn machines that are too many come back, and are another container instance the next time', async () => {
  const bench = await withPool({ InstanceReusePolicy: { ReuseOnScaleIn: true } }, { DesiredCapacity: 2 });
  const before = await bench.groups.instancesOf(account, 'web');
  await size(bench, 1);
  await bench.settle();
  const [left] = await serving(bench);
  const back = before.find(({ id }) => id !== left);
  expect(await warm(bench)).toEqual(['Warmed:Stopped', 'Warmed:Stopped', 'Warmed:Stopped']);
  expect(bench.provider.stopped).toContain(back?.id);
  const ref = { account, cluster: 'web' };
  expect(await findInstance(bench.ports, ref, back?.instance ?? '')).toMatchObject({ status: 'INACTIVE' });
  await size(bench, 4);
  await bench.settle();
  const again = await bench.groups.machine(account, back?.id ?? '');
  expect(again).toMatchObject({ state: 'InService' });
  expect(again?.instance).not.toBe(back?.instance);
  expect(again?.instance.slice(0, 17)).toBe(back?.instance.slice(0, 17));
  expect(await warm(bench)).toEqual([]);
});

test('what managed scaling ends comes back as well, what a user ends does not', async () => {
  const bench = await withPool({ InstanceReusePolicy: { ReuseOnScaleIn: true } }, { DesiredCapacity: 3 });
  const [first = '', second = ''] = await serving(bench);
  await bench.groups.terminate(account, first, { decrement: true, why: 'capacity provider fleet', returns: true });
  await bench.groups.terminate(account, second, { decrement: true, why: 'a user request' });
  await bench.settle();
  expect(bench.provider.machines.has(first)).toBe(true);
  expect(bench.provider.machines.has(second)).toBe(false);
  expect(await warm(bench)).toHaveLength(3);
});

test('a machine that cannot be stopped or started is replaced, and the group waits before it tries again', async () => {
  const bench = await withPool({ MaxGroupPreparedCapacity: 2 });
  const [prepared] = [...bench.provider.stopped];
  bench.provider.failing = 'the power supply does not answer';
  await size(bench, 2);
  await bench.look(2, 1_000);
  expect(await bench.activities()).toContainEqual(
    expect.objectContaining({
      Description: `Launching a new EC2 instance from warm pool: ${prepared}`,
      StatusCode: 'Failed',
      StatusMessage: 'the power supply does not answer',
    }),
  );
  bench.provider.failing = undefined;
  await bench.settle();
  await bench.settle();
  expect(await serving(bench)).toHaveLength(2);
  expect(bench.provider.machines.has(prepared ?? '')).toBe(false);
});

test('a pool that cannot be filled holds up none that comes from it', async () => {
  const bench = await withPool({ MaxGroupPreparedCapacity: 2 });
  const [prepared] = [...bench.provider.stopped];
  const launches = (): number => bench.provider.calls.filter((call) => call.startsWith('launch')).length;
  bench.provider.failing = 'no machine is free';
  await pool(bench, { MaxGroupPreparedCapacity: 3 });
  await bench.look();
  expect(launches()).toBe(3);
  bench.provider.failing = undefined;
  const [InstanceId] = await serving(bench);
  await bench.api.call('TerminateInstanceInAutoScalingGroup', { InstanceId, ShouldDecrementDesiredCapacity: false });
  await bench.look(1, 1_000);
  expect(bench.provider.calls).toContain(`start ${prepared}`);
  expect(launches()).toBe(3);
  await bench.settle();
  expect(await serving(bench)).toEqual([prepared]);
  expect(await warm(bench)).toEqual(['Warmed:Stopped', 'Warmed:Stopped']);
  expect((await bench.groups.byName(account, 'web'))?.warm).not.toHaveProperty('failures');
});

test('a pool goes with its machines, and a group with its pool', async () => {
  const bench = await withPool({ MinSize: 1 });
  expect(await bench.api.refusal('DeleteAutoScalingGroup', ofGroup)).toMatch(/^ResourceInUse/);
  await bench.api.call('DeleteWarmPool', ofGroup);
  expect((await bench.api.call('DescribeWarmPool', ofGroup)).WarmPoolConfiguration).toMatchObject({
    Status: 'PendingDelete',
  });
  expect(await bench.refused('PutWarmPool', {})).toMatch(/is being deleted/);
  await bench.look(3);
  expect(await bench.api.call('DescribeWarmPool', ofGroup)).toEqual({ Instances: [] });
  expect(await bench.refused('DeleteWarmPool')).toBe(
    'ValidationError: No warm pool found for the Auto Scaling group web.',
  );
  expect(await serving(bench)).toHaveLength(1);
  await pool(bench);
  await bench.settle();
  await bench.api.call('DeleteAutoScalingGroup', { ...ofGroup, ForceDelete: true });
  await bench.look(4);
  expect(bench.provider.machines.size).toBe(0);
  expect(await bench.groups.list(account)).toEqual([]);
});

test('hooks are asked before a machine is in the pool, before it is in service, and before it ends in the pool unless that is forced', async () => {
  const bench = await withPool({ MaxGroupPreparedCapacity: 1 });
  const answer = async (hook: string): Promise<void> => {
    for (const { id, waits } of await bench.machines())
      if (waits?.some((wait) => wait.hook === hook && wait.answer === undefined) === true)
        await bench.api.call('CompleteLifecycleAction', {
          ...ofGroup,
          LifecycleHookName: hook,
          InstanceId: id,
          LifecycleActionResult: 'CONTINUE',
        });
  };
  for (const [LifecycleHookName, LifecycleTransition] of [
    ['in', 'autoscaling:EC2_INSTANCE_LAUNCHING'],
    ['out', 'autoscaling:EC2_INSTANCE_TERMINATING'],
  ])
    await bench.api.call('PutLifecycleHook', {
      ...ofGroup,
      LifecycleHookName,
      LifecycleTransition,
      NotificationTargetARN: 'https://hooks.example.com/',
    });
  await pool(bench, { MaxGroupPreparedCapacity: 2 });
  await bench.look(3);
  expect(await warm(bench)).toEqual(['Warmed:Pending:Wait']);
  expect(bench.told.at(-1)?.body).toMatchObject({ Origin: 'EC2', Destination: 'WarmPool' });
  await answer('in');
  await bench.look(2);
  expect(await warm(bench)).toEqual(['Warmed:Stopped']);
  await size(bench, 2);
  await bench.settle();
  expect((await bench.machines()).map(({ state }) => state).sort()).toEqual(['InService', 'Pending']);
  expect(bench.told.at(-1)?.body).toMatchObject({ Origin: 'WarmPool', Destination: 'AutoScalingGroup' });
  await answer('in');
  await bench.look();
  expect(await serving(bench)).toHaveLength(2);
  await pool(bench, { MinSize: 1 });
  await bench.look(3);
  await answer('in');
  await bench.look(2);
  expect(await warm(bench)).toEqual(['Warmed:Stopped']);
  await bench.api.call('DeleteWarmPool', ofGroup);
  await bench.look(2);
  expect(await warm(bench)).toEqual(['Warmed:Terminating:Wait']);
  expect(bench.told.at(-1)?.body).toMatchObject({ Origin: 'WarmPool', Destination: 'EC2' });
  await bench.api.call('DeleteWarmPool', { ...ofGroup, ForceDelete: true });
  await bench.look(2);
  expect(await warm(bench)).toEqual([]);
});

test('what cannot be is refused', async () => {
  const bench = await withPool({ MinSize: 1, MaxGroupPreparedCapacity: 1 });
  expect(await bench.refused('PutWarmPool', { PoolState: 'Asleep' })).toBe(
    'ValidationError: PoolState must be one of Stopped, Running, Hibernated, not Asleep.',
  );
  expect(await bench.refused('PutWarmPool', { PoolState: 'Hibernated' })).toMatch(
    /The PoolState Hibernated .*The instance provider map cannot have machines wait like that: say Running or Stopped\.$/,
  );
  const [machine] = (await bench.api.call('DescribeWarmPool', ofGroup)).Instances;
  expect(
    await bench.api.refusal('TerminateInstanceInAutoScalingGroup', {
      InstanceId: machine.InstanceId,
      ShouldDecrementDesiredCapacity: true,
    }),
  ).toMatch(/is in the warm pool: the desired capacity cannot be decremented/);
  expect(
    await bench.refused('SetInstanceProtection', { InstanceIds: [machine.InstanceId], ProtectedFromScaleIn: true }),
  ).toMatch(/is not in InService/);
  const mixed = {
    MixedInstancesPolicy: {
      LaunchTemplate: {
        LaunchTemplateSpecification: { LaunchTemplateName: 'web' },
        Overrides: [{ InstanceType: 'm5.large' }],
      },
    },
  };
  expect(await bench.refused('UpdateAutoScalingGroup', mixed)).toMatch(/A warm pool of a group with a Mixed/);
  expect(await bench.api.refusal('PutWarmPool', { AutoScalingGroupName: 'none' })).toMatch(/name not found/);
});

test('machines that are prepared take half of the requests of a provider at most, so that what somebody waits for goes on', async () => {
  const bench = await openGroups();
  await bench.template();
  await bench.group({ MaxSize: 6 });
  await pool(bench);
  const { promise, resolve } = Promise.withResolvers<void>();
  bench.provider.hold = promise;
  const groupsOf = async (): Promise<readonly string[]> => {
    const machines = new Map((await bench.machines()).map(({ id, group }) => [id, group]));
    const launches = bench.provider.calls.filter((call) => call.startsWith('launch '));
    return launches.map((call) => machines.get(call.slice('launch '.length)) ?? '');
  };
  await bench.begin();
  const launched = (...wanted: string[]) =>
    vi.waitFor(async () => expect(await groupsOf()).toEqual(wanted), { timeout: 60_000 });
  await launched('web', 'web');
  await bench.group({ AutoScalingGroupName: 'other', DesiredCapacity: 3 });
  await bench.begin();
  await launched('web', 'web', 'other', 'other');
  resolve();
  await bench.look(3);
  expect((await groupsOf()).toSorted()).toEqual([
    ...Array.from({ length: 3 }, () => 'other'),
    ...Array.from({ length: 6 }, () => 'web'),
  ]);
});
