import { createHash } from 'node:crypto';
import type { BlobLocation, BlobStore, SealedBlob } from '../blobs/index.ts';
import { BlobMissing } from '../blobs/index.ts';

/** A blob that the records say must be there. */
export interface Reference extends BlobLocation {
  readonly size: number;
  /** Who refers to it, for the report: a repository, a record's key. */
  readonly by: string;
}

export type Finding =
  /** Acknowledged, and not in the store: data is lost. Restore it from a copy, or push the image again. */
  | { readonly kind: 'missing'; readonly blob: Reference }
  /** There, but shorter or longer than recorded, or with other bytes than its digest says. */
  | { readonly kind: 'damaged'; readonly blob: Reference | SealedBlob; readonly detail: string }
  /** There, and nobody refers to it; old enough not to belong to an upload under way. Repair removes it. */
  | { readonly kind: 'unreferenced'; readonly blob: SealedBlob; readonly removed: boolean };

export interface AuditOptions {
  readonly blobs: BlobStore;
  /** Everything that must be there; the owner of the records tells. Read before the store is listed. */
  readonly references: () => AsyncIterable<Reference>;
  /** Asked again, just before a removal, whether a generation is still unreferenced. Needed for `repair`. */
  readonly isReferenced: (blob: BlobLocation) => Promise<boolean>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds for which an unreferenced blob is left alone: its upload may be about to be recorded. Default one day. */
  readonly grace?: number;
  /** Whether to read every byte and compare with the digest; otherwise only sizes are compared. Default true. */
  readonly read?: boolean;
  /** Removes what is unreferenced. Nothing else is ever changed: what is lost cannot be made up. Default false. */
  readonly repair?: boolean;
  readonly progress?: (done: { readonly blobs: number; readonly bytes: number }) => void;
  readonly signal?: AbortSignal;
}

export interface AuditReport {
  readonly blobs: number;
  readonly bytes: number;
  readonly missing: number;
  readonly damaged: number;
  readonly unreferenced: number;
  readonly removed: number;
}

const day = 86_400_000;

/**
 * Compares what the records say with what the blob store holds, reading every byte. Findings are yielded as they are met; the
 * generator returns the totals.
 * @throws BlobStoreError when the store cannot be read: an audit that has not seen everything says nothing
 */
export async function* audit(options: AuditOptions): AsyncGenerator<Finding, AuditReport> {
  const { blobs, signal, read = true } = options;
  const totals = { blobs: 0, bytes: 0, missing: 0, damaged: 0, unreferenced: 0, removed: 0 };
  const referenced = new Map<string, Reference>();
  for await (const reference of options.references()) referenced.set(nameOf(reference), reference);
  for (const reference of referenced.values()) {
    signal?.throwIfAborted();
    const detail = await lookAt(blobs, reference, read);
    totals.blobs++;
    totals.bytes += reference.size;
    options.progress?.(totals);
    if (detail === undefined) continue;
    const missing = detail === 'missing';
    totals[missing ? 'missing' : 'damaged']++;
    yield missing ? { kind: 'missing', blob: reference } : { kind: 'damaged', blob: reference, detail };
  }
  for await (const { modifiedAt, ...blob } of blobs.list()) {
    signal?.throwIfAborted();
    if (referenced.has(nameOf(blob)) || options.now() - modifiedAt < (options.grace ?? day)) continue;
    // It may have been referred to since the references were read.
    if (await options.isReferenced(blob)) continue;
    totals.unreferenced++;
    if (options.repair) {
      await blobs.remove(blob);
      totals.removed++;
    }
    yield { kind: 'unreferenced', blob, removed: options.repair ?? false };
  }
  return totals;
}

/** What is wrong with a blob: `missing`, a sentence, or undefined. */
async function lookAt(blobs: BlobStore, reference: Reference, read: boolean): Promise<string | undefined> {
  try {
    const source = await blobs.open(reference);
    if (source.size !== reference.size) return `it has ${source.size} bytes, ${reference.size} were recorded`;
    if (!read) return undefined;
    const [algorithm, hex] = reference.digest.split(':');
    const hash = createHash(algorithm!);
    for await (const chunk of source.stream()) hash.update(chunk);
    const actual = hash.digest('hex');
    return actual === hex ? undefined : `its bytes hash to ${algorithm}:${actual}`;
  } catch (error) {
    if (error instanceof BlobMissing) return 'missing';
    throw error;
  }
}

function nameOf({ digest, generation }: BlobLocation): string {
  return `${digest} ${generation}`;
}
