/** The query language of CloudWatch Logs Insights: queries are read, and run over events. Pure. */
export { QueryError, QueryTooHeavy } from './errors.ts';
export { mostRows } from './commands.ts';
export { parseQuery, type Query, type QueryRun, type ResultRow } from './query.ts';
export { type FoundEvent, objectIn } from './row.ts';
