import type { Principal } from '@slipway/auth/contract';

import type { Judgement, JudgeRule, LifecycleHook, Shifting, ShiftStrategy } from '../shifts.ts';
import type { CapacityProviderStrategy } from './providers.ts';
import type { Tags } from './tags.ts';
import type { LaunchType, NetworkConfiguration, ServiceLoadBalancer } from './tasks.ts';

export interface CircuitBreaker {
  readonly enable: boolean;
  readonly rollback: boolean;
  readonly resetOnHealthyTask: boolean;
  readonly threshold: { readonly type: 'BOUNDED_PERCENT' | 'UNBOUNDED_PERCENT' | 'COUNT'; readonly value: number };
}

export interface DeploymentConfiguration {
  readonly maximumPercent: number;
  readonly minimumHealthyPercent: number;
  readonly circuitBreaker?: CircuitBreaker;
  /** Absent: ROLLING. */
  readonly strategy?: ShiftStrategy;
  /** Minutes that both revisions run after all traffic went to the new one. */
  readonly bakeTimeInMinutes?: number;
  readonly lifecycleHooks?: readonly LifecycleHook[];
  readonly alarms?: DeploymentAlarms;
}

/** Alarms that a deployment fails by when one of them goes into ALARM while it is under way. */
export interface DeploymentAlarms {
  readonly alarmNames: readonly string[];
  readonly enable: boolean;
  /** Whether to go back to the newest completed deployment then. */
  readonly rollback: boolean;
}

/** What a deployment has seen of its alarms; written when it first looked at them. */
export interface SeenAlarms {
  /** When each had gone into ALARM last before it began, by its own record; 0: never. */
  readonly before?: Readonly<Record<string, number>>;
  /** In ALARM when it began, so that none is watched. */
  readonly ignored?: readonly string[];
  /** What it failed by. */
  readonly triggered?: readonly string[];
  /** Of one that CodeDeploy began: what it was stopped for the lack of. */
  readonly missing?: readonly string[];
}

/** That a person ends a deployment which rolls (ECS: StopServiceDeployment). */
export interface StopRecord {
  readonly type: 'ROLLBACK' | 'ABORT';
  readonly at: number;
  readonly by: string;
}

/** How a deployment stood when it was given up. */
export interface FailedDeployment {
  readonly id: string;
  /** When it began; absent where that was not written down yet. */
  readonly createdAt?: number;
  readonly failedTasks: number;
  readonly rolloutState: 'FAILED';
  readonly rolloutStateReason: string;
  readonly updatedAt: number;
  /** Of one that shifted traffic: how far it had come. */
  readonly shifting?: Shifting;
  readonly alarms?: SeenAlarms;
  readonly stop?: StopRecord;
  /** Absent: `failed`, or as its `shifting` says. */
  readonly judgement?: Judgement;
}

