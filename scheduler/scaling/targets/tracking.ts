import type { AlarmConfiguration } from '../../signals/alarms/index.ts';

import type { ServiceRef } from '../../services/index.ts';
import { noRequestLabel, requestMetric } from '../rules/index.ts';
import { invalid } from './errors.ts';
import { policyArn, resourceId } from './keys.ts';
import type { TrackedMetric, TrackingPolicy } from './records.ts';

type MetricAlarm = Extract<AlarmConfiguration['subject'], { readonly kind: 'metric' }>;

/** Seconds of a cooldown where a policy does not say (Application Auto Scaling API reference, for services of ECS). */
export const usualCooldown = 300;

/**
 * The metric of a predefined type (Application Auto Scaling user guide, "Predefined metrics for target tracking").
 * @throws ValidationException for a type that is not of ECS, and a label that is missing or not needed
 */
export function predefinedMetric(ref: ServiceRef, type: string, given: string | undefined): TrackedMetric {
  const ofService = (metric: string): TrackedMetric => {
    if (given !== undefined) throw invalid(`ResourceLabel is for ALBRequestCountPerTarget alone, and not for ${type}.`);
    return {
      namespace: 'AWS/ECS',
      metric,
      dimensions: [
        { name: 'ClusterName', value: ref.cluster },
        { name: 'ServiceName', value: ref.service },
      ],
      statistic: 'Average',
    };
  };
  if (type === 'ECSServiceAverageCPUUtilization') return ofService('CPUUtilization');
  if (type === 'ECSServiceAverageMemoryUtilization') return ofService('MemoryUtilization');
  if (type !== 'ALBRequestCountPerTarget')
    throw invalid(
      `PredefinedMetricType ${type.slice(0, 100)} is not supported for the namespace ecs by this installation: use ECSServiceAverageCPUUtilization, ECSServiceAverageMemoryUtilization or ALBRequestCountPerTarget.`,
    );
  const metric = requestMetric(given);
  if (metric === undefined) throw invalid(noRequestLabel);
  return metric;
}

/** Whether an alarm has the name of one that a policy in the cluster has made for itself. */
export const isTrackingAlarm = (cluster: string, name: string): boolean =>
  /^TargetTracking-service\/([^/]+)\/[^/]+-Alarm(?:High|Low)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.exec(
    name,
  )?.[1] === cluster;

export const alarmNames = (
  ref: ServiceRef,
  { id }: Pick<TrackingPolicy, 'id'>,
): { readonly high: string; readonly low: string } => ({
  high: `TargetTracking-${resourceId(ref)}-AlarmHigh-${id}`,
  low: `TargetTracking-${resourceId(ref)}-AlarmLow-${id}`,
});

/** How far below its target a metric is before a service is scaled in, and for how many minutes; above it, for how many. */
const lowRatio = 0.9;
const lowMinutes = 15;
const highMinutes = 3;

/** What an alarm reads for a metric, or for math. */
export const sourceOf = (metric: TrackingPolicy['metric']): MetricAlarm['source'] =>
  'queries' in metric ? { kind: 'math', ...metric } : { kind: 'metric', ...metric };

/** The alarms of a policy, as they should be: both, or the high one alone where it never scales in. */
export function alarmsOf(region: string, ref: ServiceRef, policy: TrackingPolicy): readonly AlarmConfiguration[] {
  const names = alarmNames(ref, policy);
  const rule = { period: 60, treatMissingData: 'missing' } as const;
  const shared = {
    description: 'DO NOT EDIT OR DELETE. For TargetTrackingScaling policy ' + policyArn(region, ref, policy) + '.',
    actionsEnabled: true,
    actions: { OK: [], ALARM: [policyArn(region, ref, policy)], INSUFFICIENT_DATA: [] },
  };
  const source = sourceOf(policy.metric);
  const high: AlarmConfiguration = {
    ...shared,
    name: names.high,
    subject: {
      kind: 'metric',
      source,
      rule: {
        ...rule,
        comparison: 'GreaterThanThreshold',
        threshold: policy.target,
        evaluationPeriods: highMinutes,
        datapointsToAlarm: highMinutes,
      },
    },
  };
  if (policy.noScaleIn === true) return [high];
  const low: AlarmConfiguration = {
    ...shared,
    name: names.low,
    subject: {
      kind: 'metric',
      source,
      rule: {
        ...rule,
        comparison: 'LessThanThreshold',
        threshold: policy.target * lowRatio,
        evaluationPeriods: lowMinutes,
        datapointsToAlarm: lowMinutes,
      },
    },
  };
  return [high, low];
}
