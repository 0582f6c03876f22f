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
