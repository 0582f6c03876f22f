import type { Digest } from '@slipway/storage/blobs';
import { z } from 'zod';
import { isDigest, type ReferrerRecord } from '../images/index.ts';
import { errorOf, RemoteError } from './errors.ts';

const mostReferrers = 1000;
const mostPages = 20;

const referrer = z.object({
  mediaType: z.string().min(1).max(255),
  digest: z.string().refine((text): text is Digest => isDigest(text)),
  size: z.number().int().min(0),
  artifactType: z.string().max(255).nullish(),
  annotations: z.record(z.string().max(4096), z.string().max(64 * 1024)).nullish(),
});
const list = z.object({ manifests: z.array(referrer).max(10_000).nullish() });

export interface ReferrersSource {
  /** GET of a path below the repository. */
  readonly get: (path: string) => Promise<Response>;
  /** The whole body, of bounded size. */
  readonly read: (response: Response, what: string) => Promise<Buffer>;
}

/**
 * Reads a referrers list (OCI distribution specification, "Listing Referrers"): page by page, or the index under the fallback tag of
 * a registry without the API.
 * @throws RemoteError
 */
export async function referrersOf(subject: Digest, source: ReferrersSource): Promise<readonly ReferrerRecord[]> {
  const found = new Map<Digest, ReferrerRecord>();
  let path = `/referrers/${subject}`;
  for (let page = 1; page <= mostPages && found.size < mostReferrers; page++) {
    const response = await source.get(path);
    if (page === 1 && [400, 404, 405, 501].includes(response.status)) {
      await response.body?.cancel();
      return fallback(subject, source);
    }
    for (const one of await parsed(response, `GET ${path}`, source)) found.set(one.digest, one);
    const next = nextOf(response.headers.get('link'));
    if (next === undefined) break;
    path = `/referrers/${subject}?${next}`;
  }
  return [...found.values()].slice(0, mostReferrers);
}

async function fallback(subject: Digest, source: ReferrersSource): Promise<readonly ReferrerRecord[]> {
  const [algorithm = '', encoded = ''] = subject.split(':');
  const path = `/manifests/${algorithm}-${encoded.slice(0, 64)}`;
  const response = await source.get(path);
  if (response.status === 404) {
    await response.body?.cancel();
    return [];
  }
  return (await parsed(response, `GET ${path}`, source)).slice(0, mostReferrers);
}

async function parsed(response: Response, what: string, { read }: ReferrersSource): Promise<readonly ReferrerRecord[]> {
  const bytes = await read(response, what);
  if (!response.ok) throw errorOf(response.status, what, bytes.toString('utf8'));
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new RemoteError('corrupt', `${what}: no JSON`, { cause });
  }
  const { data } = list.safeParse(value);
  if (data === undefined) throw new RemoteError('corrupt', `${what}: not a list of referrers`);
  return (data.manifests ?? []).map(({ mediaType, digest, size, artifactType, annotations }) => ({
    mediaType,
    digest,
    size,
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
    ...(annotations ? { annotations } : {}),
  }));
}

/** The query of the next page; where it is said to lie does not matter, since it can only be of the same list. */
const nextOf = (link: string | null): string | undefined =>
  /<[^<>?]{0,2000}\?([^<>]{1,4000})>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
