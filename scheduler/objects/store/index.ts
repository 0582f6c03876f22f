/** Buckets and their objects, on blobs and records. */
export { blobsOfObjects, knownBlobsOfObjects, relocateObjects } from './blobs-of-objects.ts';
export { type Bucket, Buckets } from './buckets.ts';
export { type ByteRange, Content } from './content.ts';
export { objectRows } from './keys.ts';
export { type Entry, list, type Listing, type ListingRequest } from './listing.ts';
export { Objects, type PutConditions } from './objects.ts';
export type { StorePorts } from './ports.ts';
export { type Expectation, receive, type Received } from './receive.ts';
export { reclaim, type Reclaimed } from './reclaim.ts';
export type {
  BucketRecord,
  Described,
  ObjectRecord,
  PartRecord,
  PublicAccess,
  StoredChecksum,
  UploadRecord,
} from './records.ts';
export { mostParts, type NumberedPart, Uploads, type WantedPart } from './uploads.ts';
