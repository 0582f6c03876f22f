import type { Writable } from 'node:stream';

/** `sha256:<64 hex>` or `sha512:<128 hex>`. */
export type Digest = `${'sha256' | 'sha512'}:${string}`;

/**
 * Where a sealed blob lies. The generation is new for every upload, so a late or repeated removal of an old copy can never
 * hit a newer one of the same digest (the collector's safety rests on this).
 */
export interface BlobLocation {
  readonly digest: Digest;
  readonly generation: string;
}

/**
 * A staged upload's state: plain JSON that the caller keeps in its own records between calls, so that any server, also after
 * a restart, can go on with it. `size` is the number of bytes taken so far; the rest belongs to the driver.
 */
export interface Staged {
  readonly id: string;
  readonly size: number;
  readonly driver?: { readonly [key: string]: string | number | boolean | null | readonly (string | number)[] };
}

export interface Appended {
  readonly staged: Staged;
  /** Why the body ended before its end (client gone, over the limit); the bytes before the cut are kept in `staged`. */
  readonly cut?: unknown;
}

export interface SealedBlob extends BlobLocation {
  readonly size: number;
}

/** A sealed blob being read. */
export interface BlobSource {
  readonly size: number;
  /** The bytes `[start, end]` (inclusive; default all), verified to be complete: a short read throws. */
  stream(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
  /** The bytes `[start, end]` in memory that nobody else has: whoever asked may let go of it. For ranges that fit into memory. */
  read(range: { readonly start: number; readonly end: number }): Promise<Buffer>;
  /** Writes the range to a socket or file with recycled buffers and backpressure; does not end the destination. */
  pipe(
    destination: Writable,
    range?: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): Promise<void>;
}

export interface SealOptions {
  /**
   * The caller's records show that nobody writes to the upload, and its next commit fails if somebody began: bytes that another
   * process wrote may then be taken as they lie instead of being copied.
   */
  readonly quiet?: boolean;
}

/** Bytes. Knows nothing of images; what exists is decided by the caller's records, never by listing. */
export interface BlobStore {
  stage(): Promise<Staged>;
  /**
   * Appends `body` after `staged.size` bytes, whatever an earlier, unrecorded attempt left behind it. Hashes in the same pass.
   * Failures of `body` itself are not thrown but returned as `cut`.
   * @throws StagedLost when bytes that `staged` claims are no longer there
   * @throws BlobStoreError when the store fails (disk full, unreachable)
   */
  append(staged: Staged, body: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Appended>;
  /**
   * Makes the staged bytes durable under `digest`. When it resolves the bytes are on stable storage. Repeating it is harmless.
   * @throws DigestMismatch when the bytes hash to something else; the staged upload is still there
   */
  seal(staged: Staged, digest: Digest, options?: SealOptions): Promise<SealedBlob>;
  /** Drops a staged upload; harmless when it is gone. */
  abandon(staged: Staged): Promise<void>;
  /** @throws BlobMissing */
  open(location: BlobLocation): Promise<BlobSource>;
  stat(location: BlobLocation): Promise<{ readonly size: number } | undefined>;
  /** Removes one generation; harmless when it is gone. */
  remove(location: BlobLocation): Promise<void>;
  /** Everything sealed, in no order: for audit and repair only, never on a request path. */
  list(): AsyncIterable<SealedBlob & { readonly modifiedAt: number }>;
  /** Removes staged uploads not touched for `olderThan` milliseconds that `isLive` does not claim. Returns how many. */
  sweepStaged(olderThan: number, isLive: (id: string) => Promise<boolean>): Promise<number>;
  close(): Promise<void>;
}

/** An optional power: a URL from which a client can fetch the blob directly. */
export interface DirectAccess {
  directUrl(location: BlobLocation, options: { readonly expiresInSeconds: number }): Promise<string>;
}

/** Whether the store can hand out direct URLs. */
export function hasDirectAccess(store: BlobStore): store is BlobStore & DirectAccess {
  return 'directUrl' in store;
}

/**
 * An optional power: small durable texts beside the blobs, found by name. They outlive the record store, so that whoever deletes
 * by reachability can see that the records have gone back to an older state.
 */
export interface SideNotes {
  /** @throws TypeError unless the name is 1 to 64 letters, digits, `-` or `_` */
  readNote(name: string): Promise<string | undefined>;
  /** Replaces the note as a whole; durable when it resolves. */
  writeNote(name: string, text: string): Promise<void>;
}

/** Whether the store keeps notes. */
export function hasSideNotes(store: BlobStore): store is BlobStore & SideNotes {
  return 'writeNote' in store;
}

/** The staged bytes hash to `actual`, not to what the caller said. */
export class DigestMismatch extends Error {
  override readonly name = 'DigestMismatch';
  readonly expected: Digest;
  readonly actual: Digest;
  constructor(expected: Digest, actual: Digest) {
    super(`expected ${expected}, the bytes hash to ${actual}`);
    this.expected = expected;
    this.actual = actual;
  }
}

/** Staged bytes that were recorded are gone (power loss before the seal, or swept): the upload starts anew. */
export class StagedLost extends Error {
  override readonly name = 'StagedLost';
}

/** No such generation of this blob. */
export class BlobMissing extends Error {
  override readonly name = 'BlobMissing';
}

/** The store failed. `code` tells callers what to answer: `full` is 507, `unavailable` is 503. */
export class BlobStoreError extends Error {
  override readonly name = 'BlobStoreError';
  readonly code: 'full' | 'unavailable';
  constructor(code: 'full' | 'unavailable', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
