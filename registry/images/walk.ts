import { pagesOf, scanPartitions } from '@slipway/storage/records';
import type { ImagesPorts } from './ports.ts';
import type { Images } from './images.ts';
import { registryPartition } from './keys.ts';
import type { ImagePage, ListedImage } from './list-images.ts';
import type { RepositoryPage } from './repositories.ts';
import type { RepositoryRecord } from './records.ts';

/** Accounts that have a registry. */
export async function registryAccounts({ records }: Pick<ImagesPorts, 'records'>): Promise<string[]> {
  const prefix = registryPartition('');
  const accounts: string[] = [];
  for await (const name of scanPartitions(records, prefix)) accounts.push(name.slice(prefix.length));
  return accounts;
}

/** Pages of an account's repositories by name, after the one named `after`. */
export function repositoryPages(
  { repositories }: Pick<Images, 'repositories'>,
  account: string,
  { after, limit }: { readonly after?: string | undefined; readonly limit: number },
): AsyncGenerator<RepositoryPage, void> {
  return pagesOf(
    (place: string | undefined) =>
      repositories.list(account, { limit, ...(place === undefined ? {} : { after: place }) }),
    (page) => page.repositories.at(-1)?.name,
    after,
  );
}

/** Every repository of an account by name. */
export async function* everyRepository(
  images: Pick<Images, 'repositories'>,
  account: string,
): AsyncGenerator<RepositoryRecord, void> {
  for await (const page of repositoryPages(images, account, { limit: 100 })) yield* page.repositories;
}

/** Pages of a repository's images by digest, after `after`. */
export function imagePages(
  { manifests }: Pick<Images, 'manifests'>,
  account: string,
  repository: string,
  { after, limit }: { readonly after?: string | undefined; readonly limit: number },
): AsyncGenerator<ImagePage, void> {
  return pagesOf(
    (place: string | undefined) =>
      manifests.list(account, repository, { limit, ...(place === undefined ? {} : { after: place }) }),
    (page) => page.images.at(-1)?.digest,
    after,
  );
}

/** Every image of a repository by digest, after `after`. */
export async function* everyImage(
  images: Pick<Images, 'manifests'>,
  account: string,
  repository: string,
  after?: string,
): AsyncGenerator<ListedImage, void> {
  for await (const page of imagePages(images, account, repository, { after, limit: 1000 })) yield* page.images;
}
