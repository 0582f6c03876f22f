import type { Digest } from '@slipway/storage/blobs';
import { type Json, transact, type Transaction } from '@slipway/storage/records';
import { usable } from './blobs.ts';
import type { ImagesPorts } from './ports.ts';
import { ImagesError } from './errors.ts';
import { keys, registryPartition } from './keys.ts';
import { type Descriptor, digestOf, type ParsedManifest, parseManifest } from './manifest.ts';
import { isManifestType } from './media-types.ts';
import { isMovable } from './mutability.ts';
import type { RepositoryName, Tag } from './names.ts';
import type { LinkRecord, ManifestRecord, ReferrerRecord, RepositoryRecord, TagRecord } from './records.ts';
import { adjustCount, isOver, shardOf } from './counts.ts';
import { repositoryNotFound } from './repositories.ts';
import { markTags, stageChildren } from './storage-class.ts';

export interface PutManifest {
  readonly account: string;
  readonly repository: RepositoryName;
  /** Exactly what the client sent; kept and served byte for byte. */
  readonly bytes: Uint8Array;
  readonly contentType?: string;
  /** Whether the type must be stated, by `contentType` or in the manifest: it is not guessed from what is in it. */
  readonly typed?: boolean;
  /** None: the image stays untagged. */
  readonly tags: readonly Tag[];
  /** What the client says the digest is; its algorithm is the one used. */
  readonly digest?: Digest;
  /** ARN of the caller, for the event. */
  readonly actor: string;
  /** An index may list what is not here: it was taken from where that is missing as well. */
  readonly sparse?: boolean;
}

export interface PutManifestResult {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly subject?: Digest;
  /** Whether anything is new: the manifest, or where a tag points. */
  readonly changed: boolean;
}

/**
 * The one way in which an image comes into a repository, whichever API was used: manifest, tags, references, place in the
 * referrers list, and the event `image.pushed` for every tag that now points elsewhere, in one commit.
 * Repeating it changes and announces nothing.
 * @throws ImagesError `RepositoryNotFound`, `ManifestInvalid`, `ManifestTooLarge`, `ImageDigestDoesNotMatch`, `LayersNotFound`,
 *   `ReferencedImagesNotFound`, `ImageTagAlreadyExists`, `TooManyTags`
 */
export async function putManifest(ports: ImagesPorts, request: PutManifest): Promise<PutManifestResult> {
  const manifest = parseManifest(request.bytes, request.contentType, request.typed);
  const digest = digestOf(request.bytes, request.digest?.startsWith('sha512:') ? 'sha512' : 'sha256');
  if (request.digest !== undefined && request.digest !== digest) {
    throw new ImagesError('ImageDigestDoesNotMatch', `The manifest's digest is ${digest}, not ${request.digest}`, {
      digest,
    });
  }
  const { account, repository } = request;
  // Pushes to one tag follow each other here; between servers the commit's conditions decide.
  return ports.turns.take(`${account}|${repository}|${request.tags[0] ?? digest}`, () =>
    transact(ports.records, registryPartition(account), (tx) => stage(ports, tx, request, manifest, digest), {
      attempts: 200,
    }),
  );
}

