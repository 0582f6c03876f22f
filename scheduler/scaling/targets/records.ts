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
