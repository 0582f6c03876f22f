import type { Tags } from '@slipway/auth/kit';

import type { CodeDeployStart } from '../services/index.ts';

/** What CodeDeploy remembers, of the compute platform ECS alone. Times are milliseconds since the epoch. */

export interface ApplicationRecord {
  readonly name: string;
  /** A UUID. */
  readonly id: string;
  readonly createdAt: number;
  readonly tags: Tags;
}

/** How traffic gets to the new task set. Minutes. */
export type TrafficRouting =
  | { readonly type: 'AllAtOnce' }
  | { readonly type: 'TimeBasedCanary'; readonly percentage: number; readonly interval: number }
  | { readonly type: 'TimeBasedLinear'; readonly percentage: number; readonly interval: number };

export interface ConfigurationRecord {
  readonly name: string;
  readonly id: string;
  /** Absent: it comes with CodeDeploy. */
  readonly createdAt?: number;
  readonly routing: TrafficRouting;
}

/** When traffic goes back by itself. */
export const rollbackEvents = ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM', 'DEPLOYMENT_STOP_ON_REQUEST'] as const;
export type RollbackEvent = (typeof rollbackEvents)[number];

/** Alarms as they were given. */
export interface GroupAlarms {
  /** Absent: they stop nothing. */
  readonly enabled?: true;
  readonly names: readonly string[];
  readonly ignorePollAlarmFailure: boolean;
}

export interface GroupRecord {
  readonly application: string;
  readonly name: string;
  readonly id: string;
  readonly configuration: string;
  readonly roleArn: string;
  readonly service: { readonly cluster: string; readonly name: string };
  /** Names of the two target groups, in the order given. */
  readonly targetGroups: readonly [string, string];
  /** ARN of the listener that production traffic comes in by. */
  readonly productionListener: string;
  readonly testListener?: string;
  /** Minutes that somebody has to let traffic go to the new tasks; absent: it goes as soon as it can. */
  readonly readyWait?: number;
  /** Minutes that the old tasks stay after all traffic went to the new ones. */
  readonly terminationWait: number;
  /** Empty: never. */
  readonly rollback: readonly RollbackEvent[];
  /** As it was given: whether `rollback` is in force. Absent: nothing was given. */
  readonly rollbackGiven?: { readonly enabled: boolean; readonly events: readonly RollbackEvent[] };
  readonly alarms?: GroupAlarms;
  readonly createdAt: number;
  readonly tags: Tags;
  /** The newest deployment; written with it, so that two never begin together. */
  readonly latest?: string;
}

/** How an AppSpec was given. */
export interface RevisionRecord {
  readonly type: 'AppSpecContent' | 'String';
  readonly content: string;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** What has come of a deployment. */
export interface Progress {
  readonly status: 'Created' | 'Queued' | 'InProgress' | 'Ready' | 'Succeeded' | 'Failed' | 'Stopped';
  readonly startedAt?: number;
  readonly endedAt?: number;
  /** Why it is Failed or Stopped. */
  readonly error?: { readonly code: string; readonly message: string };
  readonly events: readonly EventProgress[];
  /** Percent of production traffic that its tasks are to have. */
  readonly weight: number;
  /** Whether all traffic is at the new tasks, and the old ones stay for a while. */
  readonly isBaking?: true;
  /** The way back, since there is one. */
  readonly rollback?: {
    readonly status: 'InProgress' | 'Succeeded' | 'Failed';
    readonly startedAt: number;
    readonly endedAt?: number;
  };
}

export interface EventProgress {
  readonly name: string;
  readonly status: 'Pending' | 'InProgress' | 'Succeeded' | 'Failed' | 'Skipped';
  readonly startedAt?: number;
  readonly endedAt?: number;
  readonly reason?: string;
}

/** One deployment of CodeDeploy, and the rollback that may follow it. A deployment of the service carries it out. */
export interface CodeDeployRecord {
  /** `d-` and nine letters or digits. */
  readonly id: string;
  /** The id under which its rollback is known once it goes back. */
  readonly rollbackId: string;
  /** As the group was then. */
  readonly group: GroupRecord;
  readonly configuration: string;
  readonly revision: RevisionRecord;
  readonly description?: string;
  /** What the service's deployment is made of. */
  readonly start: Omit<CodeDeployStart, 'now'>;
  /** Of each of its hooks: the lifecycle event, or Ready, the pause before production traffic. */
  readonly hookEvents: readonly string[];
  readonly rollback: readonly RollbackEvent[];
  /** Given with it, in the place of the group's. */
  readonly alarms?: GroupAlarms;
  readonly createdAt: number;
  readonly createdBy: string;
  /** That a person has ended it. */
  readonly stop?: { readonly at: number; readonly by: string; readonly goesBack: boolean };
  /** How it ended, written once. */
  readonly ended?: Progress;
}
