import type { Digest } from '@slipway/storage/blobs';
import { type Images, ImagesError, readManifest, servedAs } from '../images/index.ts';
import type { PullPolicy } from '../scanning/index.ts';
import { type Remote, RemoteError } from '../remote/index.ts';

/** Where images are copied from, and the rules about what may leave it. */
export interface CopySource {
  readonly images: Images;
  readonly policy: PullPolicy;
}

export interface CopiedImage {
  readonly account: string;
  readonly repository: string;
  readonly digest: Digest;
  readonly tags: readonly string[];
}

/**
 * Copies an image with everything below it to another registry. What is there already is not sent again, so a copy that broke
 * off goes on where it was, and repeating it changes nothing.
 * @throws RemoteError; ImagesError `ManifestNotFound` when the image is gone here, `PullRefused` when its findings forbid it
 */
export function copyImage({ images, policy }: CopySource, remote: Remote, image: CopiedImage): Promise<void> {
  return copyBelow({ images, policy }, remote, image, new Set());
}

/** @param copied what this copy has sent: indexes may list the same image a million times over */
async function copyBelow(
  { images, policy }: CopySource,
  remote: Remote,
  image: CopiedImage,
  copied: Set<Digest>,
): Promise<void> {
  const { account, repository, digest, tags } = image;
  const found = await images.manifests.look(account, repository, { kind: 'digest', digest });
  const { manifest } = found;
  if (found.repository === undefined || manifest === undefined || manifest.archived)
    throw new ImagesError('ManifestNotFound', `The image ${digest} is not in the repository '${repository}' any more`);
  const refusal = await policy.manifest({ account, repository: found.repository, digest, caller: undefined });
  if (refusal) throw new ImagesError('PullRefused', refusal.reason);
  const bytes = await images.manifests.content(account, repository, digest);
  const { blobs, children } = readManifest(bytes, manifest.mediaType);
  const mediaType = servedAs(manifest.mediaType);
  for (const child of children) {
    if (copied.has(child.digest)) continue;
    copied.add(child.digest);
    await copyBelow({ images, policy }, remote, { account, repository, digest: child.digest, tags: [] }, copied);
  }
  for (const blob of blobs) await copyBlob(images, remote, account, repository, blob.digest);
  let sent = false;
  for (const tag of tags) {
    try {
      await remote.putManifest(repository, tag, mediaType, bytes);
      sent = true;
    } catch (error) {
      // Where the tag must not move, the image arrives without it, as on ECR.
      if (!(error instanceof RemoteError && error.code === 'refused' && error.message.includes('immutable')))
        throw error;
    }
  }
  if (!sent) await remote.putManifest(repository, digest, mediaType, bytes);
}

async function copyBlob(
  images: Images,
  remote: Remote,
  account: string,
  repository: string,
  digest: Digest,
): Promise<void> {
  if (await remote.hasBlob(repository, digest)) return;
  const { blob } = await images.blobs.look(account, repository, digest);
  if (blob === undefined)
    throw new ImagesError('BlobNotFound', `The blob ${digest} is not in the repository '${repository}' any more`);
  const source = await images.blobs.open(blob);
  await remote.putBlob(repository, digest, blob.size, () => source.stream());
}

/** The reason of a failure, short enough to be a code. */
export function failureCodeOf(error: unknown): string {
  if (error instanceof ImagesError) return error.code === 'PullRefused' ? 'ImageRefused' : 'ImageNotFound';
  if (!(error instanceof RemoteError)) return 'InternalFailure';
  switch (error.code) {
    case 'denied':
      return 'AccessDenied';
    case 'too-many-requests':
      return 'TooManyRequests';
    case 'refused':
      return 'DestinationRefused';
    case 'not-found':
    case 'corrupt':
    case 'unavailable':
      return 'DestinationUnavailable';
  }
}
