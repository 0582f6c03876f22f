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
