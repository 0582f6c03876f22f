import {
  inOrder,
  type Step,
  type StepRule,
  adjustmentTypes,
  type AdjustmentType,
  stepsProblem,
} from '../rules/index.ts';
import {
  alarmNames,
  deletePolicy,
  dimension,
  invalid,
  policyArn,
  type PolicyDraft,
  type PolicyRecord,
  predefinedMetric,
  putPolicy,
  resourceId,
  scalingKeys,
} from '../targets/index.ts';
import type { ServiceRef } from '../../services/index.ts';
import { alarmArn } from '../../signals/alarms/index.ts';
import { mayList, mayOn, operation, pageOf, type Scene, type ScalingOperations, serviceOf } from './operation.ts';
import { predictiveConfiguration, predictiveOf, predictiveView } from './predictive.ts';
import { customizedMetric, customizedSpecification, customizedView } from './customized.ts';
import {
  flag,
  list,
  nextPage,
  nothing,
  number,
  type Of,
  oneTarget,
  required,
  struct,
  text,
  texts,
  time,
} from './shapes.ts';

const named = { PolicyName: required(text) } as const;
const stepConfiguration = struct('StepScalingPolicyConfiguration', {
  AdjustmentType: text,
  StepAdjustments: list(
    struct('StepAdjustment', {
      MetricIntervalLowerBound: number,
      MetricIntervalUpperBound: number,
      ScalingAdjustment: required(number),
    }),
  ),
  MinAdjustmentMagnitude: number,
  Cooldown: number,
  MetricAggregationType: text,
});
const trackingConfiguration = struct('TargetTrackingScalingPolicyConfiguration', {
  TargetValue: required(number),
  PredefinedMetricSpecification: struct('PredefinedMetricSpecification', {
    PredefinedMetricType: required(text),
    ResourceLabel: text,
  }),
  CustomizedMetricSpecification: customizedSpecification,
  ScaleOutCooldown: number,
  ScaleInCooldown: number,
  DisableScaleIn: flag,
});
const alarm = struct('Alarm', { AlarmName: required(text), AlarmARN: required(text) });

const policy = struct('ScalingPolicy', {
  PolicyARN: required(text),
  ...named,
  ...oneTarget,
  PolicyType: required(text),
  StepScalingPolicyConfiguration: stepConfiguration,
  TargetTrackingScalingPolicyConfiguration: trackingConfiguration,
  PredictiveScalingPolicyConfiguration: predictiveConfiguration,
  Alarms: list(alarm),
  CreationTime: required(time),
});

const input = struct('PutScalingPolicyRequest', {
  ...named,
  ...oneTarget,
  PolicyType: text,
  StepScalingPolicyConfiguration: stepConfiguration,
  TargetTrackingScalingPolicyConfiguration: trackingConfiguration,
  PredictiveScalingPolicyConfiguration: predictiveConfiguration,
});

/** Policies: how a target follows a metric. */
export const policyOperations: ScalingOperations = {
  PutScalingPolicy: operation({
    input,
    output: struct('PutScalingPolicyResponse', { PolicyARN: required(text), Alarms: list(alarm) }),
    access: mayOn('PutScalingPolicy'),
    handle: async (given, scene) => {
      const ref = serviceOf(scene, given);
      const made = await putPolicy(scene.api, ref, given.PolicyName, draftOf(given, ref));
      return { PolicyARN: policyArn(scene.region, ref, made), Alarms: await alarmsShown(scene, ref, made) };
    },
  }),
  DeleteScalingPolicy: operation({
    input: struct('DeleteScalingPolicyRequest', { ...named, ...oneTarget }),
    output: nothing,
    access: mayOn('DeleteScalingPolicy'),
    handle: async (given, scene) => {
      await deletePolicy(scene.api, serviceOf(scene, given), given.PolicyName);
      return {};
    },
  }),
  DescribeScalingPolicies: operation({
    input: struct('DescribeScalingPoliciesRequest', {
      PolicyNames: texts,
      ServiceNamespace: oneTarget.ServiceNamespace,
      ResourceId: text,
      ScalableDimension: text,
      ...nextPage,
    }),
    output: struct('DescribeScalingPoliciesResponse', { ScalingPolicies: list(policy), NextToken: text }),
    access: mayList('DescribeScalingPolicies'),
    handle: async (given, scene) => {
      const { PolicyNames: names } = given;
      const { items, more } = await pageOf(
        scene,
        ['DescribeScalingPolicies', names],
        // As many as AWS gives: each has its alarms with it.
        { ...given, MaxResults: given.MaxResults ?? 10 },
        { all: scalingKeys.policies, of: scalingKeys.policiesOf },
        (cluster, record: PolicyRecord) => (names?.includes(record.name) === false ? undefined : { cluster, record }),
      );
      return {
        ScalingPolicies: await Promise.all(items.map(({ cluster, record }) => view(scene, cluster, record))),
        ...more,
      };
    },
  }),
};

