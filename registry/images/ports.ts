import { randomBytes } from 'node:crypto';
import type { BlobStore } from '@slipway/storage/blobs';
import { type Clock, systemClock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';
import { type Meter, noMeter } from './meter.ts';
import { RepositoryReads } from './repository-reads.ts';
import { Turns } from './turns.ts';

/** Times and sizes that a registry keeps to. Times are milliseconds, sizes bytes. */
export interface ImagesLimits {
  /** How long "the blob is here" stays true for a client that is pushing. Default 24 hours. */
  readonly lease: number;
  /** How long a blob that nothing needs any more is kept before its removal may begin. Default 1 hour. */
  readonly grace: number;
  /** How long signatures and other referrers outlive their subject. Default 24 hours, as ECR. */
  readonly referrerGrace: number;
  /** The largest blob. Default 52,000 MiB, as ECR. */
  readonly blobBytes: number;
  /** Default 100,000, as ECR. */
  readonly imagesPerRepository: number;
  /** Default 100,000, as ECR. */
  readonly repositories: number;
  /** Default 1,000, as ECR. */
  readonly tagsPerImage: number;
  /** Uploads one principal may have open in one repository. Default 1,000. */
  readonly openUploads: number;
  /** An upload nobody touched for this long is dropped. Default 24 hours. */
  readonly uploadIdle: number;
  /** How often a pull of the same image is recorded at most. Default 1 hour. */
  readonly pullInterval: number;
  /** Memory for manifests kept at hand. Default 64 MiB. */
  readonly cacheBytes: number;
}

export const defaultLimits: ImagesLimits = {
  lease: 24 * 3_600_000,
  grace: 3_600_000,
  referrerGrace: 24 * 3_600_000,
  blobBytes: 52_000 * 1024 * 1024,
  imagesPerRepository: 100_000,
  repositories: 100_000,
  tagsPerImage: 1000,
  openUploads: 1000,
  uploadIdle: 24 * 3_600_000,
  pullInterval: 3_600_000,
  cacheBytes: 64 * 1024 * 1024,
};

export interface ImagesOptions {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock?: Clock;
  /** Bytes that nobody can guess. Default: the system's. */
  readonly random?: (bytes: number) => Uint8Array;
  readonly limits?: Partial<ImagesLimits>;
  /** Default: nobody counts. */
  readonly meter?: Meter;
}

/** What every part of the domain works with. */
export interface ImagesPorts {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: (bytes: number) => Uint8Array;
  readonly limits: ImagesLimits;
  /** Writers of one thing in this process go one after the other, so that they do not spoil each other's commits. */
  readonly turns: Turns;
  readonly reads: RepositoryReads;
  readonly meter: Meter;
}

export function portsOf(options: ImagesOptions): ImagesPorts {
  const clock = options.clock ?? systemClock;
  return {
    records: options.records,
    blobs: options.blobs,
    clock,
    random: options.random ?? randomBytes,
    limits: { ...defaultLimits, ...options.limits },
    meter: options.meter ?? noMeter,
    turns: new Turns(),
    reads: new RepositoryReads(options.records, () => clock.monotonic()),
  };
}

/** 128 unguessable bits in the form of a UUID. */
export function newId(ports: Pick<ImagesPorts, 'random'>): string {
  const hex = Buffer.from(ports.random(16)).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
