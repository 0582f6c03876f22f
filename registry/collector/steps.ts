import type { Digest } from '@slipway/storage/blobs';
import { type Json, scan, type Stored, transact } from '@slipway/storage/records';
import {
  type BlobRecord,
  type ImagesPorts,
  keys,
  type LinkRecord,
  registryPartition,
  type RepositoryRecord,
} from '../images/index.ts';

/**
 * The collector's steps. Each is one transaction, or one removal of bytes; any of them may run late, twice, or never, in any
 * order with each other and with pushes.
 *
 * What keeps a blob is a link: the right of a repository to serve it. A link stays while a manifest of the repository needs the
 * blob or the link's lease lasts. *Prune* takes a link away under the condition that no reference lies under it, while a push
 * adds a reference under the condition that the link is there: one of the two comes first. *Sweep begin* takes the blob's row
 * away under the condition that no link lies under it, while every new link requires the row to be as it was read. Bytes are
 * removed only by a generation whose row is gone, and a new upload has a new generation, so a removal that comes late removes
 * nothing that counts. No clock decides: leases and grace only choose when a step is tried.
 */

/** What became of a blob's links. */
export type Pruned =
  /** Something needs the blob; `leasedUntil` when that may end without anybody saying so. */
  | { readonly state: 'held'; readonly leasedUntil?: number }
  /** The last link went just now: the blob's grace begins. */
  | { readonly state: 'released' }
  /** There was no link. */
  | { readonly state: 'free' };

interface Look {
  readonly links: readonly Stored<LinkRecord>[];
  /** Links that nothing needs any more. */
  readonly idle: readonly Stored<LinkRecord>[];
  readonly leasedUntil: number | undefined;
}

/** Reads a blob's links and which of them nothing needs. */
export async function lookAtLinks({ records, clock }: ImagesPorts, account: string, digest: Digest): Promise<Look> {
  const partition = registryPartition(account);
  const prefix = keys.linksOf(digest);
  const idle: Stored<LinkRecord>[] = [];
  const links: Stored<LinkRecord>[] = [];
  let leasedUntil: number | undefined;
  for await (const link of scan<LinkRecord>(records, partition, { prefix })) {
    links.push(link);
    const repository = link.key.slice(prefix.length);
    const references = await records.list(partition, { prefix: keys.referencesIn(digest, repository), limit: 1 });
    if (references.records.length > 0) continue;
    const owner = await records.get<RepositoryRecord>(partition, keys.repository(repository));
    const leased = link.value.leaseUntil > clock.now() && owner?.value.id === link.value.repositoryId;
    if (leased) leasedUntil = Math.min(leasedUntil ?? Infinity, link.value.leaseUntil);
    else idle.push(link);
  }
  return { links, idle, leasedUntil };
}

/** Takes away the links of a blob that nothing needs any more. */
export async function prune(ports: ImagesPorts, account: string, digest: Digest): Promise<Pruned> {
  const { links, idle, leasedUntil } = await lookAtLinks(ports, account, digest);
  if (links.length === 0) return { state: 'free' };
  let removed = 0;
  for (const link of idle) if (await pruneLink(ports, account, digest, link)) removed += 1;
  if (removed === links.length) return { state: 'released' };
  return { state: 'held', ...(leasedUntil === undefined ? {} : { leasedUntil }) };
}

async function pruneLink(
  { records, clock, limits }: ImagesPorts,
  account: string,
  digest: Digest,
  link: Stored<LinkRecord>,
): Promise<boolean> {
  const repository = link.key.slice(keys.linksOf(digest).length);
  return transact(records, registryPartition(account), async (tx) => {
    const current = await tx.peek<LinkRecord>(link.key);
    // Renewed meanwhile: somebody was told that the blob is here.
    if (current?.version !== link.version) return false;
    const prefix = keys.referencesIn(digest, repository);
    if ((await tx.list({ prefix, limit: 1 })).records.length > 0) return false;
    tx.require({ key: link.key, version: link.version });
    tx.require({ prefix, empty: true });
    tx.remove(link.key);
    tx.put(keys.review(clock.now() + limits.grace, digest), {});
    return true;
  });
}

/** Begins the removal of a blob that has no link. From here on it does not exist; a push of it is a new upload. */
export async function sweepBegin(
  { records }: ImagesPorts,
  account: string,
  digest: Digest,
): Promise<BlobRecord | undefined> {
  return transact(records, registryPartition(account), async (tx) => {
    const blob = await tx.peek<BlobRecord>(keys.blob(digest));
    if (blob === undefined) return undefined;
    const links = await tx.list({ prefix: keys.linksOf(digest), limit: 1 });
    if (links.records.length > 0) return undefined;
    tx.require({ key: keys.blob(digest), equals: blob.value as unknown as Json });
    tx.require({ prefix: keys.linksOf(digest), empty: true });
    tx.remove(keys.blob(digest));
    tx.put(keys.sweep(digest, blob.value.generation), blob.value as unknown as Json);
    return blob.value;
  });
}

/** Removes the bytes of a generation whose removal has begun, and then the note that it had. */
export async function sweepEnd(
  { records, blobs }: ImagesPorts,
  account: string,
  digest: Digest,
  generation: string,
): Promise<void> {
  await blobs.remove({ digest, generation });
  // Should this be lost, the removal is done again, which is harmless.
  await records.commit(registryPartition(account), { remove: [keys.sweep(digest, generation)], lazy: true });
}
