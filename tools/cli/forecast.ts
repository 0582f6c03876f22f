import { callJson } from './json-api.ts';
import { ApiError } from './query-api.ts';

/** How a predictive policy is, of what is read here. */
export interface Predictive {
  readonly MetricSpecifications: readonly {
    readonly TargetValue: number;
    readonly PredefinedMetricPairSpecification?: { readonly PredefinedMetricType: string };
    readonly PredefinedScalingMetricSpecification?: { readonly PredefinedMetricType: string };
  }[];
  readonly Mode: string;
}

/** What a predictive policy forecasts, and what came: tasks that the load of each hour takes at its most, as `--output json` prints it. */
export interface Forecast {
  /** When the first hour begins; seconds since the epoch. */
  readonly from: number;
  /** Of a day back, and of the next day. */
  readonly forecast: readonly (number | null)[];
  /** Of a day back. */
  readonly actual: readonly (number | null)[];
}

const hour = 3600;
const hours = 24;

/**
 * What a policy forecasts, and what came of what it had forecast.
 * @param now milliseconds since the epoch
 * @returns undefined: there is no forecast yet, or the caller may not see it
 */
export async function forecastOf(
  target: Readonly<Record<'ServiceNamespace' | 'ResourceId' | 'ScalableDimension', string>>,
  PolicyName: string,
  { MetricSpecifications: [of] }: Predictive,
  now: number,
): Promise<Forecast | undefined> {
  const begin = Math.floor(now / 1000 / hour) * hour;
  const from = begin - hours * hour;
  const window = { StartTime: from, EndTime: begin + hours * hour };
  try {
    const { CapacityForecast: made } = await callJson<{
      readonly CapacityForecast: { readonly Timestamps: readonly number[]; readonly Values: readonly number[] };
    }>('application-autoscaling', 'GetPredictiveScalingForecast', { ...target, PolicyName, ...window });
    const points = made.Timestamps.map((at, index) => ({ at, tasks: made.Values[index] ?? 0 }));
    const actual = await cameOf(target.ResourceId, of, from, begin).catch((error: unknown) => {
      if (error instanceof ApiError) return [];
      throw error;
    });
    return { from, forecast: byHour(points, from, 2 * hours), actual: byHour(actual, from, hours) };
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

interface Point {
  readonly at: number;
  readonly tasks: number;
}

/** The most of each hour. */
const byHour = (points: readonly Point[], from: number, count: number): readonly (number | null)[] =>
  Array.from({ length: count }, (_, index) => {
    const own = points.filter(({ at }) => Math.floor((at - from) / hour) === index);
    return own.length === 0 ? null : Math.max(...own.map(({ tasks }) => tasks));
  });

/** What the tasks of a service used altogether, as tasks that it takes. What target groups were asked is forecast too, and not shown beside. */
async function cameOf(
  resource: string,
  of: Predictive['MetricSpecifications'][number] | undefined,
  StartTime: number,
  EndTime: number,
): Promise<readonly Point[]> {
  const named = of?.PredefinedMetricPairSpecification ?? of?.PredefinedScalingMetricSpecification;
  const [, metric] = /^ECSService(?:Average)?(CPU|Memory)Utilization$/.exec(named?.PredefinedMetricType ?? '') ?? [];
  const [, cluster, service] = resource.split('/');
  if (metric === undefined || of === undefined) return [];
  const { Datapoints } = await callJson<{ readonly Datapoints: readonly { Timestamp: number; Sum: number }[] }>(
    'monitoring',
    'GetMetricStatistics',
    {
      Namespace: 'AWS/ECS',
      MetricName: `${metric}Utilization`,
      Dimensions: [
        { Name: 'ClusterName', Value: cluster },
        { Name: 'ServiceName', Value: service },
      ],
      StartTime,
      EndTime,
      Period: 300,
      Statistics: ['Sum'],
    },
  );
  // The sum over five minutes is that of five samples of each task.
  return Datapoints.map(({ Timestamp, Sum }) => ({ at: Timestamp, tasks: Math.ceil(Sum / 5 / of.TargetValue - 1e-9) }));
}

const bars = '▁▂▃▄▅▆▇█';

/** A picture of a forecast: a bar for each hour, what came over what was forecast, and the next day behind it. */
export function pictureOf({ from, forecast, actual }: Forecast): readonly string[] {
  const most = Math.max(1, ...forecast.flatMap((tasks) => tasks ?? []), ...actual.flatMap((tasks) => tasks ?? []));
  const bar = (tasks: number | null | undefined): string =>
    tasks === null || tasks === undefined ? ' ' : (bars[Math.round((tasks / most) * (bars.length - 1))] ?? ' ');
  const row = (values: readonly (number | null)[]): string => values.map(bar).join('');
  const next = forecast.slice(hours);
  const peak = Math.max(...next.map((tasks) => tasks ?? 0));
  const at = from + (hours + next.indexOf(peak)) * hour;
  return [
    `was       ${row(actual)}`.trimEnd(),
    `forecast  ${row(forecast.slice(0, hours))}|${row(next)}`.trimEnd(),
    `an hour for each bar, a day back and a day ahead; ${most} ${most === 1 ? 'task' : 'tasks'} for the highest; next most ${peak} at ${new Date(at * 1000).toISOString().slice(0, 16)}Z`,
  ];
}

/** A predictive policy in a line. */
export function predictiveLine({ MetricSpecifications: [of], Mode }: Predictive): string {
  const named = of?.PredefinedMetricPairSpecification ?? of?.PredefinedScalingMetricSpecification;
  const mode = Mode === 'ForecastAndScale' ? 'scales by its forecast' : 'forecasts, and scales nothing';
  return `${named?.PredefinedMetricType ?? 'a metric'} at ${of?.TargetValue ?? '?'}: ${mode}`;
}
