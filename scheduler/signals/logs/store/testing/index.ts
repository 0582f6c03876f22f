/** A log store, and a blob store, for tests and simulations. */
export { account, openedLogs, sealer } from './opened.ts';
export { MemoryBlobs } from './memory-blobs.ts';
export { MemoryLogs } from './memory-logs.ts';