/** One deployment of a service: the tasks of one revision, with counters. */
export interface DeploymentRecord {
  /** `ecs-svc/<19 digits>`. */
  readonly id: string;
  readonly status: 'PRIMARY' | 'ACTIVE' | 'INACTIVE';
  readonly taskDefinition: string;
  readonly rolloutState: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
  readonly rolloutStateReason: string;
  /** FAILED, and its tasks are tried all the same: nothing else will run the service. */
  readonly triesOn?: true;
  /** Consecutive tasks of this deployment that never became running or were stopped for their health. */
  readonly failedTasks: number;
  /** Whether a task of it has ever been RUNNING (second stage of the circuit breaker). */
  readonly everRunning: boolean;
  /** Do not start a task before this time: back-off after tasks that never got to RUNNING. */
  readonly startNotBefore?: number;
  /** Why the last attempt to start or keep a task failed, for people. */
  readonly lastFailure?: string;
  readonly lastFailureAt?: number;
  /** Consecutive tasks that never reached RUNNING; decides the back-off. */
  readonly startFailures?: number;
  /** When the first of those was, and the last. */
  readonly failingSince?: number;
  readonly failingUntil?: number;
  /** Consecutive tasks that reached RUNNING and ended before they ever were healthy; decides the pace of restarts. */
  readonly crashes?: number;
  /** Tasks in a row that reached RUNNING and never were healthy, and when the first of them ended and the last. */
  readonly neverHealthy?: { readonly tasks: number; readonly since: number; readonly until: number };
  /** How many tasks a deployment that is being replaced still has to keep up, each replaced by one of its own revision. */
  readonly keepCount?: number;
  /** Where its tasks are registered; absent: nowhere. */
  readonly loadBalancers?: readonly ServiceLoadBalancer[];
  /** Container name -> image reference pinned by digest when the deployment began, so that a rollback runs what ran (versionConsistency). */
  readonly images?: Readonly<Record<string, string>>;
  /** Set while no instance can take its next task; no failure of the deployment. */
  readonly unplaceable?: { readonly code: string; readonly message: string; readonly since: number };
  readonly createdAt: number;
  readonly updatedAt: number;
  /** What caused it: an API call, a push (`image.pushed` web:prod sha256:…), a new value of a secret, or a rollback of another deployment. */
  readonly cause: {
    readonly kind: 'api' | 'push' | 'webhook' | 'secret' | 'rollback';
    readonly detail?: string;
    /** Of a rollback: the deployment that failed, as it was then. Its own record goes with its last task. */
    readonly failed?: FailedDeployment;
  };
  /** Set once it has been COMPLETED; what rollback looks for. */
  readonly completedAt?: number;
  /** Ids of the deployments that still had tasks when it began. */
  readonly replaces?: readonly string[];
  /** Of a deployment that shifts traffic: how far it is. */
  readonly shifting?: Shifting;
  readonly alarms?: SeenAlarms;
  /** Of one that rolls. One that shifts traffic has it in `shifting`. */
  readonly stop?: StopRecord;
  /** Of one that was given up while it rolled. Absent: `failed`. */
  readonly judgement?: Judgement;
  /** Of one that rolls and may fail by alarms: when all of its tasks were healthy, and no others there. */
  readonly bakingSince?: number;
  /** Of a service with the controller EXTERNAL: every deployment is a task set, and none is ever COMPLETED. */
  readonly taskSet?: TaskSetRecord;
  /** Of one that CodeDeploy began: how its tasks run, where that is another way than the service was made with. */
  readonly launch?: LaunchSettings;
}

/** By what, where and on which platform tasks run. */
export type LaunchSettings = Pick<
  ServiceRecord,
  'launchType' | 'capacityProviderStrategy' | 'platformVersion' | 'network'
>;

/** What makes a deployment a task set: what its external controller chose for it, and no service says (ECS: `CreateTaskSet`). */
export interface TaskSetRecord extends LaunchSettings {
  /** Percent of the service's desired count, 0 to 100. */
  readonly scale: number;
  /** What the controller calls it. */
  readonly externalId?: string;
  readonly tags: Tags;
  /** Whether all of its tasks are there and healthy and no others, and since when that is so. */
  readonly steady: boolean;
  readonly steadyAt: number;
  /** It is deleted: it goes with its last task. */
  readonly ends?: true;
}

/** A deployment as it was last seen, kept when its service no longer needs it: what ListServiceDeployments tells. */
export interface DeploymentHistoryRecord {
  readonly deployment: DeploymentRecord;
  /** The service's configuration at that time. */
  readonly configuration: DeploymentConfiguration;
  readonly desiredCount: number;
  /** When the row was written. */
  readonly seenAt: number;
  /** Set when its failure was answered by a rollback: to which deployment, and how far that got. */
  readonly rollback?: {
    readonly to: string;
    readonly reason: string;
    readonly state: DeploymentRecord['rolloutState'];
    readonly failed: FailedDeployment;
  };
}

