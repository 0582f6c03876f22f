import type * as sdk from '@aws-sdk/client-ecr';
import { type ImagePage, imagePages, type ListedImage, parseDigest } from '../images/index.ts';
import type { Operations } from '@slipway/auth/contract';
import { invalidParameter, operation } from './errors.ts';
import { type Paged, pageSize, startOf, tokenFor } from './paging.ts';
import { onRepository, type EcrPorts, type Target, targetOf } from './ports.ts';

interface Filtered extends Paged {
  readonly filter?: { readonly tagStatus?: string | undefined; readonly imageStatus?: string | undefined } | undefined;
}

/** Lists of images and of what refers to them. */
export function listOfImages(ports: EcrPorts) {
  const { images } = ports;

  return {
    ListImages: operation({
      access: onRepository(ports, 'ListImages'),
      handle: async (input: sdk.ListImagesCommandInput, call) => {
        const target = targetOf(input, call);
        await images.repositories.get(target.account, target.name);
        return listImageIds(ports, target, input);
      },
    }),

    ListImageReferrers: operation({
      access: onRepository(ports, 'ListImageReferrers'),
      handle: async (input: sdk.ListImageReferrersCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        await images.repositories.get(account, name);
        const subject = parseDigest(input.subjectId?.imageDigest ?? '');
        const list = `referrers of ${name} ${subject}`;
        const limit = pageSize(input, 50, 50);
        const after = await startOf(images.signing, account, list, input);
        const { referrers, next } = await images.manifests.referrers(account, name, subject, {
          limit,
          ...(after === undefined ? {} : { after }),
          ...(input.filter?.artifactTypes ? { artifactTypes: input.filter.artifactTypes } : {}),
        });
        const archived = await images.manifests.archivedAmong(
          account,
          name,
          referrers.map((referrer) => referrer.digest),
        );
        return {
          referrers: referrers
            .map((referrer) => ({
              ...referrer,
              annotations: { ...referrer.annotations },
              artifactStatus: archived.has(referrer.digest) ? ('ARCHIVED' as const) : ('ACTIVE' as const),
            }))
            .filter(({ artifactStatus }) => isWanted(artifactStatus, input.filter?.artifactStatus)),
          ...(next === undefined ? {} : { nextToken: await tokenFor(images.signing, account, list, next) }),
        };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

export function matchesTagStatus(image: ListedImage, status: string | undefined): boolean {
  if (status === 'TAGGED') return image.tags.length > 0;
  if (status === 'UNTAGGED') return image.tags.length === 0;
  if (status === undefined || status === 'ANY') return true;
  throw invalidParameter(
    "Invalid parameter at 'filter.tagStatus' failed to satisfy constraint: 'Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]'",
  );
}

const isWanted = (status: string, wanted = 'ACTIVE'): boolean => wanted === 'ANY' || wanted === status;

/** Whether an image is in the state that was asked for; without a wish, only those that can be pulled are shown. */
function matchesStatus(image: { readonly archivedAt?: number }, status = 'ACTIVE'): boolean {
  if (!['ACTIVE', 'ARCHIVED', 'ACTIVATING', 'ANY'].includes(status))
    throw invalidParameter(
      "Invalid parameter at 'filter.imageStatus' failed to satisfy constraint: 'Member must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]'",
    );
  return status === 'ANY' || status === (image.archivedAt === undefined ? 'ACTIVE' : 'ARCHIVED');
}

/** A page of images that match the filter, full unless it is the last. */
export async function pageOfImages(ports: EcrPorts, { account, name }: Target, input: Filtered, list: string) {
  const { manifests, signing } = ports.images;
  const limit = pageSize(input);
  const after = await startOf(signing, account, list, input);
  const found: ListedImage[] = [];
  for await (const page of imagePages({ manifests }, account, name, { after, limit })) {
    for (const image of page.images) {
      if (!matchesTagStatus(image, input.filter?.tagStatus) || !matchesStatus(image, input.filter?.imageStatus))
        continue;
      if (found.length === limit)
        return { found, nextToken: await tokenFor(signing, account, list, found.at(-1)?.digest ?? '') };
      found.push(image);
    }
    // Whether any that match are left is found out by who asks for the next page.
    if (page.more && found.length === limit)
      return { found, nextToken: await tokenFor(signing, account, list, found.at(-1)?.digest ?? '') };
  }
  return { found };
}

/** One entry for every tag and for every image without one; a page may end between two tags of an image. */
async function listImageIds(
  ports: EcrPorts,
  { account, name }: Target,
  input: Filtered,
): Promise<{ imageIds: sdk.ImageIdentifier[]; nextToken?: string }> {
  const { manifests, signing } = ports.images;
  const list = `image ids of ${name}`;
  const limit = pageSize(input);
  const [startDigest, startTag] = (await startOf(signing, account, list, input))?.split('|') ?? [];
  const imageIds: sdk.ImageIdentifier[] = [];
  // The image the last page ended in comes again, for the tags that were left.
  const partial =
    startDigest !== undefined && startTag !== ''
      ? await manifests.listOne(account, name, parseDigest(startDigest))
      : undefined;
  const rest = partial
    ? [{ ...partial, tags: partial.tags.filter((tag) => tag > (startTag ?? '')) }].filter(
        (image) => image.tags.length > 0,
      )
    : [];
  for await (const images of pagesAfter(
    rest,
    imagePages({ manifests }, account, name, { after: startDigest, limit }),
  )) {
    for (const image of images) {
      if (!matchesTagStatus(image, input.filter?.tagStatus) || !matchesStatus(image, input.filter?.imageStatus))
        continue;
      for (const imageTag of image.tags.length > 0 ? image.tags : [undefined]) {
        const last = imageIds.at(-1);
        if (imageIds.length === limit && last)
          return {
            imageIds,
            nextToken: await tokenFor(signing, account, list, `${last.imageDigest}|${last.imageTag ?? ''}`),
          };
        imageIds.push({ imageDigest: image.digest, ...(imageTag === undefined ? {} : { imageTag }) });
      }
    }
  }
  return { imageIds };
}

async function* pagesAfter(
  first: readonly ListedImage[],
  pages: AsyncIterable<ImagePage>,
): AsyncGenerator<readonly ListedImage[]> {
  yield first;
  for await (const { images } of pages) yield images;
}
