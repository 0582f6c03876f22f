export type { Isolation } from './runtimes.ts';
export { IsolationError, TaskIsolation } from './task-isolation.ts';
