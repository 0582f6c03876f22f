import { hasDirectAccess } from '@slipway/storage/blobs';
import type { FoundBlob, Images, RepositoryRecord } from '../images/index.ts';

/** Whether pulls of blobs leave by a URL of the blob store itself. */
export interface Redirects {
  /** Which requests are redirected; the rest is served through this server. */
  readonly applies: (repository: RepositoryRecord, userAgent: string) => boolean;
  /** How long a URL may be used. At most 300 seconds. */
  readonly expiresInSeconds: number;
}

/** The URL to fetch a blob from directly; undefined when it must be served from here. */
export async function redirectFor(
  images: Images,
  redirects: Redirects | undefined,
  repository: RepositoryRecord,
  blob: FoundBlob,
  userAgent: string,
): Promise<string | undefined> {
  const store = images.context.blobs;
  if (redirects === undefined || !hasDirectAccess(store) || !redirects.applies(repository, userAgent)) return undefined;
  return store.directUrl(
    { digest: blob.digest, generation: blob.generation },
    { expiresInSeconds: Math.min(redirects.expiresInSeconds, 300) },
  );
}
