import type * as sdk from '@aws-sdk/client-ecr';
import { AwsError, type Call, type Operations } from '@slipway/auth/contract';
import type { Digest } from '@slipway/storage/blobs';
import { digestOf, ImagesError, isDigest, isTag, type ListedImage, parseDigest, parseTag } from '../images/index.ts';
import { invalidParameter, operation } from './errors.ts';
import { listOfImages, matchesTagStatus, pageOfImages } from './image-lists.ts';
import { scanSummaries } from './scan-view.ts';
import { onRepository, type EcrPorts, type Target, targetOf } from './ports.ts';

type Failure = sdk.ImageFailure & { readonly failureCode: sdk.ImageFailureCode };
type FoundImage = {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly archived?: true;
  readonly failureCode?: never;
};

/** Operations on images. */
export function imageOperations(ports: EcrPorts) {
  const { images } = ports;

  return {
    ...listOfImages(ports),

    DescribeImages: operation({
      access: onRepository(ports, 'DescribeImages'),
      handle: async (input: sdk.DescribeImagesCommandInput, call) =>
        describeImages(ports, targetOf(input, call), input),
    }),

    BatchGetImage: operation({
      access: onRepository(ports, 'BatchGetImage'),
      handle: async (input: sdk.BatchGetImageCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        const repository = await images.repositories.get(account, name);
        const failures: Failure[] = [];
        const found: sdk.Image[] = [];
        for (const imageId of batchOf(input.imageIds)) {
          const image = await find(ports, { account, name }, imageId);
          if (image.failureCode !== undefined) {
            failures.push(image);
            continue;
          }
          if (image.archived) {
            failures.push(failure(imageId, 'ImageInaccessible', 'The image is archived; restore it to pull it'));
            continue;
          }
          const { arn: caller } = call.principal;
          const refusal = await ports.policy.manifest({ account, repository, digest: image.digest, caller });
          if (refusal) {
            failures.push(failure(imageId, 'ImageInaccessible', refusal.reason));
            continue;
          }
          const content = await images.manifests.content(account, name, image.digest);
          // What a page of the console shows of images, again and again, is no pull: policies remove what is not pulled.
          if (call.isBrowser !== true) images.pulls.note(account, name, image.digest, caller);
          found.push({
            registryId: account,
            repositoryName: name,
            imageId: {
              imageDigest: image.digest,
              ...(imageId.imageTag === undefined ? {} : { imageTag: imageId.imageTag }),
            },
            imageManifest: content.toString(),
            imageManifestMediaType: image.mediaType,
          });
        }
        return { images: found, failures };
      },
    }),

    PutImage: operation({
      access: onRepository(ports, 'PutImage'),
      // 4 MiB of manifest, whose quotes and line ends are two characters each within JSON.
      bodyBytes: 10 * 1024 * 1024,
      handle: async (input: sdk.PutImageCommandInput, call) => putImage(ports, targetOf(input, call), input, call),
    }),

    BatchDeleteImage: operation({
      access: onRepository(ports, 'BatchDeleteImage'),
      handle: async (input: sdk.BatchDeleteImageCommandInput, call) => {
        const target = targetOf(input, call);
        await images.repositories.get(target.account, target.name);
        const failures: Failure[] = [];
        const imageIds: sdk.ImageIdentifier[] = [];
        for (const imageId of batchOf(input.imageIds)) {
          const outcome = await deleteImage(ports, target, imageId, call);
          if (Array.isArray(outcome)) imageIds.push(...outcome);
          else failures.push(outcome);
        }
        return { imageIds, failures };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

function batchOf(imageIds: readonly sdk.ImageIdentifier[] | undefined): readonly sdk.ImageIdentifier[] {
  if (imageIds === undefined || imageIds.length < 1 || imageIds.length > 100)
    throw invalidParameter("'imageIds' must have 1 to 100 entries");
  return imageIds;
}

const failure = (imageId: sdk.ImageIdentifier, failureCode: sdk.ImageFailureCode, failureReason: string): Failure => ({
  imageId,
  failureCode,
  failureReason,
});

/** What an image id names: digest, tag, or both, which then must agree. */
export async function find(
  ports: EcrPorts,
  { account, name }: Target,
  imageId: sdk.ImageIdentifier,
): Promise<FoundImage | Failure> {
  const { imageDigest, imageTag } = imageId;
  if (imageDigest === undefined && imageTag === undefined)
    return failure(imageId, 'MissingDigestAndTag', 'Invalid request parameters: both tag and digest are missing');
  if (imageDigest !== undefined && !isDigest(imageDigest))
    return failure(
      imageId,
      'InvalidImageDigest',
      "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
    );
  if (imageTag !== undefined && !isTag(imageTag))
    return failure(
      imageId,
      'InvalidImageTag',
      `Invalid request parameters: image tag '${imageTag.slice(0, 128)}' is not valid`,
    );
  const { manifests } = ports.images;
  const reference =
    imageTag === undefined
      ? ({ kind: 'digest', digest: imageDigest as Digest } as const)
      : ({ kind: 'tag', tag: parseTag(imageTag) } as const);
  const { manifest } = await manifests.look(account, name, reference);
  if (manifest === undefined) return failure(imageId, 'ImageNotFound', 'Requested image not found');
  if (imageDigest !== undefined && manifest.digest !== imageDigest)
    return failure(imageId, 'ImageTagDoesNotMatchDigest', 'Image tag does not match the digest');
  return manifest;
}

/** By tag the tag goes, and the image with its last one; by digest the image goes with all its tags. */
async function deleteImage(
  ports: EcrPorts,
  target: Target,
  imageId: sdk.ImageIdentifier,
  call: Call,
): Promise<sdk.ImageIdentifier[] | Failure> {
  const { account, name } = target;
  const { manifests } = ports.images;
  const image = await find(ports, target, imageId);
  if (image.failureCode !== undefined) return image;
  try {
    if (imageId.imageTag !== undefined) {
      const digest = await manifests.removeTag({
        account,
        repository: name,
        tag: imageId.imageTag,
        actor: call.principal.arn,
        whenLast: 'remove',
      });
      return [{ imageDigest: digest, imageTag: imageId.imageTag }];
    }
    const { digest, tags } = await manifests.remove(account, name, image.digest, call.principal.arn);
    return tags.length === 0 ? [{ imageDigest: digest }] : tags.map((imageTag) => ({ imageDigest: digest, imageTag }));
  } catch (error) {
    if (!(error instanceof ImagesError)) throw error;
    if (error.code === 'ManifestInUse') return failure(imageId, 'ImageReferencedByManifestList', error.message);
    if (error.code === 'ManifestNotFound') return failure(imageId, 'ImageNotFound', 'Requested image not found');
    throw error;
  }
}

async function putImage(
  ports: EcrPorts,
  { account, name }: Target,
  input: sdk.PutImageCommandInput,
  call: Call,
): Promise<{ image: sdk.Image }> {
  const { images } = ports;
  const imageManifest = input.imageManifest ?? '';
  const bytes = Buffer.from(imageManifest);
  const tags = input.imageTag === undefined ? [] : [parseTag(input.imageTag)];
  const { digest, mediaType, changed } = await images.manifests.put({
    account,
    repository: name,
    bytes,
    tags,
    actor: call.principal.arn,
    // The API model: "If you push an image manifest that does not contain the mediaType field, you must specify" it.
    typed: true,
    ...(input.imageManifestMediaType === undefined ? {} : { contentType: input.imageManifestMediaType }),
    ...(input.imageDigest === undefined ? {} : { digest: parseDigest(input.imageDigest) }),
  });
  if (!changed) {
    const tagged = input.imageTag === undefined ? '' : ` and tag '${input.imageTag}'`;
    throw new AwsError(
      'ImageAlreadyExistsException',
      `Image with digest '${digestOf(bytes)}'${tagged} already exists in the repository with name '${name}' in registry with id '${account}'`,
    );
  }
  const imageId = { imageDigest: digest, ...(input.imageTag === undefined ? {} : { imageTag: input.imageTag }) };
  return {
    image: { registryId: account, repositoryName: name, imageId, imageManifest, imageManifestMediaType: mediaType },
  };
}

async function describeImages(
  ports: EcrPorts,
  target: Target,
  input: sdk.DescribeImagesCommandInput,
): Promise<{ imageDetails: sdk.ImageDetail[]; nextToken?: string }> {
  const { account, name } = target;
  const { images } = ports;
  await images.repositories.get(account, name);
  const view = (image: ListedImage): sdk.ImageDetail => detailOf(target, image);
  if (input.imageIds === undefined) return describePage(ports, target, input, view);
  if (input.maxResults !== undefined || input.nextToken !== undefined)
    throw invalidParameter("'imageIds' cannot be used together with 'maxResults' or 'nextToken'");
  const details = new Map<Digest, sdk.ImageDetail>();
  for (const imageId of batchOf(input.imageIds)) {
    const image = await find(ports, target, imageId);
    if (image.failureCode !== undefined) {
      if (image.failureCode !== 'ImageNotFound' && image.failureCode !== 'ImageTagDoesNotMatchDigest')
        throw invalidParameter(image.failureReason ?? '');
      throw imageNotFound(target, imageId);
    }
    const listed = await images.manifests.listOne(account, name, image.digest);
    if (listed && matchesTagStatus(listed, input.filter?.tagStatus)) details.set(image.digest, view(listed));
  }
  return { imageDetails: await withScans(ports, target, [...details.values()]) };
}

/** With the state of each image's newest scan, read for all of them at once. */
async function withScans(
  { images }: EcrPorts,
  { account, name }: Target,
  details: readonly sdk.ImageDetail[],
): Promise<sdk.ImageDetail[]> {
  const digests = details.map(({ imageDigest = '' }) => imageDigest);
  const scans = await scanSummaries(images.ports.records, account, name, digests);
  return details.map((detail) => ({ ...detail, ...scans.get(detail.imageDigest ?? '') }));
}

/** The one image an operation is about. @throws AwsError `ImageNotFoundException`, `InvalidParameterException` */
export async function theImage(
  ports: EcrPorts,
  target: Target,
  imageId: sdk.ImageIdentifier = {},
): Promise<FoundImage> {
  await ports.images.repositories.get(target.account, target.name);
  const image = await find(ports, target, imageId);
  if (image.failureCode === undefined) return image;
  if (image.failureCode === 'ImageNotFound' || image.failureCode === 'ImageTagDoesNotMatchDigest')
    throw imageNotFound(target, imageId);
  throw invalidParameter(image.failureReason ?? '');
}

function imageNotFound({ account, name }: Target, { imageDigest, imageTag }: sdk.ImageIdentifier): AwsError {
  const id = `{imageDigest:'${imageDigest ?? 'null'}', imageTag:'${imageTag ?? 'null'}'}`;
  return new AwsError(
    'ImageNotFoundException',
    `The image with imageId ${id} does not exist within the repository with name '${name}' in the registry with id '${account}'`,
  );
}

async function describePage(
  ports: EcrPorts,
  target: Target,
  input: sdk.DescribeImagesCommandInput,
  view: (image: ListedImage) => sdk.ImageDetail,
) {
  const { found, nextToken } = await pageOfImages(ports, target, input, `images of ${target.name}`);
  const imageDetails = await withScans(ports, target, found.map(view));
  return { imageDetails, ...(nextToken === undefined ? {} : { nextToken }) };
}

const detailOf = ({ account, name }: Target, image: ListedImage): sdk.ImageDetail => ({
  registryId: account,
  repositoryName: name,
  imageDigest: image.digest,
  ...(image.tags.length > 0 ? { imageTags: [...image.tags] } : {}),
  imageSizeInBytes: image.imageSize,
  imagePushedAt: new Date(image.pushedAt),
  imageManifestMediaType: image.mediaType,
  ...(image.artifactType === undefined ? {} : { artifactMediaType: image.artifactType }),
  ...(image.lastPulledAt === undefined ? {} : { lastRecordedPullTime: new Date(image.lastPulledAt) }),
  ...(image.subject === undefined ? {} : { subjectManifestDigest: image.subject }),
  imageStatus: image.archivedAt === undefined ? 'ACTIVE' : 'ARCHIVED',
  ...(image.lastArchivedAt === undefined ? {} : { lastArchivedAt: new Date(image.lastArchivedAt) }),
  ...(image.activatedAt === undefined ? {} : { lastActivatedAt: new Date(image.activatedAt) }),
});
