import { transact } from '@slipway/storage/records';
import { describe, expect, test } from 'vitest';

import { account } from '../../balancing/testing/open-balancing.ts';
import { groupKeys, groupsPartition } from '../groups/index.ts';
import { openGroups } from '../testing/group-bench.ts';

const minute = 60_000;
const named = { AutoScalingGroupName: 'web' };
const cpu = {
  ...named,
  PolicyName: 'cpu',
  PolicyType: 'TargetTrackingScaling',
  EstimatedInstanceWarmup: 60,
  TargetTrackingConfiguration: {
    PredefinedMetricSpecification: { PredefinedMetricType: 'ASGAverageCPUUtilization' },
    TargetValue: 50,
  },
};
const more = { ...named, PolicyName: 'more', AdjustmentType: 'ChangeInCapacity', ScalingAdjustment: 2, Cooldown: 60 };

/** A group of one machine in service. */
async function open() {
  const bench = await openGroups();
  await bench.template();
  await bench.group({ MinSize: 1, MaxSize: 6 });
  await bench.settle();
  const put = (input: object) => bench.api.call('PutScalingPolicy', input);
  return {
    ...bench,
    put,
    shown: async (input: object = {}) => (await bench.api.call('DescribePolicies', input)).ScalingPolicies,
    alarmNames: async () => [...(await bench.alarms.all(account)).keys()],
    desired: async (): Promise<number> => (await bench.described()).DesiredCapacity,
    alarm: (name: string, state: 'ALARM' | 'OK') =>
      bench.alarms.setState(account, name, { state, reason: 'the test says so' }),
    /** A point of the CPU of the group, in the last whole minute. */
    measured: (value: number) =>
      bench.metrics.put(account, [
        {
          namespace: 'AWS/EC2',
          name: 'CPUUtilization',
          dimensions: [{ name: 'AutoScalingGroupName', value: 'web' }],
          timestamp: Math.floor(bench.clock.at / minute) * minute - minute,
          resolution: 60,
          measured: value,
        },
      ]),
  };
}

