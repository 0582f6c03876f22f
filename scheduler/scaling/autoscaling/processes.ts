import { mostGroups, terminationPolicies, validation } from '../groups/index.ts';
import { type AutoScalingOperations, mayList, mayOn, operation } from './operation.ts';
import { list, nothing, number, oneGroup, struct, text, texts } from './shapes.ts';

/** What can be suspended: all that happens to a group by itself. */
const processes = [
  'Launch',
  'Terminate',
  'HealthCheck',
  'ReplaceUnhealthy',
  'InstanceRefresh',
  'ScheduledActions',
  'AlarmNotification',
] as const;
/** Processes of ASG that never happen here, so that whoever suspends them has what they want. */
const idle = ['AZRebalance', 'AddToLoadBalancer'] as const;
const all: readonly string[] = [...processes, ...idle].sort();

const query = struct('ScalingProcessQuery', { ...oneGroup, ScalingProcesses: texts });

function named(asked: readonly string[] | undefined): readonly string[] {
  for (const process of asked ?? [])
    if (!all.includes(process))
      throw validation(`The process '${process.slice(0, 100)}' does not exist. Processes are ${all.join(', ')}.`);
  return asked === undefined || asked.length === 0 ? all : asked;
}

/** What groups do by themselves, and may be kept from; limits. */
export const processOperations: AutoScalingOperations = {
  SuspendProcesses: operation({
    input: query,
    output: nothing,
    access: mayOn('SuspendProcesses'),
    handle: async ({ AutoScalingGroupName: name, ScalingProcesses: asked }, { api, account }) => {
      const added = named(asked);
      await api.groups.update(account, name, '', (group) => ({
        ...group,
        suspended: [...new Set([...group.suspended, ...added])].sort(),
      }));
      return {};
    },
  }),
  ResumeProcesses: operation({
    input: query,
    output: nothing,
    access: mayOn('ResumeProcesses'),
    handle: async ({ AutoScalingGroupName: name, ScalingProcesses: asked }, { api, account }) => {
      const taken = named(asked);
      await api.groups.update(account, name, '', (group) => ({
        ...group,
        suspended: group.suspended.filter((process) => !taken.includes(process)),
      }));
      return {};
    },
  }),
  DescribeScalingProcessTypes: operation({
    input: struct('Unit', {}),
    output: struct('ProcessesType', { Processes: list(struct('ProcessType', { ProcessName: text })) }),
    access: mayList('DescribeScalingProcessTypes'),
    handle: () => ({ Processes: all.map((process) => ({ ProcessName: process })) }),
  }),
  DescribeTerminationPolicyTypes: operation({
    input: struct('Unit', {}),
    output: struct('DescribeTerminationPolicyTypesAnswer', { TerminationPolicyTypes: texts }),
    access: mayList('DescribeTerminationPolicyTypes'),
    handle: () => ({ TerminationPolicyTypes: terminationPolicies.toSorted() }),
  }),
  DescribeAccountLimits: operation({
    input: struct('Unit', {}),
    output: struct('DescribeAccountLimitsAnswer', {
      MaxNumberOfAutoScalingGroups: number,
      MaxNumberOfLaunchConfigurations: number,
      NumberOfAutoScalingGroups: number,
      NumberOfLaunchConfigurations: number,
    }),
    access: mayList('DescribeAccountLimits'),
    handle: async (_input, { api, account }) => ({
      MaxNumberOfAutoScalingGroups: mostGroups,
      MaxNumberOfLaunchConfigurations: 0,
      NumberOfAutoScalingGroups: (await api.groups.list(account)).length,
      NumberOfLaunchConfigurations: 0,
    }),
  }),
};
