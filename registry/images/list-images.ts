import type { Digest } from '@slipway/storage/blobs';
import { scan, type Stored } from '@slipway/storage/records';
import type { ImagesPorts } from './ports.ts';
import { tagsOf } from './delete-manifest.ts';
import { keys, registryPartition } from './keys.ts';
import type { ManifestRecord } from './records.ts';

/** An image as lists, lifecycle rules and scanners see it. */
export interface ListedImage extends ManifestRecord {
  readonly digest: Digest;
  /** In order. */
  readonly tags: readonly string[];
  /** When it was last pulled, milliseconds since the epoch, as far as that was recorded. */
  readonly lastPulledAt?: number;
}

export interface ImagePage {
  readonly images: readonly ListedImage[];
  readonly more: boolean;
}

/**
 * One page of a repository's images. Manifests, tags and pulls are kept in the same order, so a page is three ranges read side
 * by side, whatever the repository's size.
 */
export async function listImages(
  ports: ImagesPorts,
  account: string,
  repository: string,
  { after, limit }: { readonly after?: string; readonly limit: number },
): Promise<ImagePage> {
  const partition = registryPartition(account);
  const manifests = keys.manifests(repository);
  const page = await ports.records.list<ManifestRecord>(partition, {
    prefix: manifests,
    limit,
    ...(after === undefined ? {} : { after: manifests + after }),
  });
  const digests = page.records.map((record) => record.key.slice(manifests.length));
  const last = digests.at(-1);
  if (last === undefined) return { images: [], more: false };

  const tags = new Map<string, string[]>();
  for await (const { key } of range(ports, partition, keys.allTagged(repository), {
    after,
    last,
    likely: 2 * digests.length,
  })) {
    const [digest, tag] = key.slice(keys.allTagged(repository).length).split('|') as [string, string];
    const known = tags.get(digest);
    if (known) known.push(tag);
    else tags.set(digest, [tag]);
  }
  const pulls = new Map<string, number>();
  for await (const { key, value } of range(ports, partition, keys.pulls(repository), {
    after,
    last,
    likely: digests.length,
  })) {
    pulls.set(key.slice(keys.pulls(repository).length), value as number);
  }
  const images = page.records.map(({ value }, position): ListedImage => {
    const digest = digests[position] as Digest;
    const lastPulledAt = pulls.get(digest);
    return { ...value, digest, tags: tags.get(digest) ?? [], ...(lastPulledAt === undefined ? {} : { lastPulledAt }) };
  });
  return { images, more: page.more };
}

/** One image as lists show it. */
export async function listOneImage(
  ports: ImagesPorts,
  account: string,
  repository: string,
  digest: Digest,
): Promise<ListedImage | undefined> {
  const found = await ports.records.getMany<ManifestRecord | number>(registryPartition(account), [
    keys.manifest(repository, digest),
    keys.pulled(repository, digest),
  ]);
  const manifest = found.get(keys.manifest(repository, digest))?.value as ManifestRecord | undefined;
  const lastPulledAt = found.get(keys.pulled(repository, digest))?.value as number | undefined;
  if (manifest === undefined) return undefined;
  const tags = await tagsOf(ports, account, repository, digest);
  return { ...manifest, digest, tags, ...(lastPulledAt === undefined ? {} : { lastPulledAt }) };
}

/** Records under a prefix from the digest after `after` to `last`, inclusive, of which `likely` are expected. */
async function* range(
  ports: ImagesPorts,
  partition: string,
  prefix: string,
  { after, last, likely }: { readonly after: string | undefined; readonly last: string; readonly likely: number },
): AsyncGenerator<Stored> {
  // `~` sorts behind `|` and all that digests and tags are made of.
  const from = after === undefined ? undefined : `${prefix}${after}~`;
  // One more shows that the range has ended; reading on into other images would cost more than it tells.
  for await (const record of scan(ports.records, partition, { prefix, after: from, limit: likely + 1 })) {
    if (record.key.slice(prefix.length, prefix.length + last.length) > last) return;
    yield record;
  }
}
