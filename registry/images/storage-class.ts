import type { Digest } from '@slipway/storage/blobs';
import { type Json, transact, type Transaction } from '@slipway/storage/records';
import type { Context } from './context.ts';
import { manifestNotFound, sameTags, tagsOf } from './delete-manifest.ts';
import { ImagesError } from './errors.ts';
import { keys, registryPartition } from './keys.ts';
import type { ManifestRecord, TagRecord } from './records.ts';

export interface ChangeStorageClass {
  readonly account: string;
  readonly repository: string;
  readonly digest: Digest;
  readonly target: 'standard' | 'archive';
  readonly actor: string;
  /** The tags it had when the change was decided; with others it is not the same image any more, and stays. */
  readonly onlyWithTags?: readonly string[];
}

/**
 * Moves an image into the archive class, from which nobody can pull it, or back. The bytes stay where they are: what the
 * archive means here is that an image is out of use and can be had again at once. Repeating it changes nothing.
 * @throws ImagesError `ManifestNotFound`, `ManifestInUse` while an index that can be pulled lists it
 */
export async function changeStorageClass(context: Context, request: ChangeStorageClass): Promise<ManifestRecord> {
  const { account, repository, digest, target } = request;
  return transact(context.records, registryPartition(account), async (tx) => {
    // Its version is the guard: whoever tags or untags the manifest rewrites this row.
    const { archivedAt, ...manifest } = (await tx.get<ManifestRecord>(keys.manifest(repository, digest))) ?? {};
    if (!isManifest(manifest)) throw manifestNotFound(repository, digest);
    const before: ManifestRecord = archivedAt === undefined ? manifest : { ...manifest, archivedAt };
    if ((target === 'archive') === (archivedAt !== undefined)) return before;
    if (request.onlyWithTags && !sameTags(request.onlyWithTags, await tagsOf(context, account, repository, digest)))
      throw new ImagesError('ManifestInUse', `The tags of ${digest} have changed meanwhile`);
    if (target === 'archive') await refuseWhileListed(tx, repository, digest);
    const now = context.clock.now();
    const next: ManifestRecord =
      target === 'archive' ? { ...manifest, archivedAt: now, lastArchivedAt: now } : { ...manifest, activatedAt: now };
    tx.put(keys.manifest(repository, digest), next as unknown as Json);
    await markTags(context, tx, account, repository, digest, target);
    tx.announce({
      topic: 'registry',
      type: target === 'archive' ? 'image.archived' : 'image.restored',
      data: { account, repository, digest, mediaType: manifest.mediaType, actor: request.actor },
    });
    return next;
  });
}

const isManifest = (row: Partial<ManifestRecord>): row is ManifestRecord => row.mediaType !== undefined;

async function refuseWhileListed(tx: Transaction, repository: string, digest: Digest): Promise<void> {
  const prefix = keys.parentsOf(repository, digest);
  const parents = await tx.list({ prefix, limit: 1000 });
  for (const { key } of parents.records) {
    const parent = key.slice(prefix.length) as Digest;
    const index = await tx.get<ManifestRecord>(keys.manifest(repository, parent));
    if (index !== undefined && index.archivedAt === undefined)
      throw new ImagesError('ManifestInUse', `Requested image referenced by manifest list: [${parent}]`, { parent });
  }
}

/** Within a transaction, notes an image's class on all its tags. */
export async function markTags(
  context: Context,
  tx: Transaction,
  account: string,
  repository: string,
  digest: Digest,
  target: 'standard' | 'archive',
): Promise<void> {
  for (const tag of await tagsOf(context, account, repository, digest)) {
    const row = await tx.get<TagRecord>(keys.tag(repository, tag));
    if (row?.digest !== digest) continue;
    const { archived: _archived, ...rest } = row;
    tx.put(keys.tag(repository, tag), (target === 'archive' ? { ...rest, archived: true } : rest) as unknown as Json);
  }
}
