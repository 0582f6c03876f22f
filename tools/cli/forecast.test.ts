import { expect, test } from 'vitest';
import { renderChart } from '../simulator/chart.ts';
import { forecastChart } from './forecast-chart.ts';
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

test('a forecast is drawn: what came and what is forecast hour by hour, the bounds that are near, and gaps where nothing was', () => {
  const ahead = { PolicyName: 'a<b', PolicyType: 'PredictiveScaling', PredictiveScalingPolicyConfiguration: policy };
  const of = (bounds: { MinCapacity: number; MaxCapacity: number }, more: object = {}) =>
    forecastChart({ service: 'default/web', bounds, policies: [{ ...ahead, forecast: { ...forecast, ...more } }] });
  const chart = of({ MinCapacity: 1, MaxCapacity: 10 });
  expect(chart?.series.map(({ name }) => name)).toEqual(['minimum', 'maximum', 'a<b: forecast', 'a<b: was']);
  expect(chart?.marks?.map(([at, text]) => `${at} ${text}`)).toEqual([
    '0 06-15 00:00',
    '12 06-15 12:00',
    '24 06-16 00:00',
    '36 06-16 12:00',
    '48 06-17 00:00',
  ]);
  const svg = renderChart(chart!);
  // Eight of ten tasks from the ninth hour to the tenth, of 48 over 770 wide, from 365 up to 60.
  expect(svg).toContain('214.4,304.0 214.4,121.0 230.4,121.0 230.4,304.0');
  expect(svg).toContain('>a&lt;b: was</text>');
  expect(svg.match(/<polyline/g)).toHaveLength(4);
  // A bound that is far above would leave nothing to see.
  expect(of({ MinCapacity: 1, MaxCapacity: 1_000 })?.series.map(({ name }) => name)).not.toContain('maximum');
  // An hour without a measurement breaks the line.
  const gap = of(
    { MinCapacity: 0, MaxCapacity: 0 },
    {
      actual: day(6)
        .with(5, Number.NaN)
        .map((tasks) => (Number.isNaN(tasks) ? null : tasks)),
    },
  );
  expect(renderChart(gap!).match(/<polyline/g)).toHaveLength(5);
  expect(forecastChart({ service: 'default/web', policies: [ahead] })).toBeUndefined();
});
