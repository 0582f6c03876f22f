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

/** What was found out about the revision of a deployment that was given up; `inconclusive`: nothing. */
export type Judgement = 'failed' | 'unplaceable' | 'inconclusive';

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
  /** What was found out at each step by engines' numbers, in order, where the service asks for that (`JudgeRule`); the last may be open yet. */
  readonly judged?: readonly StepJudgement[];
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
  /** Since it goes back: why, and what that says of its revision. */
  readonly rollback?: {
    readonly reason: string;
    readonly at: number;
    readonly verdict: Judgement;
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

/** When the new revision counts as worse than the old one, by what engines count: the tag `slipway:judge` of a service. */
export interface JudgeRule {
  /** Percentage points of failed requests that it must not have more; absent: they are not judged. */
  readonly failed?: number;
  /** The same of requests slower than almost all of the old revision's were. One of the two is there. */
  readonly slow?: number;
  /** Percent of deployments of a revision that is no worse that are called worse, at the most. */
  readonly alpha: number;
  /** Percent of deployments of a revision that is worse by the margin that are called not worse, at the most. */
  readonly beta: number;
  /** Minutes, from when a step is live, within which a verdict is to be found. */
  readonly within: number;
  /** What becomes of a step without a verdict by then. */
  readonly otherwise: 'rollback' | 'continue' | 'wait';
}

/** Requests of one revision: those that were answered, with those of them that failed. */
export interface Share {
  readonly requests: number;
  readonly bad: number;
}

/** What was compared: one kind of bad requests of both revisions, over the same time and at the same weight. */
export interface Compared {
  readonly what: 'failed' | 'slow';
  /** Of `slow`: seconds, above which a request is. */
  readonly above?: number;
  readonly own: Share;
  readonly other: Share;
  readonly verdict: 'worse' | 'not worse' | 'open';
  /** Requests of the new revision that it takes for `not worse`, about, where it is like the old one; of one that is open. */
  readonly needs?: number;
}

/** How a step of production traffic was judged. A verdict is given once. */
export interface StepJudgement {
  readonly step: number;
  /** Percent of production traffic that the new revision had. */
  readonly percent: number;
  readonly verdict: 'worse' | 'not worse' | 'inconclusive' | 'open';
  readonly compared: readonly Compared[];
  readonly at: number;
  /** Why nothing can be compared. */
  readonly problem?: string;
  /** Set where engines have counted, and nobody asked either revision for anything: the step goes on without a verdict. */
  readonly isIdle?: true;
}

/** What engines have counted for a target group. */
export interface Tally {
  /** Requests with an answer, and attempts without one. */
  readonly requests: number;
  /** Those answered with a code of 500 to 599, and attempts without an answer. */
  readonly failed: number;
  /** Answers by the classes of latency that all engines have. */
  readonly classes: readonly number[];
}

/** By the last part of a target group's ARN. */
export type Tallies = Readonly<Record<string, Tally>>;

/**
 * What engines have counted since a sequence of `ShiftRecord` was live: `clusterKeys.measured`. Written by whoever looks after targets, like
 * `ShiftLiveRecord`; another one goes on with it.
 */
export interface MeasuredRecord {
  readonly service: string;
  readonly epoch: number;
  readonly sequence: number;
  /** By engine: what it said last, and by which version of its rows; those of before the sequence was live are left out of `sums`. */
  readonly engines: Readonly<Record<string, { readonly version: number; readonly tallies?: Tallies }>>;
  /** Of all engines together, while this sequence was live. */
  readonly sums: Tallies;
  /** What was counted before it: by that a request counts as slow. */
  readonly before: Tallies;
  /** Upper bounds of the classes of latency, in seconds; above the last is one class more. */
  readonly bounds: readonly number[];
  /** Why what is counted says nothing of the two revisions. */
  readonly problem?: string;
  readonly at: number;
}
