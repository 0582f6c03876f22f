import type { IncomingHttpHeaders } from 'node:http';
import { hasDirectAccess } from '@slipway/storage/blobs';
import { compileWildcard, type FoundBlob, type Images, type RepositoryRecord } from '../images/index.ts';

/** Whether pulls of blobs leave by a URL of the blob store itself. */
export interface Redirects {
  /** Which requests are redirected; the rest is served through this server. */
  readonly applies: (repository: RepositoryRecord, headers: IncomingHttpHeaders) => boolean;
  /** How long a URL may be used. At most 300 seconds. */
  readonly expiresInSeconds: number;
}

/** A tag of a repository, `on` or `off`, that decides for it. */
export const redirectsTag = 'slipway:redirects';
/** A header by which one client decides for itself, `on` or `off`. */
const redirectsHeader = 'slipway-redirects';

export interface RedirectSettings {
  /** What holds where neither the client nor the repository says otherwise. */
  readonly byDefault: boolean;
  /** User-Agents that are never redirected, `*` for any run of characters: clients that cannot reach the blob store. */
  readonly exceptAgents: readonly string[];
}

/** The client's own header decides first, then the exceptions, then the repository's tag, then the default. */
export function createRedirects({ byDefault, exceptAgents }: RedirectSettings): Redirects {
  const excepted = exceptAgents.map((pattern) => compileWildcard(pattern));
  return {
    expiresInSeconds: 300,
    applies: (repository, headers) => {
      const asked = headers[redirectsHeader];
      if (asked === 'on' || asked === 'off') return asked === 'on';
      const agent = headers['user-agent'] ?? '';
      if (excepted.some((matches) => matches(agent))) return false;
      const tag = repository.tags[redirectsTag];
      return tag === 'on' || tag === 'off' ? tag === 'on' : byDefault;
    },
  };
}

/** The URL to fetch a blob from directly; undefined when it must be served from here. */
export async function redirectFor(
  images: Images,
  redirects: Redirects | undefined,
  repository: RepositoryRecord,
  blob: FoundBlob,
  headers: IncomingHttpHeaders,
): Promise<string | undefined> {
  const store = images.ports.blobs;
  if (redirects === undefined || !hasDirectAccess(store) || !redirects.applies(repository, headers)) return undefined;
  return store.directUrl(
    { digest: blob.digest, generation: blob.generation },
    { expiresInSeconds: Math.min(redirects.expiresInSeconds, 300) },
  );
}
