import type { Images, ListedImage } from '../images/index.ts';
import { keys, registryPartition } from '../images/index.ts';
import type { LifecycleImage } from './evaluate.ts';

export type RepositoryImage = LifecycleImage & ListedImage;

/**
 * All images of a repository that rules may act on. Signatures and other referrers are not among them while their subject is
 * there: they live and go with it.
 */
export async function imagesOf(
  images: Images,
  account: string,
  repository: string,
): Promise<readonly RepositoryImage[]> {
  const listed = await listedBy(images, account, repository);
  const all: RepositoryImage[] = [];
  const present = new Set<string>();
  let after: string | undefined;
  for (;;) {
    const page = await images.manifests.list(account, repository, {
      limit: 1000,
      ...(after === undefined ? {} : { after }),
    });
    for (const image of page.images) {
      present.add(image.digest);
      all.push({
        ...image,
        storageClass: image.archivedAt === undefined ? 'standard' : 'archive',
        listed: listed.has(image.digest),
      });
    }
    if (!page.more) break;
    after = page.images.at(-1)?.digest;
  }
  return all.filter((image) => image.subject === undefined || !present.has(image.subject));
}

/** Digests that some index of the repository lists. */
async function listedBy({ context }: Images, account: string, repository: string): Promise<Set<string>> {
  const prefix = keys.allParents(repository);
  const listed = new Set<string>();
  let after: string | undefined;
  for (;;) {
    const page = await context.records.list(registryPartition(account), {
      prefix,
      limit: 10_000,
      ...(after === undefined ? {} : { after }),
    });
    for (const { key } of page.records) listed.add(key.slice(prefix.length, key.indexOf('|', prefix.length)));
    if (!page.more) return listed;
    after = page.records.at(-1)?.key;
  }
}
