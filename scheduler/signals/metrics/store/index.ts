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
export { basicStatistics, type Statistic, statisticOf } from './statistics.ts';
