import { type Json, transact } from '@slipway/storage/records';
import { type Images, registryPartition } from '../images/index.ts';
import { longestPrefix } from '../templates/index.ts';
import { upstreamKeys } from './keys.ts';

/** Repositories under a prefix are filled from another registry (ECR user guide, "Pull through cache"). */
export interface CacheRule {
  /** `ROOT` is for every name that no other rule is for. */
  readonly prefix: string;
  /** Host of the upstream registry. */
  readonly upstreamUrl: string;
  readonly upstreamRegistry: string;
  /** Names the credentials; see {@link secretName}. */
  readonly credentialArn?: string;
  /** What stands upstream where the prefix stands here; `ROOT` or absent: nothing. */
  readonly upstreamPrefix?: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface CacheRules {
  find(account: string, prefix: string): Promise<CacheRule | undefined>;
  /** Ordered by prefix; there are few. */
  list(account: string): Promise<readonly CacheRule[]>;
  /** The rule for a repository, as it was at most a second ago, and the repository's name upstream. */
  match(account: string, repository: string): Promise<{ rule: CacheRule; repository: string } | undefined>;
  change(
    account: string,
    prefix: string,
    change: (rule: CacheRule | undefined) => CacheRule | undefined,
  ): Promise<void>;
}

/** How long another server's change of the rules may go unnoticed by pulls here. Milliseconds. */
const age = 1000;

export function createCacheRules(images: Images): CacheRules {
  const { records, clock } = images.ports;
  const known = new Map<string, { readonly until: number; readonly rules: readonly CacheRule[] }>();
  const list = async (account: string): Promise<readonly CacheRule[]> =>
    (await records.list<CacheRule>(registryPartition(account), { prefix: upstreamKeys.rules })).records.map(
      ({ value }) => value,
    );
  return {
    find: async (account, prefix) =>
      (await records.get<CacheRule>(registryPartition(account), upstreamKeys.rule(prefix)))?.value,
    list,
    async match(account, repository) {
      let recent = known.get(account);
      if (recent === undefined || recent.until < clock.monotonic()) {
        recent = { until: clock.monotonic() + age, rules: await list(account) };
        if (known.size > 10_000) known.clear();
        known.set(account, recent);
      }
      const rule = longestPrefix(recent.rules, repository);
      const name = rule && upstreamName(rule, repository);
      return rule && name ? { rule, repository: name } : undefined;
    },
    async change(account, prefix, change) {
      await transact(records, registryPartition(account), async (tx) => {
        const next = change(await tx.get<CacheRule>(upstreamKeys.rule(prefix)));
        if (next === undefined) tx.remove(upstreamKeys.rule(prefix));
        else tx.put(upstreamKeys.rule(prefix), next as unknown as Json);
      });
      known.delete(account);
    },
  };
}

function upstreamName({ prefix, upstreamPrefix }: CacheRule, repository: string): string {
  const rest = prefix === 'ROOT' ? repository : repository.slice(prefix.length + 1);
  if (upstreamPrefix === undefined || upstreamPrefix === 'ROOT') return rest;
  return rest === '' ? upstreamPrefix : `${upstreamPrefix}/${rest}`;
}

/** `arn:aws:secretsmanager:…:secret:ecr-pullthroughcache/hub-AbCdEf` and `…/hub` both name `ecr-pullthroughcache/hub`. */
export const secretNames = (arn: string): readonly string[] => {
  const name = arn.slice(arn.indexOf(':secret:') + ':secret:'.length);
  return [name, name.replace(/-[A-Za-z0-9]{6}$/, '')];
};
