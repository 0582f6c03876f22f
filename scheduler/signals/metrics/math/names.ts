/** How many arguments a function takes. */
export interface Arity {
  readonly least: number;
  readonly most: number;
}
const takes = (least: number, most = least): Arity => ({ least, most });

const arities: Readonly<Record<string, Arity>> = {
  ABS: takes(1),
  AVG: takes(1),
  CEIL: takes(1),
  DATAPOINT_COUNT: takes(1),
  DATE: takes(1),
  DAY: takes(1),
  DIFF: takes(1),
  DIFF_TIME: takes(1),
  EPOCH: takes(1),
  FILL: takes(2),
  FIRST: takes(1),
  FLOOR: takes(1),
  HOUR: takes(1),
  IF: takes(2, 3),
  LAST: takes(1),
  LOG: takes(1),
  LOG10: takes(1),
  MAX: takes(1),
  METRICS: takes(0, 1),
  METRIC_COUNT: takes(1),
  MIN: takes(1),
  MINUTE: takes(1),
  MONTH: takes(1),
  PERIOD: takes(1),
  RATE: takes(1),
  REMOVE_EMPTY: takes(1),
  RUNNING_SUM: takes(1),
  SLICE: takes(2, 3),
  SORT: takes(3, 4),
  STDDEV: takes(1),
  SUM: takes(1),
  TIME_SERIES: takes(1),
  YEAR: takes(1),
};

/** @returns undefined for what is no function */
export const arityOf = (name: string): Arity | undefined => (Object.hasOwn(arities, name) ? arities[name] : undefined);

export const functionNames: readonly string[] = Object.keys(arities);

/** Functions of CloudWatch that are not there, and what to do instead. */
export const refusedFunctions: Readonly<Record<string, string>> = {
  ANOMALY_DETECTION_BAND: 'nothing here learns what is usual; compare with a fixed value',
  DB_PERF_INSIGHTS: 'there are no databases',
  INSIGHT_RULE_METRIC: 'there are no Contributor Insights rules; put a metric of its own',
  LAMBDA: 'there are no Lambda data sources',
  SEARCH: 'ask ListMetrics, and name each metric with MetricStat',
  SERVICE_QUOTA: 'there are no service quotas',
};
