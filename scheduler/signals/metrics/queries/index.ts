/** What GetMetricData and alarms ask: metrics with a statistic and a period, and expressions of them. */
export { type CheckedQuery, checkQueries, isPeriod, type MetricQuery, QueryError } from './check.ts';
export { evaluateQueries, type QueryRange, type QueryResult } from './evaluate-queries.ts';
