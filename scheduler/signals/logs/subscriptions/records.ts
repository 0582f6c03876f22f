import type { EventsRecord } from '../store/records.ts';

/** A subscription filter, under the id of its group and its own name. Times are milliseconds since the epoch. */
export interface SubscriptionRecord {
  /** Another one for each filter that ever had the name: what it is owed lies under it. */
  readonly id: string;
  /** The name of the group. */
  readonly group: string;
  readonly pattern: string;
  /** A webhook, as it was named. */
  readonly destination: string;
  /** `Random`: calls of one stream need not wait for each other. */
  readonly distribution: 'ByLogStream' | 'Random';
  readonly createdAt: number;
}

/** How far a filter's receiver is, under the id of the filter. Written by the one server that delivers, but for the first. */
export interface DeliveryRecord {
  /** Of the partition: chunks that were committed up to it were told, or are owed. */
  readonly version: number;
  /** Events that were told, and that went without. */
  readonly delivered: number;
  readonly dropped: number;
  /** Absent: the last call was taken. */
  readonly failure?: DeliveryFailure | undefined;
}

export interface DeliveryFailure {
  readonly since: number;
  readonly attempts: number;
  readonly nextAt: number;
  /** In words. */
  readonly reason: string;
}

/** Events that a filter lets through, of chunks that are no more: for a receiver that is behind. */
export interface OwedRecord extends EventsRecord {
  readonly at: number;
}

/** What the calls of a filter are signed with. */
export interface SigningRecord {
  readonly sealed: string;
  readonly createdAt: number;
}
