import type { AccessList, AccessRequest } from '@slipway/auth/contract';
import { passRole } from '@slipway/auth/identity';
import { requestTags, rowsOf } from '@slipway/auth/kit';

import { templateVersionNumber } from '../../network/records/index.ts';
import {
  checkPooled,
  type Distribution,
  groupArn,
  type GroupRecord,
  isPooled,
  type MachineRecord,
  withHooks,
} from '../groups/index.ts';
import { passes } from './filters.ts';
import { hookSpecification, hooksOf, mayPassTo } from './hooks.ts';
import { viewMachine } from './instances.ts';
import { type AutoScalingOperations, may, mayList, mayOn, operation, reference, type Scene } from './operation.ts';
import { bestEffort, changeOf, type GroupRequest, newGroup, templateNamed, usable } from './request.ts';
import {
  distribution,
  filters,
  flag,
  instanceMembers,
  list,
  mixedPolicy,
  nothing,
  number,
  type Of,
  oneGroup,
  paged,
  refused,
  required,
  type Shape,
  struct,
  tagDescriptions,
  tags,
  template,
  text,
  texts,
  time,
} from './shapes.ts';
import { tagsOf } from './tagging.ts';
import { viewWarmPool, warmPool } from './warm-pools.ts';

const noConfigurations = 'Make a launch template, and name it as LaunchTemplate.';
const noReservations = 'That is capacity of AWS: leave it out.';
const tasksRegister = 'Services register their tasks with load balancers: name the target group in the service.';
const noRefresh = 'Machines are replaced when you end them (TerminateInstanceInAutoScalingGroup): leave it out.';
const noRetention = 'A machine ends whatever a lifecycle hook says of it: leave it out.';
const noShift = 'Zones are not shifted: leave it out.';

/** Members of both requests that nothing acts on. */
const unserved = {
  LaunchConfigurationName: refused(text, noConfigurations),
  AvailabilityZoneIds: refused(texts, 'Name zones by their names, as AvailabilityZones.'),
  PlacementGroup: refused(text, noReservations),
  CapacityRebalance: refused(flag, noReservations),
  MaxInstanceLifetime: refused(number, noRefresh),
  Context: refused(text, noReservations),
  DesiredCapacityType: refused(text, 'The desired capacity counts machines (units): leave it out.'),
  DefaultInstanceWarmup: refused(number, 'A machine counts when its agent has joined: leave it out.'),
  InstanceMaintenancePolicy: refused(
    struct('InstanceMaintenancePolicy', { MinHealthyPercentage: number, MaxHealthyPercentage: number }),
    noRefresh,
  ),
  DeletionProtection: refused(text, 'Say who may delete groups in a policy.'),
  AvailabilityZoneImpairmentPolicy: refused(
    struct('AvailabilityZoneImpairmentPolicy', { ZonalShiftEnabled: flag, ImpairedZoneHealthCheckBehavior: text }),
    noShift,
  ),
  SkipZonalShiftValidation: refused(flag, noShift),
  CapacityReservationSpecification: refused(
    struct('CapacityReservationSpecification', { CapacityReservationPreference: text }),
    noReservations,
  ),
  InstanceLifecyclePolicy: refused(
    struct('InstanceLifecyclePolicy', {
      RetentionTriggers: struct('RetentionTriggers', { TerminateHookAbandon: text }),
    }),
    noRetention,
  ),
  // Read and not used, as on AWS, where the role of the service is another one only by its suffix.
  ServiceLinkedRoleARN: text,
} as const;

/** Members of both requests that say how a group is. */
const served = {
  LaunchTemplate: template,
  MixedInstancesPolicy: mixedPolicy,
  DesiredCapacity: number,
  DefaultCooldown: number,
  AvailabilityZones: texts,
  VPCZoneIdentifier: text,
  HealthCheckType: text,
  HealthCheckGracePeriod: number,
  TerminationPolicies: texts,
  NewInstancesProtectedFromScaleIn: flag,
  AvailabilityZoneDistribution: distribution,
} as const;

const traffic = struct('TrafficSourceIdentifier', { Identifier: text, Type: text });

