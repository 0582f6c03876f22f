import { AwsError } from '@slipway/auth/contract';

import { templateVersionNumber } from '../../network/records/index.ts';
import {
  blueprintOf,
  checkSize,
  type Distribution,
  type GroupDraft,
  type GroupRecord,
  terminationPolicies,
  unsupported,
  validation,
} from '../groups/index.ts';
import type { Scene } from './operation.ts';
import type { MixedPolicy, Template } from './shapes.ts';
import { checkedTags, type GroupTags } from './tagging.ts';

/** What CreateAutoScalingGroup and UpdateAutoScalingGroup have in common. */
export interface GroupRequest {
  readonly LaunchTemplate?: Template | undefined;
  readonly MixedInstancesPolicy?: MixedPolicy | undefined;
  readonly MinSize?: number | undefined;
  readonly MaxSize?: number | undefined;
  readonly DesiredCapacity?: number | undefined;
  readonly DefaultCooldown?: number | undefined;
  readonly AvailabilityZones?: readonly string[] | undefined;
  readonly VPCZoneIdentifier?: string | undefined;
  readonly HealthCheckType?: string | undefined;
  readonly HealthCheckGracePeriod?: number | undefined;
  readonly TerminationPolicies?: readonly string[] | undefined;
  readonly NewInstancesProtectedFromScaleIn?: boolean | undefined;
  readonly AvailabilityZoneDistribution?: { readonly CapacityDistributionStrategy?: string | undefined } | undefined;
}

/** The tag of a group that names the provider of its machines. */
export const providerTag = 'slipway:provider';

/** What a request makes a new group of. @throws ValidationError */
export async function newGroup(
  name: string,
  input: GroupRequest & { readonly Tags?: GroupTags | undefined },
  scene: Scene,
): Promise<GroupDraft> {
  const { MinSize: min, MaxSize: max } = input;
  if (min === undefined || max === undefined) throw validation('MinSize and MaxSize are required.');
  if (name.includes(':')) throw validation('AutoScalingGroup name must not contain a colon.');
  const named = await templateNamed(input, scene);
  if (named === undefined)
    throw validation(
      'Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.',
    );
  const place = await placeOf(input, scene);
  if (place === undefined) throw validation('At least one Availability Zone or VPC Subnet is required.');
  const tags = checkedTags(input.Tags ?? [], name);
  const group: GroupDraft = {
    name,
    min,
    max,
    desired: input.DesiredCapacity ?? min,
    cooldown: input.DefaultCooldown ?? 300,
    grace: input.HealthCheckGracePeriod ?? 0,
    ...place,
    ...named,
    provider: providerOf(tags.find(({ key }) => key === providerTag)?.value, scene),
    protectNew: input.NewInstancesProtectedFromScaleIn ?? false,
    tags,
    termination: terminationOf(input.TerminationPolicies) ?? ['Default'],
  };
  checkKinds(input);
  if (group.desired < min || group.desired > max)
    throw validation(
      `Desired capacity:${group.desired} must be between the specified min size:${min} and max size:${max}`,
    );
  checkSize(group);
  await usable(group, scene);
  return group;
}

/** What a request makes of a group that is there; the desired capacity follows bounds that leave it outside. @throws ValidationError */
export async function changeOf(input: GroupRequest, scene: Scene): Promise<(group: GroupRecord) => GroupRecord> {
  checkKinds(input);
  const named = await templateNamed(input, scene);
  const place = await placeOf(input, scene);
  const termination = terminationOf(input.TerminationPolicies);
  return ({ types, weights, distribution, ...group }) => {
    const min = input.MinSize ?? group.min;
    const max = input.MaxSize ?? group.max;
    const kept =
      named === undefined
        ? {
            ...(types === undefined ? {} : { types }),
            ...(weights === undefined ? {} : { weights }),
            ...(distribution === undefined ? {} : { distribution }),
          }
        : {};
    return {
      ...group,
      ...kept,
      ...named,
      ...place,
      min,
      max,
      desired: input.DesiredCapacity ?? Math.min(Math.max(group.desired, min), Math.max(max, min)),
      cooldown: input.DefaultCooldown ?? group.cooldown,
      grace: input.HealthCheckGracePeriod ?? group.grace,
      protectNew: input.NewInstancesProtectedFromScaleIn ?? group.protectNew,
      termination: termination ?? group.termination,
    };
  };
}

