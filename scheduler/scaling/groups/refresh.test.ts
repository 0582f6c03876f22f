import { expect, test } from 'vitest';

import { openGroups } from '../testing/group-bench.ts';

type Bench = Awaited<ReturnType<typeof openGroups>>;

const ofGroup = { AutoScalingGroupName: 'web' };
const start = (bench: Bench, Preferences: object = {}, more: object = {}) =>
  bench.api.call('StartInstanceRefresh', { ...ofGroup, Preferences, ...more });
const told = async (bench: Bench) => (await bench.api.call('DescribeInstanceRefreshes', ofGroup)).InstanceRefreshes;
const serving = async (bench: Bench): Promise<string[]> =>
  (await bench.machines()).flatMap(({ id, state }) => (state === 'InService' ? [id] : [])).sort();

async function withMachines(count: number, input: object = {}): Promise<Bench> {
  const bench = await openGroups();
  await bench.template();
  await bench.group({ DesiredCapacity: count, ...input });
  await bench.settle();
  return bench;
}

/** Looks again and again, agents joining between. @returns the fewest that were in service, and the most machines that there were at once */
async function play(bench: Bench, looks: number, each: () => Promise<void> = () => Promise.resolve()) {
  let [least, most] = [Infinity, 0];
  for (let i = 0; i < looks; i++) {
    await bench.look();
    least = Math.min(least, (await serving(bench)).length);
    most = Math.max(most, (await bench.machines()).length);
    const coming = (await bench.machines()).filter(({ state }) => state === 'Pending');
    await bench.agents(coming.map(({ id }) => id));
    await each();
  }
  return { least, most };
}

/** The template's next version, of another type. */
const nextVersion = (bench: Bench) =>
  bench.ec2('CreateLaunchTemplateVersion', {
    LaunchTemplateName: 'web',
    SourceVersion: '1',
    LaunchTemplateData: { InstanceType: 'm5.xlarge' },
  });
const versions = async (bench: Bench): Promise<number[]> =>
  (await bench.machines()).map(({ template }) => template.version).toSorted((a, b) => a - b);

test('every machine is replaced, no more at once than may be missing, however often the server is killed', async () => {
  const bench = await withMachines(4);
  const before = await serving(bench);
  const { InstanceRefreshId } = await start(bench, { MinHealthyPercentage: 50 });
  expect(await told(bench)).toMatchObject([{ InstanceRefreshId, Status: 'Pending', PercentageComplete: 0 }]);
  expect(await bench.refused('StartInstanceRefresh')).toMatch(/^InstanceRefreshInProgress: /);
  const { least, most } = await play(bench, 8, () => Promise.resolve(bench.restart()));
  expect({ least, most }).toEqual({ least: 2, most: 4 });
  const after = await serving(bench);
  expect(after).toHaveLength(4);
  expect(after.filter((id) => before.includes(id))).toEqual([]);
  expect(await told(bench)).toMatchObject([
    {
      InstanceRefreshId,
      Status: 'Successful',
      PercentageComplete: 100,
      InstancesToUpdate: 0,
      Preferences: { MinHealthyPercentage: 50, SkipMatching: false },
      EndTime: expect.any(Date) as Date,
    },
  ]);
  expect((await bench.activities()).map(({ Cause }) => Cause)).toContainEqual(
    expect.stringMatching(/an instance was taken out of service in response to an instance refresh\.$/),
  );
});

test('with a maximum above 100 others come first, within what the group may have; at 100 one is replaced after another', async () => {
  const surging = await withMachines(2);
  await start(surging, { MinHealthyPercentage: 100, MaxHealthyPercentage: 150 });
  expect(await play(surging, 12)).toEqual({ least: 2, most: 3 });
  expect(await told(surging)).toMatchObject([{ Status: 'Successful' }]);
  expect(await serving(surging)).toHaveLength(2);
  // None is made for nothing.
  expect(surging.provider.calls.filter((call) => call.startsWith('launch'))).toHaveLength(4);
  const full = await withMachines(2, { MaxSize: 2 });
  await start(full, { MinHealthyPercentage: 100, MaxHealthyPercentage: 150 });
  expect(await play(full, 12)).toEqual({ least: 1, most: 2 });
  expect(await told(full)).toMatchObject([{ Status: 'Successful' }]);
});