const groupShape = struct('AutoScalingGroup', {
  AutoScalingGroupName: text,
  AutoScalingGroupARN: text,
  LaunchTemplate: template,
  MixedInstancesPolicy: struct('MixedInstancesPolicy', {
    LaunchTemplate: struct('LaunchTemplate', {
      LaunchTemplateSpecification: template,
      Overrides: list(struct('LaunchTemplateOverrides', { InstanceType: text, WeightedCapacity: text })),
    }),
    InstancesDistribution: struct('InstancesDistribution', {
      OnDemandAllocationStrategy: text,
      OnDemandBaseCapacity: number,
      OnDemandPercentageAboveBaseCapacity: number,
      SpotAllocationStrategy: text,
    }),
  }),
  MinSize: number,
  MaxSize: number,
  DesiredCapacity: number,
  DefaultCooldown: number,
  AvailabilityZones: texts,
  LoadBalancerNames: texts,
  TargetGroupARNs: texts,
  HealthCheckType: text,
  HealthCheckGracePeriod: number,
  Instances: list(struct('Instance', instanceMembers)),
  CreatedTime: time,
  SuspendedProcesses: list(struct('SuspendedProcess', { ProcessName: text, SuspensionReason: text })),
  VPCZoneIdentifier: text,
  EnabledMetrics: list(struct('EnabledMetric', { Metric: text, Granularity: text })),
  Status: text,
  Tags: tagDescriptions,
  TerminationPolicies: texts,
  NewInstancesProtectedFromScaleIn: flag,
  AvailabilityZoneDistribution: distribution,
  ServiceLinkedRoleARN: text,
  TrafficSources: list(traffic),
  WarmPoolConfiguration: warmPool,
  WarmPoolSize: number,
});

