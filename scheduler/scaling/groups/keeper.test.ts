import { transact } from '@slipway/storage/records';
import { describe, expect, test } from 'vitest';

import { account } from '../../balancing/testing/open-balancing.ts';
import { findInstance } from '../../cluster/index.ts';
import type { InstanceProvider } from '../providers/index.ts';
import { MapProvider, openGroups } from '../testing/group-bench.ts';
import { activitiesKept, beginActivity, mostActivities } from './activities.ts';
import { groupsPartition } from './keys.ts';

const states = (machines: readonly { readonly state: string }[]): string[] => machines.map(({ state }) => state).sort();

describe('a group', () => {
  test('has as many machines as are wanted, spread over its zones, and tells of each', async () => {
    const bench = await openGroups();
    await bench.template();
    await bench.group({ DesiredCapacity: 2 });
    const machines = await bench.settle();
    expect(states(machines)).toEqual(['InService', 'InService']);
    expect(machines.map(({ zone }) => zone).sort()).toEqual(['us-east-1a', 'us-east-1b']);
    expect([...bench.provider.machines.keys()].sort()).toEqual(machines.map(({ id }) => id).sort());
    const [spec] = bench.provider.machines.values();
    expect(spec).toMatchObject({
      cluster: 'web',
      instanceType: 'm5.large',
      tags: { 'aws:autoscaling:groupName': 'web' },
      settings: { ECS_CLUSTER: 'web', AWS_ENDPOINT_URL: 'https://slipway.example.com' },
    });
    expect(spec?.settings['ECS_INSTANCE_ATTRIBUTES']).toBe(
      JSON.stringify({ 'ecs.availability-zone': spec?.zone, 'slipway.auto-scaling-group': 'web' }),
    );
    expect(spec?.settings['SLIPWAY_JOIN']).toMatch(new RegExp(`^000000000000\\.${spec?.id}\\.`));
    const [activity] = await bench.activities();
    expect(activity).toMatchObject({ StatusCode: 'Successful', Progress: 100 });
    expect(activity.Description).toMatch(/^Launching a new EC2 instance: i-[0-9a-f]{17}$/);
    expect(activity.Cause).toMatch(
      /^At \S+Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 2\. {2}At \S+Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from \d to \d\.$/,
    );
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 0 });
    await bench.look(3);
    expect(await bench.machines()).toEqual([]);
    expect(bench.provider.machines.size).toBe(0);
    expect((await bench.activities())[0]).toMatchObject({ StatusCode: 'Successful' });
  });

  test('is kept as it is wanted while it cannot follow times and metrics', async () => {
    const bench = await openGroups({ follow: () => Promise.reject(new Error('an alarm cannot be read')) });
    await bench.template();
    await bench.group({ DesiredCapacity: 1 });
    expect(states(await bench.settle())).toEqual(['InService']);
  });

  test('replaces a machine whose agent stays away, whose provider has lost it, that never joined, and that is said to be unhealthy', async () => {
    const bench = await openGroups();
    await bench.template();
    await bench.group({ DesiredCapacity: 1 });
    const ids = async (): Promise<string[]> => (await bench.settle()).map(({ id }) => id);
    const replaced = async (from: readonly string[]): Promise<string[]> => {
      const now = await ids();
      expect(now).toHaveLength(1);
      expect(now).not.toEqual(from);
      return now;
    };
    let before = await ids();
    await bench.agents(before, false);
    await bench.look(1, 60_000);
    expect((await bench.machines()).map(({ id }) => id)).toEqual(before);
    await bench.look(1, 61_000);
    before = await replaced(before);
    // A provider that lists less than it has ends nothing that is at work.
    bench.provider.machines.clear();
    expect(await ids()).toEqual(before);
    await bench.agents(before, false);
    before = await replaced(before);
    await bench.api.call('SetInstanceHealth', {
      InstanceId: before[0],
      HealthStatus: 'Unhealthy',
      ShouldRespectGracePeriod: false,
    });
    before = await replaced(before);
    await bench.api.call('TerminateInstanceInAutoScalingGroup', {
      InstanceId: before[0],
      ShouldDecrementDesiredCapacity: false,
    });
    await bench.look(3);
    const [young] = await bench.machines();
    expect(young).toMatchObject({ state: 'Pending', started: true });
    await bench.look(1, 601_000);
    await bench.look(3);
    const [next] = await bench.machines();
    expect(next?.id).not.toBe(young?.id);
    expect((await bench.described()).Instances).toHaveLength(1);
  });

  test('misses no machine in what its provider said before the machine was made', async () => {
    const bench = await openGroups();
    await bench.template();
    await bench.look();
    await bench.group({ DesiredCapacity: 1 });
    await bench.look(3, 1_000);
    expect(bench.provider.calls).toHaveLength(1);
    expect(states(await bench.machines())).toEqual(['Pending']);
  });

  test('waits longer after each launch that failed, says why, and tries at once when somebody asks again', async () => {
    const bench = await openGroups();
    await bench.template();
    bench.provider.failing = 'no more machines of this kind';
    await bench.group({ DesiredCapacity: 1 });
    await bench.look(30, 5_000);
    const launches = bench.provider.calls.filter((call) => call.startsWith('launch')).length;
    // At 5, 15, 35 and 75 seconds, of 150, give or take the looks between.
    expect(launches).toBeGreaterThanOrEqual(3);
    expect(launches).toBeLessThanOrEqual(5);
    expect(await bench.activities()).toContainEqual(
      expect.objectContaining({ StatusCode: 'Failed', StatusMessage: 'no more machines of this kind' }),
    );
    bench.provider.failing = undefined;
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 2 });
    expect(states(await bench.settle())).toEqual(['InService', 'InService']);
  });

  test('leaves no machine behind when the server is killed between any two steps', async () => {
    const bench = await openGroups();
    await bench.template();
    await bench.group({ DesiredCapacity: 2 });
    for (let i = 0; i < 3; i++) {
      await bench.look();
      bench.restart();
    }
    // One that was made, whose row a store has lost.
    const [spec] = bench.provider.machines.values();
    if (spec === undefined) throw new Error('there is no machine');
    bench.provider.machines.set('i-00000000000000000', { ...spec, id: 'i-00000000000000000' });
    bench.provider.machines.set('i-11111111111111111', { ...spec, id: 'i-11111111111111111', owner: 'another' });
    await bench.look(2);
    expect(bench.provider.machines.size).toBe(3);
    expect(bench.provider.machines.has('i-00000000000000000')).toBe(false);
    await bench.api.call('DeleteAutoScalingGroup', { AutoScalingGroupName: 'web', ForceDelete: true });
    bench.restart();
    await bench.look(3);
    expect([...bench.provider.machines.keys()]).toEqual(['i-11111111111111111']);
    expect(await bench.described()).toBeUndefined();
  });

  test('is rid of the machines of a provider that left the configuration, makes none there, and ends what it has left when it is back', async () => {
    const lab = new MapProvider();
    const providers: InstanceProvider[] = [lab];
    const bench = await openGroups({ providers });
    await bench.template();
    await bench.group({ DesiredCapacity: 1 });
    const [first] = await bench.settle();
    expect(first?.state).toBe('InService');
    providers.pop();
    bench.restart();
    // What runs there runs on.
    await bench.look(3);
    expect(states(await bench.machines())).toEqual(['InService']);
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 2 });
    await bench.look(2);
    expect(await bench.activities()).toContainEqual(
      expect.objectContaining({ StatusCode: 'Failed', StatusMessage: 'There is no instance provider map any more.' }),
    );
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 0 });
    await bench.look(3);
    expect(await bench.machines()).toEqual([]);
    expect(await bench.activities()).toContainEqual(
      expect.objectContaining({
        Description: `Terminating EC2 instance: ${first?.id}`,
        StatusCode: 'Failed',
        StatusMessage: 'There is no instance provider map any more. End what it has left.',
      }),
    );
    expect(await findInstance(bench.ports, { account, cluster: 'web' }, first?.instance ?? '')).toMatchObject({
      status: 'INACTIVE',
    });
    await bench.api.call('DeleteAutoScalingGroup', { AutoScalingGroupName: 'web' });
    await bench.look();
    expect(await bench.groups.list(account)).toEqual([]);
    expect([...lab.machines.keys()]).toEqual([first?.id]);
    providers.push(lab);
    await bench.look();
    expect(lab.machines.size).toBe(0);
  });

  test('keeps machines that are protected, and ends none while Terminate is suspended', async () => {
    const bench = await openGroups();
    await bench.template();
    await bench.group({ DesiredCapacity: 3, NewInstancesProtectedFromScaleIn: true });
    const [first] = await bench.settle();
    await bench.api.call('SetInstanceProtection', {
      AutoScalingGroupName: 'web',
      InstanceIds: [first?.id],
      ProtectedFromScaleIn: false,
    });
    await bench.api.call('SuspendProcesses', { AutoScalingGroupName: 'web', ScalingProcesses: ['Terminate'] });
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 0 });
    await bench.look(3);
    expect(await bench.machines()).toHaveLength(3);
    await bench.api.call('ResumeProcesses', { AutoScalingGroupName: 'web' });
    await bench.look(3);
    expect((await bench.machines()).map(({ id }) => id)).not.toContain(first?.id);
    expect(await bench.machines()).toHaveLength(2);
  });

  test('has none while its template cannot be used, and says what of it', async () => {
    const bench = await openGroups();
    const LaunchTemplateId = await bench.template();
    await bench.group();
    await bench.ec2('DeleteLaunchTemplate', { LaunchTemplateId });
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 1 });
    await bench.look(2);
    expect((await bench.activities())[0]).toMatchObject({
      StatusCode: 'Failed',
      StatusMessage: `The launch template web (${LaunchTemplateId}) does not exist.`,
    });
  });

  test('is told of for six weeks, and by so many activities at most', async () => {
    const bench = await openGroups();
    await bench.template();
    await bench.group();
    const told = { group: 'web', description: 'It was made.', cause: '', status: 'Successful' } as const;
    await transact(bench.ports.records, groupsPartition(account), (tx) => {
      for (let at = bench.clock.at - mostActivities - 50; at < bench.clock.at; at++)
        beginActivity(tx, bench.ports.random, { ...told, startedAt: at, endedAt: at });
      beginActivity(tx, bench.ports.random, { ...told, status: 'InProgress', startedAt: 0 });
      return Promise.resolve();
    });
    const ofGroup = () => bench.groups.activities(account, 'web');
    await bench.look();
    expect(await ofGroup()).toHaveLength(mostActivities + 1);
    bench.clock.at += activitiesKept;
    await bench.look();
    // What is not over is told of until it is.
    expect(await ofGroup()).toMatchObject([{ status: 'InProgress' }]);
  });
});
