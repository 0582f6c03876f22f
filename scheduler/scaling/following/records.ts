/** What has an Auto Scaling group follow times and metrics. Times are milliseconds since the epoch. */
import type { StepRule } from '../rules/index.ts';

/** Other bounds of a group, or another desired capacity, at a time: once, or again and again. */
export interface ScheduleRecord {
  readonly group: string;
  /** Of the group: one that is made anew under the same name has none of this. */
  readonly groupId: string;
  readonly name: string;
  /** Of its ARN. */
  readonly id: string;
  /** Five fields of cron; without it, it runs once at `startTime`. */
  readonly recurrence?: string;
  readonly timezone?: string;
  readonly startTime?: number;
  readonly endTime?: number;
  readonly min?: number;
  readonly max?: number;
  readonly desired?: number;
  /** When it is due next. */
  readonly next: number;
}

/** A metric that a group is held at a value of. */
export interface GroupMetric {
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: readonly { readonly name: string; readonly value: string }[];
  readonly statistic: string;
  readonly unit?: string;
}

interface PolicyBase {
  readonly group: string;
  /** Of the group, as above. */
  readonly groupId: string;
  readonly name: string;
  /** Of its ARN, and of the names of its alarms. */
  readonly id: string;
  /** Nothing acts on it for now. */
  readonly disabled?: true;
  /** Seconds for which a machine in service does not count; undefined: as long as the group's cooldown. */
  readonly warmup?: number;
  /** Where the period of the newest point began that it acted on. */
  readonly actedOn?: number;
}

export interface SteppingPolicy extends PolicyBase {
  /** `simple` has one step for everything, and waits for its cooldown. */
  readonly type: 'simple' | 'step';
  readonly rule: StepRule;
  /** Seconds; undefined: the group's. */
  readonly cooldown?: number;
  readonly aggregation?: string;
}

export interface GroupTrackingPolicy extends PolicyBase {
  readonly type: 'tracking';
  readonly target: number;
  /** As it was asked for; undefined: a metric of one's own. */
  readonly predefined?: { readonly type: string; readonly label?: string };
  readonly metric: GroupMetric;
  readonly noScaleIn?: true;
}

export type GroupPolicyRecord = SteppingPolicy | GroupTrackingPolicy;
