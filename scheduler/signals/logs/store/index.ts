/** Log groups, streams and their events, on blobs and records. */
export {
  idDigits,
  isPosition,
  type LogEvent,
  type LogGroup,
  LogGroupExists,
  LogGroupMissing,
  type LogGroupSettings,
  LogNameTooLong,
  LogsDamaged,
  type LogStore,
  type LogStream,
  LogStreamExists,
  LogStreamMissing,
  LogsThrottled,
  type NamePage,
  type NewLogEvent,
  positionAt,
  type ReadOptions,
  type ReadPage,
  type ScanOptions,
  type ScanPage,
  type Shipment,
  type ShippedMark,
  type StreamPage,
  type TailBatch,
  type TailedEvent,
  type TailedGroup,
} from './contract.ts';
export { blobsOfLogs, knownBlobsOfLogs, relocateLogs } from './blobs-of-logs.ts';
export { type LogRoom, logRoom } from './room.ts';
export { logRows } from './keys.ts';
export { type LogStoreOptions, type LogsPorts, StoredLogs } from './stored-logs.ts';
