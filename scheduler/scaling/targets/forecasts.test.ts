import { describe, expect, test } from 'vitest';

import { account } from '../../balancing/testing/caller.ts';
import { openScaling } from '../testing/scaling-bench.ts';

const minute = 60_000;
const slot = 5 * minute;
const day = 288 * slot;
const noon = Date.parse('2026-06-15T12:00:00Z');

const configuration = (more: object = {}) => ({
  MetricSpecifications: [
    { TargetValue: 50, PredefinedMetricPairSpecification: { PredefinedMetricType: 'ECSServiceCPUUtilization' } },
  ],
  ...more,
});
const policy = (more: object = {}) => ({
  PolicyName: 'ahead',
  PolicyType: 'PredictiveScaling',
  PredictiveScalingPolicyConfiguration: configuration(more),
});

const cpu = {
  PolicyName: 'cpu',
  PolicyType: 'TargetTrackingScaling',
  TargetTrackingScalingPolicyConfiguration: {
    TargetValue: 50,
    PredefinedMetricSpecification: { PredefinedMetricType: 'ECSServiceAverageCPUUtilization' },
  },
};

/** A service whose tasks used 60 altogether in the last days, and 400 in the hour after 13:00 of each. */
async function open(days = 3, now = noon) {
  const bench = await openScaling();
  bench.clock.at = now;
  await bench.deployed();
  await bench.on('RegisterScalableTarget', { MinCapacity: 1, MaxCapacity: 6 });
  const load = (at: number): number => (at % day >= 13 * 60 * minute && at % day < 14 * 60 * minute ? 400 : 60);
  const samples = Array.from({ length: (days * day) / slot }, (_, index) => {
    const at = now - (index + 1) * slot;
    return {
      namespace: 'AWS/ECS',
      name: 'CPUUtilization',
      dimensions: [
        { name: 'ClusterName', value: 'default' },
        { name: 'ServiceName', value: 'web' },
      ],
      timestamp: at,
      resolution: 60 as const,
      // Two tasks in each of five minutes.
      measured: { count: 10, sum: 5 * load(at), min: 0, max: 400 },
    };
  });
  await bench.metrics.put(account, samples);
  const window = { PolicyName: 'ahead', StartTime: new Date(now), EndTime: new Date(now + 2 * day) };
  return {
    ...bench,
    forecast: (more: object = {}) => bench.on('GetPredictiveScalingForecast', { ...window, ...more }),
    window,
  };
}

