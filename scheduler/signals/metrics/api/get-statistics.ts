import { type Bucket, basicStatistics, type Statistic, statisticOf } from '../store/index.ts';

import { isPeriod } from '../queries/index.ts';

import { combination, invalid } from './errors.ts';
import { type CloudWatchOperations, mayAny, operation } from './operation.ts';
import { dimensions, list, map, number, required, struct, text, texts, time } from './shapes.ts';

/** Datapoints of one answer (API reference, GetMetricStatistics). */
const mostPoints = 1440;

export const statisticsOperations: CloudWatchOperations = {
  GetMetricStatistics: operation({
    input: struct('GetMetricStatisticsInput', {
      Namespace: required(text),
      MetricName: required(text),
      Dimensions: dimensions,
      StartTime: required(time),
      EndTime: required(time),
      Period: required(number),
      Statistics: texts,
      ExtendedStatistics: texts,
      Unit: text,
    }),
    output: struct('GetMetricStatisticsOutput', {
      Label: text,
      Datapoints: list(
        struct('Datapoint', {
          Timestamp: time,
          SampleCount: number,
          Average: number,
          Sum: number,
          Minimum: number,
          Maximum: number,
          Unit: text,
          ExtendedStatistics: map(number),
        }),
      ),
    }),
    access: mayAny('GetMetricStatistics'),
    handle: async (input, { api, account }) => {
      const { Namespace, MetricName, Dimensions = [], Period, Statistics = [], ExtendedStatistics = [], Unit } = input;
      checkPeriod(Period, 'Period');
      const { from, to } = rangeOf(input);
      if (Statistics.length > 0 === ExtendedStatistics.length > 0)
        throw combination('Exactly one of the parameters Statistics and ExtendedStatistics must be specified.');
      const extended = ExtendedStatistics.map((name) => [name, knownStatistic(name, 'ExtendedStatistics')] as const);
      const points = Math.ceil((to - from) / (Period * 1000));
      if (points > mostPoints)
        throw combination(
          `You have requested up to ${shown(points)} datapoints, which exceeds the limit of ${shown(mostPoints)}. You may reduce the datapoints requested by increasing Period, or decreasing the time range.`,
        );
      const [buckets = []] = await api.metrics.read(
        account,
        [
          {
            namespace: Namespace,
            name: MetricName,
            dimensions: Dimensions.map(({ Name, Value }) => ({ name: Name, value: Value })),
          },
        ],
        { from, to, period: Period, unit: Unit, distributions: extended.length > 0 },
      );
      const Datapoints = buckets.flatMap((bucket) => datapoint(bucket, Statistics, extended) ?? []);
      return { Label: MetricName, Datapoints };
    },
  }),
};

function datapoint(
  bucket: Bucket,
  basic: readonly string[],
  extended: readonly (readonly [name: string, statistic: Statistic])[],
) {
  const known = { Timestamp: new Date(bucket.time), Unit: bucket.unit };
  const valuesOf = (of: readonly (readonly [string, Statistic | undefined])[]) =>
    Object.fromEntries(
      of.flatMap(([name, statistic]) => {
        const value = statistic?.(bucket);
        return value === undefined ? [] : [[name, value]];
      }),
    );
  if (extended.length === 0) return { ...known, ...valuesOf(basic.map((name) => [name, statisticOf(name)])) };
  const values = valuesOf(extended);
  return Object.keys(values).length === 0 ? undefined : { ...known, ExtendedStatistics: values };
}

/** The statistic of a name. @throws InvalidParameterValue */
export function knownStatistic(name: string, at: string): Statistic {
  const found = statisticOf(name);
  if (found === undefined)
    throw invalid(
      `The value ${name.slice(0, 100)} for parameter ${at} is invalid. Statistics are ${basicStatistics.join(', ')}, p<percent>, tm, wm, tc, ts<percent>, TM, WM, TC, TS(<from>:<to>), PR(<from>:<to>) and IQM.`,
    );
  return found;
}

/** @throws InvalidParameterValue unless it is 1, 5, 10, 20, 30 or a multiple of 60 */
export function checkPeriod(period: number, at: string): void {
  if (!isPeriod(period))
    throw invalid(
      `The parameter ${at} must be 1, 5, 10, 20, 30 or a multiple of 60 seconds, and at most a year, not ${period}.`,
    );
}

/** @throws InvalidParameterCombination unless there is time in between */
export function rangeOf(input: { readonly StartTime: Date; readonly EndTime: Date }): {
  readonly from: number;
  readonly to: number;
} {
  const [from, to] = [input.StartTime.getTime(), input.EndTime.getTime()];
  if (!(from < to)) throw combination('The parameter StartTime must be less than the parameter EndTime.');
  return { from, to };
}

const shown = (points: number): string => points.toLocaleString('en-US');
