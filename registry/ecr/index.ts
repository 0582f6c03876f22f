export { createEcr } from './ecr.ts';
export type { EcrOptions } from './surroundings.ts';