/** A service with the deployments that still matter: the PRIMARY first, then ACTIVE ones, then the newest completed for rollback. */
export interface ServiceRecord {
  readonly name: string;
  readonly arn: string;
  readonly status: 'ACTIVE' | 'DRAINING' | 'INACTIVE';
  readonly schedulingStrategy: 'REPLICA' | 'DAEMON';
  /** Who deploys it. Absent: ECS. */
  readonly controller?: 'EXTERNAL' | 'CODE_DEPLOY';
  readonly desiredCount: number;
  /** With the controller EXTERNAL that of the primary task set, as are launch type, network and load balancers; empty before there is one. */
  readonly taskDefinition: string;
  readonly deploymentConfiguration: DeploymentConfiguration;
  readonly placementConstraints: readonly {
    /** ECS's own, or `<vendor>:<name>` of the placement core's extensions. */
    readonly type: 'distinctInstance' | 'memberOf' | `${string}:${string}`;
    readonly expression?: string;
  }[];
  readonly placementStrategy: readonly {
    readonly type: 'random' | 'spread' | 'binpack' | `${string}:${string}`;
    readonly field?: string;
  }[];
  readonly healthCheckGracePeriodSeconds?: number;
  /** Of its next deployments, and of the PRIMARY one; not empty. */
  readonly loadBalancers?: readonly ServiceLoadBalancer[];
  /** Of its next tasks: FARGATE while it has a strategy. */
  readonly launchType: LaunchType;
  /** Not empty. Absent: it has a launch type alone. */
  readonly capacityProviderStrategy?: CapacityProviderStrategy;
  /** The launch type that its strategy took the place of: what UpdateService goes back to when it takes the strategy away. */
  readonly formerLaunchType?: LaunchType;
  /** As it was asked for, of launch type FARGATE: LATEST, or a version. */
  readonly platformVersion?: string;
  /** Of tasks with interfaces of their own. */
  readonly network?: NetworkConfiguration;
  readonly deployments: readonly DeploymentRecord[];
  readonly createdAt: number;
  readonly createdBy?: string;
  readonly tags: Tags;
  readonly propagateTags: 'NONE' | 'SERVICE' | 'TASK_DEFINITION';
  readonly enableECSManagedTags: boolean;
  readonly enableExecuteCommand: boolean;
  readonly availabilityZoneRebalancing: 'ENABLED' | 'DISABLED';
  /** Zones that are being evened out. Written by the reconciler. */
  readonly rebalancing?: {
    /** A task starts in the zone `to` beside the desired count, for one that ends when it is healthy. */
    readonly move?: {
      readonly deploymentId: string;
      readonly desiredCount: number;
      readonly to: string;
      readonly since: number;
    };
    /** After a move that came to nothing: no other one before. */
    readonly restUntil?: number;
  };
  /** Tasks that are moved to where its placement strategies gain by it (the tag `slipway:rebalance`). Written by the reconciler. */
  readonly moving?: {
    /** A task starts on the instance `to` beside the desired count, for `taskId`, which ends when it is healthy. */
    readonly move?: {
      readonly deploymentId: string;
      readonly desiredCount: number;
      readonly taskId: string;
      readonly from: string;
      readonly to: string;
      /** What is gained, for people. */
      readonly why: string;
      readonly since: number;
    };
    /** After a move: no other one before. */
    readonly restUntil?: number;
  };
  /** What the service follows. Absent: nothing. The ECS tag `slipway:follow=true` means `{ mode: 'tags' }`. */
  readonly follow?: FollowRule;
  /** Who set that: the rule acts with what this one may do when an image comes, and not at all without it. */
  readonly followedBy?: Delegate;
  /** How steps of LINEAR and CANARY are judged by engines' numbers: the tag `slipway:judge`. Absent: not at all. */
  readonly judge?: JudgeRule;
  readonly steady: boolean;
  /** Standing causes and what was last said about them in `events`: repeats are left out for 6 hours. Written by the reconciler. */
  readonly said?: Readonly<Record<string, { readonly message: string; readonly at: number }>>;
  /** Images whose deployment failed, newest first, at most 20: not deployed again but by a new push of them, or by hand. */
  readonly rejected?: readonly RejectedImage[];
  readonly version: number;
}

/** Somebody in whose name something goes on acting. */
export type Delegate = Pick<Principal, 'type' | 'account' | 'arn' | 'id'>;

/** One container's image of a deployment that failed. */
export interface RejectedImage {
  readonly deploymentId: string;
  readonly container: string;
  /** `sha256:…` */
  readonly digest: string;
  readonly at: number;
  readonly reason: string;
}

/** Which pushes roll the service: the tags its task definition names, a pattern over tags, or a semver range. */
export type FollowRule =
  | { readonly mode: 'tags' }
  | { readonly mode: 'pattern'; readonly pattern: string }
  | { readonly mode: 'semver'; readonly range: string };

/** One line of a service's `events`. */
export interface ServiceEventRecord {
  readonly id: string;
  readonly createdAt: number;
  readonly message: string;
}
