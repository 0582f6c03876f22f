/** What tasks write into logs. */
export { type ContainerStream, type LogWriter, type Shipped, TaskLogs, type TaskLogsPorts } from './task-logs.ts';
