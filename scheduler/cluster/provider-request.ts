import type {
  AutoScalingGroupProvider,
  CreateCapacityProviderRequest,
  ManagedScaling,
  UpdateCapacityProviderRequest,
} from '@aws-sdk/client-ecs';

import type { CapacityProviderRecord, ManagedScalingSettings } from '../state/index.ts';
import { invalidParameter, notSupported } from './errors.ts';
import type { Home } from './identifiers.ts';
import { refuseMembers } from './refuse.ts';
import { ecsTags } from './tags.ts';

/** Names of groups as agents can say them in an attribute, and expressions can compare them. */
const plainGroup = /^[A-Za-z0-9][\w.-]{0,254}$/;

const groupArn =
  /^arn:[a-z-]+:autoscaling:([a-z0-9-]+):(\d{12}):autoScalingGroup:[^:]{1,64}:autoScalingGroupName\/(.+)$/;

/** What CreateCapacityProvider asks for, checked and completed. */
export type ProviderDraft = Pick<CapacityProviderRecord, 'name' | 'groupArn' | 'group' | 'tags'> & ProviderSettings;

/** What of a provider can be changed. */
export type ProviderSettings = Required<
  Pick<CapacityProviderRecord, 'managedScaling' | 'managedTerminationProtection'>
>;

/** @throws InvalidParameterException, and UnsupportedFeatureException for managed instances */
export function parseCreateProvider(input: CreateCapacityProviderRequest, home: Home): ProviderDraft {
  const { name = '', autoScalingGroupProvider: provider } = input;
  if (!/^[\w-]{1,255}$/.test(name) || /^(aws|ecs|fargate)/i.test(name))
    throw invalidParameter(
      'The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters (upper and lowercase), ' +
        "numbers, underscores (_), and hyphens (-). The name can't be prefixed with 'aws', 'ecs', or 'fargate'. Specify a valid name and try again.",
    );
  refuseMembers(input, {
    managedInstancesProvider: 'There are no managed instances: name an Auto Scaling group in autoScalingGroupProvider.',
    cluster: 'It is for managed instances: leave it out, and name the provider in PutClusterCapacityProviders.',
  });
  if (provider === undefined)
    throw invalidParameter('A capacity provider needs a group of hosts: give autoScalingGroupProvider.');
  return {
    name,
    groupArn: provider.autoScalingGroupArn ?? '',
    group: parseGroup(provider.autoScalingGroupArn ?? '', home),
    ...parseSettings(provider, { managedScaling: defaults }),
    tags: ecsTags.parse(input.tags),
  };
}

/**
 * How a provider scales once a request has changed it.
 * @throws InvalidParameterException
 */
export const parseUpdateProvider = (
  { autoScalingGroupProvider, ...others }: UpdateCapacityProviderRequest,
  before: CapacityProviderRecord,
): ProviderSettings => {
  refuseMembers(others, {
    managedInstancesProvider: 'There are no managed instances: give autoScalingGroupProvider.',
    cluster: 'It is for managed instances: leave it out.',
  });
  return parseSettings(autoScalingGroupProvider ?? {}, before);
};

function parseGroup(given: string, home: Home): string {
  const [, region, account, named] = groupArn.exec(given) ?? [];
  const name = given.startsWith('arn:') ? named : given;
  const elsewhere = region !== undefined && (region !== home.region || account !== home.account);
  if (name === undefined || name === '' || elsewhere)
    throw invalidParameter(
      'The specified Auto Scaling group ARN is not valid. Specify a valid Auto Scaling group ARN, or the name of a group, and try again.',
    );
  if (!plainGroup.test(name))
    throw invalidParameter(
      'Hosts cannot say of themselves that they are of a group of this name: use up to 255 letters, digits, underscores, hyphens and dots, a letter or a digit first.',
    );
  return name;
}

const defaults: ManagedScalingSettings = {
  status: 'DISABLED',
  targetCapacity: 100,
  minimumScalingStepSize: 1,
  maximumScalingStepSize: 10_000,
  instanceWarmupPeriod: 300,
};

function parseSettings(
  { managedScaling, managedTerminationProtection, managedDraining }: Partial<AutoScalingGroupProvider>,
  before: Pick<CapacityProviderRecord, 'managedScaling' | 'managedTerminationProtection'>,
): ProviderSettings {
  const scaling = parseScaling(managedScaling ?? {}, before.managedScaling);
  const protection =
    oneOf('managedTerminationProtection', managedTerminationProtection) ??
    before.managedTerminationProtection ??
    'DISABLED';
  if (protection === 'ENABLED' && scaling.status === 'DISABLED')
    throw invalidParameter(
      'The managed termination protection setting for the capacity provider is invalid. To enable managed termination protection for a ' +
        'capacity provider, enable managed scaling too.',
    );
  if (oneOf('managedDraining', managedDraining) === 'DISABLED')
    throw notSupported(
      "managedDraining 'DISABLED'",
      'Nothing ends a host that was not drained: set it to ENABLED, or leave it out.',
    );
  return { managedScaling: scaling, managedTerminationProtection: protection };
}

function parseScaling(given: ManagedScaling, before: ManagedScalingSettings): ManagedScalingSettings {
  const settings: ManagedScalingSettings = {
    status: oneOf('managedScaling.status', given.status) ?? before.status,
    targetCapacity: whole('targetCapacity', given.targetCapacity ?? before.targetCapacity, 1, 100),
    minimumScalingStepSize: whole(
      'minimumScalingStepSize',
      given.minimumScalingStepSize ?? before.minimumScalingStepSize,
      1,
      10_000,
    ),
    maximumScalingStepSize: whole(
      'maximumScalingStepSize',
      given.maximumScalingStepSize ?? before.maximumScalingStepSize,
      1,
      10_000,
    ),
    instanceWarmupPeriod: whole(
      'instanceWarmupPeriod',
      given.instanceWarmupPeriod ?? before.instanceWarmupPeriod,
      0,
      10_000,
    ),
  };
  if (settings.minimumScalingStepSize > settings.maximumScalingStepSize)
    throw invalidParameter('minimumScalingStepSize cannot be larger than maximumScalingStepSize.');
  return settings;
}

function oneOf(member: string, value: string | undefined): 'ENABLED' | 'DISABLED' | undefined {
  if (value === undefined || value === 'ENABLED' || value === 'DISABLED') return value;
  throw invalidParameter(`${member} must be ENABLED or DISABLED, not '${value.slice(0, 100)}'.`);
}

function whole(member: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalidParameter(`${member} must be a whole number from ${least} to ${most}, not ${value}.`);
}
