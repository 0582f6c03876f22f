import { rowsOf } from '@slipway/auth/kit';
import { scanAll } from '@slipway/storage/records';

import { alarmArn, type AlarmRecord } from '../../signals/alarms/index.ts';
import {
  deleteGroupPolicy,
  executeGroupPolicy,
  groupAlarmNames,
  groupPolicyArn,
  type GroupPolicyRecord,
  parseGroupPolicyArn,
  putGroupPolicy,
} from '../following/index.ts';
import { groupKeys, groupsPartition, validation } from '../groups/index.ts';
import { adjustmentTypes } from '../rules/index.ts';
import { type AutoScalingOperations, mayList, mayOn, operation, type Scene } from './operation.ts';
import { policyOf } from './policy-request.ts';
import { alarms, configuration } from './policy-shapes.ts';
import { flag, list, nothing, number, type Of, oneGroup, paged, required, struct, text, texts } from './shapes.ts';

const shown = struct('ScalingPolicy', {
  AutoScalingGroupName: text,
  PolicyName: text,
  PolicyARN: text,
  ...configuration,
  Alarms: alarms,
});
/** A policy by its name and its group's, or by its ARN. */
const oneOf = { AutoScalingGroupName: text, PolicyName: required(text) } as const;
type OneOf = { readonly AutoScalingGroupName?: string | undefined; readonly PolicyName: string };

/** Scaling policies of groups. */
export const policyOperations: AutoScalingOperations = {
  PutScalingPolicy: operation({
    input: struct('PutScalingPolicyType', { ...oneGroup, PolicyName: required(text), ...configuration }),
    output: struct('PolicyARNType', { PolicyARN: text, Alarms: alarms }),
    access: mayOn('PutScalingPolicy'),
    handle: async (input, scene) => {
      const { AutoScalingGroupName: group, PolicyName: name } = input;
      const made = await putGroupPolicy(scene.api, scene.account, group, name, policyOf(input, group));
      const Alarms = alarmsOf(scene, made, await acting(scene, [made]));
      return { PolicyARN: groupPolicyArn(scene.region, scene.account, made), Alarms };
    },
  }),
  DescribePolicies: operation({
    input: struct('DescribePoliciesType', {
      AutoScalingGroupName: text,
      PolicyNames: texts,
      PolicyTypes: texts,
      ...paged,
    }),
    output: struct('PoliciesType', { ScalingPolicies: list(shown), NextToken: text }),
    access: mayList('DescribePolicies'),
    handle: async (input, scene) => {
      const { api, account, region } = scene;
      const { AutoScalingGroupName: group, PolicyNames: names = [], PolicyTypes: types = [] } = input;
      const name = ['DescribePolicies', group, names, types];
      const request = { maxResults: input.MaxRecords, nextToken: input.NextToken };
      const after = await api.pages.start(account, name, request);
      const prefix = group === undefined ? groupKeys.policies : groupKeys.policiesOf(group);
      const ids = new Set((await api.groups.list(account)).map(({ id }) => id));
      const rows = await scanAll<GroupPolicyRecord>(api.records, groupsPartition(account), { prefix, limit: 1000 });
      const fits = (one: GroupPolicyRecord): boolean =>
        ids.has(one.groupId) &&
        (names.length === 0 || names.includes(one.name) || names.includes(groupPolicyArn(region, account, one))) &&
        (types.length === 0 || types.includes(typeNames[one.type]));
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rowsOf(rows, ({ key }) => key, after),
        ({ value }) => (fits(value) ? value : undefined),
      );
      const alarmsThere = await acting(scene, items);
      return {
        ScalingPolicies: items.map((one) => view(scene, one, alarmsThere)),
        ...(nextToken === undefined ? {} : { NextToken: nextToken }),
      };
    },
  }),
  DeletePolicy: operation({
    input: struct('DeletePolicyType', oneOf),
    output: nothing,
    access: (input, scene) => mayOn('DeletePolicy')(groupNamed(input, scene), scene),
    handle: async (input, scene) => {
      const { group, name } = named(input, scene);
      await deleteGroupPolicy(scene.api, scene.account, group, name);
      return {};
    },
  }),
  ExecutePolicy: operation({
    input: struct('ExecutePolicyType', { ...oneOf, HonorCooldown: flag, MetricValue: number, BreachThreshold: number }),
    output: nothing,
    access: (input, scene) => mayOn('ExecutePolicy')(groupNamed(input, scene), scene),
    handle: async (input, scene) => {
      const { MetricValue: value, BreachThreshold: threshold, HonorCooldown: honorCooldown = false } = input;
      const { group, name } = named(input, scene);
      if ((value === undefined) !== (threshold === undefined))
        throw validation('MetricValue and BreachThreshold are specified together, or neither of them.');
      const distance = value === undefined || threshold === undefined ? undefined : value - threshold;
      await executeGroupPolicy(scene.api, scene.account, group, name, { distance, honorCooldown });
      return {};
    },
  }),
  DescribeAdjustmentTypes: operation({
    input: struct('Unit', {}),
    output: struct('DescribeAdjustmentTypesAnswer', {
      AdjustmentTypes: list(struct('AdjustmentType', { AdjustmentType: text })),
    }),
    access: mayList('DescribeAdjustmentTypes'),
    handle: () => ({ AdjustmentTypes: adjustmentTypes.toSorted().map((AdjustmentType) => ({ AdjustmentType })) }),
  }),
};

