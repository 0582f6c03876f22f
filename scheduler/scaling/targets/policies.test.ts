import { transact } from '@slipway/storage/records';
import { describe, expect, test } from 'vitest';
import { clusterPartition } from '../../state/index.ts';
import { openScaling } from '../testing/scaling-bench.ts';
import { scalingKeys } from './keys.ts';

const target = { MinCapacity: 1, MaxCapacity: 10 };
const cpu = {
  PolicyName: 'cpu',
  PolicyType: 'TargetTrackingScaling',
  TargetTrackingScalingPolicyConfiguration: {
    TargetValue: 50,
    PredefinedMetricSpecification: { PredefinedMetricType: 'ECSServiceAverageCPUUtilization' },
    ScaleInCooldown: 60,
  },
};
const queue = {
  PolicyName: 'queue',
  PolicyType: 'StepScaling',
  StepScalingPolicyConfiguration: {
    AdjustmentType: 'ChangeInCapacity',
    StepAdjustments: [
      { MetricIntervalLowerBound: 0, MetricIntervalUpperBound: 20, ScalingAdjustment: 1 },
      { MetricIntervalLowerBound: 20, ScalingAdjustment: 3 },
    ],
    Cooldown: 60,
  },
};

async function opened(policy: object = cpu) {
  const bench = await openScaling();
  await bench.deployed();
  await bench.on('RegisterScalableTarget', target);
  const { Alarms } = await bench.on('PutScalingPolicy', policy);
  return { ...bench, high: Alarms[0]?.AlarmName as string, low: Alarms[1]?.AlarmName as string };
}

