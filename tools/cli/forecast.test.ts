import { expect, test } from 'vitest';
import { pictureOf, predictiveLine } from './forecast.ts';
import { shown } from './scaling.ts';

const day = (most: number): number[] => Array.from({ length: 24 }, (_, hour) => (hour === 9 ? most : 2));
const forecast = { from: Date.parse('2026-06-15T00:00:00Z') / 1000, forecast: [...day(8), ...day(8)], actual: day(6) };
const policy = {
  MetricSpecifications: [
    { TargetValue: 50, PredefinedMetricPairSpecification: { PredefinedMetricType: 'ECSServiceCPUUtilization' } },
  ],
  Mode: 'ForecastOnly',
};

test('a forecast is a picture: what came over what was forecast, and the next day', () => {
  expect(pictureOf(forecast)).toEqual([
    'was       ▃▃▃▃▃▃▃▃▃▆▃▃▃▃▃▃▃▃▃▃▃▃▃▃',
    'forecast  ▃▃▃▃▃▃▃▃▃█▃▃▃▃▃▃▃▃▃▃▃▃▃▃|▃▃▃▃▃▃▃▃▃█▃▃▃▃▃▃▃▃▃▃▃▃▃▃',
    'an hour for each bar, a day back and a day ahead; 8 tasks for the highest; next most 8 at 2026-06-16T09:00Z',
  ]);
  // The first day, when nothing was forecast yet.
  const first = { ...forecast, forecast: [...day(8).map(() => null), ...day(8)], actual: [] };
  expect(pictureOf(first)[1]).toBe(`forecast  ${' '.repeat(24)}|▃▃▃▃▃▃▃▃▃█▃▃▃▃▃▃▃▃▃▃▃▃▃▃`);
});

test('a service shows its predictive policies with what they forecast', () => {
  expect(predictiveLine({ ...policy, Mode: 'ForecastAndScale' })).toBe(
    'ECSServiceCPUUtilization at 50: scales by its forecast',
  );
  const ahead = { PolicyName: 'ahead', PolicyType: 'PredictiveScaling', PredictiveScalingPolicyConfiguration: policy };
  const web = { service: 'default/web', desiredCount: 1, runningCount: 1, actions: [], activities: [] };
  const bounds = { MinCapacity: 1, MaxCapacity: 9 };
  expect(
    shown({ ...web, bounds, policies: [ahead] }, 0)
      .split('\n')
      .slice(1),
  ).toEqual([
    '  ahead: ECSServiceCPUUtilization at 50: forecasts, and scales nothing',
    '    no forecast yet: it needs two days of history',
  ]);
  expect(
    shown({ ...web, bounds, policies: [{ ...ahead, forecast }] }, 0)
      .split('\n')
      .slice(1, 4),
  ).toEqual([
    '  ahead: ECSServiceCPUUtilization at 50: forecasts, and scales nothing',
    `    ${pictureOf(forecast)[0]}`,
    `    ${pictureOf(forecast)[1]}`,
  ]);
});
