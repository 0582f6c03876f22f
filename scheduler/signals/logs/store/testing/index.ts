/** A log store for tests. */
export { MemoryLogs } from './memory-logs.ts';
