/** The API of CloudWatch Logs. */
export { createLogs, type LogsOptions, logsSchemas } from './create-logs.ts';
