/** A log store, and a blob store, for tests and simulations. */
export { MemoryBlobs } from './memory-blobs.ts';
export { MemoryLogs } from './memory-logs.ts';