test('with SkipMatching those stay that are as others would be made; the template is that of the desired configuration from then on', async () => {
  const bench = await withMachines(2);
  const before = await serving(bench);
  await start(bench, { SkipMatching: true });
  await play(bench, 3);
  expect(await serving(bench)).toEqual(before);
  expect(await told(bench)).toMatchObject([{ Status: 'Successful', InstancesToUpdate: 0 }]);
  await nextVersion(bench);
  const LaunchTemplate = { LaunchTemplateName: 'web', Version: '2' };
  await start(bench, { SkipMatching: true, MinHealthyPercentage: 0 }, { DesiredConfiguration: { LaunchTemplate } });
  await play(bench, 2);
  expect(await bench.described()).toMatchObject({ LaunchTemplate: { Version: '$Default' } });
  await play(bench, 4);
  expect(await versions(bench)).toEqual([2, 2]);
  expect(await bench.described()).toMatchObject({ LaunchTemplate: { Version: '2' } });
  expect((await told(bench)).map(({ Status }: { Status: string }) => Status)).toEqual(['Successful', 'Successful']);
});

test('with SkipMatching it comes to its end by the version of its beginning, though the newest is another one meanwhile', async () => {
  const bench = await withMachines(2, { LaunchTemplate: { LaunchTemplateName: 'web', Version: '$Latest' } });
  await nextVersion(bench);
  await start(bench, { SkipMatching: true, MinHealthyPercentage: 50 });
  await play(bench, 1);
  await nextVersion(bench);
  await play(bench, 8);
  expect(await told(bench)).toMatchObject([{ Status: 'Successful' }]);
  expect(await versions(bench)).toEqual([2, 2]);
  expect(bench.provider.calls.filter((call) => call.startsWith('launch'))).toHaveLength(4);
});

test('a new machine whose agent is away is none that works: no other one goes', async () => {
  const bench = await withMachines(4);
  const before = await serving(bench);
  const stayed = async (): Promise<number> => (await serving(bench)).filter((id) => before.includes(id)).length;
  await start(bench, { MinHealthyPercentage: 75 });
  await play(bench, 2);
  const fresh = (await serving(bench)).filter((id) => !before.includes(id));
  expect([fresh.length, await stayed()]).toEqual([1, 3]);
  await bench.agents(fresh, false);
  await play(bench, 3);
  expect(await stayed()).toBe(3);
  await bench.agents(fresh);
  await play(bench, 12);
  expect(await told(bench)).toMatchObject([{ Status: 'Successful' }]);
  expect(await stayed()).toBe(0);
});

test('what breaks while it waits for new ones to warm up before a checkpoint is replaced at once', async () => {
  const bench = await withMachines(4);
  await bench.look(1, 3_600_000);
  await start(bench, { MinHealthyPercentage: 50, InstanceWarmup: 3600, CheckpointPercentages: [25, 100] });
  await play(bench, 3);
  expect(await serving(bench)).toHaveLength(4);
  const [InstanceId] = (await bench.machines()).toSorted((a, b) => a.launchedAt - b.launchedAt).map(({ id }) => id);
  await bench.api.call('TerminateInstanceInAutoScalingGroup', { InstanceId, ShouldDecrementDesiredCapacity: false });
  await play(bench, 3);
  expect(await serving(bench)).toHaveLength(4);
  expect(await told(bench)).toMatchObject([{ Status: 'InProgress', InstancesToUpdate: 2 }]);
});

