import type { Tags } from '@slipway/auth/kit';

/** A file system: a folder of the share that its hosts have, under its id. */
export interface FileSystemRecord {
  /** `fs-` and 17 digits. */
  readonly id: string;
  readonly creationToken: string;
  /** Milliseconds since the epoch, as all times of records. */
  readonly createdAt: number;
  /** Whether it was asked to lie on disks that are encrypted. */
  readonly encrypted: boolean;
  readonly throughputMode: 'bursting' | 'elastic';
  readonly tags: Tags;
  /** With its principals by their ids; absent where everybody who may mount may do everything. */
  readonly policy?: string;
}

/** Where hosts of a zone find a file system. Nothing listens there: what it says is that tasks may mount it. */
export interface MountTargetRecord {
  /** `fsmt-` and 17 digits. */
  readonly id: string;
  readonly fileSystemId: string;
  readonly subnetId: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly securityGroups: readonly string[];
}

/** Whom files belong to that are made through an access point, and as whom they are read. */
export interface PosixUserRecord {
  readonly uid: number;
  readonly gid: number;
  readonly secondaryGids: readonly number[];
}

/** A way into a file system: a folder of it, as somebody. */
export interface AccessPointRecord {
  /** `fsap-` and 17 digits. */
  readonly id: string;
  readonly clientToken: string;
  readonly fileSystemId: string;
  readonly posixUser?: PosixUserRecord;
  /** `/` is the whole. */
  readonly path: string;
  /** How its folder is made when it is not there; permissions as octal digits. */
  readonly creation?: { readonly uid: number; readonly gid: number; readonly permissions: string };
  readonly tags: Tags;
}
