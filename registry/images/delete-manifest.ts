import type { Digest } from '@slipway/storage/blobs';
import { scanAll, transact, type Transaction } from '@slipway/storage/records';
import type { ImagesPorts } from './ports.ts';
import { adjustCount, shardOf } from './counts.ts';
import { ImagesError } from './errors.ts';
import { keys, registryPartition } from './keys.ts';
import { readManifest } from './manifest.ts';
import type { ManifestRecord, TagRecord } from './records.ts';

export interface RemoveManifest {
  readonly account: string;
  readonly repository: string;
  readonly digest: Digest;
  readonly actor: string;
  /** Whether an index that lists the manifest keeps it (the rule) or not (the whole repository goes). */
  readonly evenInUse?: boolean;
  /** The tags it had when its removal was decided; with others it is not the same image any more, and stays. */
  readonly onlyWithTags?: readonly string[];
}

export interface RemovedManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly tags: readonly string[];
}

export const manifestNotFound = (repository: string, reference: string): ImagesError =>
  new ImagesError('ManifestNotFound', `The image '${reference}' does not exist in the repository '${repository}'`, {
    reference,
  });

/**
 * Removes a manifest with its tags, references and place in indexes and referrers lists, in one commit. What it needed is put
 * down for the collector's review.
 * @throws ImagesError `ManifestNotFound`, `ManifestInUse`
 */
export async function removeManifest(ports: ImagesPorts, request: RemoveManifest): Promise<RemovedManifest> {
  const { account, repository, digest } = request;
  return transact(ports.records, registryPartition(account), async (tx) => {
    // Its version is the guard: whoever tags or untags the manifest rewrites this row.
    const manifest = await tx.get<ManifestRecord>(keys.manifest(repository, digest));
    if (manifest === undefined) throw manifestNotFound(repository, digest);
    return stageRemoval(ports, tx, request, manifest);
  });
}

async function stageRemoval(
  ports: ImagesPorts,
  tx: Transaction,
  request: RemoveManifest,
  manifest: ManifestRecord,
): Promise<RemovedManifest> {
  const { account, repository, digest, actor } = request;
  if (request.evenInUse !== true) {
    const prefix = keys.parentsOf(repository, digest);
    const parents = await tx.list({ prefix, limit: 1 });
    const parent = parents.records[0]?.key.slice(prefix.length);
    if (parent !== undefined) {
      throw new ImagesError('ManifestInUse', `Requested image referenced by manifest list: [${parent}]`, { parent });
    }
    tx.require({ prefix, empty: true });
  }
  const text = (await tx.peek<string>(keys.content(repository, digest)))?.value ?? '{}';
  const parsed = readManifest(Buffer.from(text), manifest.mediaType);
  const due = ports.clock.now() + ports.limits.grace;
  for (const descriptor of [...parsed.blobs, ...parsed.foreign, ...parsed.children]) {
    tx.remove(keys.reference(descriptor.digest, repository, digest));
    tx.put(keys.review(due, descriptor.digest), {});
  }
  for (const child of parsed.children) tx.remove(keys.parent(repository, child.digest, digest));
  if (parsed.subject) tx.remove(keys.referrer(repository, parsed.subject.digest, digest));
  const tags = await tagsOf(ports, account, repository, digest);
  if (request.onlyWithTags && !sameTags(request.onlyWithTags, tags)) {
    throw new ImagesError('ManifestInUse', `The tags of ${digest} have changed meanwhile`, { tags });
  }
  for (const tag of tags) {
    tx.remove(keys.tag(repository, tag));
    tx.remove(keys.tagged(repository, digest, tag));
  }
  await adjustCount(tx, repository, shardOf(digest), { images: -1, bytes: -manifest.imageSize });
  tx.remove(keys.manifest(repository, digest));
  tx.remove(keys.content(repository, digest));
  tx.remove(keys.pulled(repository, digest));
  const copies = await tx.list({ prefix: keys.replicatedTo(repository, digest), limit: 100 });
  for (const { key } of copies.records) tx.remove(key);
  const referrers = await tx.list({ prefix: keys.referrersOf(repository, digest), limit: 1 });
  if (referrers.records.length > 0) {
    tx.put(keys.orphan(ports.clock.now() + ports.limits.referrerGrace, repository, digest), {});
  }
  const { mediaType } = manifest;
  tx.announce({
    topic: 'registry',
    type: 'image.deleted',
    data: { account, repository, digest, tags, actor, mediaType },
  });
  return { digest, mediaType, tags };
}

export interface RemoveTag {
  readonly account: string;
  readonly repository: string;
  readonly tag: string;
  readonly actor: string;
  /** What becomes of an image that loses its last tag: it stays untagged (the distribution API) or goes as well (the ECR API). */
  readonly whenLast: 'keep' | 'remove';
}

/**
 * Removes one tag.
 * @returns the digest it pointed at
 * @throws ImagesError `ManifestNotFound`; `ManifestInUse` when the image would have to go
 */
export async function removeTag(ports: ImagesPorts, request: RemoveTag): Promise<Digest> {
  const { account, repository, tag, actor, whenLast } = request;
  return transact(ports.records, registryPartition(account), async (tx) => {
    const current = await tx.get<TagRecord>(keys.tag(repository, tag));
    if (current === undefined) throw manifestNotFound(repository, tag);
    const { digest } = current;
    const manifest = await tx.get<ManifestRecord>(keys.manifest(repository, digest));
    if (manifest?.tagCount === 1 && whenLast === 'remove') {
      await stageRemoval(ports, tx, { account, repository, digest, actor }, manifest);
      return digest;
    }
    tx.remove(keys.tag(repository, tag));
    tx.remove(keys.tagged(repository, digest, tag));
    if (manifest) tx.put(keys.manifest(repository, digest), { ...manifest, tagCount: manifest.tagCount - 1 });
    tx.announce({ topic: 'registry', type: 'image.untagged', data: { account, repository, tag, digest, actor } });
    return digest;
  });
}

/** All tags that point at a digest, in order. */
export async function tagsOf(
  ports: ImagesPorts,
  account: string,
  repository: string,
  digest: Digest,
): Promise<string[]> {
  const prefix = keys.tagsOf(repository, digest);
  const rows = await scanAll(ports.records, registryPartition(account), { prefix });
  return rows.map(({ key }) => key.slice(prefix.length));
}

export const sameTags = (some: readonly string[], others: readonly string[]): boolean =>
  some.length === others.length && some.every((tag) => others.includes(tag));
