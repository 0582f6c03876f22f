import { isManifestType, mediaTypes } from '../images/index.ts';

/**
 * The media type of a manifest: its own, where it says one; else what the registry sends it as, when that is one of manifests; else
 * what it is by its members. Registries in front of object stores send manifests as `application/octet-stream` or `text/plain`.
 */
export function typeOf(bytes: Buffer, contentType: string | null): string {
  const value = objectIn(bytes);
  const own = value['mediaType'];
  if (typeof own === 'string' && own !== '') return own;
  const declared = contentType?.replace(/;.*$/, '').trim().toLowerCase() ?? '';
  const listsManifests = Array.isArray(value['manifests']);
  if (
    isManifestType(declared) &&
    (declared === mediaTypes.ociIndex || declared === mediaTypes.dockerList) === listsManifests
  )
    return declared;
  if (listsManifests) return mediaTypes.ociIndex;
  const config = value['config'] as { readonly mediaType?: unknown } | null | undefined;
  const isDocker = typeof config?.mediaType === 'string' && config.mediaType.startsWith('application/vnd.docker.');
  return isDocker ? mediaTypes.dockerManifest : mediaTypes.ociManifest;
}

/** What is no JSON object has no members; that it is none is for whoever reads it as a manifest to say. */
function objectIn(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