describe('scaling policies of groups', () => {
  test('target tracking makes its alarms, scales out by them and in again, and takes them with it', async () => {
    const bench = await open();
    const { PolicyARN, Alarms } = await bench.put(cpu);
    expect(PolicyARN).toMatch(
      /^arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:[0-9a-f-]{36}:autoScalingGroupName\/web:policyName\/cpu$/,
    );
    const [high, low] = Alarms.map(({ AlarmName }: { AlarmName: string }) => AlarmName) as [string, string];
    expect(await bench.alarmNames()).toEqual([high, low]);
    expect(high).toMatch(/^TargetTracking-web-AlarmHigh-[0-9a-f-]{36}$/);
    expect((await bench.alarms.find(account, low))?.subject).toMatchObject({
      rule: { threshold: 35, evaluationPeriods: 15 },
    });
    expect(await bench.shown()).toMatchObject([{ ...cpu, PolicyARN, Enabled: true, Alarms }]);
    bench.clock.at += 10 * minute;
    await bench.measured(150);
    await bench.look();
    expect(await bench.desired()).toBe(1);
    await bench.alarm(high, 'ALARM');
    await bench.look();
    expect(await bench.desired()).toBe(3);
    expect((await bench.activities())[0]?.Cause).toMatch(
      /^At .* a monitor alarm TargetTracking-web-AlarmHigh-\S+ in state ALARM triggered policy cpu changing the desired capacity from 1 to 3\./,
    );
    // What was measured with one machine is not taken for what three of them measure.
    await bench.settle();
    expect(await bench.desired()).toBe(3);
    await bench.alarm(high, 'OK');
    await bench.alarm(low, 'ALARM');
    bench.clock.at += 5 * minute;
    await bench.measured(10);
    await bench.look();
    expect(await bench.desired()).toBe(2);
    // An alarm that somebody deletes is made anew.
    await bench.alarms.delete(account, [high]);
    await bench.look();
    expect(await bench.alarmNames()).toContain(high);
    await bench.put({
      ...cpu,
      TargetTrackingConfiguration: { ...cpu.TargetTrackingConfiguration, DisableScaleIn: true },
    });
    expect(await bench.alarmNames()).toEqual([high]);
    await bench.api.call('DeletePolicy', { PolicyName: PolicyARN });
    expect(await bench.alarmNames()).toEqual([]);
    expect(await bench.shown()).toEqual([]);
  });

  test('a simple policy acts on an alarm that names it, once for each point and not within its cooldown', async () => {
    const bench = await open();
    const { PolicyARN } = await bench.put(more);
    expect(await bench.shown({ PolicyTypes: ['SimpleScaling'] })).toMatchObject([
      { ...more, PolicyType: 'SimpleScaling' },
    ]);
    await bench.alarms.put(
      account,
      {
        name: 'busy',
        actionsEnabled: true,
        actions: { OK: [], ALARM: [PolicyARN], INSUFFICIENT_DATA: [] },
        subject: {
          kind: 'metric',
          source: {
            kind: 'metric',
            namespace: 'AWS/EC2',
            metric: 'CPUUtilization',
            dimensions: [{ name: 'AutoScalingGroupName', value: 'web' }],
            statistic: 'Average',
          },
          rule: {
            period: 60,
            comparison: 'GreaterThanThreshold',
            threshold: 60,
            evaluationPeriods: 1,
            datapointsToAlarm: 1,
            treatMissingData: 'missing',
          },
        },
      },
      {},
    );
    expect(await bench.shown()).toMatchObject([{ Alarms: [{ AlarmName: 'busy' }] }]);
    await bench.alarm('busy', 'ALARM');
    bench.clock.at += 10 * minute;
    await bench.measured(90);
    await bench.look(1, 1000);
    expect(await bench.desired()).toBe(3);
    bench.clock.at += 10 * minute;
    await bench.look(1, 1000);
    expect(await bench.desired()).toBe(3);
    await bench.measured(90);
    await bench.api.call('SuspendProcesses', { ...named, ScalingProcesses: ['AlarmNotification'] });
    await bench.look(1, 1000);
    expect(await bench.desired()).toBe(3);
    await bench.api.call('ResumeProcesses', named);
    await bench.put({ ...more, Enabled: false });
    await bench.look(1, 1000);
    expect(await bench.desired()).toBe(3);
    await bench.put(more);
    await bench.look(1, 1000);
    expect(await bench.desired()).toBe(5);
  });

  test('are executed by hand, within the bounds', async () => {
    const bench = await open();
    const { PolicyARN } = await bench.put(more);
    await bench.api.call('ExecutePolicy', { PolicyName: PolicyARN });
    expect(await bench.desired()).toBe(3);
    const execute = { ...named, PolicyName: 'more' };
    expect(await bench.api.refusal('ExecutePolicy', { ...execute, HonorCooldown: true })).toMatch(
      /^ScalingActivityInProgress: /,
    );
    await bench.api.call('ExecutePolicy', execute);
    await bench.api.call('ExecutePolicy', execute);
    expect(await bench.desired()).toBe(6);
    const StepAdjustments = [{ MetricIntervalUpperBound: 0, ScalingAdjustment: -1 }];
    const step = {
      ...named,
      PolicyName: 'less',
      PolicyType: 'StepScaling',
      AdjustmentType: 'ChangeInCapacity',
      StepAdjustments,
    };
    await bench.put(step);
    expect(await bench.shown({ PolicyNames: ['less'] })).toMatchObject([{ ...step, MetricAggregationType: 'Average' }]);
    const less = { ...named, PolicyName: 'less' };
    expect(await bench.api.refusal('ExecutePolicy', less)).toMatch(/MetricValue and BreachThreshold must be specified/);
    await bench.api.call('ExecutePolicy', { ...less, MetricValue: 10, BreachThreshold: 20 });
    expect(await bench.desired()).toBe(5);
    await bench.put(cpu);
    expect(await bench.api.refusal('ExecutePolicy', { ...named, PolicyName: 'cpu' })).toMatch(
      /is a target tracking policy/,
    );
    expect(await bench.api.access('ExecutePolicy', { PolicyName: PolicyARN })).toMatchObject([
      expect.stringMatching(
        /^autoscaling:ExecutePolicy arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:[0-9a-f-]{36}:autoScalingGroupName\/web$/,
      ),
    ]);
  });

  test('go with their group, and their alarms with them', async () => {
    const bench = await open();
    await bench.put(cpu);
    await bench.api.call('DeleteAutoScalingGroup', { ...named, ForceDelete: true });
    await bench.look(3);
    expect(await bench.shown()).toEqual([]);
    expect(await bench.alarmNames()).toEqual([]);
  });

  test('what is wrong with the alarms of one keeps no other one from being followed', async () => {
    const bench = await open();
    const { Alarms } = await bench.put(cpu);
    const [high, low] = Alarms.map(({ AlarmName }: { AlarmName: string }) => AlarmName) as [string, string];
    const own = {
      ...cpu,
      PolicyName: 'backlog',
      TargetTrackingConfiguration: {
        TargetValue: 10,
        CustomizedMetricSpecification: { MetricName: 'Backlog', Namespace: 'App', Statistic: 'Average' },
      },
    };
    const [other] = (await bench.put(own)).Alarms as readonly { readonly AlarmName: string }[];
    // An alarm of another kind has the name that the first one wants for its own.
    await bench.alarms.delete(account, [high]);
    const actions = { OK: [], ALARM: [], INSUFFICIENT_DATA: [] };
    const subject = { kind: 'composite', rule: `ALARM("${low}")` } as const;
    await bench.alarms.put(account, { name: high, actionsEnabled: true, actions, subject }, {});
    bench.clock.at += 10 * minute;
    await bench.metrics.put(account, [
      {
        namespace: 'App',
        name: 'Backlog',
        dimensions: [],
        timestamp: Math.floor(bench.clock.at / minute) * minute - minute,
        resolution: 60,
        measured: 30,
      },
    ]);
    await bench.alarm(other!.AlarmName, 'ALARM');
    await bench.look(1, 1000);
    expect(await bench.desired()).toBe(3);
    // It lets nothing go in meanwhile, as it could not go out again.
    await bench.api.call('DeletePolicy', { ...named, PolicyName: 'backlog' });
    await bench.settle();
    await bench.alarm(low, 'ALARM');
    bench.clock.at += 5 * minute;
    await bench.measured(10);
    await bench.look();
    expect(await bench.desired()).toBe(3);
    await bench.alarms.delete(account, [high]);
    await bench.look();
    expect(await bench.desired()).toBe(2);
  });

  test('alarms of one that is gone are taken away, where whoever deleted it was ended before that; others stay', async () => {
    const bench = await open();
    await bench.put(cpu);
    const kept = (await bench.put({ ...cpu, PolicyName: 'kept' })).Alarms as readonly { readonly AlarmName: string }[];
    const alarm = await bench.alarms.find(account, kept[0]!.AlarmName);
    // Called like one of a policy, and somebody's own: it acts on nothing that a policy of this name would be.
    const like = 'TargetTracking-web-AlarmHigh-0b9c6f0e-8f1c-4a54-9f43-1f0a3a0d6f0b';
    await bench.alarms.put(account, { ...alarm!, name: like }, {});
    const remove = (name: string) =>
      transact(bench.ports.records, groupsPartition(account), (tx) => {
        tx.remove(groupKeys.policy('web', name));
        return Promise.resolve();
      });
    await remove('cpu');
    await bench.look();
    expect(await bench.alarmNames()).toHaveLength(5);
    await bench.look(1, 60 * minute);
    expect((await bench.alarmNames()).toSorted()).toEqual([...kept.map(({ AlarmName }) => AlarmName), like].toSorted());
    await remove('kept');
    await bench.look(1, 60 * minute);
    expect(await bench.alarmNames()).toEqual([like]);
  });

  test.each([
    [{ AutoScalingGroupName: 'none' }, /AutoScalingGroup 'none' not found/],
    [{ PolicyType: 'Magic' }, /PolicyType must be one of SimpleScaling, StepScaling, TargetTrackingScaling, not Magic/],
    [{ PolicyType: 'PredictiveScaling' }, /PredictiveScaling is not supported by this installation/],
    [{ AdjustmentType: 'Twice' }, /AdjustmentType must be one of ChangeInCapacity/],
    [{ ScalingAdjustment: undefined }, /ScalingAdjustment must be specified for the policy type SimpleScaling/],
    [{ AdjustmentType: 'ExactCapacity', ScalingAdjustment: -1 }, /must not be negative/],
    [{ MinAdjustmentMagnitude: 2 }, /MinAdjustmentMagnitude is for the AdjustmentType PercentChangeInCapacity alone/],
    [{ MinAdjustmentStep: 2 }, /MinAdjustmentStep is not supported/],
    [
      { StepAdjustments: [{ ScalingAdjustment: 1 }] },
      /StepAdjustments cannot be specified for the policy type SimpleScaling/,
    ],
    [
      { PolicyType: 'StepScaling' },
      /(?:ScalingAdjustment|Cooldown) cannot be specified for the policy type StepScaling/,
    ],
    [{ PolicyName: 'a:b' }, /policyName/],
    [{ Cooldown: -1 }, /'cooldown'/],
  ])('a simple policy %j is refused', async (wrong, refusal) => {
    const bench = await open();
    const input = Object.fromEntries(Object.entries({ ...more, ...wrong }).filter(([, value]) => value !== undefined));
    expect(await bench.api.refusal('PutScalingPolicy', input)).toMatch(refusal);
  });

  const own = { MetricName: 'Backlog', Namespace: 'App', Statistic: 'Average' };
  test.each([
    [{ PredefinedMetricSpecification: undefined }, /Exactly one of PredefinedMetricSpecification and Customized/],
    [{ TargetValue: 0 }, /TargetValue must be a number greater than 0/],
    [
      { PredefinedMetricSpecification: { PredefinedMetricType: 'ASGAverageNetworkIn' } },
      /ASGAverageNetworkIn is not supported/,
    ],
    [{ PredefinedMetricSpecification: { PredefinedMetricType: 'ALBRequestCountPerTarget' } }, /needs a ResourceLabel/],
    [
      { PredefinedMetricSpecification: undefined, CustomizedMetricSpecification: { ...own, Statistic: 'p99' } },
      /Statistic must be one of/,
    ],
    [
      { PredefinedMetricSpecification: undefined, CustomizedMetricSpecification: { ...own, Period: 10 } },
      /The Period 10 is not supported/,
    ],
  ])('target tracking %j is refused', async (wrong, refusal) => {
    const bench = await open();
    const of = Object.entries({ ...cpu.TargetTrackingConfiguration, ...wrong }).filter(
      ([, value]) => value !== undefined,
    );
    const input = { ...cpu, TargetTrackingConfiguration: Object.fromEntries(of) };
    expect(await bench.api.refusal('PutScalingPolicy', input)).toMatch(refusal);
  });
});
