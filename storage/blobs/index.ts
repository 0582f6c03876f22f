export {
  type Appended,
  type BlobLocation,
  BlobMissing,
  type BlobSource,
  type BlobStore,
  BlobStoreError,
  type Digest,
  DigestMismatch,
  type DirectAccess,
  hasDirectAccess,
  type SealedBlob,
  type Staged,
  StagedLost,
} from './blob-store.ts';
export { type FilesystemBlobsConfig, openFilesystemBlobs } from './filesystem-blobs.ts';
export { openS3Blobs, type S3Blobs, type S3BlobsConfig } from './s3-blobs.ts';
export type { Certificate, Check } from './s3-certify.ts';
