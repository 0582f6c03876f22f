/** Buckets and objects, as S3 has them. */
export { createObjects } from './create-objects.ts';
export { objectArn } from './names.ts';
export type { ObjectsOptions } from './ports.ts';
export { Buckets, objectRows, Objects, reclaim, Content, Uploads } from './store/index.ts';
