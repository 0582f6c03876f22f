import { cloudwatch } from './aws.ts';
import type { Point } from './chart.tsx';

/** Curves of one hour, by their names; times are seconds since the epoch. */
export type Hour<Name extends string> = { readonly from: number; readonly to: number } & {
  readonly [K in Name]: readonly Point[];
};

/** What a metric is of. */
export type Dimensions = readonly { readonly Name: string; readonly Value: string }[];

/** Seconds of a point of a curve. */
export const hourStep = 60;

/** The last hour of some metrics. @param metrics with their statistics, by the names that the curves get @throws AwsError */
export async function readHour<Name extends string>(
  Namespace: string,
  dimensions: Dimensions,
  metrics: { readonly [K in Name]: readonly [metric: string, statistic: 'Average' | 'Sum'] },
  signal: AbortSignal,
): Promise<Hour<Name>> {
  const to = Math.floor(Date.now() / 60_000) * 60;
  const from = to - 3600;
  const wanted = Object.entries<readonly [string, string]>(metrics);
  const { MetricDataResults = [] } = await cloudwatch(
    'GetMetricData',
    {
      StartTime: from,
      EndTime: to,
      ScanBy: 'TimestampAscending',
      MetricDataQueries: wanted.map(([Id, [MetricName, Stat]]) => ({
        Id,
        MetricStat: { Metric: { Namespace, MetricName, Dimensions: [...dimensions] }, Period: hourStep, Stat },
      })),
    },
    { signal },
  );
  const curves = wanted.map(([name]) => {
    const { Timestamps = [], Values = [] } = MetricDataResults.find(({ Id }) => Id === name) ?? {};
    return [name, Timestamps.map((time, i): Point => [time, Values[i] ?? 0])] as const;
  });
  return { from, to, ...Object.fromEntries(curves) } as Hour<Name>;
}
