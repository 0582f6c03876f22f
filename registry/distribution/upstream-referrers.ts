import type { Call } from '@slipway/auth/contract';
import type { Digest } from '@slipway/storage/blobs';
import type { Manifests, ReferrerRecord } from '../images/index.ts';
import { accountOf, type DistributionPorts } from './exchange.ts';
import { upstreamCall } from './upstream.ts';

type Page = Awaited<ReturnType<Manifests['referrers']>>;

/** What refers to a manifest in the registry that a pull-through cache rule leads to. */
export async function referrersUpstream(
  ports: DistributionPorts,
  call: Call,
  name: string,
  subject: Digest,
): Promise<readonly ReferrerRecord[]> {
  const { upstreams, images } = ports;
  if (upstreams === undefined) return [];
  const repository = await images.repositories.find(accountOf(ports, call), name);
  return upstreams.referrers(upstreamCall(ports, call, name, repository), subject);
}

/** One page of what is here and upstream, each once, in the order of digests. */
export function withUpstream(
  here: Page,
  upstream: readonly ReferrerRecord[],
  asked: { readonly limit: number; readonly after?: string; readonly artifactTypes?: readonly string[] },
): Page {
  const { limit, after, artifactTypes } = asked;
  const known = new Set(here.referrers.map(({ digest }) => digest));
  const { next } = here;
  const further = upstream.filter(
    ({ digest, artifactType = '' }) =>
      !known.has(digest) &&
      (after === undefined || digest > after) &&
      // What is behind this page comes with the next, in its place among what is here.
      (next === undefined || digest <= next) &&
      (artifactTypes === undefined || artifactTypes.includes(artifactType)),
  );
  if (further.length === 0) return here;
  const all = [...here.referrers, ...further].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  if (all.length <= limit) return { ...here, referrers: all };
  const referrers = all.slice(0, limit);
  return { referrers, next: referrers.at(-1)?.digest ?? '' };
}