/** Auto Scaling groups. */
export const groupOperations: AutoScalingOperations = {
  CreateAutoScalingGroup: operation({
    input: struct('CreateAutoScalingGroupType', {
      ...oneGroup,
      ...served,
      MinSize: required(number),
      MaxSize: required(number),
      Tags: tags,
      InstanceId: refused(text, noConfigurations),
      LoadBalancerNames: refused(texts, tasksRegister),
      TargetGroupARNs: refused(texts, tasksRegister),
      TrafficSources: refused(list(traffic), tasksRegister),
      LifecycleHookSpecificationList: list(hookSpecification),
      ...unserved,
    }),
    output: nothing,
    access: async (input, scene): Promise<AccessList> => {
      const asked = Object.fromEntries((input.Tags ?? []).map(({ Key, Value = '' }) => [Key, Value]));
      return [
        may('CreateAutoScalingGroup', [reference(scene, undefined, input.AutoScalingGroupName)], requestTags(asked)),
        ...(await mayPass(input, scene)),
        ...mayPassTo(input.LifecycleHookSpecificationList ?? []),
      ];
    },
    handle: async (input, scene) => {
      const draft = await newGroup(input.AutoScalingGroupName, input, scene);
      const hooks = hooksOf(input.LifecycleHookSpecificationList, scene);
      await scene.api.groups.create(scene.account, withHooks(draft, hooks));
      return {};
    },
  }),
  UpdateAutoScalingGroup: operation({
    input: struct('UpdateAutoScalingGroupType', {
      ...oneGroup,
      ...served,
      MinSize: number,
      MaxSize: number,
      ...unserved,
    }),
    output: nothing,
    access: async (input, scene): Promise<AccessList> => [
      ...(await mayOn('UpdateAutoScalingGroup')(input, scene)),
      ...(await mayPass(input, scene)),
    ],
    handle: async (input, scene) => {
      const { api, account } = scene;
      const change = await changeOf(input, scene);
      const before = await api.groups.byName(account, input.AutoScalingGroupName);
      if (before !== undefined && (input.LaunchTemplate ?? input.MixedInstancesPolicy) !== undefined)
        await usable(change(before), scene);
      await api.groups.update(account, input.AutoScalingGroupName, updated(input), (group) => {
        const after = change(group);
        checkPooled(after);
        return after;
      });
      return {};
    },
  }),
  DeleteAutoScalingGroup: operation({
    input: struct('DeleteAutoScalingGroupType', { ...oneGroup, ForceDelete: flag }),
    output: nothing,
    access: mayOn('DeleteAutoScalingGroup'),
    handle: async ({ AutoScalingGroupName: name, ForceDelete = false }, { api, account }) => {
      await api.groups.remove(account, name, ForceDelete);
      return {};
    },
  }),
  DescribeAutoScalingGroups: operation({
    input: struct('AutoScalingGroupNamesType', {
      AutoScalingGroupNames: texts,
      IncludeInstances: flag,
      Filters: filters,
      ...paged,
    }),
    output: struct('AutoScalingGroupsType', { AutoScalingGroups: list(groupShape), NextToken: text }) as Shape<object>,
    access: mayList('DescribeAutoScalingGroups'),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { AutoScalingGroupNames: names = [], Filters: given, IncludeInstances: withInstances = true } = input;
      const name = ['DescribeAutoScalingGroups', names, given];
      const request = { maxResults: input.MaxRecords, nextToken: input.NextToken };
      const after = await api.pages.start(account, name, request);
      const fits = passes<GroupRecord>(given, {
        'tag-key': ({ tags: of }) => of.map(({ key }) => key),
        'tag-value': ({ tags: of }) => of.map(({ value }) => value),
        'tag:': ({ tags: of }, key) => of.filter((one) => one.key === key).map(({ value }) => value),
      });
      const machines = Map.groupBy(withInstances ? await api.groups.machines(account) : [], ({ group }) => group);
      const all = (await api.groups.list(account)).filter((group) => names.length === 0 || names.includes(group.name));
      const sorted = all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rowsOf(sorted, (group) => group.name, after),
        (group) => (fits(group) ? viewGroup(scene, group, machines.get(group.name) ?? []) : undefined),
      );
      return { AutoScalingGroups: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};

/** Machines act with the role of their template's instance profile: whoever has them made hands it over. */
export async function mayPass(
  input: Pick<GroupRequest, 'LaunchTemplate' | 'MixedInstancesPolicy'>,
  scene: Scene,
): Promise<readonly AccessRequest[]> {
  const { api, account } = scene;
  const template = await templateNamed(input, scene).catch(() => undefined);
  if (template === undefined) return [];
  const { id, version } = template.template;
  const found = (await api.networks.read(account)).get('launch-template', id);
  const of = found === undefined ? undefined : templateVersionNumber(found, version);
  if (of === undefined) return [];
  const profile = (await api.networks.templateVersion(account, id, of))?.data.IamInstanceProfile;
  const role = profile === undefined ? undefined : await api.profileRole(account, profile);
  return role === undefined ? [] : [passRole(role, 'ec2.amazonaws.com')];
}

/** As ASG tells of an update. */
const updated = ({ MinSize: min, MaxSize: max, DesiredCapacity: desired }: GroupRequest): string =>
  `a user request update of AutoScalingGroup constraints to ${Object.entries({ min, max, desired })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join(', ')}`;

const viewDistribution = (of: Distribution) => ({
  OnDemandAllocationStrategy: of.onDemandStrategy,
  OnDemandBaseCapacity: of.onDemandBase,
  OnDemandPercentageAboveBaseCapacity: of.onDemandPercentage,
  SpotAllocationStrategy: of.spotStrategy,
});

function viewGroup(
  { api, region, account }: Scene,
  group: GroupRecord,
  machines: readonly MachineRecord[],
): Of<typeof groupShape> {
  const { id, name, version } = group.template;
  const now = api.clock.now();
  const specification = { LaunchTemplateId: id, LaunchTemplateName: name, Version: version };
  return {
    AutoScalingGroupName: group.name,
    AutoScalingGroupARN: groupArn(region, account, group),
    ...(group.types === undefined && group.distribution === undefined
      ? { LaunchTemplate: specification }
      : {
          MixedInstancesPolicy: {
            LaunchTemplate: {
              LaunchTemplateSpecification: specification,
              Overrides: (group.types ?? []).map((type, i) => ({
                InstanceType: type,
                ...(group.weights === undefined ? {} : { WeightedCapacity: String(group.weights[i] ?? 1) }),
              })),
            },
            ...(group.distribution === undefined
              ? {}
              : { InstancesDistribution: viewDistribution(group.distribution) }),
          },
        }),
    MinSize: group.min,
    MaxSize: group.max,
    DesiredCapacity: group.desired,
    DefaultCooldown: group.cooldown,
    AvailabilityZones: group.zones,
    LoadBalancerNames: [],
    TargetGroupARNs: [],
    HealthCheckType: 'EC2',
    HealthCheckGracePeriod: group.grace,
    Instances: machines.filter((machine) => !isPooled(machine)).map((machine) => viewMachine(machine, group, now)),
    CreatedTime: new Date(group.createdAt),
    SuspendedProcesses: group.suspended.map((process) => ({
      ProcessName: process,
      SuspensionReason: 'User suspended',
    })),
    VPCZoneIdentifier: group.subnets.join(','),
    EnabledMetrics: [],
    ...(group.deleting === true ? { Status: 'Delete in progress' } : {}),
    Tags: tagsOf(group),
    TerminationPolicies: group.termination,
    NewInstancesProtectedFromScaleIn: group.protectNew,
    AvailabilityZoneDistribution: { CapacityDistributionStrategy: bestEffort },
    ServiceLinkedRoleARN: `arn:aws:iam::${account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling`,
    TrafficSources: [],
    ...viewWarmPool(group),
    ...(group.warm === undefined ? {} : { WarmPoolSize: machines.filter(isPooled).length }),
  };
}
