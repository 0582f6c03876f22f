/** The media types of the OCI image specification that the data sets are made of, and two that nobody has registered. */
export const types = {
  image: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  foreignLayer: 'application/vnd.oci.image.layer.nondistributable.v1.tar',
  foreignLayerGzip: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
  bytes: 'application/octet-stream',
  exampleOne: 'application/vnd.slipway.conformance.one',
  exampleTwo: 'application/vnd.slipway.conformance.two',
} as const;

/** What a client accepts that reads images and indexes. */
export const acceptManifests = `${types.image}, ${types.index}`;
