/** Series of measured values, on blobs and records. */
export {
  type Bucket,
  type CountedValues,
  type Dimension,
  type Distribution,
  MetricsDamaged,
  type MetricStore,
  MetricsThrottled,
  mostValue,
  type ReadRange,
  relativeError,
  type Sample,
  type Series,
  type SeriesFilter,
  type SeriesPage,
  type StatisticSet,
  TooManySeries,
} from './contract.ts';
export { valuesLimit } from './checks.ts';
export { basicStatistics, type Statistic, statisticOf } from './statistics.ts';
export { blobsOfMetrics, knownBlobsOfMetrics, relocateMetrics } from './blobs-of-metrics.ts';
export { metricGauges } from './gauges.ts';
export { metricKeys, metricRows, metricsPartition } from './keys.ts';
export type { DashboardRecord } from './records.ts';
export { type MetricsPorts, type MetricStoreOptions, StoredMetrics } from './stored-metrics.ts';
export { units } from './units.ts';
export { metricRoom } from './capping.ts';
