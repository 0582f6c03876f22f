/** What has an Auto Scaling group follow times and metrics. Times are milliseconds since the epoch. */

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
