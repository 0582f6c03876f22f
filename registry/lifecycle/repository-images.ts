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
  const listedIn = await indexesByChild(images, account, repository);
  const archived = new Set<string>();
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
      if (image.archivedAt !== undefined) archived.add(image.digest);
      all.push({ ...image, storageClass: image.archivedAt === undefined ? 'standard' : 'archive', listed: false });
    }
    if (!page.more) break;
    after = page.images.at(-1)?.digest;
  }
  return all
    .filter((image) => image.subject === undefined || !present.has(image.subject))
    .map((image) => {
      const indexes = listedIn.get(image.digest) ?? [];
      // An index in the archive does not keep its children from following it there; it keeps them from being removed.
      const holding = image.storageClass === 'standard' ? indexes.filter((index) => !archived.has(index)) : indexes;
      return holding.length === 0 ? image : { ...image, listed: true };
    });
}

/** For each digest that some index of the repository lists, those indexes. */
async function indexesByChild(
  { context }: Images,
  account: string,
  repository: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const prefix = keys.allParents(repository);
  const listed = new Map<string, string[]>();
  let after: string | undefined;
  for (;;) {
    const page = await context.records.list(registryPartition(account), {
      prefix,
      limit: 10_000,
      ...(after === undefined ? {} : { after }),
    });
    for (const { key } of page.records) {
      const [child, index] = key.slice(prefix.length).split('|') as [string, string];
      const known = listed.get(child);
      if (known) known.push(index);
      else listed.set(child, [index]);
    }
    if (!page.more) return listed;
    after = page.records.at(-1)?.key;
  }
}
