/** Logs: the store of their events, and the API of CloudWatch Logs over it. */
export { createLogs, type LogsOptions, logsSchemas } from './api/index.ts';
export { LogQueries } from './queries/index.ts';
export * from './store/index.ts';
export { type ContainerStream, type LogWriter, type Shipped, TaskLogs, type TaskLogsPorts } from './tasks/index.ts';
export { parsePattern, PatternError } from './patterns/index.ts';
export { createSubscriptionAdministration } from './subscriptions/index.ts';
