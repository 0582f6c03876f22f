import type { Digest } from '@slipway/storage/blobs';
import { type Json, transact, type Transaction } from '@slipway/storage/records';
import type { ImagesPorts } from './ports.ts';
import { manifestNotFound, sameTags, tagsOf } from './delete-manifest.ts';
import { ImagesError } from './errors.ts';
import { keys, registryPartition } from './keys.ts';
import { readManifest } from './manifest.ts';
import { isIndexType } from './media-types.ts';
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
 * Moves an image into the archive class, from which nobody can pull it, or back; what an index lists goes with it unless an
 * active index lists it too. The bytes stay where they are: what the archive means here is that an image is out of use and can
 * be had again at once. Repeating it changes nothing.
 * @throws ImagesError `ManifestNotFound`, `ManifestInUse` while an index that can be pulled lists it
 */
export async function changeStorageClass(ports: ImagesPorts, request: ChangeStorageClass): Promise<ManifestRecord> {
  const { account, repository, digest, target } = request;
  return transact(ports.records, registryPartition(account), async (tx) => {
    // Its version is the guard: whoever tags or untags the manifest rewrites this row.
    const manifest = await tx.get<ManifestRecord>(keys.manifest(repository, digest));
    if (manifest === undefined) throw manifestNotFound(repository, digest);
    if (isIn(manifest, target)) return manifest;
    if (request.onlyWithTags && !sameTags(request.onlyWithTags, await tagsOf(ports, account, repository, digest)))
      throw new ImagesError('ManifestInUse', `The tags of ${digest} have changed meanwhile`);
    if (target === 'archive') {
      const parent = await activeParent(tx, repository, digest, undefined);
      if (parent)
        throw new ImagesError('ManifestInUse', `Requested image referenced by manifest list: [${parent}]`, { parent });
    }
    return stage(ports, tx, request, manifest);
  });
}

/** Within a transaction, moves an image that is in the other class, and what it lists. */
async function stage(
  ports: ImagesPorts,
  tx: Transaction,
  request: Omit<ChangeStorageClass, 'onlyWithTags'>,
  manifest: ManifestRecord,
): Promise<ManifestRecord> {
  const { account, repository, digest, target, actor } = request;
  const next = inClass(manifest, target, ports.clock.now());
  tx.put(keys.manifest(repository, digest), next as unknown as Json);
  await markTags(ports, tx, account, repository, digest, target);
  tx.announce({
    topic: 'registry',
    type: target === 'archive' ? 'image.archived' : 'image.restored',
    data: { account, repository, digest, mediaType: manifest.mediaType, actor },
  });
  await stageChildren(ports, tx, request, manifest.mediaType);
  return next;
}

/** Within a transaction, moves what an index lists. */
export async function stageChildren(
  ports: ImagesPorts,
  tx: Transaction,
  request: Omit<ChangeStorageClass, 'onlyWithTags'>,
  mediaType: string,
): Promise<void> {
  const { repository, digest, target } = request;
  if (!isIndexType(mediaType)) return;
  const text = (await tx.peek<string>(keys.content(repository, digest)))?.value ?? '{}';
  for (const { digest: child } of readManifest(Buffer.from(text), mediaType).children) {
    const row = await tx.get<ManifestRecord>(keys.manifest(repository, child));
    if (row === undefined || isIn(row, target)) continue;
    if (target === 'archive' && (await activeParent(tx, repository, child, digest))) continue;
    await stage(ports, tx, { ...request, digest: child }, row);
  }
}

const isIn = (manifest: ManifestRecord, target: 'standard' | 'archive'): boolean =>
  (target === 'archive') === (manifest.archivedAt !== undefined);

/** The row of an image as it is in a class, from `now` on. */
function inClass(
  { archivedAt: _archivedAt, ...manifest }: ManifestRecord,
  target: 'standard' | 'archive',
  now: number,
): ManifestRecord {
  return target === 'archive'
    ? { ...manifest, archivedAt: now, lastArchivedAt: now }
    : { ...manifest, activatedAt: now };
}

/** An index that lists the image and can be pulled, other than `except`. */
async function activeParent(
  tx: Transaction,
  repository: string,
  digest: Digest,
  except: Digest | undefined,
): Promise<Digest | undefined> {
  const prefix = keys.parentsOf(repository, digest);
  const parents = await tx.list({ prefix, limit: 1000 });
  for (const { key } of parents.records) {
    const parent = key.slice(prefix.length) as Digest;
    if (parent === except) continue;
    const index = await tx.get<ManifestRecord>(keys.manifest(repository, parent));
    if (index !== undefined && index.archivedAt === undefined) return parent;
  }
  return undefined;
}

/** Within a transaction, notes an image's class on all its tags. */
export async function markTags(
  ports: ImagesPorts,
  tx: Transaction,
  account: string,
  repository: string,
  digest: Digest,
  target: 'standard' | 'archive',
): Promise<void> {
  for (const tag of await tagsOf(ports, account, repository, digest)) {
    const row = await tx.get<TagRecord>(keys.tag(repository, tag));
    if (row?.digest !== digest) continue;
    const { archived: _archived, ...rest } = row;
    tx.put(keys.tag(repository, tag), (target === 'archive' ? { ...rest, archived: true } : rest) as unknown as Json);
  }
}
