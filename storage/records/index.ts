export type { AnnouncedEvent, AnnouncedStream, EventSource } from './announced.ts';
export { Bell, settledOrAborted } from './bell.ts';
export { fenceKey, limits } from './encode.ts';
export { checkLayout, definePartition, type OwnedRows, ownerOf, type PartitionKind } from './layout.ts';
export { project, type Projection, type RecordChange } from './projection.ts';
export {
  type Batch,
  type Change,
  type Committed,
  type Condition,
  ConditionFailed,
  type EventDraft,
  type Fence,
  type FollowOptions,
  type Json,
  type ListOptions,
  type Page,
  type RecordStore,
  StaleEpoch,
  type Stored,
  StoreUnavailable,
} from './record-store.ts';
export type { RedisRecords, RedisRecordsConfig } from './redis-records.ts';
export { hasRoom, pagesOf, removePrefix, scan, scanAll, scanPages, scanPartitions } from './scan.ts';
export { openSqliteRecords, type SqliteRecordsConfig } from './sqlite-records.ts';
export { transact, type TransactOptions, type Transaction } from './transact.ts';