async function stage(
  ports: ImagesPorts,
  tx: Transaction,
  request: PutManifest,
  manifest: ParsedManifest,
  digest: Digest,
): Promise<PutManifestResult> {
  const { account, repository: name } = request;
  const repository = await tx.get<RepositoryRecord>(keys.repository(name));
  if (repository === undefined) throw repositoryNotFound(account, name);
  const pushedAt = ports.clock.now();
  const present = await tx.get<ManifestRecord>(keys.manifest(name, digest));
  const moved = await movedTags(tx, repository, request.tags, digest);
  const imageSize = present?.imageSize ?? (await stageNew(ports, tx, request, repository, manifest, digest));
  const tagCount = (present?.tagCount ?? 0) + moved.length;
  if (tagCount > ports.limits.tagsPerImage) {
    throw new ImagesError('TooManyTags', `The image ${digest} would have more than ${ports.limits.tagsPerImage} tags`, {
      limit: ports.limits.tagsPerImage,
    });
  }
  const { mediaType, size } = manifest;
  const archived = present?.archivedAt !== undefined;
  const changed = present === undefined || moved.length > 0 || archived;
  const result = { digest, mediaType, changed, ...(manifest.subject ? { subject: manifest.subject.digest } : {}) };
  if (!changed) return result;
  const record: ManifestRecord = {
    mediaType,
    size,
    pushedAt: present?.pushedAt ?? pushedAt,
    imageSize,
    ...(manifest.artifactType === undefined ? {} : { artifactType: manifest.artifactType }),
    ...(manifest.subject ? { subject: manifest.subject.digest } : {}),
    ...(present?.lastArchivedAt === undefined ? {} : { lastArchivedAt: present.lastArchivedAt }),
    ...(archived ? { activatedAt: pushedAt } : present?.activatedAt ? { activatedAt: present.activatedAt } : {}),
    tagCount,
  };
  if (archived) {
    // A push of what is archived brings it back, as ECR does.
    await markTags(ports, tx, account, name, digest, 'standard');
    const restored = { account, repository: name, digest, target: 'standard', actor: request.actor } as const;
    await stageChildren(ports, tx, restored, mediaType);
  }
  if (present === undefined) await count(ports, tx, account, repository, digest, imageSize);
  tx.put(keys.manifest(name, digest), record as unknown as Json);
  for (const { tag, previous } of moved) {
    const target: TagRecord = { digest, mediaType, size, pushedAt };
    tx.put(keys.tag(name, tag), target as unknown as Json);
    tx.put(keys.tagged(name, digest, tag), {});
    if (previous) await untag(tx, name, previous.digest, tag);
    announce(tx, request, { tag, digest, previous: previous?.digest ?? null, mediaType });
  }
  if (request.tags.length === 0) announce(tx, request, { tag: null, digest, previous: null, mediaType });
  return result;
}

/** The tags that point elsewhere so far, or nowhere. */
async function movedTags(tx: Transaction, repository: RepositoryRecord, tags: readonly Tag[], digest: Digest) {
  const moved: { tag: Tag; previous: TagRecord | undefined }[] = [];
  for (const tag of new Set(tags)) {
    const previous = await tx.get<TagRecord>(keys.tag(repository.name, tag));
    if (previous?.digest === digest) continue;
    if (previous !== undefined && !isMovable(repository, tag)) {
      throw new ImagesError(
        'ImageTagAlreadyExists',
        `The image tag '${tag}' already exists in the '${repository.name}' repository and cannot be overwritten because the tag is immutable.`,
        { tag },
      );
    }
    moved.push({ tag, previous });
  }
  return moved;
}

async function untag(tx: Transaction, repository: string, digest: Digest, tag: Tag): Promise<void> {
  tx.remove(keys.tagged(repository, digest, tag));
  const before = await tx.get<ManifestRecord>(keys.manifest(repository, digest));
  if (before) tx.put(keys.manifest(repository, digest), { ...before, tagCount: before.tagCount - 1 });
}

