import type * as sdk from '@aws-sdk/client-ecr';
import { type AccessList, AwsError, type Operations } from '@slipway/auth/contract';
import { type CacheRule, knownUpstreams, type Upstreams, upstreamOf } from '../upstreams/index.ts';
import { RemoteError } from '../remote/index.ts';
import { invalidParameter, operation } from './errors.ts';
import { pageSize, startOf, tokenFor } from './paging.ts';
import { onRegistry, type EcrPorts } from './ports.ts';

const mostRules = 50;

/** Operations on pull-through cache rules. */
export function cacheRuleOperations(ports: EcrPorts) {
  const {
    signing,
    ports: { clock },
  } = ports.images;
  const upstreams = (): Upstreams => {
    if (ports.upstreams === undefined)
      throw new AwsError('UnsupportedUpstreamRegistryException', 'This installation does not reach other registries.');
    return ports.upstreams;
  };
  const ruleOf = async (account: string, prefix: string): Promise<CacheRule> => {
    const rule = await upstreams().rules.find(account, prefix);
    if (rule === undefined) throw notFound(account, prefix);
    return rule;
  };

  return {
    CreatePullThroughCacheRule: operation({
      access: own('CreatePullThroughCacheRule'),
      handle: async (input: sdk.CreatePullThroughCacheRuleCommandInput, call) => {
        const { account } = call;
        const prefix = prefixOf(input.ecrRepositoryPrefix);
        const host = (input.upstreamRegistryUrl ?? '').replace(/^https:\/\//, '').replace(/\/$/, '');
        const kind = upstreamOf(host, upstreams().hosts, input.upstreamRegistry);
        if (kind === undefined) throw unsupported(host);
        refuseRole(input.customRoleArn);
        checkSecret(upstreams(), input.credentialArn);
        if ((await upstreams().rules.list(account)).length >= mostRules)
          throw new AwsError(
            'LimitExceededException',
            `There are ${mostRules} pull through cache rules already, which is the limit`,
          );
        const now = clock.now();
        const rule: CacheRule = {
          prefix,
          upstreamUrl: host,
          upstreamRegistry: kind,
          ...(input.credentialArn === undefined ? {} : { credentialArn: input.credentialArn }),
          ...(input.upstreamRepositoryPrefix === undefined
            ? {}
            : { upstreamPrefix: prefixOf(input.upstreamRepositoryPrefix) }),
          createdAt: now,
          updatedAt: now,
        };
        await upstreams().rules.change(account, prefix, (present) => {
          if (present !== undefined)
            throw new AwsError(
              'PullThroughCacheRuleAlreadyExistsException',
              `A pull through cache rule for the prefix '${prefix}' already exists in the registry with id '${account}'`,
            );
          return rule;
        });
        return viewOf(account, rule);
      },
    }),

    UpdatePullThroughCacheRule: operation({
      access: own('UpdatePullThroughCacheRule'),
      handle: async (input: sdk.UpdatePullThroughCacheRuleCommandInput, call) => {
        const { account } = call;
        const prefix = prefixOf(input.ecrRepositoryPrefix);
        refuseRole(input.customRoleArn);
        checkSecret(upstreams(), input.credentialArn);
        await ruleOf(account, prefix);
        await upstreams().rules.change(account, prefix, (rule) => {
          if (rule === undefined) throw notFound(account, prefix);
          const { credentialArn } = input;
          return { ...rule, ...(credentialArn === undefined ? {} : { credentialArn }), updatedAt: clock.now() };
        });
        const {
          createdAt: _createdAt,
          upstreamRegistryUrl: _url,
          upstreamRegistry: _kind,
          ...view
        } = viewOf(account, await ruleOf(account, prefix));
        return view;
      },
    }),

    DeletePullThroughCacheRule: operation({
      access: own('DeletePullThroughCacheRule'),
      handle: async (input: sdk.DeletePullThroughCacheRuleCommandInput, call) => {
        const prefix = prefixOf(input.ecrRepositoryPrefix);
        const rule = await ruleOf(call.account, prefix);
        await upstreams().rules.change(call.account, prefix, () => undefined);
        const { upstreamRegistry: _kind, updatedAt: _updatedAt, ...view } = viewOf(call.account, rule);
        return view;
      },
    }),

    DescribePullThroughCacheRules: operation({
      access: own('DescribePullThroughCacheRules'),
      handle: async (input: sdk.DescribePullThroughCacheRulesCommandInput, call) => {
        const { account } = call;
        if (ports.upstreams === undefined) return { pullThroughCacheRules: [] };
        if (input.ecrRepositoryPrefixes !== undefined) {
          const found = await Promise.all(input.ecrRepositoryPrefixes.map((text) => ruleOf(account, prefixOf(text))));
          return { pullThroughCacheRules: found.map((rule) => viewOf(account, rule)) };
        }
        const limit = pageSize(input);
        const after = await startOf(signing, account, 'cache rules', input);
        const rest = (await upstreams().rules.list(account)).filter(
          ({ prefix }) => after === undefined || prefix > after,
        );
        const page = rest.slice(0, limit);
        return {
          pullThroughCacheRules: page.map((rule) => viewOf(account, rule)),
          ...(rest.length > limit
            ? { nextToken: await tokenFor(signing, account, 'cache rules', page.at(-1)?.prefix ?? '') }
            : {}),
        };
      },
    }),

    ValidatePullThroughCacheRule: operation({
      access: own('ValidatePullThroughCacheRule'),
      handle: async (input: sdk.ValidatePullThroughCacheRuleCommandInput, call) => {
        const rule = await ruleOf(call.account, prefixOf(input.ecrRepositoryPrefix));
        const {
          createdAt: _createdAt,
          updatedAt: _updatedAt,
          upstreamRegistry: _kind,
          ...view
        } = viewOf(call.account, rule);
        const failure = await failureOf(upstreams(), rule);
        return { ...view, isValid: failure === undefined, ...(failure === undefined ? {} : { failure }) };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

/** The rules of one's own registry; those of another account are its own business. */
const own =
  (action: string) =>
  (input: { readonly registryId?: string | undefined }, call: { readonly account: string }): AccessList => {
    if (input.registryId !== undefined && input.registryId !== call.account)
      throw invalidParameter('Pull through cache rules can only be managed in your own registry');
    return onRegistry(action)();
  };

const prefixOf = (text = ''): string => text.replace(/\/$/, '');

async function failureOf(upstreams: Upstreams, rule: CacheRule): Promise<string | undefined> {
  if (rule.credentialArn !== undefined && !upstreams.hasSecret(rule.credentialArn))
    return missingSecret(rule.credentialArn);
  try {
    await upstreams.validate(rule);
    return undefined;
  } catch (error) {
    if (error instanceof RemoteError) return error.message;
    throw error;
  }
}

function checkSecret(upstreams: Upstreams, arn: string | undefined): void {
  if (arn !== undefined && !upstreams.hasSecret(arn)) throw new AwsError('SecretNotFoundException', missingSecret(arn));
}

const missingSecret = (arn: string): string =>
  `The registry does not ask Secrets Manager: the credentials that ${arn} names must be under 'upstreamSecrets' in the file that SLIPWAY_REMOTES_FILE names, by the secret's name (ecr-pullthroughcache/…), with the members username and accessToken.`;

/** Such a role is what ECR takes on to read from another ECR registry, which cannot be done here. */
function refuseRole(arn: string | undefined): void {
  if (arn !== undefined)
    throw new AwsError(
      'ValidationException',
      'customRoleArn is for upstream registries in Amazon ECR, which cannot be reached from here with a role.',
    );
}

const unsupported = (host: string): AwsError =>
  new AwsError(
    'UnsupportedUpstreamRegistryException',
    `The upstream registry '${host.slice(0, 100)}' is not supported. There are ${Object.keys(knownUpstreams).join(', ')}, and the hosts under 'upstreamHosts' in the file that SLIPWAY_REMOTES_FILE names.`,
  );

const notFound = (account: string, prefix: string): AwsError =>
  new AwsError(
    'PullThroughCacheRuleNotFoundException',
    `The pull through cache rule with prefix '${prefix}' does not exist in the registry with id '${account}'`,
  );

const viewOf = (account: string, rule: CacheRule) => ({
  ecrRepositoryPrefix: rule.prefix,
  upstreamRegistryUrl: rule.upstreamUrl,
  upstreamRegistry: rule.upstreamRegistry as sdk.UpstreamRegistry,
  registryId: account,
  ...(rule.credentialArn === undefined ? {} : { credentialArn: rule.credentialArn }),
  ...(rule.upstreamPrefix === undefined ? {} : { upstreamRepositoryPrefix: rule.upstreamPrefix }),
  createdAt: new Date(rule.createdAt),
  updatedAt: new Date(rule.updatedAt),
});