/** Refuses a template from which no machine can be made. @throws ValidationError */
export async function usable(
  group: Pick<GroupRecord, 'template' | 'tags' | 'subnets' | 'name'>,
  { api, account }: Scene,
): Promise<void> {
  await blueprintOf(api, account, { ...group, failures: 0 }).catch((error: unknown) => {
    throw error instanceof AwsError
      ? error
      : validation(`You must use a valid fully-formed launch template. ${(error as Error).message}`);
  });
}

/** The template that a request names, as the group keeps it. @throws ValidationError */
export async function templateNamed(
  { LaunchTemplate, MixedInstancesPolicy }: Pick<GroupRequest, 'LaunchTemplate' | 'MixedInstancesPolicy'>,
  { api, account }: Scene,
): Promise<Pick<GroupRecord, 'template' | 'types' | 'weights' | 'distribution'> | undefined> {
  if (LaunchTemplate !== undefined && MixedInstancesPolicy !== undefined)
    throw validation('Name either a LaunchTemplate or a MixedInstancesPolicy.');
  const asked = LaunchTemplate ?? MixedInstancesPolicy?.LaunchTemplate?.LaunchTemplateSpecification;
  if (asked === undefined) {
    if (MixedInstancesPolicy === undefined) return undefined;
    throw validation('A MixedInstancesPolicy needs LaunchTemplate.LaunchTemplateSpecification.');
  }
  const { LaunchTemplateId: id, LaunchTemplateName: name, Version: version = '$Default' } = asked;
  if ((id === undefined) === (name === undefined))
    throw validation('Name the launch template by LaunchTemplateId or by LaunchTemplateName.');
  const network = await api.networks.read(account);
  const found =
    id === undefined
      ? network.all('launch-template').find((one) => one.name === name)
      : network.get('launch-template', id);
  if (found === undefined)
    throw validation(
      `You must use a valid fully-formed launch template. The specified launch template, ${(id ?? name ?? '').slice(0, 200)}, does not exist.`,
    );
  if (templateVersionNumber(found, version) === undefined)
    throw validation(`Invalid launch template version '${version.slice(0, 50)}': use a number, $Latest or $Default.`);
  const template = { id: found.id, name: found.name, version };
  const overrides = MixedInstancesPolicy?.LaunchTemplate?.Overrides ?? [];
  if (overrides.length > 40) throw validation('A MixedInstancesPolicy has at most 40 overrides.');
  const types = overrides.map(({ InstanceType: type }) => {
    if (type === undefined || !/^[a-z0-9][a-z0-9.-]{0,63}$/.test(type))
      throw validation('Each override names an InstanceType.');
    return type;
  });
  const weights = weightsOf(overrides.map(({ WeightedCapacity: weight }) => weight));
  const distribution = distributionOf(MixedInstancesPolicy?.InstancesDistribution);
  return {
    template,
    ...(types.length === 0 ? {} : { types }),
    ...(weights === undefined ? {} : { weights }),
    ...(distribution === undefined ? {} : { distribution }),
  };
}

/** How much of the capacity machines of each override are (ASG API reference, LaunchTemplateOverrides). @throws ValidationError */
function weightsOf(given: readonly (string | undefined)[]): readonly number[] | undefined {
  if (given.every((weight) => weight === undefined)) return undefined;
  return given.map((weight) => {
    if (weight === undefined) throw validation('You must specify WeightedCapacity for all overrides, or for none.');
    if (!/^[1-9]\d{0,2}$/.test(weight))
      throw validation(`Each WeightedCapacity is a whole number from 1 to 999, not ${weight.slice(0, 20)}.`);
    return Number(weight);
  });
}

const strategies = {
  onDemand: ['prioritized', 'lowest-price'],
  spot: ['lowest-price', 'capacity-optimized', 'capacity-optimized-prioritized', 'price-capacity-optimized'],
};

