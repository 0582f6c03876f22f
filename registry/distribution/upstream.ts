import type { Call } from '@slipway/auth/contract';
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
  const account = accountOf(surroundings, call);
  return surroundings.upstreams?.manifest({
    account,
    name: parseRepositoryName(name),
    reference: parseReference(reference),
    repository: seen.repository,
    manifest: seen.manifest,
    actor: call.principal.arn,
    requestId: call.requestId,
    mayImport: mayImport(surroundings, call, account, name, seen.repository),
  });
}

export const mayImport =
  (
    surroundings: Surroundings,
    call: Call,
    account: string,
    name: string,
    repository: RepositoryRecord | undefined,
  ): (() => Promise<boolean>) =>
  () =>
    may(surroundings, call, account, name, repository, [
      'ecr:BatchImportUpstreamImage',
      ...(repository === undefined ? ['ecr:CreateRepository'] : []),
    ]);
