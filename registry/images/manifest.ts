import { createHash } from 'node:crypto';
import type { Digest } from '@slipway/storage/blobs';
import { ImagesError } from './errors.ts';
import { isIndexType, isManifestType, isNotDistributable, isSchema1Type, mediaTypes } from './media-types.ts';
import { isDigest, printable } from './names.ts';
import { parseStrictJson } from './strict-json.ts';

/** 4 MiB, as the ECR API allows and the distribution specification asks for at least. */
export const maxManifestBytes = 4 * 1024 * 1024;
const maxEntries = 1000;
const maxAnnotationLength = 1024 * 1024;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** What the registry needs to know of a manifest; the bytes themselves are never written anew. */
export interface ParsedManifest {
  readonly text: string;
  readonly size: number;
  readonly mediaType: string;
  /** Blobs that must be there (config, layers). */
  readonly blobs: readonly Descriptor[];
  /** Blobs that may be elsewhere. */
  readonly foreign: readonly Descriptor[];
  /** Entries of an index. */
  readonly children: readonly Descriptor[];
  readonly subject?: Descriptor;
  /** As a referrers list shows it: `artifactType`, else the config's media type. */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The digest of bytes by the algorithm of `like`. */
export function digestOf(bytes: Uint8Array, algorithm: 'sha256' | 'sha512' = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/**
 * Reads a manifest or index of any kind but schema 1.
 * @param contentType the media type the client declared, if any; it must agree with the manifest's own `mediaType`
 * @throws ImagesError `ManifestInvalid` or `ManifestTooLarge`
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined): ParsedManifest {
  if (bytes.length > maxManifestBytes) {
    throw new ImagesError(
      'ManifestTooLarge',
      `The manifest has ${bytes.length} bytes; at most ${maxManifestBytes} are allowed.`,
    );
  }
  const { text, value } = parseStrictJson(bytes);
  if (!isObject(value)) throw invalid('it is not a JSON object');
  const mediaType = mediaTypeOf(value, contentType);
  if (value['layers'] !== undefined && value['manifests'] !== undefined)
    throw invalid('it has both layers and manifests');
  const index = isIndexType(mediaType);
  if (index && value['manifests'] === undefined) throw invalid('an index needs manifests');
  if (isManifestType(mediaType) && !index && value['manifests'] !== undefined)
    throw invalid('an image manifest must not list manifests');
  if (
    (mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest) &&
    value['config'] === undefined
  ) {
    throw invalid('an image manifest needs a config');
  }
  const config = value['config'] === undefined ? undefined : descriptor(value['config'], 'config');
  const layers = [...descriptors(value['layers'], 'layers'), ...descriptors(value['blobs'], 'blobs')];
  const subject =
    value['subject'] === undefined || value['subject'] === null ? undefined : descriptor(value['subject'], 'subject');
  const artifactType = optionalString(value['artifactType'], 'artifactType') ?? config?.mediaType;
  const annotations = annotationsOf(value['annotations']);
  return {
    text,
    size: bytes.length,
    mediaType,
    blobs: [...(config ? [config] : []), ...layers.filter((layer) => !isNotDistributable(layer.mediaType))],
    foreign: layers.filter((layer) => isNotDistributable(layer.mediaType)),
    children: descriptors(value['manifests'], 'manifests'),
    ...(subject ? { subject } : {}),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations ? { annotations } : {}),
  };
}

function mediaTypeOf(value: Record<string, unknown>, contentType: string | undefined): string {
  const own = optionalString(value['mediaType'], 'mediaType');
  const declared = contentType?.split(';')[0]?.trim().toLowerCase();
  if (value['schemaVersion'] === 1 || (declared !== undefined && isSchema1Type(declared))) {
    throw invalid('schema 1 is not supported; push it as schema 2 or OCI');
  }
  if (value['schemaVersion'] !== undefined && value['schemaVersion'] !== 2) throw invalid('schemaVersion must be 2');
  if (
    own !== undefined &&
    declared !== undefined &&
    declared !== 'application/json' &&
    own.toLowerCase() !== declared
  ) {
    throw invalid(`its mediaType ${printable(own)} is not the Content-Type ${printable(declared)}`);
  }
  if (own !== undefined) return own;
  if (declared !== undefined && declared !== 'application/json' && declared !== 'application/octet-stream')
    return declared;
  return value['manifests'] === undefined ? mediaTypes.ociManifest : mediaTypes.ociIndex;
}

function descriptors(value: unknown, where: string): Descriptor[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(`${where} is not a list`);
  if (value.length > maxEntries)
    throw invalid(`${where} has ${value.length} entries; at most ${maxEntries} are allowed`);
  return value.map((entry, position) => descriptor(entry, `${where}[${position}]`));
}

function descriptor(value: unknown, where: string): Descriptor {
  if (!isObject(value)) throw invalid(`${where} is not a descriptor`);
  const { mediaType, digest, size, data } = value;
  if (typeof mediaType !== 'string') throw invalid(`${where} has no mediaType`);
  if (typeof digest !== 'string' || !isDigest(digest)) throw invalid(`${where} has no valid digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid(`${where} has no valid size`);
  annotationsOf(value['annotations']);
  if (data !== undefined) checkData(data, digest, size, where);
  return { mediaType, digest, size };
}

/** `data` is a copy of the content; one that differs would show different clients different things. */
function checkData(data: unknown, digest: Digest, size: number, where: string): void {
  if (typeof data !== 'string') throw invalid(`${where}.data is not a string`);
  const bytes = Buffer.from(data, 'base64');
  const algorithm = digest.startsWith('sha512:') ? 'sha512' : 'sha256';
  if (bytes.length !== size || digestOf(bytes, algorithm) !== digest)
    throw invalid(`${where}.data is not what its digest and size say`);
}

function annotationsOf(value: unknown): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw invalid('annotations is not an object');
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw invalid(`the annotation ${printable(name)} is not a string`);
    if (text.length >= maxAnnotationLength || name.length >= maxAnnotationLength)
      throw invalid(`the annotation ${printable(name)} is too long`);
  }
  return value as Record<string, string>;
}

function optionalString(value: unknown, where: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw invalid(`${where} is not a string`);
  return value;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const invalid = (reason: string): ImagesError =>
  new ImagesError('ManifestInvalid', `The manifest is invalid: ${reason}.`);
