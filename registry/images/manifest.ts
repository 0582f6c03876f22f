import { createHash } from 'node:crypto';
import type { Digest } from '@slipway/storage/blobs';
import { ImagesError } from './errors.ts';
import {
  isDocumentType,
  isIndexType,
  isManifestType,
  isMediaType,
  isNotDistributable,
  isSchema1Type,
  mediaTypes,
} from './media-types.ts';
import { isDigest, printable } from './names.ts';
import { parseStrictJson } from './strict-json.ts';

/** 4 MiB, as the ECR API allows and the distribution specification asks for at least. */
export const maxManifestBytes = 4 * 1024 * 1024;
const maxEntries = 1000;
const maxAnnotationLength = 1024 * 1024;
/** All annotations of a manifest with a subject: every list of the subject's referrers repeats them. As Kubernetes has it for objects. */
const maxReferrerAnnotations = 256 * 1024;

export interface Descriptor {
  readonly mediaType: string;
  readonly artifactType?: string;
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
 * Reads a manifest or index of any kind but schema 1 on its way in: what it says of itself must hold wherever it is shown or sent.
 * @param contentType the media type the client declared, if any; it must agree with the manifest's own `mediaType`
 * @param typed whether one of the two must be there
 * @throws ImagesError `ManifestInvalid` or `ManifestTooLarge`
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined, typed = false): ParsedManifest {
  const { stated, ...manifest } = read(bytes, contentType);
  if (typed && !stated) throw invalid('it has no mediaType, and no media type was given with it');
  if (!isDocumentType(manifest.mediaType))
    throw invalid(`${printable(manifest.mediaType)} is not the media type of a manifest: ${typeRule}`);
  const types = [
    manifest.artifactType,
    ...descriptorsOf(manifest).flatMap((entry) => [entry.mediaType, entry.artifactType]),
  ];
  const wrong = types.find((type) => type !== undefined && !isMediaType(type));
  if (wrong !== undefined) throw invalid(`${printable(wrong)} is not a media type (RFC 6838, at most 255 characters)`);
  const length = annotationsLength(manifest.annotations);
  if (manifest.subject && length > maxReferrerAnnotations)
    throw invalid(
      `its annotations have ${length} characters; with a subject at most ${maxReferrerAnnotations} are allowed, put what is longer into a layer`,
    );
  return manifest;
}

const typeRule = "it must be JSON (application/json, application/….+json) or a vendor's own (application/vnd.…)";

const descriptorsOf = ({ blobs, foreign, children, subject }: ParsedManifest): readonly Descriptor[] => [
  ...blobs,
  ...foreign,
  ...children,
  ...(subject ? [subject] : []),
];

/** Characters of the names and values, and of what JSON puts around each. */
export const annotationsLength = (annotations: ParsedManifest['annotations']): number =>
  Object.entries(annotations ?? {}).reduce((sum, [name, text]) => sum + name.length + text.length + 6, 0);

/**
 * Reads what is here already, whatever the rules were when it came.
 * @param contentType the type it is kept under
 * @throws ImagesError `ManifestInvalid` or `ManifestTooLarge`
 */
export function readManifest(bytes: Uint8Array, contentType: string | undefined): ParsedManifest {
  const { stated: _stated, ...manifest } = read(bytes, contentType);
  return manifest;
}

/** `stated`: whether the type was said, by the manifest or with it, and not worked out from what is in it. */
function read(bytes: Uint8Array, contentType: string | undefined): ParsedManifest & { readonly stated: boolean } {
  if (bytes.length > maxManifestBytes) {
    throw new ImagesError(
      'ManifestTooLarge',
      `The manifest has ${bytes.length} bytes; at most ${maxManifestBytes} are allowed.`,
    );
  }
  const { text, value: parsed } = parseStrictJson(bytes);
  if (!isObject(parsed)) throw invalid('it is not a JSON object');
  // As Go's decoders do, which take `null` for a member that is not there.
  const value = Object.fromEntries(Object.entries(parsed).filter(([, member]) => member !== null));
  const said = statedType(value, contentType);
  const mediaType = said ?? (value['manifests'] === undefined ? mediaTypes.ociManifest : mediaTypes.ociIndex);
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
  const subject = value['subject'] === undefined ? undefined : descriptor(value['subject'], 'subject');
  const artifactType = optionalString(value['artifactType'], 'artifactType') ?? config?.mediaType;
  const annotations = annotationsOf(value['annotations']);
  return {
    text,
    size: bytes.length,
    mediaType,
    stated: said !== undefined,
    blobs: [...(config ? [config] : []), ...layers.filter((layer) => !isNotDistributable(layer.mediaType))],
    foreign: layers.filter((layer) => isNotDistributable(layer.mediaType)),
    children: descriptors(value['manifests'], 'manifests'),
    ...(subject ? { subject } : {}),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations ? { annotations } : {}),
  };
}

function statedType(value: Record<string, unknown>, contentType: string | undefined): string | undefined {
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
  return undefined;
}

function descriptors(value: unknown, where: string): Descriptor[] {
  if (value === undefined) return [];
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
  if (data !== undefined && data !== null) checkData(data, digest, size, where);
  const artifactType = optionalString(value['artifactType'], `${where}.artifactType`);
  return { mediaType, digest, size, ...(artifactType === undefined ? {} : { artifactType }) };
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
  const annotations: Record<string, string> = {};
  for (const [name, given] of Object.entries(value)) {
    // Go's decoders read `null` as the empty string.
    const text = given ?? '';
    if (typeof text !== 'string') throw invalid(`the annotation ${printable(name)} is not a string`);
    if (text.length >= maxAnnotationLength || name.length >= maxAnnotationLength)
      throw invalid(`the annotation ${printable(name)} is too long`);
    annotations[name] = text;
  }
  return annotations;
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
