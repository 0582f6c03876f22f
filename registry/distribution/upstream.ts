import type { Call } from '@slipway/auth/contract';
import type { UpstreamCall } from '../upstreams/index.ts';
import { type FoundManifest, parseReference, parseRepositoryName, type RepositoryRecord } from '../images/index.ts';
import type { RemoteManifest } from '../remote/index.ts';
import { accountOf, may, type DistributionPorts } from './exchange.ts';

/** What an upstream registry has to say about a manifest that was asked for; undefined when what is here is the answer. */
export async function manifestFromUpstream(
  ports: DistributionPorts,
  call: Call,
  name: string,
  reference: string,
  seen: { readonly repository?: RepositoryRecord; readonly manifest?: FoundManifest },
): Promise<RemoteManifest | undefined> {
  return ports.upstreams?.manifest({
    ...upstreamCall(ports, call, name, seen.repository),
    reference: parseReference(reference),
    manifest: seen.manifest,
  });
}

/** What upstreams need to know of a caller. */
export function upstreamCall(
  ports: DistributionPorts,
  call: Call,
  name: string,
  repository: RepositoryRecord | undefined,
): UpstreamCall {
  const account = accountOf(ports, call);
  const mayAll = (...actions: readonly string[]): Promise<boolean> =>
    may(ports, call, account, name, repository, actions);
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
