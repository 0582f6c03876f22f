import type { BlobLocation } from '@slipway/storage/blobs';
import type { Transaction } from '@slipway/storage/records';

import { noSuchBucket } from '../errors.ts';
import { objectKeys } from './keys.ts';
import type { BucketRecord } from './records.ts';

/** The bucket, whose being there the commit then depends on. @throws NoSuchBucket */
export async function inBucket(tx: Pick<Transaction, 'get'>): Promise<BucketRecord> {
  const bucket = await tx.get<BucketRecord>(objectKeys.bucket);
  if (bucket === undefined) throw noSuchBucket();
  return bucket;
}

/** Takes back an upload: its parts go when somebody looks after that. */
export function end(tx: Pick<Transaction, 'put' | 'remove'>, id: string, now: number): void {
  tx.remove(objectKeys.upload(id));
  tx.remove(objectKeys.touched(id));
  tx.put(objectKeys.ended(id), { at: now });
}

/** Lets go of a blob: it goes when those who began to read it have ended. */
export function discard(tx: Pick<Transaction, 'put'>, { digest, generation }: BlobLocation, now: number): void {
  tx.put(objectKeys.garbageOf(generation), { blob: { digest, generation }, at: now });
}
