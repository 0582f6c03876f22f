export { replicationRows } from './keys.ts';
export { replicatedFrom, replicator } from './mark.ts';
export { type Backfill, type BackfillResult, type Backfills, createBackfills } from './backfills.ts';
export { type ReplicationTarget, type Targets } from './targets.ts';
export { createReplication, type Replication, type ReplicationOptions } from './replication.ts';
export { type ImageStatus, readStatuses } from './statuses.ts';