test('it waits at checkpoints, and ends at the last one', async () => {
  const bench = await withMachines(4);
  const before = await serving(bench);
  const stayed = async (): Promise<number> => (await serving(bench)).filter((id) => before.includes(id)).length;
  await start(bench, { MinHealthyPercentage: 0, CheckpointPercentages: [25, 50], CheckpointDelay: 600 });
  await play(bench, 6);
  expect(await stayed()).toBe(3);
  expect(await told(bench)).toMatchObject([{ Status: 'InProgress', PercentageComplete: 25, InstancesToUpdate: 3 }]);
  await bench.look(1, 600_000);
  await play(bench, 6);
  expect(await stayed()).toBe(2);
  expect(await told(bench)).toMatchObject([{ Status: 'Successful', PercentageComplete: 50 }]);
});

test('a machine counts when it has warmed up, and after all of them it bakes', async () => {
  const bench = await withMachines(2);
  await bench.look(1, 600_000);
  await start(bench, { MinHealthyPercentage: 50, InstanceWarmup: 300, BakeTime: 900 });
  await play(bench, 5);
  expect(await told(bench)).toMatchObject([{ Status: 'InProgress', InstancesToUpdate: 1 }]);
  await bench.look(1, 300_000);
  await play(bench, 5);
  expect(await told(bench)).toMatchObject([{ Status: 'InProgress', InstancesToUpdate: 0 }]);
  await bench.look(1, 300_000);
  expect(await told(bench)).toMatchObject([{ Status: 'Baking', PercentageComplete: 100 }]);
  await bench.look(1, 900_000);
  expect(await told(bench)).toMatchObject([{ Status: 'Successful' }]);
});

test('it is cancelled where it is, and rolled back to numbered versions by whoever asks, or by an alarm', async () => {
  const bench = await withMachines(2, { LaunchTemplate: { LaunchTemplateName: 'web', Version: '1' } });
  await nextVersion(bench);
  const LaunchTemplate = { LaunchTemplateName: 'web', Version: '2' };
  const desired = { DesiredConfiguration: { LaunchTemplate } };
  expect(await bench.refused('CancelInstanceRefresh')).toMatch(/^ActiveInstanceRefreshNotFound: /);
  await start(bench, { MinHealthyPercentage: 50 }, desired);
  await play(bench, 2);
  await bench.api.call('CancelInstanceRefresh', ofGroup);
  await play(bench, 3);
  expect(await told(bench)).toMatchObject([{ Status: 'Cancelled', StatusReason: 'Cancelled due to user request.' }]);
  expect(await bench.described()).toMatchObject({ LaunchTemplate: { Version: '1' } });
  expect(await versions(bench)).toEqual([1, 2]);
  await start(bench, { MinHealthyPercentage: 50 }, desired);
  await play(bench, 2);
  await bench.api.call('RollbackInstanceRefresh', ofGroup);
  await play(bench, 8);
  expect((await told(bench))[0]).toMatchObject({
    Status: 'RollbackSuccessful',
    RollbackDetails: { RollbackReason: 'Rolled back due to user request.' },
  });
  expect(await versions(bench)).toEqual([1, 1]);
  const AlarmSpecification = { Alarms: ['errors'] };
  await start(bench, { MinHealthyPercentage: 50, AutoRollback: true, AlarmSpecification }, desired);
  await play(bench, 2);
  bench.alarmed.add('errors');
  await play(bench, 8);
  expect((await told(bench))[0]).toMatchObject({
    Status: 'RollbackSuccessful',
    StatusReason: 'The alarm errors is in the ALARM state.',
  });
  expect(await versions(bench)).toEqual([1, 1]);
  await start(bench, { AlarmSpecification });
  await play(bench, 2);
  expect((await told(bench))[0]).toMatchObject({ Status: 'Failed' });
  await start(bench);
  expect(await bench.refused('RollbackInstanceRefresh')).toMatch(/^IrreversibleInstanceRefresh: /);
});

