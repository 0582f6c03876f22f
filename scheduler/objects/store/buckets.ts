import { hasRoom, type Json, scan, transact } from '@slipway/storage/records';

import { noSuchBucket, refusal } from '../errors.ts';
import { accountPartition, bucketKeys, bucketPartition, objectKeys } from './keys.ts';
import type { StorePorts } from './ports.ts';
import type { BucketRecord } from './records.ts';
import { end, inBucket } from './steps.ts';

const mostBuckets = 1000;

export interface Bucket extends BucketRecord {
  readonly name: string;
}

/**
 * Buckets. A bucket is the record in its own partition, beside its objects; the list of an account's buckets is a hint to find them by,
 * written before and removed after.
 */
export class Buckets {
  readonly #ports: StorePorts;

  constructor(ports: StorePorts) {
    this.#ports = ports;
  }

  async find(name: string): Promise<Bucket | undefined> {
    const stored = await this.#ports.records.get<BucketRecord>(bucketPartition(name), objectKeys.bucket);
    return stored && { ...stored.value, name };
  }

  /** @throws NoSuchBucket */
  async get(name: string): Promise<Bucket> {
    const bucket = await this.find(name);
    if (bucket === undefined) throw noSuchBucket();
    return bucket;
  }

  /** In the order of their names. @param some those whose names begin so, and are behind another */
  async *of(
    account: string,
    { prefix, after }: { readonly prefix: string; readonly after: string },
  ): AsyncGenerator<Bucket, void> {
    const rows = scan(this.#ports.records, accountPartition(account), {
      prefix: bucketKeys.bucket(prefix),
      ...(after === '' ? {} : { after: bucketKeys.bucket(after) }),
    });
    for await (const { key } of rows) {
      const bucket = await this.find(key.slice(bucketKeys.buckets.length));
      if (bucket?.account === account) yield bucket;
    }
  }

  /** Whether it is new. @throws BucketAlreadyExists when another account has it; TooManyBuckets */
  async create(name: string, bucket: Omit<BucketRecord, 'createdAt'>): Promise<boolean> {
    const { records, clock } = this.#ports;
    const { account } = bucket;
    const before = await this.find(name);
    if (before !== undefined) return mustBeOwn(before.account === account);
    await transact(records, accountPartition(account), async (tx) => {
      if ((await tx.get(bucketKeys.bucket(name))) !== undefined) return;
      if (!(await hasRoom(tx, bucketKeys.buckets, mostBuckets)))
        throw refusal(400, 'TooManyBuckets', `You have attempted to create more buckets than allowed: ${mostBuckets}`);
      tx.put(bucketKeys.bucket(name), {});
    });
    return transact(records, bucketPartition(name), async (tx) => {
      const there = await tx.get<BucketRecord>(objectKeys.bucket);
      if (there !== undefined) return mustBeOwn(there.account === account);
      tx.put(objectKeys.bucket, { ...bucket, createdAt: clock.now() } as unknown as Json);
      return true;
    });
  }

  /** @throws NoSuchBucket; BucketNotEmpty */
  async remove(name: string): Promise<void> {
    const { records, clock } = this.#ports;
    const account = await transact(records, bucketPartition(name), async (tx) => {
      const bucket = await inBucket(tx);
      const { records: left } = await tx.list({ prefix: objectKeys.objects, limit: 1 });
      if (left.length > 0) throw refusal(409, 'BucketNotEmpty', 'The bucket you tried to delete is not empty');
      tx.require({ prefix: objectKeys.objects, empty: true });
      // As many as there may be; one that begins meanwhile needs the bucket.
      const { records: uploads } = await tx.list({ prefix: objectKeys.uploads, limit: 10_000 });
      for (const { key } of uploads) end(tx, key.slice(objectKeys.uploads.length), clock.now());
      tx.remove(objectKeys.bucket);
      return bucket.account;
    });
    await records.commit(accountPartition(account), { remove: [bucketKeys.bucket(name)] });
  }

  /** @throws NoSuchBucket */
  async change(name: string, work: (bucket: BucketRecord) => BucketRecord): Promise<void> {
    await transact(this.#ports.records, bucketPartition(name), async (tx) => {
      tx.put(objectKeys.bucket, work(await inBucket(tx)) as unknown as Json);
    });
  }
}

function mustBeOwn(isOwn: boolean): false {
  if (isOwn) return false;
  throw refusal(
    409,
    'BucketAlreadyExists',
    'The requested bucket name is not available. The bucket namespace is shared by all users of the system. Select a different name and try again.',
  );
}
