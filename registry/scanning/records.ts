import type { Digest } from '@slipway/storage/blobs';
import type { Distribution } from './inventory/os-release.ts';
import type { Severity } from '../advisories/index.ts';

/** Why an image was scanned. */
export type ScanCause = 'push' | 'manual' | 'continuous';

/** Beside the image in the registry's partition: small, because pulls may have to look at it. */
export interface ScanRecord {
  readonly status: 'PENDING' | 'IN_PROGRESS' | 'COMPLETE' | 'FAILED' | 'UNSUPPORTED_IMAGE';
  readonly description: string;
  readonly cause: ScanCause;
  /** Milliseconds since the epoch. */
  readonly requestedAt: number;
  readonly scanner?: string;
  readonly completedAt?: number;
  /** Names the findings that belong to this record. New for every scan that completes. */
  readonly id?: string;
  /** Without severities that did not occur. */
  readonly counts?: Readonly<Partial<Record<Severity, number>>>;
  readonly parts?: number;
  /** What the scanner knew: when its advisories were brought up to date. */
  readonly knowledgeFrom?: number;
  readonly distribution?: Distribution;
  /** Parts of the list of packages, where the scanner gave one. */
  readonly packageParts?: number;
  /** When the image was scanned first. */
  readonly firstCompletedAt?: number;
  /** The referrer that holds the bill of materials. */
  readonly sbom?: Digest;
}

/** Findings in one record, and packages in one: far below what a record may hold. */
export const findingsPerPart = 250;
export const packagesPerPart = 5000;
