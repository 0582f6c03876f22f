import type { BlobLocation } from '@slipway/storage/blobs';

import type { Algorithm } from '../checksums.ts';

export interface BucketRecord {
  readonly account: string;
  readonly createdAt: number;
  /** With principals by their ids. */
  readonly policy?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly publicAccess?: PublicAccess;
  /** ACLs are not served, whatever this says; what it says is what the one who set it reads again. */
  readonly ownership?: 'BucketOwnerEnforced';
}

/** What a bucket's policy may not give to everybody. ACLs, of which two members are, are not served. */
export interface PublicAccess {
  readonly BlockPublicAcls: boolean;
  readonly IgnorePublicAcls: boolean;
  readonly BlockPublicPolicy: boolean;
  readonly RestrictPublicBuckets: boolean;
}

export interface StoredBlob extends BlobLocation {
  readonly size: number;
}

export interface StoredChecksum {
  readonly algorithm: Algorithm;
  /** Base64; of a `COMPOSITE` one with `-<parts>` behind it. */
  readonly value: string;
  readonly type: 'FULL_OBJECT' | 'COMPOSITE';
}

/** What was said of an object when it was put, and is said again when it is read. */
export interface Described {
  /** `content-type` and the like, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** `x-amz-meta-…`, without that. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

export interface ObjectRecord extends Described {
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly modifiedAt: number;
  /** Where its bytes are: in one blob, in the parts of an upload, or nowhere when there are none. */
  readonly blob?: StoredBlob;
  readonly upload?: string;
  readonly checksum?: StoredChecksum;
}

export interface UploadRecord extends Described {
  readonly key: string;
  readonly startedAt: number;
  /** The ARN of who began it. */
  readonly initiator: string;
  readonly algorithm?: Algorithm;
  readonly checksumType?: 'FULL_OBJECT' | 'COMPOSITE';
}

export interface PartRecord {
  readonly size: number;
  readonly etag: string;
  readonly modifiedAt: number;
  readonly blob?: StoredBlob;
  /** Base64, of the upload's algorithm. */
  readonly checksum?: string;
}

export interface GarbageRecord {
  readonly blob: BlobLocation;
  readonly at: number;
}

export interface EndedRecord {
  readonly at: number;
}
