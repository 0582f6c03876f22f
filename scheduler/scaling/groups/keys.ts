import { arnOf } from '@slipway/auth/kit';
import { definePartition, type OwnedRows } from '@slipway/storage/records';

const groups = definePartition('groups/<account>', 'the Auto Scaling groups of one account, and their machines');
export const groupsPartition = groups.name;

/** Names may have any character; keys may not. */
const safe = (name: string): string => encodeURIComponent(name);

export const groupKeys = {
  /** The lease of whoever keeps the groups. */
  keeper: 'keeper',
  /** What providers know the machines of this account by; made once. */
  owner: 'owner',
  group: (name: string): string => `group/${safe(name)}`,
  groups: 'group/',
  machine: (id: string): string => `machine/${id}`,
  machines: 'machine/',
  /** The newest sort first. */
  activity: (group: string, at: number, id: string): string =>
    `activity/${safe(group)}/${String(Number.MAX_SAFE_INTEGER - at).padStart(16, '0')}/${id}`,
  activitiesOf: (group: string): string => `activity/${safe(group)}/`,
  activities: 'activity/',
  /** Refreshes that are over; the newest sort first. */
  refresh: (group: string, at: number, id: string): string =>
    `refresh/${safe(group)}/${String(Number.MAX_SAFE_INTEGER - at).padStart(16, '0')}/${id}`,
  refreshesOf: (group: string): string => `refresh/${safe(group)}/`,
  refreshes: 'refresh/',
  /** What calls of a group's webhooks are signed with. */
  secret: (name: string): string => `hook-secret/${safe(name)}`,
  secrets: 'hook-secret/',
  /** What has a group follow times and metrics. */
  schedule: (group: string, name: string): string => `schedule/${safe(group)}/${safe(name)}`,
  schedulesOf: (group: string): string => `schedule/${safe(group)}/`,
  schedules: 'schedule/',
  policy: (group: string, name: string): string => `policy/${safe(group)}/${safe(name)}`,
  policiesOf: (group: string): string => `policy/${safe(group)}/`,
  policies: 'policy/',
  /** Signs the page tokens of the account's lists. */
  signingKey: 'signing-key',
} as const;

export const groupRows: OwnedRows = {
  partition: groups,
  owner: 'scheduler/scaling/groups',
  keys: [
    groupKeys.owner,
    groupKeys.groups,
    groupKeys.machines,
    groupKeys.activities,
    groupKeys.refreshes,
    groupKeys.secrets,
    groupKeys.schedules,
    groupKeys.policies,
    groupKeys.signingKey,
  ],
};

/** The ARN of a group. */
export const groupArn = (
  region: string,
  account: string,
  { id, name }: { readonly id: string; readonly name: string },
): string =>
  arnOf({ service: 'autoscaling', region, account, resource: `autoScalingGroup:${id}:autoScalingGroupName/${name}` });

/** The name of the group that an ARN means, and its id; undefined for what is no group's ARN here. */
export function parseGroupArn(
  region: string,
  account: string,
  arn: string,
): { readonly id: string; readonly name: string } | undefined {
  const [, where, of, id, name] =
    /^arn:aws:autoscaling:([^:]*):(\d{12}):autoScalingGroup:([0-9a-f-]{36}):autoScalingGroupName\/([^:]{1,255})$/.exec(
      arn,
    ) ?? [];
  return where === region && of === account && id !== undefined && name !== undefined ? { id, name } : undefined;
}
