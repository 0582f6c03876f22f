import type { CapacityProvider as View, CapacityProviderField } from '@aws-sdk/client-ecs';
import { smallTagList } from '@slipway/auth/kit';

import {
  accountKeys,
  accountPartition,
  arns,
  type CapacityProvider,
  type CapacityProviderRecord,
  type ClusterRecord,
} from '../state/index.ts';
import { invalidParameter } from './errors.ts';
import { type Home, parseArn } from './identifiers.ts';
import type { EcsPorts } from './ports.ts';

/** Every account has them. */
export const fargateProviders: readonly CapacityProvider[] = ['FARGATE', 'FARGATE_SPOT'];

export const isFargate = (provider: string): boolean => fargateProviders.includes(provider);

/** Those of one cluster (Amazon ECS service quotas). */
const mostOfCluster = 20;

export const providerNotFound = (name: string): Error =>
  invalidParameter(
    `The specified capacity provider was not found. Specify a valid name or ARN and try again: there is FARGATE, FARGATE_SPOT, and what ` +
      `CreateCapacityProvider makes, not '${name.slice(0, 300)}'.`,
  );

/**
 * The name in a capacity provider's name or ARN, whether or not there is one of that name.
 * @throws InvalidParameterException
 */
export function parseProvider(identifier: string, home: Home): string {
  if (!identifier.startsWith('arn:')) return identifier;
  const { type, path } = parseArn(identifier, home);
  const [name = '', ...rest] = path;
  if (type !== 'capacity-provider' || rest.length > 0)
    throw invalidParameter(`Identifier was not of type: capacity-provider: '${identifier}'.`);
  return name;
}

/** One of Fargate as DescribeCapacityProviders gives it back. */
export const fargateView = (provider: CapacityProvider, home: Home): View => ({
  capacityProviderArn: arns.capacityProvider(home.region, home.account, provider),
  name: provider,
  status: 'ACTIVE',
  tags: [],
  type: provider as NonNullable<View['type']>,
});

/** One of an Auto Scaling group, likewise. */
export const groupProviderView = (
  provider: CapacityProviderRecord,
  home: Home,
  include: readonly CapacityProviderField[] = [],
): View => ({
  capacityProviderArn: arns.capacityProvider(home.region, home.account, provider.name),
  name: provider.name,
  status: 'ACTIVE',
  autoScalingGroupProvider: {
    autoScalingGroupArn: provider.groupArn,
    managedScaling: { ...provider.managedScaling },
    managedTerminationProtection: provider.managedTerminationProtection ?? 'DISABLED',
    managedDraining: 'ENABLED',
  },
  updateStatus: provider.updateStatus,
  ...(provider.standing === undefined ? {} : { updateStatusReason: provider.standing }),
  tags: include.includes('TAGS') ? smallTagList(provider.tags) : [],
  type: 'EC2_AUTOSCALING',
});

/** One of an Auto Scaling group, or undefined. */
export async function findProvider(
  ports: EcsPorts,
  account: string,
  name: string,
): Promise<CapacityProviderRecord | undefined> {
  const stored = await ports.records.get<CapacityProviderRecord>(
    accountPartition(account),
    accountKeys.capacityProvider(name),
  );
  return stored?.value;
}

/**
 * The capacity providers that a cluster is to have, each once, and which of them are of Auto Scaling groups.
 * @throws InvalidParameterException for those that do not exist
 */
export async function parseProviders(
  ports: EcsPorts,
  names: readonly string[] | undefined,
  home: Home,
): Promise<Required<Pick<ClusterRecord, 'capacityProviders' | 'groupProviders'>>> {
  const given = (names ?? []).map((identifier) => parseProvider(identifier, home));
  if (given.length > mostOfCluster)
    throw invalidParameter(
      `A cluster can be associated with a maximum of ${mostOfCluster} capacity providers, not ${given.length}.`,
    );
  if (new Set(given).size < given.length)
    throw invalidParameter('The capacity providers of a cluster cannot contain duplicates: name each of them once.');
  const groupProviders: { readonly name: string; readonly group: string }[] = [];
  for (const name of given) {
    if (isFargate(name)) continue;
    const provider = await findProvider(ports, home.account, name);
    if (provider === undefined) throw providerNotFound(name);
    groupProviders.push({ name, group: provider.group });
  }
  return { capacityProviders: given, groupProviders };
}
