import type { BlobLocation } from '@slipway/storage/blobs';

import type { Series } from './contract.ts';

export interface StoredBlob extends BlobLocation {
  readonly size: number;
}

/** A series that has reported. */
export interface SeriesRecord extends Series {
  /** When it was last known to report; at most half an hour late. */
  readonly seen: number;
}

/** What the series of an account come to. */
export interface CountRecord {
  readonly series: number;
  /** Characters of their names and dimensions. */
  readonly characters: number;
}

/** What came in within a second or so, in part: runs of buckets, packed and in base64. */
export interface ChunkRecord {
  readonly data: string;
}

/** A file of runs of one resolution and one span of time. */
export interface SegmentRecord {
  readonly blob: StoredBlob;
  /** Where its table lies in it. */
  readonly table: { readonly offset: number; readonly length: number };
  /** Bytes of its runs, unpacked. */
  readonly raw: number;
  readonly buckets: number;
  readonly writtenAt: number;
}

export interface GarbageRecord {
  readonly blob: BlobLocation;
  readonly at: number;
}

export interface DashboardRecord {
  readonly body: string;
  readonly modifiedAt: number;
}
