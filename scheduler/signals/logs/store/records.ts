import type { BlobLocation } from '@slipway/storage/blobs';
import type { LogGroupSettings } from './contract.ts';

/** The table of a blob of events: where it lies in it. */
export interface FooterPlace {
  readonly offset: number;
  readonly length: number;
}

export interface StoredBlob extends BlobLocation {
  readonly size: number;
}

/** What is in a blob of events. */
export interface EventsRecord {
  readonly blob: StoredBlob;
  readonly footer: FooterPlace;
  readonly events: number;
  /** Bytes of messages. */
  readonly raw: number;
  readonly minTimestamp: number;
  readonly maxTimestamp: number;
}

/** Events as they came, of several groups. */
export interface ChunkRecord extends EventsRecord {
  /** The ids of the groups, with the least and the greatest timestamp of each. */
  readonly groups: { readonly [group: string]: readonly [number, number] };
}

/** Events of one group and one day, in order. */
export interface SegmentRecord extends EventsRecord {
  readonly writtenAt: number;
}

export interface GroupRecord extends LogGroupSettings {
  readonly id: string;
  readonly createdAt: number;
}

export interface StreamRecord {
  readonly id: string;
  readonly createdAt: number;
}

export interface SeenRecord {
  readonly first: number;
  readonly last: number;
  readonly ingested: number;
}

export interface UsageRecord {
  /** As the groups of the API count it. */
  readonly bytes: number;
  /** On disk. */
  readonly stored: number;
}

export interface DeadRecord {
  readonly at: number;
}

export interface GarbageRecord {
  readonly blob: BlobLocation;
  readonly at: number;
}
