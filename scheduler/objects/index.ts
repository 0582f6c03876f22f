/** Buckets and objects, as S3 has them. */
export { createObjects } from './create-objects.ts';
export type { ObjectsOptions } from './ports.ts';
export { createFileReader, type ReadFile } from './read-file.ts';
export { reclaim } from './store/index.ts';