test('machines that are protected are waited for, left, or replaced, as it is asked', async () => {
  const bench = await withMachines(1, { NewInstancesProtectedFromScaleIn: true });
  const before = await serving(bench);
  await start(bench, { ScaleInProtectedInstances: 'Ignore' });
  await play(bench, 3);
  expect(await told(bench)).toMatchObject([{ Status: 'Successful' }]);
  await start(bench);
  await play(bench, 3);
  expect(await serving(bench)).toEqual(before);
  await bench.look(1, 3_700_000);
  expect((await told(bench))[0]).toMatchObject({
    Status: 'Failed',
    StatusReason: 'The refresh could not go on: 1 of its machines are protected from scale-in.',
  });
  await start(bench, { ScaleInProtectedInstances: 'Refresh' });
  await play(bench, 4);
  expect(await serving(bench)).not.toEqual(before);
});

test('machines of the warm pool are replaced too, and do not come into service as they were', async () => {
  const bench = await withMachines(1);
  await bench.api.call('PutWarmPool', { ...ofGroup, MaxGroupPreparedCapacity: 3 });
  await bench.settle();
  const old = (await bench.machines()).map(({ id }) => id);
  expect(old).toHaveLength(3);
  await start(bench, { MinHealthyPercentage: 0 });
  await play(bench, 8);
  expect(await told(bench)).toMatchObject([{ Status: 'Successful' }]);
  const now = await bench.machines();
  expect(now.map(({ state }) => state).sort()).toEqual(['InService', 'Warmed', 'Warmed']);
  expect(now.filter(({ id }) => old.includes(id))).toEqual([]);
});

test('nothing is replaced while InstanceRefresh is suspended', async () => {
  const bench = await withMachines(1);
  const before = await serving(bench);
  await bench.api.call('SuspendProcesses', { ...ofGroup, ScalingProcesses: ['InstanceRefresh'] });
  await start(bench);
  await play(bench, 3);
  // However long.
  await bench.look(4, 3_000_000);
  expect(await serving(bench)).toEqual(before);
  expect(await told(bench)).toMatchObject([{ Status: 'InProgress' }]);
  await bench.api.call('ResumeProcesses', ofGroup);
  await play(bench, 4);
  expect(await serving(bench)).not.toEqual(before);
});

test.each([
  [{ Preferences: { MinHealthyPercentage: 50, MaxHealthyPercentage: 200 } }, /must not be greater than 100/],
  [{ Preferences: { MaxHealthyPercentage: 110 } }, /MaxHealthyPercentage requires MinHealthyPercentage/],
  [{ Preferences: { CheckpointPercentages: [50, 50] } }, /each greater than the one before/],
  [{ Preferences: { CheckpointPercentages: [0, 50] } }, /from 1 to 100/],
  [{ Preferences: { CheckpointDelay: 60 } }, /CheckpointDelay requires/],
  [{ Preferences: { AutoRollback: true } }, /AutoRollback requires a DesiredConfiguration/],
  [{ Preferences: { ScaleInProtectedInstances: 'Kill' } }, /must be one of Wait, Ignore, Refresh, not Kill/],
  [{ Preferences: { StandbyInstances: 'Kill' } }, /must be one of Wait, Ignore, Terminate, not Kill/],
  [{ Strategy: 'ReplaceRootVolume' }, /The Strategy ReplaceRootVolume is not supported/],
  [{ Strategy: 'Swift' }, /Strategy must be Rolling, not Swift/],
  [
    { DesiredConfiguration: { LaunchTemplate: { LaunchTemplateName: 'web', Version: '9' } } },
    /The launch template web has no version 9/,
  ],
  [
    {
      DesiredConfiguration: { LaunchTemplate: { LaunchTemplateName: 'web', Version: '1' } },
      Preferences: { AutoRollback: true },
    },
    /name a version of the launch template by its number/,
  ],
])('%j is refused', async (input, why) => {
  const bench = await openGroups();
  await bench.template();
  await bench.group();
  expect(await bench.refused('StartInstanceRefresh', input)).toMatch(why);
});
