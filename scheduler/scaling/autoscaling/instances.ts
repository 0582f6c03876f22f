import { rowsOf } from '@slipway/auth/kit';

import { type GroupRecord, lifecycleState, type MachineRecord, validation } from '../groups/index.ts';
import { viewActivity } from './activities.ts';
import { type AutoScalingOperations, mayList, mayOn, mayOnInstance, operation } from './operation.ts';
import {
  activity,
  flag,
  instanceMembers,
  list,
  nothing,
  number,
  oneGroup,
  paged,
  required,
  struct,
  text,
  texts,
} from './shapes.ts';

/** Machines of groups. */
export const instanceOperations: AutoScalingOperations = {
  DescribeAutoScalingInstances: operation({
    input: struct('DescribeAutoScalingInstancesType', { InstanceIds: texts, ...paged }),
    output: struct('AutoScalingInstancesType', {
      AutoScalingInstances: list(
        struct('AutoScalingInstanceDetails', { ...instanceMembers, AutoScalingGroupName: text }),
      ),
      NextToken: text,
    }),
    access: mayList('DescribeAutoScalingInstances'),
    handle: async ({ InstanceIds: ids = [], MaxRecords, NextToken }, { api, account }) => {
      const name = ['DescribeAutoScalingInstances', ids];
      const request = { maxResults: MaxRecords, nextToken: NextToken };
      const after = await api.pages.start(account, name, request);
      const all = (await api.groups.machines(account)).filter(({ id }) => ids.length === 0 || ids.includes(id));
      const groups = new Map((await api.groups.list(account)).map((group) => [group.name, group]));
      const now = api.clock.now();
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rowsOf(all, ({ id }) => id, after),
        (machine) => ({ ...viewMachine(machine, groups.get(machine.group), now), AutoScalingGroupName: machine.group }),
      );
      return { AutoScalingInstances: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
  SetDesiredCapacity: operation({
    input: struct('SetDesiredCapacityType', { ...oneGroup, DesiredCapacity: required(number), HonorCooldown: flag }),
    output: nothing,
    access: mayOn('SetDesiredCapacity'),
    handle: async (
      { AutoScalingGroupName: name, DesiredCapacity: desired, HonorCooldown: honor = false },
      { api, account },
    ) => {
      await api.groups.setDesired(
        account,
        name,
        desired,
        'a user request explicitly set group desired capacity',
        honor,
      );
      return {};
    },
  }),
  SetInstanceProtection: operation({
    input: struct('SetInstanceProtectionQuery', {
      ...oneGroup,
      InstanceIds: required(texts),
      ProtectedFromScaleIn: required(flag),
    }),
    output: nothing,
    access: mayOn('SetInstanceProtection'),
    handle: async ({ AutoScalingGroupName: name, InstanceIds: ids, ProtectedFromScaleIn: on }, { api, account }) => {
      if (ids.length > 50) throw validation('A request names at most 50 instances.');
      await api.groups.protect(account, name, ids, on);
      return {};
    },
  }),
  SetInstanceHealth: operation({
    input: struct('SetInstanceHealthQuery', {
      InstanceId: required(text),
      HealthStatus: required(text),
      ShouldRespectGracePeriod: flag,
    }),
    output: nothing,
    access: mayOnInstance('SetInstanceHealth'),
    handle: async (
      { InstanceId: id, HealthStatus: health, ShouldRespectGracePeriod: respect = true },
      { api, account },
    ) => {
      if (health !== 'Healthy' && health !== 'Unhealthy')
        throw validation(`Valid health status values are Healthy and Unhealthy, not ${health.slice(0, 50)}.`);
      await api.groups.setHealth(account, id, health, respect);
      return {};
    },
  }),
  TerminateInstanceInAutoScalingGroup: operation({
    input: struct('TerminateInstanceInAutoScalingGroupType', {
      InstanceId: required(text),
      ShouldDecrementDesiredCapacity: required(flag),
    }),
    output: struct('ActivityType', { Activity: activity }),
    access: mayOnInstance('TerminateInstanceInAutoScalingGroup'),
    handle: async ({ InstanceId: id, ShouldDecrementDesiredCapacity: decrement }, scene) => {
      const { api, account } = scene;
      const told = await api.groups.terminate(account, id, { decrement, why: 'a user request' });
      return { Activity: viewActivity(scene, told, await api.groups.byName(account, told.group)) };
    },
  }),
};

/** A machine as it is shown. */
export function viewMachine(machine: MachineRecord, group: GroupRecord | undefined, now: number) {
  const { id, name, version } = machine.template;
  return {
    InstanceId: machine.id,
    InstanceType: machine.instanceType,
    AvailabilityZone: machine.zone,
    LifecycleState: group === undefined ? machine.state : lifecycleState(group, machine, now),
    HealthStatus: machine.health,
    LaunchTemplate: { LaunchTemplateId: id, LaunchTemplateName: name, Version: String(version) },
    ImageId: machine.imageId,
    ProtectedFromScaleIn: machine.protected,
    ...(machine.weight === undefined ? {} : { WeightedCapacity: String(machine.weight) }),
  };
}