function draftOf(given: Of<typeof input>, ref: ServiceRef): PolicyDraft {
  const { StepScalingPolicyConfiguration: step, TargetTrackingScalingPolicyConfiguration: tracking } = given;
  const { PredictiveScalingPolicyConfiguration: predictive } = given;
  const type = given.PolicyType ?? 'StepScaling';
  if (type === 'PredictiveScaling') {
    if (predictive === undefined || step !== undefined || tracking !== undefined)
      throw invalid('PredictiveScalingPolicyConfiguration, and no other one, must be specified for PredictiveScaling.');
    return predictiveOf(predictive);
  }
  if (predictive !== undefined) throw invalid('PredictiveScalingPolicyConfiguration is for PredictiveScaling alone.');
  if (type === 'TargetTrackingScaling') {
    if (tracking === undefined || step !== undefined)
      throw invalid(
        'TargetTrackingScalingPolicyConfiguration, and no other one, must be specified for TargetTrackingScaling.',
      );
    return trackingOf(tracking, ref);
  }
  if (step === undefined || tracking !== undefined)
    throw invalid('StepScalingPolicyConfiguration, and no other one, must be specified for StepScaling.');
  return stepOf(step);
}

function trackingOf(given: Of<typeof trackingConfiguration>, ref: ServiceRef): PolicyDraft {
  const { PredefinedMetricSpecification: predefined, CustomizedMetricSpecification: customized } = given;
  if ((predefined === undefined) === (customized === undefined))
    throw invalid('Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified.');
  if (!(given.TargetValue > 0 && Number.isFinite(given.TargetValue)))
    throw invalid('TargetValue must be a number greater than 0.');
  const metric =
    predefined === undefined
      ? customizedMetric(customized ?? {}, ref.account)
      : predefinedMetric(ref, predefined.PredefinedMetricType, predefined.ResourceLabel);
  const { ScaleOutCooldown: outCooldown, ScaleInCooldown: inCooldown } = given;
  return {
    type: 'tracking',
    target: given.TargetValue,
    asked:
      predefined === undefined
        ? { customized: metric }
        : {
            predefined: predefined.PredefinedMetricType,
            ...(predefined.ResourceLabel === undefined ? {} : { label: predefined.ResourceLabel }),
          },
    metric,
    ...(outCooldown === undefined ? {} : { outCooldown }),
    ...(inCooldown === undefined ? {} : { inCooldown }),
    ...(given.DisableScaleIn === true ? { noScaleIn: true } : {}),
  };
}

