import { createHash } from 'node:crypto';
import { arnOf } from '@slipway/auth/kit';
import type { OwnedRows } from '@slipway/storage/records';

import type { ServiceRef } from '../../services/index.ts';
import { clusters } from '../../state/index.ts';

/**
 * Where the records of scaling lie: in the partition of the cluster, so that a decision, the service's new count and the activity that tells
 * of it are one commit of the cluster's leader.
 */
export const scalingKeys = {
  target: (service: string): string => `scaling/target/${service}`,
  targets: 'scaling/target/',
  action: (service: string, name: string): string => `scaling/action/${service}/${name}`,
  actionsOf: (service: string): string => `scaling/action/${service}/`,
  actions: 'scaling/action/',
  policy: (service: string, name: string): string => `scaling/policy/${service}/${name}`,
  policiesOf: (service: string): string => `scaling/policy/${service}/`,
  policies: 'scaling/policy/',
  /** What predictive policies forecast. */
  forecast: (service: string, policy: string): string => `scaling/forecast/${service}/${policy}`,
  forecastsOf: (service: string): string => `scaling/forecast/${service}/`,
  forecasts: 'scaling/forecast/',
  /** The newest sort first. */
  activity: (service: string, at: number, id: string): string =>
    `scaling/activity/${service}/${String(Number.MAX_SAFE_INTEGER - at).padStart(16, '0')}/${id}`,
  activitiesOf: (service: string): string => `scaling/activity/${service}/`,
  activities: 'scaling/activity/',
} as const;

export const scalingRows: OwnedRows = {
  partition: clusters,
  owner: 'scheduler/scaling/targets',
  keys: [scalingKeys.targets, scalingKeys.actions, scalingKeys.policies, scalingKeys.forecasts, scalingKeys.activities],
};

/** `service/<cluster>/<service>`, as Application Auto Scaling names a service. */
export const resourceId = ({ cluster, service }: Pick<ServiceRef, 'cluster' | 'service'>): string =>
  `service/${cluster}/${service}`;

/** The one dimension of services. */
export const dimension = 'ecs:service:DesiredCount';

/**
 * The ARN of a scalable target. Its id follows from what it scales, so that policies can be asked about a target before it is registered, and a
 * target that is registered again is the same.
 */
export const targetArn = (region: string, ref: ServiceRef): string =>
  arnOf({
    service: 'application-autoscaling',
    region,
    account: ref.account,
    resource: `scalable-target/${targetId(ref)}`,
  });

export const targetId = (ref: Pick<ServiceRef, 'cluster' | 'service'>): string =>
  createHash('sha256')
    .update(`ecs ${resourceId(ref)} ${dimension}`)
    .digest('hex')
    .slice(0, 36);

/** The ARN of a scheduled action. */
export const actionArn = (
  region: string,
  ref: ServiceRef,
  { id, name }: { readonly id: string; readonly name: string },
): string =>
  arnOf({
    service: 'autoscaling',
    region,
    account: ref.account,
    resource: `scheduledAction:${id}:resource/ecs/${resourceId(ref)}:scheduledActionName/${name}`,
  });

/** The ARN of a policy, which alarms name as their action. */
export const policyArn = (
  region: string,
  ref: ServiceRef,
  { id, name }: { readonly id: string; readonly name: string },
): string =>
  arnOf({
    service: 'autoscaling',
    region,
    account: ref.account,
    resource: `scalingPolicy:${id}:resource/ecs/${resourceId(ref)}:policyName/${name}`,
  });

/** Whether an action of an alarm is a policy of this account and region: alarms need not say more, policies look at them. */
export const isPolicyArn = (region: string, account: string, action: string): boolean =>
  /^arn:aws:autoscaling:([^:]+):(\d{12}):scalingPolicy:[0-9a-f-]{36}:resource\/ecs\/service\/[^/:]+\/[^/:]+:policyName\/[^:/|]+$/
    .exec(action)
    ?.slice(1, 3)
    .join(':') === `${region}:${account}`;
