/**
 * What is remembered of deployments that shift traffic from one revision to the next (ECS: strategies BLUE_GREEN, LINEAR and CANARY).
 * What a deployment wants, what traffic engines have acknowledged, and what hooks have answered are rows of their own, each written by one:
 * the service's leader, whoever looks after targets, and whoever calls hooks or ends a pause.
 */

/** How traffic gets to the new revision (ECS API reference, DeploymentConfiguration). Percent have one decimal at most. */
export type ShiftStrategy =
  | { readonly type: 'BLUE_GREEN' }
  | { readonly type: 'LINEAR'; readonly stepPercent: number; readonly stepBakeTimeInMinutes: number }
  | { readonly type: 'CANARY'; readonly canaryPercent: number; readonly canaryBakeTimeInMinutes: number };

/** In ECS's order. */
export const lifecycleStages = [
  'RECONCILE_SERVICE',
  'PRE_SCALE_UP',
  'SCALE_UP',
  'POST_SCALE_UP',
  'TEST_TRAFFIC_SHIFT',
  'POST_TEST_TRAFFIC_SHIFT',
  'PRE_PRODUCTION_TRAFFIC_SHIFT',
  'PRODUCTION_TRAFFIC_SHIFT',
  'POST_PRODUCTION_TRAFFIC_SHIFT',
  'BAKE_TIME',
  'CLEAN_UP',
] as const;

export type LifecycleStage = (typeof lifecycleStages)[number];

/** Somebody who is asked, or a person who decides, before a deployment goes on (ECS: DeploymentLifecycleHook). */
export interface LifecycleHook {
  /** As it was given, `hookTargetArn`; of a pause absent. */
  readonly targetArn?: string;
  readonly target:
    | { readonly type: 'webhook'; readonly url: string }
    /** A revision or family, run once each time; its exit code decides. */
    | { readonly type: 'task'; readonly taskDefinition: string }
    | { readonly type: 'pause' };
  /** Whose rights a command task is run with. */
  readonly roleArn?: string;
  readonly stages: readonly LifecycleStage[];
  /** Asked once in a stage, however many steps that has, and not while traffic goes back (hooks of CodeDeploy). */
  readonly once?: true;
  /** Said to the hook, a JSON object. */
  readonly details?: unknown;
  readonly timeoutInMinutes: number;
  readonly onTimeout: 'ROLLBACK' | 'CONTINUE';
}

/** One asking of one hook, for one stage and step of a deployment, as the service's leader wants it: a part of the deployment's record. */
export interface HookRun {
  /** The execution's id, a UUID; what its result is found by. */
  readonly id: string;
  /** Its place among the hooks of the deployment's configuration. */
  readonly hook: number;
  readonly stage: LifecycleStage;
  /** Of LINEAR and CANARY: which shift, from 0. */
  readonly step: number;
  /** Whether traffic goes back to the old revision. */
  readonly isRollback: boolean;
  readonly status: 'AWAITING_ACTION' | 'IN_PROGRESS' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT';
  readonly startedAt: number;
  readonly endedAt?: number;
  /** Why it failed, for people. */
  readonly reason?: string;
}

/** What a hook has answered so far, in a row of its own: `clusterKeys.hookResult`. Gone with its deployment. */
export interface HookResultRecord {
  readonly id: string;
  readonly service: string;
  readonly deploymentId: string;
  readonly status: 'IN_PROGRESS' | 'SUCCEEDED' | 'FAILED';
  /** Of FAILED, for people. */
  readonly reason?: string;
  /** What the hook gave back to be told again (`hookDetails`), a JSON object. */
  readonly details?: unknown;
  /** Of IN_PROGRESS: when it is asked again. */
  readonly askAgainAt?: number;
  /** Of a command task: its id. */
  readonly task?: string;
  /** Who ended a pause. */
  readonly decidedBy?: string;
  readonly at: number;
}

/** How far a deployment that shifts traffic is; written by the service's leader. */
export interface Shifting {
  readonly strategy: ShiftStrategy;
  readonly bakeTimeInMinutes: number;
  readonly hooks: readonly LifecycleHook[];
  readonly stage: LifecycleStage;
  readonly stageSince: number;
  /** Of LINEAR and CANARY: which shift of PRODUCTION_TRAFFIC_SHIFT, from 0. */
  readonly step: number;
  /** Percent of production and of test traffic that this deployment is to have. */
  readonly wanted: { readonly production: number; readonly test: number };
  /** The sequence of `ShiftRecord` that says so; it is live when engines have acknowledged it. */
  readonly sequence: number;
  /** Percent that engines have acknowledged, and since when. */
  readonly live: { readonly production: number; readonly test: number; readonly since: number };
  readonly runs: readonly HookRun[];
  /** What a person asked for (ECS: StopServiceDeployment). STAY, of CodeDeploy's: it ends, and tasks and traffic stay as they are. */
  readonly stop?: { readonly type: 'ROLLBACK' | 'ABORT' | 'STAY'; readonly at: number; readonly by?: string };
  /** Of a deployment that CodeDeploy began: what is CodeDeploy's own about it. */
  readonly codeDeploy?: {
    /** `d-…` */
    readonly id: string;
    /** Whether traffic goes back when it fails; otherwise tasks and traffic stay as they are. */
    readonly goesBack: boolean;
    /** Minutes that the new tasks have to become healthy. */
    readonly installMinutes: number;
    /** Since a person has ended the bake time. */
    readonly bakeOver?: true;
    /** The alarms that it is stopped by. */
    readonly alarms?: {
      readonly alarmNames: readonly string[];
      /** Whether traffic goes back then; otherwise tasks and traffic stay as they are. */
      readonly rollback: boolean;
      /** Whether it goes on when an alarm is not there to be asked. */
      readonly ignoreMissing: boolean;
    };
  };
  /** Since it goes back: why, and what that says of its revision. `inconclusive`: nothing was found out about it. */
  readonly rollback?: {
    readonly reason: string;
    readonly at: number;
    readonly verdict: 'failed' | 'unplaceable' | 'inconclusive';
    /** Why it cannot go back: it is FAILED, and stands where it stood. */
    readonly impossible?: string;
  };
}

/** How the rules of a service's load balancers are to share traffic out: `clusterKeys.shift`. Written with the deployment that wants it. */
export interface ShiftRecord {
  readonly service: string;
  /** Grows with every change of `rules`. */
  readonly sequence: number;
  readonly rules: readonly {
    /** ARN of a listener's rule, or of a listener whose default action it is. */
    readonly arn: string;
    /** Weights of 0 to 999; target groups of other services, and other members of the rule, stay as they are. */
    readonly groups: readonly { readonly targetGroupArn: string; readonly weight: number }[];
  }[];
}

/** What has come of it: `clusterKeys.shiftLive`. Written by whoever looks after targets, never for a sequence that is not wanted any more. */
export interface ShiftLiveRecord {
  readonly service: string;
  /** Of the lease of whoever wrote it: who has lost that lease writes nothing over what came after. */
  readonly epoch: number;
  /** Every engine that lives routes by this sequence, and none of its processes by an older one. */
  readonly sequence: number;
  readonly at: number;
  /** Why the newest sequence cannot be had for now: a rule is gone, its action is not a forward, an engine refuses it. Gone when it can. */
  readonly problem?: { readonly sequence: number; readonly reason: string };
}