const typeNames = { simple: 'SimpleScaling', step: 'StepScaling', tracking: 'TargetTrackingScaling' } as const;

/** @throws ValidationError */
function named(input: OneOf, { region, account }: Scene): { readonly group: string; readonly name: string } {
  const { AutoScalingGroupName: group, PolicyName: name } = input;
  const byArn = parseGroupPolicyArn(region, account, name);
  if (byArn !== undefined && (group === undefined || group === byArn.group)) return byArn;
  if (group === undefined)
    throw validation('AutoScalingGroupName must be specified, unless PolicyName is the ARN of a policy.');
  return { group, name };
}

/** What access is asked about; a request that names no group is refused when it is handled. */
const groupNamed = (input: OneOf, { region, account }: Scene): { readonly AutoScalingGroupName: string } => ({
  AutoScalingGroupName:
    parseGroupPolicyArn(region, account, input.PolicyName)?.group ?? input.AutoScalingGroupName ?? '*',
});

/** The account's alarms, read once, where some of these policies are named by those that act on them. */
const acting = (
  { api, account }: Scene,
  policies: readonly GroupPolicyRecord[],
): Promise<ReadonlyMap<string, AlarmRecord>> =>
  policies.some(({ type }) => type !== 'tracking')
    ? api.alarms.all(account)
    : Promise.resolve(new Map<string, AlarmRecord>());

/** The alarms that act on a policy: tracking's own, and those that name it. */
function alarmsOf({ region, account }: Scene, policy: GroupPolicyRecord, there: ReadonlyMap<string, AlarmRecord>) {
  const names: string[] = [];
  if (policy.type === 'tracking') {
    const { high, low } = groupAlarmNames(policy);
    names.push(high, ...(policy.noScaleIn === true ? [] : [low]));
  } else {
    const arn = groupPolicyArn(region, account, policy);
    for (const [name, { actions }] of there)
      if (Object.values(actions).some((of) => of.includes(arn))) names.push(name);
  }
  return names.map((name) => ({ AlarmName: name, AlarmARN: alarmArn({ region, account }, name) }));
}

function view(scene: Scene, policy: GroupPolicyRecord, there: ReadonlyMap<string, AlarmRecord>): Of<typeof shown> {
  return {
    AutoScalingGroupName: policy.group,
    PolicyName: policy.name,
    PolicyARN: groupPolicyArn(scene.region, scene.account, policy),
    PolicyType: typeNames[policy.type],
    ...(policy.type === 'tracking' ? viewTracking(policy) : viewStepping(policy)),
    ...(policy.warmup === undefined ? {} : { EstimatedInstanceWarmup: policy.warmup }),
    Alarms: alarmsOf(scene, policy, there),
    Enabled: policy.disabled !== true,
  };
}

function viewTracking({ metric, predefined, target, noScaleIn }: Extract<GroupPolicyRecord, { type: 'tracking' }>) {
  const label = predefined?.label === undefined ? {} : { ResourceLabel: predefined.label };
  const own = {
    MetricName: metric.metric,
    Namespace: metric.namespace,
    Dimensions: metric.dimensions.map(({ name, value }) => ({ Name: name, Value: value })),
    Statistic: metric.statistic,
    ...(metric.unit === undefined ? {} : { Unit: metric.unit }),
  };
  return {
    TargetTrackingConfiguration: {
      ...(predefined === undefined
        ? { CustomizedMetricSpecification: own }
        : { PredefinedMetricSpecification: { PredefinedMetricType: predefined.type, ...label } }),
      TargetValue: target,
      DisableScaleIn: noScaleIn === true,
    },
  };
}

function viewStepping({ type, rule, cooldown, aggregation }: Exclude<GroupPolicyRecord, { type: 'tracking' }>) {
  const { adjustmentType: AdjustmentType, minMagnitude, steps } = rule;
  return {
    AdjustmentType,
    ...(minMagnitude === undefined ? {} : { MinAdjustmentMagnitude: minMagnitude }),
    ...(type === 'simple'
      ? { ScalingAdjustment: steps[0]?.adjustment, ...(cooldown === undefined ? {} : { Cooldown: cooldown }) }
      : {
          StepAdjustments: steps.map(({ lower, upper, adjustment }) => ({
            ...(lower === undefined ? {} : { MetricIntervalLowerBound: lower }),
            ...(upper === undefined ? {} : { MetricIntervalUpperBound: upper }),
            ScalingAdjustment: adjustment,
          })),
          MetricAggregationType: aggregation ?? 'Average',
        }),
  };
}
