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
  hasSideNotes,
  type SealedBlob,
  type SealOptions,
  type SideNotes,
  type Staged,
  StagedLost,
} from './blob-store.ts';
export { type FilesystemBlobsConfig, openFilesystemBlobs } from './filesystem-blobs.ts';
export type { S3Blobs, S3BlobsConfig } from './s3-blobs.ts';
export type { Certificate, Check } from './s3-certify.ts';
