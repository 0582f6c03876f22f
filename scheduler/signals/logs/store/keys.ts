import { definePartition, type OwnedRows } from '@slipway/storage/records';

const logs = definePartition('logs/<account>', 'the logs of one account');
export const logsPartition = logs.name;

const day = 86_400_000;
export const dayOf = (timestamp: number): number => Math.floor(timestamp / day);

const digits = (value: number, count: number): string => String(value).padStart(count, '0');

/** Names of groups and streams hold no NUL, and ids are hexadecimal. */
export const logKeys = {
  groups: 'group/',
  group: (name: string): string => `group/${name}`,
  streamsOf: (group: string): string => `stream/${group}/`,
  stream: (group: string, name: string): string => `stream/${group}/${name}`,
  /** When the events of a stream were, as compaction found them. */
  seenOf: (group: string): string => `seen/${group}/`,
  seen: (group: string, stream: string): string => `seen/${group}/${stream}`,
  /** How far a stream's sender has come. */
  shippedOf: (group: string): string => `shipped/${group}/`,
  shipped: (group: string, stream: string): string => `shipped/${group}/${stream}`,
  /** Deleted streams whose events lie in segments that were written before. */
  deadOf: (group: string): string => `dead/${group}/`,
  dead: (group: string, stream: string): string => `dead/${group}/${stream}`,
  /** Deleted groups of which something is left. */
  deletions: 'deleted/',
  deletion: (group: string): string => `deleted/${group}`,
  /** Metric filters of a group, and what was counted and is not told yet. */
  filtersOf: (group: string): string => `filter/${group}/`,
  filter: (group: string, name: string): string => `filter/${group}/${name}`,
  counts: 'counts/',
  /** Subscription filters of a group; by the id of one, how far its receiver is, and what it is owed. */
  subscriptions: 'subscription/',
  subscriptionsOf: (group: string): string => `subscription/${group}/`,
  subscription: (group: string, name: string): string => `subscription/${group}/${name}`,
  deliveries: 'delivery/',
  delivery: (subscription: string): string => `delivery/${subscription}`,
  owed: 'owed/',
  owedTo: (subscription: string): string => `owed/${subscription}/`,
  /** What the calls of a subscription filter are signed with, by a digest of its names. */
  signing: (names: string): string => `signing/${names}`,
  /** Queries, whose answers are blobs as well, and queries that were saved. */
  queries: 'query/',
  query: (id: string): string => `query/${id}`,
  definitions: 'definition/',
  definition: (id: string): string => `definition/${id}`,
  usage: (group: string): string => `usage/${group}`,
  chunks: 'chunk/',
  chunk: (time: number, writer: number, count: number): string =>
    `chunk/${digits(time, 14)}/${digits(writer, 12)}/${digits(count, 10)}`,
  segments: 'segment/',
  segmentsOf: (group: string): string => `segment/${group}/`,
  segment: (group: string, dayNumber: number, id: string): string => `segment/${group}/${digits(dayNumber, 6)}/${id}`,
  /** Blobs that no record names any more; they go when those who began to read them have ended. */
  garbage: 'garbage/',
  garbageOf: (generation: string): string => `garbage/${generation}`,
  /** The lease of whoever compacts. */
  keeper: 'keeper',
} as const;

export const logRows: OwnedRows = {
  partition: logs,
  owner: 'scheduler/signals/logs/store',
  keys: [
    logKeys.groups,
    'stream/',
    'seen/',
    'shipped/',
    'dead/',
    logKeys.deletions,
    'usage/',
    'filter/',
    logKeys.queries,
    logKeys.definitions,
    logKeys.counts,
    logKeys.subscriptions,
    logKeys.deliveries,
    logKeys.owed,
    'signing/',
    logKeys.chunks,
    logKeys.segments,
    logKeys.garbage,
  ],
};
