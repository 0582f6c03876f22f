import type { Call } from '@slipway/auth/contract';
import type { UpstreamCall } from '../upstreams/index.ts';
import { type FoundManifest, parseReference, parseRepositoryName, type RepositoryRecord } from '../images/index.ts';
import type { RemoteManifest } from '../remote/index.ts';
import { accountOf, may, type Surroundings } from './exchange.ts';

/** What an upstream registry has to say about a manifest that was asked for; undefined when what is here is the answer. */
export async function manifestFromUpstream(
  surroundings: Surroundings,
  call: Call,
  name: string,
  reference: string,
  seen: { readonly repository?: RepositoryRecord; readonly manifest?: FoundManifest },
): Promise<RemoteManifest | undefined> {
  return surroundings.upstreams?.manifest({
    ...upstreamCall(surroundings, call, name, seen.repository),
    reference: parseReference(reference),
    manifest: seen.manifest,
  });
}

/** What upstreams need to know of a caller. */
export function upstreamCall(
  surroundings: Surroundings,
  call: Call,
  name: string,
  repository: RepositoryRecord | undefined,
): UpstreamCall {
  const account = accountOf(surroundings, call);
  const mayAll = (...actions: readonly string[]): Promise<boolean> =>
    may(surroundings, call, account, name, repository, actions);
  return {
    account,
    name: parseRepositoryName(name),
    repository,
    actor: call.principal.arn,
    requestId: call.requestId,
    mayImport: () =>
      mayAll('ecr:BatchImportUpstreamImage', ...(repository === undefined ? ['ecr:CreateRepository'] : [])),
    mayKnow: () => mayAll('ecr:DescribePullThroughCacheRules'),
  };
}
