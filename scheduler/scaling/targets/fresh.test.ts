import { describe, expect, test } from 'vitest';
import type { ServiceReadings } from '../../signals/usage/index.ts';
import { openScaling } from '../testing/scaling-bench.ts';

const account = '000000000000';
const target = { MinCapacity: 1, MaxCapacity: 10 };
const tracking = (PredefinedMetricType: string, more: object = {}, PolicyName = 'cpu'): object => ({
  PolicyName,
  PolicyType: 'TargetTrackingScaling',
  TargetTrackingScalingPolicyConfiguration: {
    TargetValue: 50,
    PredefinedMetricSpecification: { PredefinedMetricType, ...more },
    ScaleInCooldown: 60,
  },
});
const cpu = tracking('ECSServiceAverageCPUUtilization');
const nothing: ServiceReadings['memory'] = { sums: [], tasks: 0 };

/** A service of two tasks, the clock at 12:00:00, and a process that says what tasks use in per cent, the newest first. */
async function opened(...policies: readonly object[]) {
  const bench = await openScaling();
  await bench.deployed();
  await bench.on('RegisterScalableTarget', target);
  const alarms: string[] = [];
  for (const policy of policies)
    for (const { AlarmName } of (await bench.on('PutScalingPolicy', policy)).Alarms) alarms.push(AlarmName);
  let rows = 0;
  return {
    ...bench,
    alarmsMade: alarms,
    async say(at: string, sums: readonly number[], tasks: number, memory = nothing): Promise<void> {
      bench.clock.at = Date.parse(at);
      rows = await bench.readings.put(
        account,
        'default',
        'p',
        new Map([['web', { cpu: { sums, tasks }, memory }]]),
        rows,
      );
    },
    async desired(at: string): Promise<number | undefined> {
      await bench.look(at);
      return (await bench.service())?.desiredCount;
    },
  };
}