describe('target tracking', () => {
  test('goes out while its high alarm is in ALARM, by the newest point, and does not run away', async () => {
    const bench = await opened();
    await bench.cpu('2026-06-15T12:02:00Z', 120);
    await bench.look('2026-06-15T12:03:10Z');
    expect((await bench.service())?.desiredCount).toBe(2);
    await bench.alarm(bench.high, 'ALARM');
    await bench.look('2026-06-15T12:03:20Z');
    expect((await bench.service())?.desiredCount).toBe(5);
    expect((await bench.activities())[0]).toMatchObject({
      Description: 'Setting desired count to 5.',
      Cause: `monitor alarm ${bench.high} in state ALARM triggered policy cpu`,
    });
    expect(bench.lines.at(-1)).toEqual({
      message: 'scaled a service',
      fields: { cluster: 'default', service: 'web', policy: 'cpu', alarm: bench.high, from: 2, desired: 5 },
    });
    bench.running(5);
    await bench.look('2026-06-15T12:03:50Z');
    expect((await bench.service())?.desiredCount).toBe(5);
    await bench.cpu('2026-06-15T12:04:00Z', 60);
    await bench.look('2026-06-15T12:05:10Z');
    expect((await bench.service())?.desiredCount).toBe(6);
  });

  test('goes in while its low alarm is in ALARM, not during a deployment or its cooldown, and not below the minimum', async () => {
    const bench = await opened();
    await bench.setDesired(8);
    bench.running(8);
    await bench.alarm(bench.low, 'ALARM');
    await bench.cpu('2026-06-15T12:02:00Z', 1);
    const look = async (at: string): Promise<number | undefined> => {
      await bench.look(at);
      return (await bench.service())?.desiredCount;
    };
    expect(await look('2026-06-15T12:03:10Z')).toBe(4);
    bench.running(4);
    await bench.cpu('2026-06-15T12:04:00Z', 1);
    expect(await look('2026-06-15T12:04:09Z')).toBe(4);
    expect(await look('2026-06-15T12:05:09Z')).toBe(2);
    bench.running(2);
    for (const minute of ['06', '07', '08', '09']) await bench.cpu(`2026-06-15T12:${minute}:00Z`, 1);
    expect(await look('2026-06-15T12:07:10Z')).toBe(1);
    expect(await look('2026-06-15T12:10:00Z')).toBe(1);
  });

  test('holds what metric math comes to, which its alarms and its steps are reckoned from', async () => {
    const Metrics = [
      {
        Id: 'cpu',
        ReturnData: false,
        MetricStat: {
          Metric: {
            Namespace: 'AWS/ECS',
            MetricName: 'CPUUtilization',
            Dimensions: [
              { Name: 'ClusterName', Value: 'default' },
              { Name: 'ServiceName', Value: 'web' },
            ],
          },
          Stat: 'Average',
        },
      },
      { Id: 'twice', Label: 'twice as much', Expression: 'cpu * 2', ReturnData: true },
    ];
    const configuration = { TargetValue: 50, CustomizedMetricSpecification: { Metrics } };
    const math = { ...cpu, TargetTrackingScalingPolicyConfiguration: configuration };
    const bench = await opened(math);
    const { ScalingPolicies } = await bench.call('DescribeScalingPolicies', { ServiceNamespace: 'ecs' });
    expect(ScalingPolicies).toMatchObject([{ TargetTrackingScalingPolicyConfiguration: configuration }]);
    expect((await bench.alarms.all('000000000000')).get(bench.high)?.subject).toMatchObject({
      source: {
        kind: 'math',
        queries: [
          { id: 'cpu', returnData: false },
          { expression: 'cpu * 2', period: 60 },
        ],
      },
      rule: { threshold: 50, period: 60, evaluationPeriods: 3 },
    });
    expect(await bench.refused('PutScalingPolicy', { ...math, PolicyName: 'again' })).toMatch(
      /Only one TargetTracking/,
    );
    await bench.cpu('2026-06-15T12:02:00Z', 60);
    await bench.alarm(bench.high, 'ALARM');
    await bench.look('2026-06-15T12:03:20Z');
    expect((await bench.service())?.desiredCount).toBe(5);
  });

  test('its alarms look as those of ECS, and are made again when somebody deletes or changes them', async () => {
    const bench = await opened();
    expect([bench.high, bench.low]).toEqual([
      expect.stringMatching(/^TargetTracking-service\/default\/web-AlarmHigh-[0-9a-f-]{36}$/),
      expect.stringMatching(/^TargetTracking-service\/default\/web-AlarmLow-[0-9a-f-]{36}$/),
    ]);
    const made = await bench.alarms.all('000000000000');
    expect(made.get(bench.low)?.subject).toMatchObject({
      source: { namespace: 'AWS/ECS', metric: 'CPUUtilization', statistic: 'Average' },
      rule: {
        comparison: 'LessThanThreshold',
        threshold: 45,
        evaluationPeriods: 15,
        datapointsToAlarm: 15,
        period: 60,
      },
    });
    expect(made.get(bench.high)?.subject).toMatchObject({
      rule: {
        comparison: 'GreaterThanThreshold',
        threshold: 50,
        evaluationPeriods: 3,
        datapointsToAlarm: 3,
        period: 60,
      },
    });
    await bench.alarms.delete('000000000000', [bench.high]);
    await bench.look('2026-06-15T12:03:10Z');
    expect(await bench.alarmNames()).toEqual([bench.high, bench.low]);
    await bench.on('PutScalingPolicy', {
      ...cpu,
      TargetTrackingScalingPolicyConfiguration: {
        ...cpu.TargetTrackingScalingPolicyConfiguration,
        DisableScaleIn: true,
      },
    });
    expect(await bench.alarmNames()).toEqual([bench.high]);
    await bench.on('DeleteScalingPolicy', { PolicyName: 'cpu' });
    expect(await bench.alarmNames()).toEqual([]);
  });

  test('alarms of a policy that is gone are taken away, where whoever deleted it was ended before that', async () => {
    const bench = await opened();
    await transact(bench.ports.records, clusterPartition('000000000000', 'default'), (tx) => {
      tx.remove(scalingKeys.policy('web', 'cpu'));
      return Promise.resolve();
    });
    expect(await bench.alarmNames()).toEqual([bench.high, bench.low]);
    await bench.look('2026-06-15T12:03:10Z');
    expect(await bench.alarmNames()).toEqual([]);
  });

  test('what is wrong with the alarms of one policy keeps none from being followed, of its own target or of another one', async () => {
    const bench = await openScaling();
    await bench.make('other');
    const other = { ...bench.web, ResourceId: 'service/default/other' };
    await bench.call('RegisterScalableTarget', { ...other, ...target });
    const { Alarms } = await bench.call('PutScalingPolicy', { ...other, ...cpu });
    const [high, low] = [Alarms[0]?.AlarmName as string, Alarms[1]?.AlarmName as string];
    // An alarm of another kind has the name that the policy wants for its own.
    await bench.alarms.delete('000000000000', [high]);
    const actions = { OK: [], ALARM: [], INSUFFICIENT_DATA: [] };
    const subject = { kind: 'composite', rule: `ALARM("${low}")` } as const;
    await bench.alarms.put('000000000000', { name: high, actionsEnabled: true, actions, subject }, {});
    await bench.on('RegisterScalableTarget', target);
    await bench.on('PutScheduledAction', {
      ScheduledActionName: 'once',
      Schedule: 'at(2026-06-15T13:00:00)',
      ScalableTargetAction: { MinCapacity: 4 },
    });
    const queued = await bench.call('PutScalingPolicy', { ...other, ...queue });
    await bench.alarms.put(
      '000000000000',
      {
        name: 'long',
        actionsEnabled: true,
        actions: { ...actions, ALARM: [queued.PolicyARN] },
        subject: {
          kind: 'metric',
          source: { kind: 'metric', namespace: 'App', metric: 'Backlog', dimensions: [], statistic: 'Average' },
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
    await bench.alarm('long', 'ALARM');
    await bench.metrics.put('000000000000', [
      {
        namespace: 'App',
        name: 'Backlog',
        dimensions: [],
        timestamp: Date.parse('2026-06-15T12:58:00Z'),
        resolution: 60,
        measured: 70,
      },
    ]);
    await bench.look('2026-06-15T13:00:00Z');
    expect((await bench.service())?.desiredCount).toBe(4);
    expect((await bench.service('other'))?.desiredCount).toBe(3);
    const told = 'cannot keep the alarms of a policy; trying again';
    expect(bench.lines.filter(({ message }) => message === told)).toMatchObject([
      { fields: { cluster: 'default', service: 'other', policy: 'cpu' } },
    ]);
  });

  test('lets nothing go in while its alarms cannot be kept, as it could not go out again', async () => {
    const bench = await opened();
    await bench.setDesired(8);
    bench.running(8);
    await bench.alarm(bench.low, 'ALARM');
    await bench.cpu('2026-06-15T12:02:00Z', 1);
    await bench.alarms.delete('000000000000', [bench.high]);
    const actions = { OK: [], ALARM: [], INSUFFICIENT_DATA: [] };
    const subject = { kind: 'composite', rule: `ALARM("${bench.low}")` } as const;
    await bench.alarms.put('000000000000', { name: bench.high, actionsEnabled: true, actions, subject }, {});
    await bench.look('2026-06-15T12:03:10Z');
    expect((await bench.service())?.desiredCount).toBe(8);
    await bench.alarms.delete('000000000000', [bench.high]);
    await bench.look('2026-06-15T12:03:20Z');
    expect((await bench.service())?.desiredCount).toBe(4);
  });

  test('its alarms go with the target, and with the service', async () => {
    const first = await opened();
    await first.on('DeregisterScalableTarget');
    expect(await first.alarmNames()).toEqual([]);
    expect((await first.call('DescribeScalingPolicies', { ServiceNamespace: 'ecs' })).ScalingPolicies).toEqual([]);
    const second = await opened();
    await second.end();
    await second.look('2026-06-15T12:03:10Z');
    expect(await second.alarmNames()).toEqual([]);
  });
});

describe('step scaling', () => {
  const named = async (bench: Awaited<ReturnType<typeof opened>>, arn: string): Promise<void> => {
    const [made] = (await bench.alarms.all('000000000000')).values();
    expect(made).toBeUndefined();
    await bench.alarms.put(
      '000000000000',
      {
        name: 'busy',
        actionsEnabled: true,
        actions: { OK: [], ALARM: [arn], INSUFFICIENT_DATA: [] },
        subject: {
          kind: 'metric',
          source: {
            kind: 'metric',
            namespace: 'AWS/ECS',
            metric: 'CPUUtilization',
            statistic: 'Average',
            dimensions: [
              { name: 'ClusterName', value: 'default' },
              { name: 'ServiceName', value: 'web' },
            ],
          },
          rule: {
            comparison: 'GreaterThanThreshold',
            threshold: 60,
            period: 60,
            evaluationPeriods: 1,
            datapointsToAlarm: 1,
            treatMissingData: 'missing',
          },
        },
      },
      {},
    );
  };

  test('acts on each point of an alarm that names it, and tells the alarm', async () => {
    const bench = await opened(queue);
    const { ScalingPolicies } = await bench.call('DescribeScalingPolicies', { ServiceNamespace: 'ecs' });
    await named(bench, ScalingPolicies[0].PolicyARN);
    await bench.alarm('busy', 'ALARM');
    await bench.cpu('2026-06-15T12:02:00Z', 70);
    await bench.look('2026-06-15T12:03:10Z');
    expect((await bench.service())?.desiredCount).toBe(3);
    // In the cooldown a larger step counts what was added already.
    await bench.cpu('2026-06-15T12:03:00Z', 90);
    await bench.look('2026-06-15T12:04:05Z');
    expect((await bench.service())?.desiredCount).toBe(5);
    await bench.look('2026-06-15T12:06:05Z');
    expect((await bench.service())?.desiredCount).toBe(5);
    await bench.alarm('busy', 'OK');
    await bench.cpu('2026-06-15T12:06:00Z', 90);
    await bench.look('2026-06-15T12:07:05Z');
    expect((await bench.service())?.desiredCount).toBe(5);
    const [shown] = (await bench.call('DescribeScalingPolicies', { ServiceNamespace: 'ecs' })).ScalingPolicies;
    expect(shown.Alarms).toEqual([
      { AlarmName: 'busy', AlarmARN: 'arn:aws:cloudwatch:us-east-1:000000000000:alarm:busy' },
    ]);
  });
});

describe('policies', () => {
  test('are put, described as they were asked for, and deleted', async () => {
    const bench = await openScaling();
    await bench.on('RegisterScalableTarget', target);
    const customized = {
      MetricName: 'Depth',
      Namespace: 'Mine',
      Dimensions: [{ Name: 'Queue', Value: 'orders' }],
      Statistic: 'Average',
    };
    const label = 'app/web/0123456789abcdef/targetgroup/web/fedcba9876543210';
    const policies = [
      { ...cpu, PolicyName: 'a' },
      {
        ...cpu,
        PolicyName: 'b',
        TargetTrackingScalingPolicyConfiguration: {
          TargetValue: 7.5,
          CustomizedMetricSpecification: customized,
          DisableScaleIn: true,
        },
      },
      {
        ...cpu,
        PolicyName: 'c',
        TargetTrackingScalingPolicyConfiguration: {
          TargetValue: 100,
          PredefinedMetricSpecification: { PredefinedMetricType: 'ALBRequestCountPerTarget', ResourceLabel: label },
        },
      },
      { ...queue, PolicyName: 'd' },
    ];
    for (const policy of policies) await bench.on('PutScalingPolicy', policy);
    const { ScalingPolicies } = await bench.call('DescribeScalingPolicies', { ServiceNamespace: 'ecs' });
    expect(ScalingPolicies).toMatchObject(policies.map((policy) => ({ ...policy, ...bench.web })));
    expect(ScalingPolicies.map((one: { Alarms: object[] }) => one.Alarms.length)).toEqual([2, 1, 2, 0]);
    expect(ScalingPolicies[0].PolicyARN).toMatch(
      /^arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:[0-9a-f-]{36}:resource\/ecs\/service\/default\/web:policyName\/a$/,
    );
    for (const { PolicyName } of policies) await bench.on('DeleteScalingPolicy', { PolicyName });
    expect((await bench.call('DescribeScalingPolicies', { ServiceNamespace: 'ecs' })).ScalingPolicies).toEqual([]);
    expect(await bench.refused('DeleteScalingPolicy', { PolicyName: 'a' })).toMatch(
      /^ObjectNotFoundException: No scaling policy found/,
    );
  });

  const tracking = cpu.TargetTrackingScalingPolicyConfiguration;
  test.each([
    [{ ...cpu, TargetTrackingScalingPolicyConfiguration: undefined }, /must be specified for TargetTrackingScaling/],
    [{ ...cpu, PolicyType: 'StepScaling' }, /must be specified for StepScaling/],
    [{ ...cpu, PolicyType: 'PredictiveScaling' }, /PredictiveScalingPolicyConfiguration, and no other one, must be/],
    [{ ...cpu, TargetTrackingScalingPolicyConfiguration: { ...tracking, TargetValue: 0 } }, /greater than 0/],
    [
      { ...cpu, TargetTrackingScalingPolicyConfiguration: { ...tracking, CustomizedMetricSpecification: {} } },
      /Exactly one of PredefinedMetricSpecification/,
    ],
    [
      {
        ...cpu,
        TargetTrackingScalingPolicyConfiguration: {
          TargetValue: 1,
          PredefinedMetricSpecification: { PredefinedMetricType: 'DynamoDBReadCapacityUtilization' },
        },
      },
      /is not supported for the namespace ecs/,
    ],
    [
      {
        ...cpu,
        TargetTrackingScalingPolicyConfiguration: {
          TargetValue: 1,
          PredefinedMetricSpecification: { PredefinedMetricType: 'ALBRequestCountPerTarget' },
        },
      },
      /needs a ResourceLabel/,
    ],
    [
      {
        ...cpu,
        TargetTrackingScalingPolicyConfiguration: {
          TargetValue: 1,
          CustomizedMetricSpecification: { Namespace: 'Shop', Metrics: [{ Id: 'm1', Expression: 'm2' }] },
        },
      },
      /^ValidationException: Namespace cannot be specified together with Metrics/,
    ],
    [
      {
        ...cpu,
        TargetTrackingScalingPolicyConfiguration: {
          TargetValue: 1,
          CustomizedMetricSpecification: { Metrics: [{ Id: 'm1', Expression: 'm2 +' }] },
        },
      },
      /^ValidationException: CustomizedMetricSpecification.Metrics: /,
    ],
    [
      {
        ...cpu,
        TargetTrackingScalingPolicyConfiguration: {
          TargetValue: 1,
          CustomizedMetricSpecification: { Metrics: [{ Id: 'm1' }] },
        },
      },
      /^ValidationException: CustomizedMetricSpecification.Metrics: The query m1 must have exactly one of MetricStat and Expression/,
    ],
    [
      { ...queue, StepScalingPolicyConfiguration: { ...queue.StepScalingPolicyConfiguration, StepAdjustments: [] } },
      /At least one StepAdjustment/,
    ],
    [
      {
        ...queue,
        StepScalingPolicyConfiguration: { ...queue.StepScalingPolicyConfiguration, MinAdjustmentMagnitude: 1 },
      },
      /PercentChangeInCapacity alone/,
    ],
    [{ ...queue, PolicyName: 'a:b' }, /PolicyName/i],
  ])('are refused: %j', async (input, message) => {
    const bench = await openScaling();
    await bench.on('RegisterScalableTarget', target);
    expect(await bench.refused('PutScalingPolicy', input)).toMatch(message);
  });

  test('keep their type, track a metric once, and need a target', async () => {
    const bench = await openScaling();
    expect(await bench.refused('PutScalingPolicy', cpu)).toMatch(/^ObjectNotFoundException/);
    await bench.on('RegisterScalableTarget', target);
    await bench.on('PutScalingPolicy', cpu);
    expect(await bench.refused('PutScalingPolicy', { ...queue, PolicyName: 'cpu' })).toMatch(
      /type of a scaling policy cannot be changed/,
    );
    expect(await bench.refused('PutScalingPolicy', { ...cpu, PolicyName: 'again' })).toMatch(
      /Only one TargetTrackingScaling policy for a given metric specification is allowed: cpu has it already/,
    );
  });
});
