import type { MathQuery } from '../../signals/alarms/index.ts';
import type { Change, StepRule } from '../rules/index.ts';

/** What an account has of Application Auto Scaling. Times are milliseconds since the epoch. */

/** A service whose desired count is scaled. */
export interface TargetRecord {
  readonly service: string;
  readonly min: number;
  readonly max: number;
  /** What does not happen for now. */
  readonly suspended?: Suspended;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdAt: number;
  /** What policies did last. */
  readonly lastOut?: Change;
  readonly lastIn?: Change;
}

export interface Suspended {
  readonly scaleIn?: true;
  readonly scaleOut?: true;
  readonly scheduled?: true;
}

export interface ActionRecord {
  readonly service: string;
  readonly name: string;
  /** Of its ARN. */
  readonly id: string;
  readonly schedule: string;
  readonly timezone?: string;
  readonly startTime?: number;
  readonly endTime?: number;
  readonly min?: number;
  readonly max?: number;
  readonly createdAt: number;
  /** When it is due next; without it, never again. */
  readonly next?: number;
}

export type ActivityStatus = 'Successful' | 'Failed';

/** Something that scaling did, or could not do. */
export interface ActivityRecord {
  readonly id: string;
  readonly service: string;
  readonly status: ActivityStatus;
  readonly description: string;
  readonly cause: string;
  readonly message: string;
  readonly at: number;
}

/** What a policy that holds a metric at a value looks at. */
export interface TrackedMetric {
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: readonly { readonly name: string; readonly value: string }[];
  readonly statistic: string;
  readonly unit?: string;
}

/** What metric math comes to, which a policy holds at a value. */
export interface TrackedMath {
  readonly queries: readonly MathQuery[];
}

interface PolicyBase {
  readonly service: string;
  readonly name: string;
  /** Of its ARN, and of the names of its alarms. */
  readonly id: string;
  readonly createdAt: number;
  /** Where the period of the newest point began that it acted on. */
  readonly actedOn?: number;
}

export interface TrackingPolicy extends PolicyBase {
  readonly type: 'tracking';
  readonly target: number;
  /** As it was asked for. */
  readonly asked:
    | { readonly predefined: string; readonly label?: string }
    | { readonly customized: TrackedMetric | TrackedMath };
  readonly metric: TrackedMetric | TrackedMath;
  /** Seconds; undefined: as usual. */
  readonly outCooldown?: number;
  readonly inCooldown?: number;
  readonly noScaleIn?: true;
}

export interface StepPolicy extends PolicyBase {
  readonly type: 'step';
  readonly rule: StepRule;
  /** Seconds; undefined: as usual. */
  readonly cooldown?: number;
  readonly aggregation?: string;
}

/** What a predictive policy forecasts: what the tasks of a service use altogether, or how often a target group is asked. */
export interface PredictedMetric {
  readonly kind: 'cpu' | 'memory' | 'requests';
  readonly label?: string;
  /** It was asked for as two metrics, and not as a pair. */
  readonly apart?: true;
}

export interface PredictivePolicy extends PolicyBase {
  readonly type: 'predictive';
  readonly metric: PredictedMetric;
  /** What each task is to have of it. */
  readonly target: number;
  /** Whether the count follows; without it, it is forecast alone. */
  readonly scales?: true;
  /** Seconds by which tasks are begun before their load; undefined: as usual. */
  readonly buffer?: number;
  /** Percent by which the count may be above what is forecast, and so above the maximum; undefined: never above that. */
  readonly breach?: number;
}

export type PolicyRecord = TrackingPolicy | StepPolicy | PredictivePolicy;

/** What a predictive policy forecasts, and has forecast. Times are milliseconds. */
export interface ForecastRecord {
  readonly service: string;
  readonly policy: string;
  readonly madeAt: number;
  readonly season: 'day' | 'week';
  /** When the first slot began, and the load of each: a while back as well, as it was forecast then. */
  readonly from: number;
  readonly loads: readonly (number | null)[];
}
