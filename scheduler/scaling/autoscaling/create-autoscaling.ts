import { AwsError, awsQuery, type Constraints, defineService, type ServiceDefinition } from '@slipway/auth/contract';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';

import { groupKeys, groupsPartition, validation } from '../groups/index.ts';
import { activityOperations } from './activities.ts';
import { groupOperations } from './groups.ts';
import { hookOperations } from './hooks.ts';
import { instanceOperations } from './instances.ts';
import { notServedOperations } from './not-served.ts';
import type { AutoScalingApi, AutoScalingOperations } from './operation.ts';
import { policyOperations } from './policies.ts';
import { processOperations } from './processes.ts';
import { refreshOperations } from './refreshes.ts';
import { scheduleOperations } from './schedules.ts';
import { tagOperations } from './tagging.ts';
import { warmPoolOperations } from './warm-pools.ts';

/** The API of EC2 Auto Scaling: a table of operations for each noun. */
export const autoScalingOperations: AutoScalingOperations = {
  ...groupOperations,
  ...instanceOperations,
  ...hookOperations,
  ...warmPoolOperations,
  ...refreshOperations,
  ...scheduleOperations,
  ...policyOperations,
  ...activityOperations,
  ...processOperations,
  ...tagOperations,
  ...notServedOperations,
};

/** The schemas of the operations, in the place of an SDK client module. */
export const autoScalingSchemas: Readonly<Record<string, unknown>> = schemasOf(autoScalingOperations);

/** Machines that a group may have at most: all of them are looked at every five seconds. */
const size = { min: 0, max: 1000, integer: true } as const;
const seconds = { min: 0, max: 604_800, integer: true } as const;

/** Lengths and ranges (EC2 Auto Scaling API reference). */
export const autoScalingConstraints: Constraints = {
  AutoScalingGroupName: { min: 1, max: 255, pattern: /^\P{Cc}+$/u },
  AutoScalingGroupNames: { max: 50 },
  MinSize: size,
  MaxSize: size,
  // Of an instance refresh (EC2 Auto Scaling API reference, RefreshPreferences); times are seconds.
  MinHealthyPercentage: { min: 0, max: 100, integer: true },
  MaxHealthyPercentage: { min: 100, max: 200, integer: true },
  InstanceWarmup: { min: 0, max: 604_800, integer: true },
  CheckpointDelay: { min: 0, max: 172_800, integer: true },
  CheckpointPercentages: { max: 100 },
  BakeTime: { min: 0, max: 172_800, integer: true },
  InstanceRefreshIds: { max: 50 },
  Alarms: { max: 10 },
  // Those of a group that says so are prepared up to MaxSize: -1.
  MaxGroupPreparedCapacity: { min: -1, max: 1000, integer: true },
  DesiredCapacity: size,
  DefaultCooldown: seconds,
  HealthCheckGracePeriod: seconds,
  AvailabilityZones: { max: 50 },
  VPCZoneIdentifier: { max: 5000 },
  TerminationPolicies: { max: 10 },
  InstanceId: { min: 1, max: 19 },
  InstanceIds: { max: 50 },
  ActivityIds: { max: 100 },
  ScalingProcesses: { max: 20 },
  Tags: { max: 200 },
  LifecycleHookName: { min: 1, max: 255, pattern: /^[A-Za-z0-9\-_/]+$/ },
  LifecycleHookNames: { max: 50 },
  LifecycleHookSpecificationList: { max: 50 },
  LifecycleActionToken: { min: 36, max: 36 },
  // Seconds (EC2 Auto Scaling API reference, LifecycleHookSpecification).
  HeartbeatTimeout: { min: 30, max: 7200, integer: true },
  // An address is longer than the ARN of a topic.
  NotificationTargetARN: { max: 2048 },
  NotificationMetadata: { min: 1, max: 4000, pattern: /^[\t\n\r -~]+$/ },
  RoleARN: { min: 1, max: 255 },
  ScheduledActionName: { min: 1, max: 255, pattern: /^\P{Cc}+$/u },
  ScheduledActionNames: { max: 50 },
  Recurrence: { min: 1, max: 255 },
  // A policy is named by its ARN as well.
  PolicyName: { min: 1, max: 1600, pattern: /^\P{Cc}+$/u },
  'PutScalingPolicyType.PolicyName': { min: 1, max: 255, pattern: /^[^:\p{Cc}]+$/u },
  PolicyNames: { max: 50 },
  PolicyTypes: { max: 4 },
  ScalingAdjustment: { integer: true },
  MinAdjustmentMagnitude: { min: 0, integer: true },
  Cooldown: { min: 0, max: 604_800, integer: true },
  EstimatedInstanceWarmup: { min: 0, max: 604_800, integer: true },
  StepAdjustments: { max: 20 },
  ResourceLabel: { min: 1, max: 1023 },
  Dimensions: { max: 30 },
  'MetricDimension.Name': { min: 1, max: 255 },
  'MetricDimension.Value': { min: 1, max: 1024 },
  MetricName: { min: 1, max: 255 },
  Namespace: { min: 1, max: 255 },
  TimeZone: { min: 1, max: 255 },
};

export const autoScalingProtocol = awsQuery('2011-01-01', 'http://autoscaling.amazonaws.com/doc/2011-01-01/');

/** The API of EC2 Auto Scaling (2011-01-01) as the gateway serves it. */
export function createAutoScaling(ports: Omit<AutoScalingApi, 'pages'>): ServiceDefinition {
  const { records, random } = ports;
  const pages = new Pages(
    createSigning(storedKeys(records, random, { partition: groupsPartition, key: groupKeys.signingKey })),
    {
      usual: 50,
      most: 100,
      badSize: (_asked, most) => validation(`MaxRecords must be a whole number from 1 to ${most}.`),
      badToken: () => new AwsError('InvalidNextToken', 'The token is not one of this list.'),
    },
  );
  return {
    ...defineService({
      name: 'autoscaling',
      protocol: autoScalingProtocol,
      client: autoScalingSchemas,
      constraints: autoScalingConstraints,
      limits: { needs: (operation) => `autoscaling:${operation}` },
      operations: {},
    }),
    operations: bindAll(autoScalingOperations, { ...ports, pages }),
  };
}
