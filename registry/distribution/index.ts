export { createDistribution, type DistributionOptions } from './distribution.ts';
export type { Redirects } from './redirects.ts';
