import type { Digest } from '@slipway/storage/blobs';
import type { Transaction } from '@slipway/storage/records';
import type { ImagesPorts } from './ports.ts';
import { keys, registryPartition } from './keys.ts';

/** How much a repository holds. */
export interface Count {
  readonly images: number;
  /** Compressed bytes as ECR counts them: shared layers count for every image that has them. */
  readonly bytes: number;
}

/** Rows a count is spread over, so that pushes into one repository rarely meet in the same one. */
const shards = 64;

/** The row that counts a digest: the same when it comes and when it goes, so that no row ever falls below zero. */
export const shardOf = (digest: Digest): string =>
  shardName(Number.parseInt(digest.slice(digest.indexOf(':') + 1, digest.indexOf(':') + 3), 16) % shards);

const shardName = (index: number): string => String(index).padStart(2, '0');

/** Within a transaction, adds to one row of a count. Returns the row's new value. */
export async function adjustCount(tx: Transaction, scope: string, shard: string, change: Count): Promise<Count> {
  const key = keys.count(scope, shard);
  const before = (await tx.get<Count>(key)) ?? { images: 0, bytes: 0 };
  const after = { images: before.images + change.images, bytes: before.bytes + change.bytes };
  if (after.images === 0 && after.bytes === 0) tx.remove(key);
  else tx.put(key, after);
  return after;
}

/** The sum of a count's rows. */
export async function readCount(ports: ImagesPorts, account: string, scope: string): Promise<Count> {
  const page = await ports.records.list<Count>(registryPartition(account), {
    prefix: keys.counts(scope),
    limit: shards,
  });
  return page.records.reduce(
    (sum, { value }) => ({ images: sum.images + value.images, bytes: sum.bytes + value.bytes }),
    { images: 0, bytes: 0 },
  );
}

/** So far from a limit, pushes that are under way at once could reach it together. */
const near = 256;

/**
 * Within a transaction, whether a count is at its limit before one more is added. Digests spread evenly, so one row tells how full
 * the whole is, and all rows are added up only near the limit. Very near, the commit requires that none of them has changed: of many
 * that take the last place at once, one gets it.
 */
export async function isOver(
  { records }: ImagesPorts,
  tx: Transaction,
  account: string,
  scope: string,
  shard: string,
  rowAfter: number,
  limit: number,
): Promise<boolean> {
  if (limit > shards && rowAfter * shards < limit / 2) return false;
  const prefix = keys.counts(scope);
  const page = await records.list<Count>(registryPartition(account), { prefix, limit: shards });
  const images = page.records.reduce((sum, { value }) => sum + value.images, 0);
  if (images >= limit) return true;
  if (limit - images > near) return false;
  const versions = new Map(page.records.map(({ key, version }) => [key, version]));
  for (let index = 0; index < shards; index++) {
    const other = shardName(index);
    // The transaction's own row has its condition already.
    if (other === shard) continue;
    const key = keys.count(scope, other);
    const version = versions.get(key);
    tx.require(version === undefined ? { key, exists: false } : { key, version });
  }
  return false;
}
