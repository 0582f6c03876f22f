/** The media types that decide how a manifest is read. Everything else is kept and served as it came. */
export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociArtifact: 'application/vnd.oci.artifact.manifest.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

const indexTypes = new Set<string>([mediaTypes.ociIndex, mediaTypes.dockerList]);
const imageTypes = new Set<string>([mediaTypes.ociManifest, mediaTypes.dockerManifest, mediaTypes.ociArtifact]);
const schema1Types = new Set([
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
]);
const notDistributable =
  /^application\/vnd\.(?:oci\.image\.layer\.nondistributable\.|docker\.image\.rootfs\.foreign\.)/;

export const isIndexType = (mediaType: string): boolean => indexTypes.has(mediaType);
export const isManifestType = (mediaType: string): boolean => indexTypes.has(mediaType) || imageTypes.has(mediaType);
export const isSchema1Type = (mediaType: string): boolean => schema1Types.has(mediaType);
/** Layers that may live elsewhere: a manifest may name them without the registry having them. */
export const isNotDistributable = (mediaType: string): boolean => notDistributable.test(mediaType);

/** RFC 6838, section 4.2: a type and a subtype, each of a letter or digit and up to 126 more of what "restricted names" are made of. */
const registered = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/i;
/** What no browser shows or runs as a document of this origin: JSON by any name, and vendors' own types without a suffix. */
const inert = /^application\/(?:(?:[^/]+\+)?json|vnd\.[^/+]+)$/i;

/** Whether a text is a media type as the image specification asks of descriptors: without parameters, at most 255 characters. */
export const isMediaType = (text: string): boolean => registered.test(text);
/** Whether a manifest may say that it is of this type, and be served as it. */
export const isDocumentType = (text: string): boolean =>
  isManifestType(text) || (isMediaType(text) && inert.test(text));
/** What a manifest is served as. Rows from before manifests' types were checked may hold anything, also what no header can. */
export const servedAs = (mediaType: string): string =>
  isDocumentType(mediaType) ? mediaType : 'application/octet-stream';