describe('what was just measured', () => {
  test('scales out seconds after it is above the target, and says so; the alarms stay what their minutes say', async () => {
    const bench = await opened(cpu);
    expect(await bench.desired('2026-06-15T12:00:00Z')).toBe(2);
    expect(await bench.readings.wanted(account, 'default')).toEqual(new Set(['web']));
    await bench.say('2026-06-15T12:00:05Z', [300, 90, 80], 2);
    expect(await bench.desired('2026-06-15T12:00:06Z')).toBe(2);
    await bench.say('2026-06-15T12:00:09Z', [310, 290, 120], 2);
    expect(await bench.desired('2026-06-15T12:00:10Z')).toBe(6);
    expect((await bench.activities())[0]).toMatchObject({
      StatusCode: 'Successful',
      Description: 'Setting desired count to 6.',
      Cause:
        'the last readings of ECSServiceAverageCPUUtilization (60, 145, 155) were above the target of 50 triggered policy cpu',
    });
    expect(bench.lines.at(-1)).toMatchObject({
      message: 'scaled a service',
      fields: { policy: 'cpu', from: 2, desired: 6 },
    });
    const states = [...(await bench.alarms.all(account)).values()].map(({ state }) => state);
    expect(states).toEqual(['INSUFFICIENT_DATA', 'INSUFFICIENT_DATA']);
  });

  test('is neither doubled nor forgotten by the next leader, and what is on its way counts', async () => {
    const bench = await opened(cpu);
    await bench.desired('2026-06-15T12:00:00Z');
    await bench.say('2026-06-15T12:00:09Z', [300, 300, 300], 2);
    // Each look is another leader: all of them decide from what is stored.
    expect(await bench.desired('2026-06-15T12:00:10Z')).toBe(6);
    expect(await bench.desired('2026-06-15T12:00:12Z')).toBe(6);
    // Six run, of which two have been measured: they alone are known to be busy.
    bench.running(6);
    await bench.say('2026-06-15T12:00:20Z', [240, 240, 240], 2);
    expect(await bench.desired('2026-06-15T12:00:21Z')).toBe(6);
    await bench.say('2026-06-15T12:00:40Z', [400, 400, 400], 6);
    expect(await bench.desired('2026-06-15T12:00:41Z')).toBe(8);
    expect(await bench.activities()).toHaveLength(2);
  });

  test('of a process that has fallen silent counts no more, nor do tasks beyond those that run', async () => {
    const bench = await opened(cpu);
    await bench.desired('2026-06-15T12:00:00Z');
    await bench.say('2026-06-15T12:00:00Z', [300, 300, 300], 2);
    expect(await bench.desired('2026-06-15T12:00:20Z')).toBe(2);
    // An agent that moved, of which two processes speak.
    await bench.say('2026-06-15T12:00:30Z', [400, 400, 400], 4);
    expect(await bench.desired('2026-06-15T12:00:31Z')).toBe(4);
  });

  test('keeps a service from going in by a low alarm of minutes that were quiet', async () => {
    const bench = await opened(cpu);
    await bench.setDesired(4);
    bench.running(4);
    await bench.alarm(bench.alarmsMade[1] ?? '', 'ALARM');
    await bench.cpu('2026-06-15T12:02:00Z', 10);
    await bench.say('2026-06-15T12:03:10Z', [280, 280, 280], 4);
    expect(await bench.desired('2026-06-15T12:03:11Z')).toBe(6);
    bench.running(6);
    // What the alarm has seen is of before.
    await bench.say('2026-06-15T12:03:20Z', [240, 240, 240], 6);
    expect(await bench.desired('2026-06-15T12:03:21Z')).toBe(6);
  });

  test('does nothing where scaling out is suspended, and is not asked for once no policy needs it', async () => {
    const bench = await opened(cpu);
    await bench.on('RegisterScalableTarget', { SuspendedState: { DynamicScalingOutSuspended: true } });
    await bench.desired('2026-06-15T12:00:00Z');
    await bench.say('2026-06-15T12:00:09Z', [300, 300, 300], 2);
    expect(await bench.desired('2026-06-15T12:00:10Z')).toBe(2);
    await bench.on('DeleteScalingPolicy', { PolicyName: 'cpu' });
    await bench.desired('2026-06-15T12:00:20Z');
    expect(await bench.readings.wanted(account, 'default')).toBeUndefined();
  });

  test('is memory, and requests of a target group, each for its own policy', async () => {
    const label = 'app/web/0123456789abcdef/targetgroup/web/fedcba9876543210';
    const bench = await opened(
      tracking('ECSServiceAverageMemoryUtilization', {}, 'memory'),
      tracking('ALBRequestCountPerTarget', { ResourceLabel: label }, 'requests'),
    );
    await bench.desired('2026-06-15T12:00:00Z');
    await bench.say('2026-06-15T12:00:09Z', [900, 900, 900], 2, { sums: [150, 150, 150], tasks: 2 });
    expect(await bench.desired('2026-06-15T12:00:10Z')).toBe(3);
    const asked = (requests: number): void =>
      void bench.rates.set('fedcba9876543210', {
        perMinute: [300, 300, 300],
        requests,
        minutes: 0.25,
        targets: 2,
      });
    // 25 are what the target comes to for two targets: 30 may be chance.
    asked(30);
    expect(await bench.desired('2026-06-15T12:00:12Z')).toBe(3);
    asked(75);
    expect(await bench.desired('2026-06-15T12:00:14Z')).toBe(6);
    expect((await bench.activities())[0]).toMatchObject({
      Cause:
        'the last readings of ALBRequestCountPerTarget (150, 150, 150) were above the target of 50 triggered policy requests',
    });
  });

  test('says nothing of metrics of periods: a customized metric waits for its alarm', async () => {
    const bench = await opened({
      PolicyName: 'own',
      PolicyType: 'TargetTrackingScaling',
      TargetTrackingScalingPolicyConfiguration: {
        TargetValue: 50,
        CustomizedMetricSpecification: { MetricName: 'Depth', Namespace: 'Jobs', Statistic: 'Average' },
      },
    });
    await bench.desired('2026-06-15T12:00:00Z');
    await bench.say('2026-06-15T12:00:09Z', [900, 900, 900], 2);
    expect(await bench.desired('2026-06-15T12:00:10Z')).toBe(2);
    expect(await bench.readings.wanted(account, 'default')).toBeUndefined();
  });
});
