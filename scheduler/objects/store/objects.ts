import { type Json, transact, type Transaction } from '@slipway/storage/records';

import { noSuchKey, preconditionFailed } from '../errors.ts';
import { bucketPartition, objectKeys } from './keys.ts';
import type { StorePorts } from './ports.ts';
import type { ObjectRecord } from './records.ts';
import { discard, inBucket } from './steps.ts';

/** What must be so of the object that is there for it to be replaced or removed. */
export interface PutConditions {
  /** An ETag without quotes, or `*` for any. */
  readonly ifMatch?: string | undefined;
  readonly ifAbsent?: boolean | undefined;
}

/** Objects: what is under a key. A new one takes the place of the old in one commit, which also lets go of the old one's bytes. */
export class Objects {
  readonly #ports: StorePorts;

  constructor(ports: StorePorts) {
    this.#ports = ports;
  }

  async find(bucket: string, key: string): Promise<ObjectRecord | undefined> {
    return (await this.#ports.records.get<ObjectRecord>(bucketPartition(bucket), objectKeys.object(key)))?.value;
  }

  /**
   * @throws NoSuchBucket, PreconditionFailed; when it throws whatever else, the bytes may be referred to: they are left where they are,
   *   for whoever looks for blobs that nobody knows
   */
  async put(bucket: string, key: string, object: ObjectRecord, conditions: PutConditions): Promise<void> {
    await transact(this.#ports.records, bucketPartition(bucket), async (tx) => {
      await inBucket(tx);
      await replace(tx, key, object, conditions);
    });
  }

  /** @throws NoSuchBucket, NoSuchKey */
  async change(bucket: string, key: string, work: (object: ObjectRecord) => ObjectRecord): Promise<void> {
    await transact(this.#ports.records, bucketPartition(bucket), async (tx) => {
      await inBucket(tx);
      const object = await tx.get<ObjectRecord>(objectKeys.object(key));
      if (object === undefined) throw noSuchKey();
      tx.put(objectKeys.object(key), work(object) as unknown as Json);
    });
  }

  /** Harmless when there is none. @throws NoSuchBucket, PreconditionFailed */
  async remove(bucket: string, key: string, conditions: PutConditions = {}): Promise<void> {
    const now = this.#ports.clock.now();
    await transact(this.#ports.records, bucketPartition(bucket), async (tx) => {
      await inBucket(tx);
      const before = await tx.get<ObjectRecord>(objectKeys.object(key));
      checkConditions(before, conditions);
      if (before === undefined) return;
      release(tx, before, now);
      tx.remove(objectKeys.object(key));
    });
  }
}

/** Puts an object in the place of the one that is there. @throws PreconditionFailed */
export async function replace(
  tx: Transaction,
  key: string,
  object: ObjectRecord,
  conditions: PutConditions,
): Promise<void> {
  const before = await tx.get<ObjectRecord>(objectKeys.object(key));
  checkConditions(before, conditions);
  if (before !== undefined) release(tx, before, object.modifiedAt);
  tx.put(objectKeys.object(key), object as unknown as Json);
}

function checkConditions(before: ObjectRecord | undefined, { ifMatch, ifAbsent }: PutConditions): void {
  if (ifAbsent === true && before !== undefined) throw preconditionFailed();
  if (ifMatch === undefined) return;
  if (before === undefined) throw noSuchKey();
  if (ifMatch !== '*' && ifMatch !== before.etag) throw preconditionFailed();
}

/** Lets go of an object's bytes. */
function release(tx: Pick<Transaction, 'put'>, { blob, upload }: ObjectRecord, now: number): void {
  if (blob !== undefined) discard(tx, blob, now);
  if (upload !== undefined) tx.put(objectKeys.ended(upload), { at: now });
}
