import type { Digest, Staged } from '@slipway/storage/blobs';

export type TagMutability = 'MUTABLE' | 'IMMUTABLE' | 'MUTABLE_WITH_EXCLUSION' | 'IMMUTABLE_WITH_EXCLUSION';

export interface TagExclusion {
  readonly filterType: 'WILDCARD';
  readonly filter: string;
}

/** What a repository is and how it is set up. Rewritten only by administration, never by a push. */
export interface RepositoryRecord {
  readonly name: string;
  /** New for every creation, so that what an earlier repository of this name held is never served by its successor. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly tagMutability: TagMutability;
  readonly tagExclusions?: readonly TagExclusion[];
  readonly scanOnPush: boolean;
  readonly encryption: { readonly encryptionType: string; readonly kmsKey?: string };
  readonly tags: Readonly<Record<string, string>>;
  /** The exact text that was set. */
  readonly policy?: string;
  readonly lifecyclePolicy?: string;
  /** When the lifecycle policy was last acted on, milliseconds since the epoch. */
  readonly lifecycleEvaluatedAt?: number;
  /** Whether anybody may pull without an account (the ECR Public API), and what its catalog page says. */
  readonly public?: { readonly catalog: PublicCatalog };
}

/** What a public repository says about itself. */
export interface PublicCatalog {
  readonly description?: string;
  readonly architectures?: readonly string[];
  readonly operatingSystems?: readonly string[];
  readonly aboutText?: string;
  readonly usageText?: string;
}

/** Which repositories are copied, and to which registries. */
export interface ReplicationRule {
  readonly destinations: readonly { readonly region: string; readonly registryId: string }[];
  /** Name prefixes; none: every repository. */
  readonly prefixes: readonly string[];
}

/** Settings of an account's registry as a whole. */
export interface RegistryRecord {
  readonly policy?: string;
  /** Whether a push into a repository that is not there creates it. */
  readonly createOnPush?: boolean;
  readonly settings?: Readonly<Record<string, string>>;
  /** Users and roles whose pulls do not count as pulls, by ARN, with the time they were registered. */
  readonly pullTimeExclusions?: Readonly<Record<string, number>>;
  readonly replication?: readonly ReplicationRule[];
  /** The name under which the registry shows itself to the ECR Public API. */
  readonly publicDisplayName?: string;
}

export interface ManifestRecord {
  readonly mediaType: string;
  /** Bytes of the manifest itself. */
  readonly size: number;
  readonly pushedAt: number;
  /** Bytes of the image as ECR counts them: config and layers, or the largest child of an index. */
  readonly imageSize: number;
  readonly artifactType?: string;
  readonly subject?: Digest;
  /** When it went into the archive class, milliseconds since the epoch; absent while it can be pulled. */
  readonly archivedAt?: number;
  /** When it went into the archive last, and when it came back last. */
  readonly lastArchivedAt?: number;
  readonly activatedAt?: number;
  /** Every tag added or taken away rewrites this number, so that a deletion sees tags that come or go meanwhile. */
  readonly tagCount: number;
}

export interface TagRecord {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly pushedAt: number;
  /** Whether the image is in the archive class: a pull by tag must not need a second read to know. */
  readonly archived?: true;
}

/** An entry of a referrers list: an OCI descriptor. */
export interface ReferrerRecord {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A blob that has been acknowledged; the row goes when its removal begins. Never rewritten. */
export interface BlobRecord {
  readonly generation: string;
  readonly size: number;
}

/** The right of a repository to serve a blob. Lives while a manifest there needs the blob or the lease lasts. */
export interface LinkRecord extends BlobRecord {
  /** {@link RepositoryRecord.id} of the repository that was given the blob. */
  readonly repositoryId: string;
  /** Milliseconds since the epoch up to which an answer "it is here" stays true for a client that is pushing. */
  readonly leaseUntil: number;
}

/** An upload under way; the row is compared and swapped, so that any server can go on with it. */
export interface UploadRecord {
  readonly id: string;
  /** Who began it: nobody else may see or touch it. */
  readonly principal: string;
  readonly startedAt: number;
  readonly touchedAt: number;
  /** Absent until the first byte came. */
  readonly staged?: Staged;
  /** Who is appending right now: set before bytes are written behind ones that count already. */
  readonly writer?: { readonly token: string; readonly beat: number } | undefined;
  /** Whether a writer was taken over while it may still have been alive: the bytes are hashed again before they count. */
  readonly suspect?: boolean;
  /** Bytes of the newest part, and of the smallest part before it. */
  readonly lastPart?: number;
  readonly smallestPart?: number;
}
