import type { AlarmRule, AlarmState } from '../evaluation/index.ts';

/** One metric, and which statistic of it is looked at. */
export interface MetricSource {
  readonly kind: 'metric';
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: readonly { readonly name: string; readonly value: string }[];
  /** `Average`, `p99`, as CloudWatch has them. */
  readonly statistic: string;
  readonly unit?: string;
}

/** Metric math: what GetMetricData would be asked, one of which returns data. */
export interface MathSource {
  readonly kind: 'math';
  readonly queries: readonly MathQuery[];
}

export interface MathQuery {
  readonly id: string;
  readonly label?: string;
  readonly returnData: boolean;
  readonly expression?: string;
  /** Seconds. */
  readonly period?: number;
  readonly metric?: Omit<MetricSource, 'kind'> & { readonly period: number };
}

/** What an alarm is about. */
export type AlarmSubject =
  | { readonly kind: 'metric'; readonly source: MetricSource | MathSource; readonly rule: AlarmRule }
  /** @property rule as it was given */
  | { readonly kind: 'composite'; readonly rule: string };

/** What the user has said of an alarm. */
export interface AlarmConfiguration {
  readonly name: string;
  readonly description?: string;
  readonly actionsEnabled: boolean;
  /** Where changes of the state go, by the state that it becomes. */
  readonly actions: Readonly<Record<AlarmState, readonly string[]>>;
  readonly subject: AlarmSubject;
}

export interface AlarmStanding {
  readonly state: AlarmState;
  readonly reason: string;
  /** JSON. */
  readonly reasonData?: string;
}

export interface AlarmRecord extends AlarmConfiguration, AlarmStanding {
  readonly tags: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch, as the others: when the user last changed it. */
  readonly configuredAt: number;
  /** When the state was last set, also to what it was. */
  readonly updatedAt: number;
  /** When it was last set by hand. */
  readonly setAt?: number;
  /** When the state last became another one. */
  readonly changedAt: number;
  /** When it last became ALARM, whatever it is by now. Absent: never. */
  readonly alarmedAt?: number;
  /** Composite alarms: states of the children when the rule was last evaluated. */
  readonly seen?: string;
}

export type HistoryKind = 'ConfigurationUpdate' | 'StateUpdate' | 'Action';

export interface HistoryRecord {
  readonly alarm: string;
  readonly composite: boolean;
  readonly at: number;
  readonly kind: HistoryKind;
  readonly summary: string;
  /** JSON. */
  readonly data: string;
}

/** An action that is to be carried out: written in the commit of the change that it tells of, gone when it is done or given up. */
export interface ActionRecord {
  /** The same each time that the action is tried. */
  readonly id: string;
  readonly alarm: string;
  readonly composite: boolean;
  /** As the alarm names it. */
  readonly action: string;
  readonly at: number;
  readonly from: AlarmState;
  /** How the alarm stood then. */
  readonly alarmThen: AlarmRecord;
  readonly attempts: number;
  readonly nextAt: number;
  readonly lastError?: string;
}

/** Up to when every alarm's windows have been evaluated; milliseconds since the epoch. */
export interface ProgressRecord {
  readonly at: number;
}
