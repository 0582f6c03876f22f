/** Shapes of the CloudWatch API (2010-08-01), written by hand as ACM's are. Whatever else belongs to this API (alarms) is made of them too. */
import { required, type ShapeValue, shapesOf, simpleShapes } from '@slipway/auth/kit';

export { refused, required } from '@slipway/auth/kit';
export type Of<S> = ShapeValue<S>;

export const { text, number, flag, time } = simpleShapes;
export const { list, map, struct, errorSchema, operationSchema } = shapesOf({ namespace: 'com.amazonaws.cloudwatch' });

/** An answer without members. */
export const nothing = struct('Unit', {});
export const texts = list(text);
export const numbers = list(number);

export const dimension = struct('Dimension', { Name: required(text), Value: required(text) });
export const dimensions = list(dimension);
export const metric = struct('Metric', { Namespace: text, MetricName: text, Dimensions: dimensions });

/** What GetMetricData and alarms on metric math are asked with. */
export const metricDataQuery = struct('MetricDataQuery', {
  Id: required(text),
  MetricStat: struct('MetricStat', {
    Metric: required(metric),
    Period: required(number),
    Stat: required(text),
    Unit: text,
  }),
  Expression: text,
  Label: text,
  ReturnData: flag,
  Period: number,
  AccountId: text,
});
export type MetricDataQuery = Of<typeof metricDataQuery>;

export const tag = struct('Tag', { Key: required(text), Value: required(text) });
export const tagList = list(tag);
