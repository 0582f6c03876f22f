import { expect, test } from 'vitest';
import { scale } from './scale.ts';
import { isScaled, shown } from './scaling.ts';

test('shows what scales a service, and what it did last', () => {
  const text = shown(
    {
      service: 'default/web',
      desiredCount: 5,
      runningCount: 4,
      bounds: { MinCapacity: 2, MaxCapacity: 10 },
      policies: [
        {
          PolicyName: 'slipway-cpu',
          PolicyType: 'TargetTrackingScaling',
          TargetTrackingScalingPolicyConfiguration: {
            TargetValue: 60,
            PredefinedMetricSpecification: { PredefinedMetricType: 'ECSServiceAverageCPUUtilization' },
          },
        },
        { PolicyName: 'queue', PolicyType: 'StepScaling' },
      ],
      actions: [
        {
          ScheduledActionName: 'night',
          Schedule: 'cron(0 22 * * ? *)',
          Timezone: 'Europe/Berlin',
          ScalableTargetAction: { MaxCapacity: 3 },
        },
      ],
      activities: [
        {
          StartTime: 1000,
          Description: 'Setting desired count to 5.',
          Cause: 'monitor alarm busy in state ALARM triggered policy queue',
          StatusCode: 'Successful',
        },
        { StartTime: 0, Description: 'Setting bounds.', Cause: 'they contradict each other', StatusCode: 'Failed' },
      ],
    },
    1_090_000,
  );
  // oxlint-disable-next-line no-control-regex -- colours of the table
  expect(text.replaceAll(/\u001b\[\d+m/g, '').split('\n')).toEqual([
    'default/web: 5 wanted, 4 running, 2 to 10 allowed',
    '  slipway-cpu: ECSServiceAverageCPUUtilization at 60',
    '  queue: steps of an alarm that names it',
    '  night: cron(0 22 * * ? *) Europe/Berlin, at most 3',
    '',
    'when        what                         why',
    '90 s ago    Setting desired count to 5.  monitor alarm busy in state ALARM triggered policy queue',
    '18 min ago  Failed: Setting bounds.      they contradict each other',
  ]);
});

test('says what to do where nothing scales a service', () => {
  const none = { service: 'default/web', desiredCount: 1, runningCount: 1, policies: [], actions: [], activities: [] };
  expect([isScaled(none), isScaled({ ...none, bounds: { MinCapacity: 1, MaxCapacity: 2 } })]).toEqual([false, true]);
  expect(shown(none, 0)).toBe(
    'default/web: 1 wanted, 1 running\nNothing scales it: slipway scale --min 2 --max 10 --cpu 60 would.',
  );
});

test.each([
  [['web', 'five', {}], "the count is a number of tasks, not 'five'"],
  [['web', undefined, { min: '-1' }], "--min is a number of tasks, not '-1'"],
  [['web', undefined, { cpu: '0' }], "--cpu is a part in percent, not '0'"],
  [['web', '3', { off: true }], '--off goes with no other option'],
  [['a/b/c', '3', {}], 'name the service as <cluster>/<service>'],
] as const)('%j is refused before anything is asked', async ([name, count, options], message) => {
  await expect(scale(name, count, { output: 'text', ...options })).rejects.toThrow(message);
});
