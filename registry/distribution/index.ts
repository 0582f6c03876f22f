export { createDistribution, type DistributionOptions } from './distribution.ts';
export { createLayerDownloads, type LayerAddress, layerUrl } from './layer-downloads.ts';
export { createRedirects, type Redirects, type RedirectSettings, redirectsTag } from './redirects.ts';
