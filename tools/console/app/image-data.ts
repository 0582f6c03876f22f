import { ecr, pages, unlessRefused } from './aws.ts';
import type { ImageDetail } from './types.ts';

/** Images whose layers are compared, the newest; one call takes as many. */
const mostCompared = 100;
/** Referrers of an image that are shown. */
const mostReferrers = 200;

/** A layer, and how many other images of the repository have it. */
export interface Layer {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly others: number;
}

/** What refers to an image: a signature, an SBOM, an attestation. */
export interface Referrer {
  readonly digest: string;
  readonly artifactType: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Inside {
  readonly layers: readonly Layer[];
  /** Images of an index, by platform; empty where it is no index. */
  readonly platforms: readonly { readonly name: string; readonly digest: string }[];
  readonly referrers: readonly Referrer[];
  readonly compared: number;
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

/** The members of a manifest that are shown; whoever pushed it wrote it, and the registry has held it to its form. */
export function manifestOf(text: string | undefined): {
  readonly layers: readonly Descriptor[];
  readonly platforms: Inside['platforms'];
} {
  let read: Record<string, unknown> = {};
  try {
    read = JSON.parse(text ?? '{}') as Record<string, unknown>;
  } catch {
    // Nothing of it is shown.
  }
  const list = (name: string): readonly Record<string, unknown>[] =>
    Array.isArray(read[name]) ? (read[name] as Record<string, unknown>[]) : [];
  const layers = list('layers').flatMap(({ digest, size }) =>
    typeof digest === 'string' && typeof size === 'number' ? [{ digest, size }] : [],
  );
  const platforms = list('manifests').flatMap(({ digest, platform }) => {
    const { os = 'unknown', architecture = 'unknown', variant } = (platform ?? {}) as Record<string, unknown>;
    const parts = [os, architecture, ...(variant === undefined ? [] : [variant])];
    return typeof digest === 'string' ? [{ digest, name: parts.map(String).join('/') }] : [];
  });
  return { layers, platforms };
}

/** What an image is made of, and what refers to it; what is refused of that is left out. @throws AwsError */
export async function readInside(
  repository: string,
  imageDigest: string,
  images: readonly ImageDetail[],
  signal: AbortSignal,
): Promise<Inside> {
  const digests = images.flatMap((one) => one.imageDigest ?? []).slice(0, mostCompared);
  const wanted = digests.includes(imageDigest) ? digests : [imageDigest, ...digests.slice(0, mostCompared - 1)];
  const [manifests, referrers] = await Promise.all([
    unlessRefused(readManifests(repository, wanted, signal), new Map<string, string>()),
    unlessRefused(readReferrers(repository, imageDigest, signal), []),
  ]);
  const { layers, platforms } = manifestOf(manifests.get(imageDigest));
  return { layers: sharing(imageDigest, layers, manifests), platforms, referrers, compared: manifests.size };
}

async function readManifests(
  repositoryName: string,
  digests: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const imageIds = digests.map((imageDigest) => ({ imageDigest }));
  const { images = [] } = await ecr('BatchGetImage', { repositoryName, imageIds }, { signal });
  return new Map(images.map(({ imageId, imageManifest = '' }) => [imageId?.imageDigest ?? '', imageManifest]));
}

/** How many of the other images have each layer. */
export function sharing(
  own: string,
  layers: readonly Descriptor[],
  manifests: ReadonlyMap<string, string>,
): readonly Layer[] {
  const counts = new Map<string, number>();
  for (const [digest, text] of manifests) {
    if (digest === own) continue;
    for (const layer of new Set(manifestOf(text).layers.map((one) => one.digest)))
      counts.set(layer, (counts.get(layer) ?? 0) + 1);
  }
  return layers.map((layer) => ({ ...layer, others: counts.get(layer.digest) ?? 0 }));
}

async function readReferrers(
  repositoryName: string,
  imageDigest: string,
  signal: AbortSignal,
): Promise<readonly Referrer[]> {
  const found = await pages(
    (nextToken) =>
      ecr('ListImageReferrers', { repositoryName, subjectId: { imageDigest }, nextToken, maxResults: 50 }, { signal }),
    (page) => page.referrers,
    mostReferrers,
  );
  return found.map(({ digest = '', artifactType = '', size = 0, annotations = {} }) => ({
    digest,
    artifactType,
    size,
    annotations,
  }));
}

/** What a referrer is, in a word, by the types that signers and builders use. */
export function kindOf({ artifactType }: Pick<Referrer, 'artifactType'>): string {
  if (/notary|cosign|signature|sigstore/.test(artifactType)) return 'Signature';
  if (/spdx|cyclonedx|sbom|syft/.test(artifactType)) return 'SBOM';
  return /in-toto|attestation|provenance/.test(artifactType) ? 'Attestation' : 'Other';
}
