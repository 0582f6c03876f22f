export { createDistribution, type DistributionOptions } from './distribution.ts';
export { createLayerDownloads, type LayerAddress, layerUrl } from './layer-downloads.ts';
export type { Redirects } from './redirects.ts';
