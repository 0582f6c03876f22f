export { blobNotFound, type Blobs, type FoundBlob, type Mount } from './blobs.ts';
export { type ImagesPorts, defaultLimits, type ImagesLimits, type ImagesOptions } from './ports.ts';
export type { Count } from './counts.ts';
export type { RemovedManifest, RemoveTag } from './delete-manifest.ts';
export { ImagesError, type ImagesErrorCode } from './errors.ts';
export { type Images, openImages } from './images.ts';
export { imageRows, keys, registries, registryPartition } from './keys.ts';
export type { ImagePage, ListedImage } from './list-images.ts';
export {
  type Descriptor,
  digestOf,
  maxManifestBytes,
  type ParsedManifest,
  parseManifest,
  readManifest,
} from './manifest.ts';
export type { FoundManifest, Manifests } from './manifests.ts';
export { isIndexType, isManifestType, mediaTypes, servedAs } from './media-types.ts';
export { type Meter, noMeter } from './meter.ts';
export { compileWildcard, isMovable, matchesWildcard } from './mutability.ts';
export {
  isDigest,
  isTag,
  parseDigest,
  parseReference,
  parseRepositoryName,
  parseTag,
  printable,
  type Reference,
  type RepositoryName,
  type Tag,
} from './names.ts';
export { inOwnMemory } from './own-memory.ts';
export type { PullCount, Pulls } from './pulls.ts';
export type { PutManifest, PutManifestResult } from './put-manifest.ts';
export type {
  BlobRecord,
  LinkRecord,
  ManifestRecord,
  PublicCatalog,
  ReferrerRecord,
  ReplicationRule,
  RegistryRecord,
  RepositoryRecord,
  TagExclusion,
  TagMutability,
  TagRecord,
  UploadRecord,
} from './records.ts';
export type { NewRepository, Repositories, RepositoryPage } from './repositories.ts';
export { createResources, type RepositoryResource, type Resources } from './resources.ts';
export type { ChangeStorageClass } from './storage-class.ts';
export type { AppendRange, UploadAddress } from './upload-address.ts';
export type { Uploads, UploadState } from './uploads.ts';
export { everyImage, everyRepository, imagePages, registryAccounts, repositoryPages } from './walk.ts';
