import type { Call, ResourceRef } from '@slipway/auth/contract';

import {
  activeCluster,
  changeProvider,
  clusterView,
  createProvider,
  deleteProvider,
  fargateProviders,
  fargateView,
  findProvider,
  groupProviderView,
  invalidParameter,
  isFargate,
  listProviders,
  ofProviders,
  parseCreateProvider,
  parseProvider,
  parseProviders,
  parseStrategy,
  parseUpdateProvider,
  providerNotFound,
  type ProviderSettings,
  requireOneCluster,
  setProviders,
} from '../cluster/index.ts';
import { arns } from '../state/index.ts';
import { clusterResource, providerResource, requestTags, tagOnCreate } from './access.ts';
import { clusterOf, type EcsApi, type EcsOperations, homeOf } from './options.ts';

/** Create, update, delete and describe capacity providers, and which of them a cluster has. */
export function capacityProviderOperations(options: EcsApi): EcsOperations {
  const named = (identifiers: readonly string[] | undefined, call: Call): string[] => [
    ...new Set((identifiers ?? []).map((identifier) => parseProvider(identifier, homeOf(options, call)))),
  ];
  const resource = (identifier: string | undefined, call: Call): Promise<ResourceRef> =>
    providerResource(options, call.account, parseProvider(identifier ?? '', homeOf(options, call)));
  /** @throws InvalidParameterException for one of Fargate, which nobody makes or changes */
  const own = (identifier: string | undefined, call: Call): string => {
    const name = parseProvider(identifier ?? '', homeOf(options, call));
    if (isFargate(name))
      throw invalidParameter(
        `The capacity provider ${name} is reserved: every account has it, and it cannot be changed or deleted.`,
      );
    return name;
  };
  return {
    CreateCapacityProvider: {
      access: (input, call) => {
        const arn = arns.capacityProvider(options.region, call.account, input.name ?? '');
        return [
          { action: 'ecs:CreateCapacityProvider', resources: [{ arn }], context: requestTags(input.tags) },
          ...tagOnCreate('CreateCapacityProvider', arn, input.tags),
        ];
      },
      handle: async (input, call) => {
        const home = homeOf(options, call);
        const draft = parseCreateProvider(input, home);
        await checkGroup(options, call.account, draft.group, draft);
        const created = await createProvider(options, call.account, draft);
        return { capacityProvider: groupProviderView(created, home, ['TAGS']) };
      },
    },
    UpdateCapacityProvider: {
      access: async (input, call) => [
        { action: 'ecs:UpdateCapacityProvider', resources: [await resource(input.name, call)] },
      ],
      handle: async (input, call) => {
        const name = own(input.name, call);
        const before = await findProvider(options, call.account, name);
        if (before === undefined) throw providerNotFound(name);
        const next = { ...before, ...parseUpdateProvider(input, before) };
        await checkGroup(options, call.account, before.group, next);
        await requireOneCluster(options, call.account, undefined, next);
        const changed = await changeProvider(options, call.account, name, ({ standing, ...provider }) => {
          const settings = parseUpdateProvider(input, provider);
          const stands = settings.managedScaling.status === 'ENABLED' && standing !== undefined;
          return { ...provider, ...settings, updateStatus: 'UPDATE_COMPLETE', ...(stands ? { standing } : {}) };
        });
        return { capacityProvider: groupProviderView(changed, homeOf(options, call), ['TAGS']) };
      },
    },
    DeleteCapacityProvider: {
      access: async (input, call) => [
        { action: 'ecs:DeleteCapacityProvider', resources: [await resource(input.capacityProvider, call)] },
      ],
      handle: async ({ capacityProvider, cluster }, call) => {
        if (cluster !== undefined)
          throw invalidParameter('cluster is for capacity providers of managed instances: leave it out.');
        const gone = await deleteProvider(options, call.account, own(capacityProvider, call));
        return {
          capacityProvider: {
            ...groupProviderView(gone, homeOf(options, call), ['TAGS']),
            status: 'INACTIVE',
            updateStatus: 'DELETE_COMPLETE',
          },
        };
      },
    },
    DescribeCapacityProviders: {
      access: async (input, call) => {
        const names = named(input.capacityProviders, call).slice(0, mostNamed);
        return [
          {
            action: 'ecs:DescribeCapacityProviders',
            resources:
              names.length === 0
                ? [{ arn: '*' }]
                : await Promise.all(names.map((name) => providerResource(options, call.account, name))),
          },
        ];
      },
      handle: async (input, call) => {
        const home = homeOf(options, call);
        const names = named(input.capacityProviders, call);
        if (names.length > mostNamed)
          throw invalidParameter(`capacityProviders can have at most ${mostNamed} items, not ${names.length}.`);
        const providers = new Map((await listProviders(options, call.account)).map((one) => [one.name, one]));
        const there =
          input.cluster === undefined
            ? [...fargateProviders, ...providers.keys()]
            : (await activeCluster(options, clusterOf(options, call, input.cluster))).capacityProviders;
        const shown = there.filter((provider) => names.length === 0 || names.includes(provider));
        const scope = ['DescribeCapacityProviders', input.cluster, ...names];
        const after = await options.pages.start(call.account, scope, input);
        const rows = shown.map((provider) => ({ key: provider, value: provider }));
        const { items, ...more } = await options.pages.page(
          call.account,
          scope,
          input,
          rows.slice(rows.findIndex(({ key }) => key === after) + 1),
          (name) => {
            const provider = providers.get(name);
            return provider === undefined ? fargateView(name, home) : groupProviderView(provider, home, input.include);
          },
          { usual: 10, most: 10 },
        );
        return {
          capacityProviders: items,
          failures: names
            .filter((name) => !there.includes(name))
            .map((name) => ({ arn: arns.capacityProvider(options.region, call.account, name), reason: 'MISSING' })),
          ...more,
        };
      },
    },
    PutClusterCapacityProviders: {
      access: async (input, call) => [
        {
          action: 'ecs:PutClusterCapacityProviders',
          resources: [await clusterResource(options, clusterOf(options, call, input.cluster))],
          context: ofProviders(homeOf(options, call), input.capacityProviders),
        },
      ],
      handle: async (input, call) => {
        const providers = await parseProviders(options, input.capacityProviders, homeOf(options, call));
        const strategy = parseStrategy(input.defaultCapacityProviderStrategy, providers);
        const cluster = await setProviders(options, clusterOf(options, call, input.cluster), providers, strategy);
        return { cluster: await clusterView(options, call.account, cluster) };
      },
    },
  };
}

/**
 * Managed scaling is of a group that is there, and protection of one whose new machines are protected, as on ECS.
 * @throws InvalidParameterException
 */
async function checkGroup(
  { autoScalingGroups }: EcsApi,
  account: string,
  name: string,
  { managedScaling, managedTerminationProtection }: ProviderSettings,
): Promise<void> {
  if (managedScaling.status === 'DISABLED') return;
  const group = await autoScalingGroups.byName(account, name);
  if (group === undefined)
    throw invalidParameter(
      `The specified Auto Scaling group ARN is not valid: there is no group ${name}, and managed scaling needs one. Create it and try again, or set managedScaling.status to DISABLED.`,
    );
  if (managedTerminationProtection === 'ENABLED' && !group.protectNew)
    throw invalidParameter(
      'The managed termination protection setting for the capacity provider is invalid. To enable managed termination protection for a ' +
        'capacity provider, the Auto Scaling group must have instance protection from scale in enabled.',
    );
}

const mostNamed = 100;