function stepOf(given: Of<typeof stepConfiguration>): PolicyDraft {
  const {
    AdjustmentType: type,
    StepAdjustments = [],
    MinAdjustmentMagnitude: minMagnitude,
    Cooldown: cooldown,
  } = given;
  if (!isAdjustment(type)) throw invalid(`AdjustmentType must be one of ${adjustmentTypes.join(', ')}.`);
  if (minMagnitude !== undefined && type !== 'PercentChangeInCapacity')
    throw invalid('MinAdjustmentMagnitude is for the AdjustmentType PercentChangeInCapacity alone.');
  const steps = inOrder(
    StepAdjustments.map(
      ({ MetricIntervalLowerBound: lower, MetricIntervalUpperBound: upper, ScalingAdjustment }): Step => ({
        ...(lower === undefined ? {} : { lower }),
        ...(upper === undefined ? {} : { upper }),
        adjustment: ScalingAdjustment,
      }),
    ),
  );
  const problem = stepsProblem(steps, type);
  if (problem !== undefined) throw invalid(problem);
  const rule: StepRule = { adjustmentType: type, steps, ...(minMagnitude === undefined ? {} : { minMagnitude }) };
  const { MetricAggregationType: aggregation } = given;
  return {
    type: 'step',
    rule,
    ...(cooldown === undefined ? {} : { cooldown }),
    ...(aggregation === undefined ? {} : { aggregation }),
  };
}

const isAdjustment = (type: string | undefined): type is AdjustmentType =>
  adjustmentTypes.includes(type as AdjustmentType);

/** The alarms that act on a policy: tracking's own, and of a step policy those that name it. */
async function alarmsShown({ api, region, account }: Scene, ref: ServiceRef, record: PolicyRecord) {
  const names: string[] = [];
  if (record.type === 'predictive') return [];
  if (record.type === 'tracking') {
    const { high, low } = alarmNames(ref, record);
    names.push(high, ...(record.noScaleIn === true ? [] : [low]));
  } else {
    const arn = policyArn(region, ref, record);
    for (const [name, { actions }] of await api.alarms.all(account))
      if (Object.values(actions).some((of) => of.includes(arn))) names.push(name);
  }
  return names.map((name) => ({ AlarmName: name, AlarmARN: alarmArn({ region, account }, name) }));
}

async function view(scene: Scene, cluster: string, record: PolicyRecord) {
  const { account, region } = scene;
  const ref = { account, cluster, service: record.service };
  return {
    PolicyARN: policyArn(region, ref, record),
    PolicyName: record.name,
    ServiceNamespace: 'ecs',
    ResourceId: resourceId(ref),
    ScalableDimension: dimension,
    PolicyType: { tracking: 'TargetTrackingScaling', step: 'StepScaling', predictive: 'PredictiveScaling' }[
      record.type
    ],
    ...configurationOf(record),
    Alarms: await alarmsShown(scene, ref, record),
    CreationTime: new Date(record.createdAt),
  };
}

function configurationOf(record: PolicyRecord) {
  if (record.type === 'predictive') return { PredictiveScalingPolicyConfiguration: predictiveView(record) };
  if (record.type === 'step')
    return {
      StepScalingPolicyConfiguration: {
        AdjustmentType: record.rule.adjustmentType,
        StepAdjustments: record.rule.steps.map(({ lower, upper, adjustment }) => ({
          ...(lower === undefined ? {} : { MetricIntervalLowerBound: lower }),
          ...(upper === undefined ? {} : { MetricIntervalUpperBound: upper }),
          ScalingAdjustment: adjustment,
        })),
        ...(record.rule.minMagnitude === undefined ? {} : { MinAdjustmentMagnitude: record.rule.minMagnitude }),
        ...(record.cooldown === undefined ? {} : { Cooldown: record.cooldown }),
        ...(record.aggregation === undefined ? {} : { MetricAggregationType: record.aggregation }),
      },
    };
  const { asked, target, outCooldown, inCooldown, noScaleIn } = record;
  return {
    TargetTrackingScalingPolicyConfiguration: {
      TargetValue: target,
      ...('predefined' in asked
        ? {
            PredefinedMetricSpecification: {
              PredefinedMetricType: asked.predefined,
              ...(asked.label === undefined ? {} : { ResourceLabel: asked.label }),
            },
          }
        : {
            CustomizedMetricSpecification: customizedView(asked.customized),
          }),
      ...(outCooldown === undefined ? {} : { ScaleOutCooldown: outCooldown }),
      ...(inCooldown === undefined ? {} : { ScaleInCooldown: inCooldown }),
      DisableScaleIn: noScaleIn === true,
    },
  };
}
