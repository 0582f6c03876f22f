import { randomBytes } from 'node:crypto';
import type { Check } from '../check.ts';
import { blobPath, manifestPath, putManifest } from '../content.ts';
import type { DataSet } from '../data-set.ts';
import { digestOf } from '../digest.ts';
import type { Suite } from '../suite.ts';
import { silently } from '../upload.ts';
import { ways } from '../ways.ts';

/** One check that goes beyond the official suite. What the specification only recommends is skipped where it is not done. */
export interface FurtherCase {
  readonly name: string;
  /** Only the version after 1.1 has it. */
  readonly devOnly?: boolean;
  readonly check: (suite: Suite, check: Check, repository: string) => Promise<unknown>;
}

/**
 * Pushes some content, lets a check look at it, and deletes it again. Nothing is said about how the deletion went: other
 * checks do that.
 */
export async function withContent(
  suite: Suite,
  check: Check,
  repository: string,
  set: DataSet,
  look: () => Promise<unknown>,
): Promise<void> {
  try {
    for (const [digest, bytes] of set.blobs) await ways.postPut.push(suite, check, { repository, digest, bytes });
    for (const manifest of set.manifests) {
      const tags = [...set.tags].filter(([, digest]) => digest === manifest.digest).map(([tag]) => tag);
      for (const reference of [manifest.digest, ...tags])
        check.status(await putManifest(suite, manifestPath(repository, reference), manifest), 201);
    }
    if (!check.failed) await look();
  } finally {
    for (const tag of set.tags.keys()) await silently(suite.ask('DELETE', manifestPath(repository, tag)));
    for (const { digest } of set.manifests.toReversed())
      await silently(suite.ask('DELETE', manifestPath(repository, digest)));
    for (const digest of set.blobs.keys()) await silently(suite.ask('DELETE', blobPath(repository, digest)));
  }
}

/** A digest that nothing has. */
export const unknownDigest = (): string => digestOf(randomBytes(32));
