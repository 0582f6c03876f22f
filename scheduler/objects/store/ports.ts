import type { Clock } from '@slipway/storage/clock';
import type { BlobStore } from '@slipway/storage/blobs';
import type { RecordStore } from '@slipway/storage/records';

/** What buckets are kept with. */
export interface StorePorts {
  readonly records: RecordStore;
  readonly blobs: Pick<BlobStore, 'stage' | 'append' | 'seal' | 'abandon' | 'open' | 'remove'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: (bytes: number) => Uint8Array;
}
