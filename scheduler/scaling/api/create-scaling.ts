import { AwsError, awsJson, type Constraints, defineService, type ServiceDefinition } from '@slipway/auth/contract';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';

import { maximumTasks } from '../../services/index.ts';
import { accountKeys, accountPartition } from '../../state/index.ts';
import { longestSchedule } from '../rules/index.ts';
import { invalid } from '../targets/index.ts';
import { actionOperations } from './actions.ts';
import { activityOperations } from './activities.ts';
import type { ScalingApi, ScalingOperations } from './operation.ts';
import { policyOperations } from './policies.ts';
import { predictiveOperations } from './predictive.ts';
import { errorSchema } from './shapes.ts';
import { tagOperations } from './tagging.ts';
import { targetOperations } from './targets.ts';

/** The API of Application Auto Scaling: a table of operations for each noun. */
export const scalingOperations: ScalingOperations = {
  ...targetOperations,
  ...policyOperations,
  ...predictiveOperations,
  ...actionOperations,
  ...activityOperations,
  ...tagOperations,
};

/** The schemas of the operations, in the place of an SDK client module. */
export const scalingSchemas: Readonly<Record<string, unknown>> = {
  ...schemasOf(scalingOperations),
  // What inputs are refused with.
  ValidationException$: errorSchema('ValidationException'),
};

/** Namespaces of the API, of which `ecs` is served. */
const namespaces = [
  'ecs',
  'elasticmapreduce',
  'ec2',
  'appstream',
  'dynamodb',
  'rds',
  'sagemaker',
  'custom-resource',
  'comprehend',
  'lambda',
  'cassandra',
  'kafka',
  'elasticache',
  'neptune',
  'workspaces',
];
/** What UpdateService takes: no policy or schedule brings a service to a count that its leader was not made for. */
const capacity = { min: 0, max: maximumTasks, integer: true } as const;
/** Seconds: at most a day. */
const cooldown = { min: 0, max: 86_400, integer: true } as const;
const identifier = { min: 1, max: 1600 } as const;

/** Lengths, ranges and enumerations (Application Auto Scaling API reference). */
export const scalingConstraints: Constraints = {
  ServiceNamespace: { values: namespaces },
  ResourceId: identifier,
  ResourceIds: { max: 50 },
  'ResourceIds[]': { max: 1600 },
  MinCapacity: capacity,
  MaxCapacity: capacity,
  MaxResults: { integer: true },
  NextToken: { max: 8192 },
  RoleARN: identifier,
  PolicyName: { min: 1, max: 256, pattern: /^(?!.*[|:/])\P{C}+$/u },
  PolicyNames: { max: 50 },
  PolicyType: { values: ['StepScaling', 'TargetTrackingScaling', 'PredictiveScaling'] },
  AdjustmentType: { values: ['ChangeInCapacity', 'PercentChangeInCapacity', 'ExactCapacity'] },
  MetricAggregationType: { values: ['Average', 'Minimum', 'Maximum'] },
  Statistic: { values: ['Average', 'Minimum', 'Maximum', 'SampleCount', 'Sum'] },
  ScalingAdjustment: { integer: true },
  MinAdjustmentMagnitude: { min: 1, integer: true },
  Cooldown: cooldown,
  ScaleOutCooldown: cooldown,
  ScaleInCooldown: cooldown,
  // Of a predictive policy (Application Auto Scaling API reference, PredictiveScalingPolicyConfiguration).
  MetricSpecifications: { min: 1, max: 1 },
  Mode: { values: ['ForecastOnly', 'ForecastAndScale'] },
  SchedulingBufferTime: { min: 0, max: 3600, integer: true },
  MaxCapacityBreachBehavior: { values: ['HonorMaxCapacity', 'IncreaseMaxCapacity'] },
  MaxCapacityBuffer: { min: 0, max: 100, integer: true },
  Dimensions: { max: 30 },
  MetricName: { min: 1, max: 255 },
  Namespace: { min: 1, max: 255 },
  'MetricDimension.Name': { min: 1, max: 255 },
  'MetricDimension.Value': { min: 1, max: 1024 },
  'TargetTrackingMetricDimension.Name': { min: 1, max: 255 },
  'TargetTrackingMetricDimension.Value': { min: 1, max: 1024 },
  Metrics: { min: 1, max: 20 },
  'TargetTrackingMetricDataQuery.Id': { min: 1, max: 255 },
  Expression: { min: 1, max: 2048 },
  ResourceLabel: { min: 1, max: 1023 },
  ScheduledActionName: { min: 1, max: 256, pattern: /^(?!.*[|:/])\P{C}+$/u },
  ScheduledActionNames: { max: 50 },
  Schedule: { min: 1, max: longestSchedule },
  Timezone: identifier,
  Tags: { max: 50 },
  TagKeys: { max: 50 },
  ResourceARN: { min: 1, max: 1011 },
};

export const scalingProtocol = awsJson('1.1', 'AnyScaleFrontendService');

/** The API of Application Auto Scaling (2016-02-06) as the gateway serves it. */
export function createScaling(ports: Omit<ScalingApi, 'pages'>): ServiceDefinition {
  const { records, random } = ports;
  const pages = new Pages(
    createSigning(storedKeys(records, random, { partition: accountPartition, key: accountKeys.signingKey })),
    {
      usual: 50,
      most: 50,
      badSize: (asked, most) => invalid(`MaxResults must be a whole number from 1 to ${most}, not ${asked}.`),
      badToken: () => new AwsError('InvalidNextTokenException', 'The next token supplied is invalid.'),
    },
  );
  return {
    ...defineService({
      name: 'application-autoscaling',
      protocol: scalingProtocol,
      client: scalingSchemas,
      constraints: scalingConstraints,
      limits: { needs: (operation) => `application-autoscaling:${operation}` },
      operations: {},
    }),
    operations: bindAll(scalingOperations, { ...ports, pages }),
  };
}
