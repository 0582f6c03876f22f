import { scan } from '@slipway/storage/records';
import { everyImage, type Images, keys, type ListedImage, registryPartition } from '../images/index.ts';
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
  for await (const image of everyImage(images, account, repository)) {
    present.add(image.digest);
    all.push({
      ...image,
      storageClass: image.archivedAt === undefined ? 'standard' : 'archive',
      listed: listed.has(image.digest),
    });
  }
  return all.filter((image) => image.subject === undefined || !present.has(image.subject));
}

/** Digests that some index of the repository lists. */
async function listedBy({ ports }: Images, account: string, repository: string): Promise<Set<string>> {
  const prefix = keys.allParents(repository);
  const listed = new Set<string>();
  for await (const { key } of scan(ports.records, registryPartition(account), { prefix, limit: 10_000 })) {
    listed.add(key.slice(prefix.length, key.indexOf('|', prefix.length)));
  }
  return listed;
}
