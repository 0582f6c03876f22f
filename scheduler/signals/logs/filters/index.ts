/** Metric filters: what is counted of log events. */
export { fieldReader, isMetricValue } from './counting.ts';
export { Counts, type CountsPorts } from './counts.ts';
export { FilterMissing, type MetricFilter, MetricFilters, TooManyFilters } from './metric-filters.ts';
export type { MetricFilterRecord, MetricTransformation } from './records.ts';
