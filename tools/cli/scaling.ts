import type { Service } from '@aws-sdk/client-ecs';
import { type Forecast, forecastOf, pictureOf, type Predictive, predictiveLine } from './forecast.ts';
import { callJson } from './json-api.ts';
import { table } from './output.ts';

export interface Bounds {
  readonly MinCapacity: number;
  readonly MaxCapacity: number;
}

interface Policy {
  readonly PolicyName: string;
  readonly PolicyType: string;
  readonly TargetTrackingScalingPolicyConfiguration?: {
    readonly TargetValue: number;
    readonly PredefinedMetricSpecification?: { readonly PredefinedMetricType: string };
    readonly CustomizedMetricSpecification?: { readonly MetricName: string };
  };
  readonly PredictiveScalingPolicyConfiguration?: Predictive;
  /** Of a predictive policy, where there is one by now. */
  readonly forecast?: Forecast;
}

interface Action {
  readonly ScheduledActionName: string;
  readonly Schedule: string;
  readonly Timezone?: string;
  readonly ScalableTargetAction: Partial<Bounds>;
}

interface Activity {
  readonly StartTime: number;
  readonly Description: string;
  readonly Cause: string;
  readonly StatusCode: string;
}

/** How a service is scaled, as `--output json` prints it. */
export interface Scaled {
  readonly service: string;
  readonly desiredCount: number;
  readonly runningCount: number;
  readonly bounds?: Bounds;
  readonly policies: readonly Policy[];
  readonly actions: readonly Action[];
  /** The newest ten. */
  readonly activities: readonly Activity[];
}

/** What of a service is scaled, as Application Auto Scaling names it. */
export type Target = Readonly<Record<'ServiceNamespace' | 'ResourceId' | 'ScalableDimension', string>>;

export const targetOf = (cluster: string, service: string): Target => ({
  ServiceNamespace: 'ecs',
  ResourceId: `service/${cluster}/${service}`,
  ScalableDimension: 'ecs:service:DesiredCount',
});

/** How a service is scaled, and what that did last. @param found the service as ECS describes it */
export async function scalingOf(
  cluster: string,
  service: string,
  { desiredCount = 0, runningCount = 0 }: Pick<Service, 'desiredCount' | 'runningCount'>,
): Promise<Scaled> {
  const target = targetOf(cluster, service);
  const { ResourceId } = target;
  const [[bounds], policies, actions, activities] = await Promise.all([
    list<Bounds>('DescribeScalableTargets', 'ScalableTargets', { ResourceIds: [ResourceId] }),
    list<Policy>('DescribeScalingPolicies', 'ScalingPolicies', { ResourceId }),
    list<Action>('DescribeScheduledActions', 'ScheduledActions', { ResourceId }),
    call<{ readonly ScalingActivities: readonly Activity[] }>('DescribeScalingActivities', {
      ServiceNamespace: 'ecs',
      ResourceId,
      MaxResults: 10,
    }),
  ]);
  const seen = await Promise.all(
    policies.map(async (policy) => {
      const { PolicyName, PredictiveScalingPolicyConfiguration: predictive } = policy;
      if (predictive === undefined) return policy;
      const forecast = await forecastOf(target, PolicyName, predictive, Date.now());
      return forecast === undefined ? policy : { ...policy, forecast };
    }),
  );
  return {
    service: `${cluster}/${service}`,
    desiredCount,
    runningCount,
    ...(bounds === undefined ? {} : { bounds: { MinCapacity: bounds.MinCapacity, MaxCapacity: bounds.MaxCapacity } }),
    policies: seen,
    actions,
    activities: activities.ScalingActivities,
  };
}

/** Whether anything scales a service, or has. */
export const isScaled = ({ bounds, policies, actions, activities }: Scaled): boolean =>
  bounds !== undefined || policies.length + actions.length + activities.length > 0;

/** How a service is scaled, for people. @param now milliseconds since the epoch */
export function shown(
  { service, desiredCount, runningCount, bounds, policies, actions, activities }: Scaled,
  now: number,
): string {
  const lines = [
    `${service}: ${desiredCount} wanted, ${runningCount} running${bounds === undefined ? '' : `, ${bounds.MinCapacity} to ${bounds.MaxCapacity} allowed`}`,
  ];
  if (bounds === undefined) lines.push('Nothing scales it: slipway scale --min 2 --max 10 --cpu 60 would.');
  for (const policy of policies) {
    lines.push(`  ${policy.PolicyName}: ${ruleOf(policy)}`);
    if (policy.PredictiveScalingPolicyConfiguration === undefined) continue;
    const { forecast } = policy;
    const picture = forecast === undefined ? ['no forecast yet: it needs two days of history'] : pictureOf(forecast);
    lines.push(...picture.map((line) => `    ${line}`));
  }
  for (const { ScheduledActionName, Schedule, Timezone = 'UTC', ScalableTargetAction: to } of actions)
    lines.push(`  ${ScheduledActionName}: ${Schedule} ${Timezone}, ${boundsOf(to)}`);
  if (activities.length > 0)
    lines.push(
      '',
      table(
        ['when', 'what', 'why'],
        activities.map(({ StartTime, Description, Cause, StatusCode }) => [
          ago(now - StartTime * 1000),
          StatusCode === 'Successful' ? Description : `${StatusCode}: ${Description}`,
          Cause,
        ]),
      ),
    );
  return lines.join('\n');
}

function ruleOf({
  PolicyType,
  TargetTrackingScalingPolicyConfiguration: tracking,
  PredictiveScalingPolicyConfiguration: predictive,
}: Policy): string {
  if (predictive !== undefined) return predictiveLine(predictive);
  if (tracking === undefined) return PolicyType === 'StepScaling' ? 'steps of an alarm that names it' : PolicyType;
  const {
    PredefinedMetricSpecification: predefined,
    CustomizedMetricSpecification: customized,
    TargetValue,
  } = tracking;
  return `${predefined?.PredefinedMetricType ?? customized?.MetricName ?? 'a metric'} at ${TargetValue}`;
}

const boundsOf = ({ MinCapacity, MaxCapacity }: Partial<Bounds>): string =>
  [
    ...(MinCapacity === undefined ? [] : [`at least ${MinCapacity}`]),
    ...(MaxCapacity === undefined ? [] : [`at most ${MaxCapacity}`]),
  ].join(', ');

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86_400)} days ago`;
}

export const call = <T>(action: string, input: object): Promise<T> =>
  callJson<T>('application-autoscaling', action, input);

/** All of a list, page by page. */
export async function list<T>(action: string, member: string, input: object): Promise<T[]> {
  const found: T[] = [];
  for (let NextToken: string | undefined; ;) {
    const page = await call<{ readonly NextToken?: string } & Readonly<Record<string, readonly T[]>>>(action, {
      ServiceNamespace: 'ecs',
      ...input,
      ...(NextToken === undefined ? {} : { NextToken }),
    });
    found.push(...(page[member] ?? []));
    NextToken = page.NextToken as string | undefined;
    if (NextToken === undefined) return found;
  }
}
