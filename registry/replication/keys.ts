import type { OwnedRows } from '@slipway/storage/records';
import { registries } from '../images/index.ts';

/** In the registry's partition. How far a copy of an image is lies with the image, and goes with it. */
export const backfillKeys = {
  all: 'backfill|',
  backfill: (id: string): string => `backfill|${id}`,
  /** What became of each image, by repository and digest. */
  results: (id: string): string => `backfill-result|${id}|`,
  /** The backfill that is under way to a destination. */
  running: (region: string, registryId: string): string => `backfill-to|${region}|${registryId}`,
} as const;

export const replicationRows: OwnedRows = {
  partition: registries,
  owner: 'registry/replication',
  keys: [backfillKeys.all, 'backfill-result|', 'backfill-to|'],
};
