import type { Digest } from '@slipway/storage/blobs';
import { ConditionFailed, type Json } from '@slipway/storage/records';
import { type Images, keys, registryPartition } from '../images/index.ts';

/** How far the copying of an image to one destination is. */
export interface ImageStatus {
  readonly region: string;
  readonly registryId: string;
  readonly status: 'IN_PROGRESS' | 'COMPLETE' | 'FAILED';
  readonly failureCode?: string;
  readonly at: number;
}

/** Notes a status; an image that is gone has none. */
export async function writeStatus(
  images: Images,
  account: string,
  repository: string,
  digest: Digest,
  status: Omit<ImageStatus, 'at'>,
): Promise<void> {
  const { records, clock } = images.ports;
  const value: ImageStatus = { ...status, at: clock.now() };
  try {
    await records.commit(registryPartition(account), {
      require: [{ key: keys.manifest(repository, digest), exists: true }],
      put: [
        { key: keys.replicated(repository, digest, status.region, status.registryId), value: value as unknown as Json },
      ],
    });
  } catch (error) {
    if (!(error instanceof ConditionFailed)) throw error;
  }
}

export async function readStatuses(
  images: Images,
  account: string,
  repository: string,
  digest: Digest,
): Promise<readonly ImageStatus[]> {
  const page = await images.ports.records.list<ImageStatus>(registryPartition(account), {
    prefix: keys.replicatedTo(repository, digest),
  });
  return page.records.map(({ value }) => value);
}