describe('predictive scaling', () => {
  test('forecasts two days by those before, shows it, and changes nothing unless it is asked to', async () => {
    const bench = await open();
    await bench.on('PutScalingPolicy', policy());
    expect(await bench.refused('GetPredictiveScalingForecast', bench.window)).toMatch(
      /^ValidationException: There is no forecast yet/,
    );
    await bench.look('2026-06-15T12:00:10Z');
    const { LoadForecast, CapacityForecast, UpdateTime } = await bench.forecast();
    expect(LoadForecast[0].Values).toHaveLength(576);
    expect(LoadForecast[0].MetricSpecification).toEqual(configuration().MetricSpecifications[0]);
    expect(new Set(CapacityForecast.Values)).toEqual(new Set([2, 8]));
    expect(CapacityForecast.Values.indexOf(8)).toBe(12);
    expect(CapacityForecast.Timestamps[12]).toBe(Date.parse('2026-06-15T13:00:00Z') / 1000);
    expect(UpdateTime).toBe(Date.parse('2026-06-15T12:00:10Z') / 1000);
    await bench.look('2026-06-15T13:00:00Z');
    expect((await bench.service())?.desiredCount).toBe(2);
    const { ScalingPolicies } = await bench.call('DescribeScalingPolicies', { ServiceNamespace: 'ecs' });
    expect(ScalingPolicies).toMatchObject([
      {
        PolicyType: 'PredictiveScaling',
        PredictiveScalingPolicyConfiguration: {
          ...configuration(),
          Mode: 'ForecastOnly',
          MaxCapacityBreachBehavior: 'HonorMaxCapacity',
        },
        Alarms: [],
      },
    ]);
    expect(await bench.alarmNames()).toEqual([]);
  });

  test('goes by the clock of the time zone that the schedules of the service name, also when clocks were changed', async () => {
    // A day and a half after summer has ended there: two of three days had their load at 15:00 of summer, which is 14:00 by UTC now.
    const now = Date.parse('2026-10-26T12:00:00Z');
    const begins = async (...zones: readonly string[]): Promise<string> => {
      const bench = await open(3, now);
      // Nobody looks at the zone of a rate.
      await bench.on('PutScheduledAction', {
        ScheduledActionName: 'rate',
        Schedule: 'rate(1 day)',
        Timezone: 'No/Zone',
        ScalableTargetAction: { MinCapacity: 1 },
      });
      for (const Timezone of zones)
        await bench.on('PutScheduledAction', {
          ScheduledActionName: Timezone.replace('/', '-'),
          Schedule: 'cron(0 22 * * ? *)',
          Timezone,
          ScalableTargetAction: { MinCapacity: 1 },
        });
      await bench.on('PutScalingPolicy', policy());
      await bench.look('2026-10-26T12:00:10Z');
      const { Values, Timestamps } = (await bench.forecast()).CapacityForecast;
      return new Date(Timestamps[Values.indexOf(8)] * 1000).toISOString();
    };
    expect(await begins('Europe/Berlin')).toBe('2026-10-26T14:00:00.000Z');
    expect(await begins()).toBe('2026-10-26T13:00:00.000Z');
    expect(await begins('Europe/Berlin', 'Asia/Tokyo')).toBe('2026-10-26T13:00:00.000Z');
  });

  test('begins tasks before their load, and says why; never above the maximum', async () => {
    const bench = await open();
    await bench.on('PutScalingPolicy', policy({ Mode: 'ForecastAndScale', SchedulingBufferTime: 600 }));
    await bench.look('2026-06-15T12:00:10Z');
    await bench.look('2026-06-15T12:49:50Z');
    expect((await bench.service())?.desiredCount).toBe(2);
    await bench.look('2026-06-15T12:50:00Z');
    expect((await bench.service())?.desiredCount).toBe(6);
    expect((await bench.activities())[0]).toMatchObject({
      Cause: 'the forecast of ECSServiceCPUUtilization (400 at 2026-06-15T13:00Z) triggered policy ahead',
      Description: 'Setting desired count to 6.',
    });
  });

  test('may go above the maximum by as much as the policy says', async () => {
    const bench = await open();
    const more = { Mode: 'ForecastAndScale', MaxCapacityBreachBehavior: 'IncreaseMaxCapacity', MaxCapacityBuffer: 10 };
    await bench.on('PutScalingPolicy', policy(more));
    await bench.look('2026-06-15T12:55:00Z');
    expect((await bench.service())?.desiredCount).toBe(8);
  });

  test('never asks for more tasks than one service may have, however little of the load each is to have', async () => {
    const bench = await open();
    const { MetricSpecifications } = configuration();
    await bench.on(
      'PutScalingPolicy',
      policy({
        MetricSpecifications: MetricSpecifications.map((of) => ({ ...of, TargetValue: 1e-300 })),
        Mode: 'ForecastAndScale',
        MaxCapacityBreachBehavior: 'IncreaseMaxCapacity',
        MaxCapacityBuffer: 100,
      }),
    );
    await bench.look('2026-06-15T12:55:00Z');
    expect((await bench.service())?.desiredCount).toBe(5000);
    expect(new Set((await bench.forecast()).CapacityForecast.Values)).toEqual(new Set([5000]));
  });

  test('a history that cannot be read keeps nobody from being scaled by what is measured now', async () => {
    const bench = await open();
    const read = bench.metrics.read.bind(bench.metrics);
    // Histories alone are read in periods of five minutes.
    bench.metrics.read = (of, series, range) =>
      range.period === 300 ? Promise.reject(new Error('a segment is torn')) : read(of, series, range);
    await bench.on('PutScalingPolicy', policy({ Mode: 'ForecastAndScale' }));
    await bench.on('PutScalingPolicy', cpu);
    const high = (await bench.alarmNames()).find((name) => name.includes('AlarmHigh')) ?? '';
    await bench.alarm(high, 'ALARM');
    await bench.cpu('2026-06-15T12:09:00Z', 150);
    await bench.look('2026-06-15T12:10:05Z');
    expect((await bench.service())?.desiredCount).toBe(6);
    expect(bench.lines.map(({ message }) => message)).toContain(
      'cannot forecast the load of a service now; trying again',
    );
  });

  test('keeps tasks that their load is forecast for, whatever another policy wants', async () => {
    const bench = await open();
    await bench.on('PutScalingPolicy', policy({ Mode: 'ForecastAndScale' }));
    await bench.on('PutScalingPolicy', cpu);
    await bench.setDesired(5);
    bench.running(5);
    const low = (await bench.alarmNames()).find((name) => name.includes('AlarmLow')) ?? '';
    await bench.alarm(low, 'ALARM');
    await bench.cpu('2026-06-15T12:09:00Z', 1);
    await bench.look('2026-06-15T12:10:05Z');
    // Half of the tasks at once at most, and the forecast of two.
    expect((await bench.service())?.desiredCount).toBe(3);
    bench.running(3);
    await bench.cpu('2026-06-15T12:19:00Z', 1);
    await bench.look('2026-06-15T12:20:05Z');
    expect((await bench.service())?.desiredCount).toBe(2);
    bench.running(2);
    await bench.cpu('2026-06-15T12:29:00Z', 1);
    await bench.look('2026-06-15T12:30:05Z');
    expect((await bench.service())?.desiredCount).toBe(2);
  });

  test('without two days of history there is no forecast, and one that is deleted is gone', async () => {
    const bench = await open(1);
    await bench.on('PutScalingPolicy', policy());
    await bench.look('2026-06-15T12:00:10Z');
    expect(await bench.refused('GetPredictiveScalingForecast', bench.window)).toMatch(
      /needs two days in which the metric was measured/,
    );
    await bench.on('DeleteScalingPolicy', { PolicyName: 'ahead' });
    expect(await bench.refused('GetPredictiveScalingForecast', bench.window)).toMatch(
      /There is no predictive scaling policy ahead/,
    );
  });

  const pair = (PredefinedMetricType: string, more: object = {}) => ({
    MetricSpecifications: [{ TargetValue: 50, PredefinedMetricPairSpecification: { PredefinedMetricType, ...more } }],
  });
  test.each([
    [{ MetricSpecifications: [] }, /MetricSpecifications' failed/],
    [pair('ECSServiceMagic'), /ECSServiceMagic is not supported: use ECSServiceCPUUtilization/],
    [pair('ECSServiceCPUUtilization', { ResourceLabel: 'a' }), /ResourceLabel is for metrics of requests alone/],
    [pair('ALBRequestCount'), /needs a ResourceLabel: app/],
    [{ MetricSpecifications: [{ TargetValue: 50 }] }, /has a PredefinedMetricPairSpecification, or both/],
    [{ ...configuration(), MaxCapacityBuffer: 10 }, /MaxCapacityBuffer is required where/],
    [{ ...configuration(), MaxCapacityBreachBehavior: 'IncreaseMaxCapacity' }, /MaxCapacityBuffer is required where/],
    [{ ...configuration(), SchedulingBufferTime: 3601 }, /SchedulingBufferTime' failed/],
    [{ ...configuration(), Mode: 'Guess' }, /Mode' failed/],
    [
      {
        MetricSpecifications: [
          { TargetValue: 50, CustomizedLoadMetricSpecification: { MetricDataQueries: [{ Id: 'a' }] } },
        ],
      },
      /CustomizedLoadMetricSpecification is not supported by this installation/,
    ],
  ])('a configuration %j is refused', async (PredictiveScalingPolicyConfiguration, refusal) => {
    const bench = await open(0);
    expect(await bench.refused('PutScalingPolicy', { ...policy(), PredictiveScalingPolicyConfiguration })).toMatch(
      refusal,
    );
  });

  test('a window of a forecast that is none is refused', async () => {
    const bench = await open();
    await bench.on('PutScalingPolicy', policy());
    await bench.look('2026-06-15T12:00:10Z');
    expect(await bench.refused('GetPredictiveScalingForecast', { ...bench.window, EndTime: new Date(noon) })).toMatch(
      /EndTime must be later/,
    );
    const EndTime = new Date(noon + 31 * day);
    expect(await bench.refused('GetPredictiveScalingForecast', { ...bench.window, EndTime })).toMatch(
      /at most 30 days apart/,
    );
  });
});