/** A manifest seen for the first time: everything it names must be here, and is held from now on. Returns the image's size. */
async function stageNew(
  ports: ImagesPorts,
  tx: Transaction,
  { account, sparse = false }: PutManifest,
  repository: RepositoryRecord,
  manifest: ParsedManifest,
  digest: Digest,
): Promise<number> {
  const name = repository.name;
  const found = await ports.records.getMany<LinkRecord | ManifestRecord>(registryPartition(account), [
    ...[...manifest.blobs, ...manifest.foreign, ...manifest.children].map((blob) => keys.link(blob.digest, name)),
    ...manifest.children.map((child) => keys.manifest(name, child.digest)),
  ]);
  const linkOf = (blob: Descriptor): LinkRecord | undefined =>
    usable(found.get(keys.link(blob.digest, name))?.value as LinkRecord | undefined, repository);
  const hold = (blob: Descriptor): void => {
    tx.require({ key: keys.link(blob.digest, name), exists: true });
    tx.put(keys.reference(blob.digest, name, digest), {});
  };

  const missing = manifest.blobs.filter((blob) => linkOf(blob) === undefined).map((blob) => blob.digest);
  if (missing.length > 0) {
    throw new ImagesError(
      'LayersNotFound',
      `Layers with digests '${missing.join(', ')}' are not in the repository with name '${name}' in registry with id '${account}'; push them first.`,
      { missing },
    );
  }
  for (const blob of manifest.blobs) {
    const size = linkOf(blob)?.size;
    if (size !== blob.size)
      throw new ImagesError(
        'ManifestInvalid',
        `The manifest is invalid: it says ${blob.digest} has ${blob.size} bytes, it has ${size}.`,
      );
    hold(blob);
  }
  for (const blob of manifest.foreign) if (linkOf(blob) !== undefined) hold(blob);

  const absent: Digest[] = [];
  let largest = 0;
  for (const child of manifest.children) {
    const image = found.get(keys.manifest(name, child.digest))?.value as ManifestRecord | undefined;
    if (image !== undefined) {
      tx.require({ key: keys.manifest(name, child.digest), exists: true });
      tx.put(keys.parent(name, child.digest, digest), {});
      largest = Math.max(largest, image.imageSize);
    } else if (!isManifestType(child.mediaType) && linkOf(child) !== undefined) {
      // BuildKit's older cache exports are indexes whose entries are layers.
      hold(child);
      largest = Math.max(largest, child.size);
    } else if (sparse) {
      // Holds the image from when it comes, as for one that is here.
      tx.put(keys.parent(name, child.digest, digest), {});
    } else absent.push(child.digest);
  }
  if (absent.length > 0) {
    throw new ImagesError(
      'ReferencedImagesNotFound',
      `Images with digests '${absent.join(', ')}' required for pushing image into repository with name '${name}' in the registry with id '${account}' do not exist`,
      { missing: absent },
    );
  }

  tx.put(keys.content(name, digest), manifest.text);
  if (manifest.subject)
    tx.put(keys.referrer(name, manifest.subject.digest, digest), referrerOf(manifest, digest) as unknown as Json);
  return manifest.children.length > 0 ? largest : manifest.blobs.reduce((sum, blob) => sum + blob.size, 0);
}

/** One image more, unless the repository is full. */
async function count(
  ports: ImagesPorts,
  tx: Transaction,
  account: string,
  { name }: RepositoryRecord,
  digest: Digest,
  imageSize: number,
): Promise<void> {
  const limit = ports.limits.imagesPerRepository;
  const shard = shardOf(digest);
  const after = await adjustCount(tx, name, shard, { images: 1, bytes: imageSize });
  if (!(await isOver(ports, tx, account, name, shard, after.images, limit))) return;
  throw new ImagesError('TooManyImages', `The repository '${name}' already has ${limit} images, which is its limit`, {
    limit,
  });
}

const referrerOf = (manifest: ParsedManifest, digest: Digest): ReferrerRecord => ({
  mediaType: manifest.mediaType,
  digest,
  size: manifest.size,
  ...(manifest.artifactType === undefined ? {} : { artifactType: manifest.artifactType }),
  ...(manifest.annotations ? { annotations: manifest.annotations } : {}),
});

function announce(
  tx: Transaction,
  request: PutManifest,
  image: { tag: Tag | null; digest: Digest; previous: Digest | null; mediaType: string },
): void {
  const { account, repository, actor } = request;
  tx.announce({ topic: 'registry', type: 'image.pushed', data: { account, repository, ...image, actor } });
}