/** How much of a group may be taken back, with the defaults of the API. @throws ValidationError, UnsupportedOperation */
function distributionOf(asked: MixedPolicy['InstancesDistribution']): Distribution | undefined {
  if (asked === undefined) return undefined;
  const {
    OnDemandBaseCapacity: onDemandBase = 0,
    OnDemandPercentageAboveBaseCapacity: onDemandPercentage = 100,
    OnDemandAllocationStrategy: onDemandStrategy = 'prioritized',
    SpotAllocationStrategy: spotStrategy = 'lowest-price',
    SpotMaxPrice: price = '',
  } = asked;
  if (!Number.isInteger(onDemandBase) || onDemandBase < 0)
    throw validation('OnDemandBaseCapacity is a whole number of 0 or more.');
  if (!Number.isInteger(onDemandPercentage) || onDemandPercentage < 0 || onDemandPercentage > 100)
    throw validation('OnDemandPercentageAboveBaseCapacity must be between 0 and 100.');
  for (const [member, value, known] of [
    ['OnDemandAllocationStrategy', onDemandStrategy, strategies.onDemand],
    ['SpotAllocationStrategy', spotStrategy, strategies.spot],
  ] as const)
    if (!known.includes(value))
      throw validation(`Invalid ${member} ${value.slice(0, 50)}: it is one of ${known.join(', ')}.`);
  if (price !== '') throw unsupported('SpotMaxPrice', 'Machines have no prices here: leave it out.');
  return { onDemandBase, onDemandPercentage, onDemandStrategy, spotStrategy };
}

/** Where machines go. @throws ValidationError for a zone or a subnet that is not there */
async function placeOf(
  { AvailabilityZones: zones = [], VPCZoneIdentifier: identifier = '' }: GroupRequest,
  { api, account }: Scene,
): Promise<Pick<GroupRecord, 'zones' | 'subnets'> | undefined> {
  const subnets = [
    ...new Set(
      identifier
        .split(',')
        .map((id) => id.trim())
        .filter((id) => id !== ''),
    ),
  ];
  if (subnets.length === 0 && zones.length === 0) return undefined;
  if (subnets.length + zones.length > 100) throw validation('A group has at most 100 zones and subnets.');
  const network = await api.networks.read(account);
  const ofSubnets = subnets.map((id) => {
    const subnet = network.get('subnet', id);
    if (subnet === undefined) throw validation(`The subnet ID '${id.slice(0, 100)}' does not exist`);
    return subnet.zone;
  });
  const known = new Set([...network.zones, ...network.all('subnet').map(({ zone }) => zone)]);
  for (const zone of zones)
    if (!known.has(zone))
      throw validation(
        `Invalid availability zone: ${zone.slice(0, 100)}. Zones here are ${[...known].sort().join(', ')}.`,
      );
  const unlike = zones.find((zone) => ofSubnets.length > 0 && !ofSubnets.includes(zone));
  if (unlike !== undefined) throw validation(`No subnet of VPCZoneIdentifier is in the zone ${unlike}.`);
  return { zones: [...new Set(zones.length > 0 ? zones : ofSubnets)].sort(), subnets };
}

/** How machines are spread over zones: as far as each can have them. */
export const bestEffort = 'balanced-best-effort';

function checkKinds({ HealthCheckType: health, AvailabilityZoneDistribution: spread }: GroupRequest): void {
  const strategy = spread?.CapacityDistributionStrategy ?? bestEffort;
  if (strategy !== bestEffort)
    throw unsupported(`The distribution ${strategy.slice(0, 50)}`, `Machines are spread by ${bestEffort}.`);
  if (health !== undefined && health !== 'EC2')
    throw unsupported(
      `HealthCheckType ${health.slice(0, 50)}`,
      'Machines are judged by their agents (EC2); tasks behind load balancers are checked by their services.',
    );
}

function terminationOf(policies: readonly string[] | undefined): readonly string[] | undefined {
  for (const policy of policies ?? [])
    if (!terminationPolicies.includes(policy))
      throw unsupported(
        `The termination policy ${policy.slice(0, 100)}`,
        `There are ${terminationPolicies.join(', ')}.`,
      );
  return policies === undefined || policies.length === 0 ? undefined : policies;
}

function providerOf(asked: string | undefined, { api: { providers } }: Scene): string {
  const [usual] = providers;
  if (usual === undefined)
    throw validation(
      'This installation has no instance provider, so no machine can be made: set SLIPWAY_INSTANCE_PROVIDERS and start the server anew.',
    );
  if (asked === undefined) return usual;
  if (!providers.includes(asked))
    throw validation(
      `There is no instance provider ${asked.slice(0, 100)} (tag ${providerTag}). There are ${providers.join(', ')}.`,
    );
  return asked;
}
