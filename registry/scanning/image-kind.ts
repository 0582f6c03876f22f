import type { Digest } from '@slipway/storage/blobs';
import { digestOf, type Images, ImagesError, isIndexType, mediaTypes } from '../images/index.ts';

/** A manifest with what it is served as; given where it is not in the repository yet. */
export interface ManifestContent {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

interface Shape {
  readonly config?: { readonly mediaType?: unknown; readonly digest?: unknown } | null;
  readonly layers?: readonly { readonly mediaType?: unknown }[] | null;
}

/** Configs of things that are known and are no images. A type that is not here may be one that some runtime starts. */
const otherConfigs: ReadonlySet<unknown> = new Set([
  'application/vnd.buildkit.cacheconfig.v0',
  'application/vnd.cncf.helm.config.v1+json',
  'application/vnd.cncf.notary.signature',
  'application/vnd.unknown.config.v1+json',
]);

/** The config of whatever needs none: no client makes a container of it, because it names no layers. */
const emptyConfigs: ReadonlySet<unknown> = new Set(
  (['sha256', 'sha512'] as const).map((algorithm) => digestOf(Buffer.from('{}'), algorithm)),
);

const statement = 'application/vnd.in-toto+json';
/** A config that says of what system it is, is longer than this only when it is of an image. Bytes. */
const longestConfig = 65_536;

/**
 * Whether a manifest counts as a container image: whatever is not provably something else does, because clients are generous.
 * Docker runs images whose config has an empty or a made-up type (moby, `distribution/pull_v2.go`), and reads layers as archives
 * whatever they are called. An index is not an image, those it lists are; neither is what is not here.
 * @param given its content, where it is not in the repository yet; the repository's own comes from memory on repeated pulls
 */
export async function isImage(
  images: Images,
  account: string,
  repository: string,
  digest: Digest,
  given?: ManifestContent,
): Promise<boolean> {
  const content = given ?? (await contentOf(images, account, repository, digest));
  if (content === undefined || isIndexType(content.mediaType)) return false;
  if (content.mediaType === mediaTypes.ociArtifact) return false;
  const { config, layers } = JSON.parse(Buffer.from(content.bytes).toString()) as Shape;
  if (emptyConfigs.has(config?.digest)) return false;
  // Docker's own manifests are for docker to run: what says that it is something else there is a plug-in, which runs as well.
  if (content.mediaType !== mediaTypes.dockerManifest && otherConfigs.has(config?.mediaType)) return false;
  const attests = (layers ?? []).length > 0 && layers?.every((layer) => layer.mediaType === statement) === true;
  return !(attests && (await isForNoSystem(images, account, repository, config?.digest as Digest)));
}

async function contentOf(
  images: Images,
  account: string,
  repository: string,
  digest: Digest,
): Promise<ManifestContent | undefined> {
  const found = await images.resolve(account, repository, digest);
  if (found === undefined) return undefined;
  try {
    return { mediaType: found.mediaType, bytes: await images.manifests.content(account, repository, digest) };
  } catch (error) {
    if (error instanceof ImagesError && error.code === 'ManifestNotFound') return undefined;
    throw error;
  }
}

/** BuildKit's attestations have the config of an image for a system that there is not, so that none starts them. */
async function isForNoSystem(images: Images, account: string, repository: string, digest: Digest): Promise<boolean> {
  const { blob } = await images.blobs.look(account, repository, digest);
  if (blob === undefined || blob.size > longestConfig) return false;
  const source = await images.blobs.open(blob);
  const pieces: Uint8Array[] = [];
  for await (const piece of source.stream()) pieces.push(piece);
  try {
    const config = JSON.parse(Buffer.concat(pieces).toString()) as {
      readonly os?: unknown;
      readonly architecture?: unknown;
    } | null;
    return config?.os === 'unknown' && config.architecture === 'unknown';
  } catch {
    return false;
  }
}
