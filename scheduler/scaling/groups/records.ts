/** What an account has of EC2 Auto Scaling. Times are milliseconds since the epoch. */

export interface GroupTag {
  readonly key: string;
  readonly value: string;
  /** Whether machines have it that are made from now on. */
  readonly propagate: boolean;
}

export type Transition = 'launching' | 'terminating';
/** How a lifecycle action ends: the machine goes on, or it does not. */
export type ActionResult = 'CONTINUE' | 'ABANDON';

/** Somebody who is asked before machines of a group go on in a transition. */
export interface HookRecord {
  readonly name: string;
  readonly transition: Transition;
  /** Seconds after which nobody is waited for, unless somebody has said that it goes on. */
  readonly timeout: number;
  /** What counts then. */
  readonly result: ActionResult;
  /** The webhook that is told, as it was named. */
  readonly target?: string;
  /** What it is told beside. */
  readonly metadata?: string;
  /** Shown again; the webhook is called without anybody's rights. */
  readonly role?: string;
}

/** A hook that a machine waits for: its lifecycle action. */
export interface HookWait {
  readonly hook: string;
  readonly token: string;
  readonly since: number;
  /** When the time of the hook is over, and until when it can be made longer. */
  readonly deadline: number;
  readonly until: number;
  /** Its webhook was told. */
  readonly told?: true;
  readonly answer?: ActionResult;
}

/** How much of a group may be machines that can be taken back (ASG API reference, InstancesDistribution). */
export interface Distribution {
  /** So much capacity first of machines that stay. */
  readonly onDemandBase: number;
  /** Of what is beyond, so many percent of machines that stay. */
  readonly onDemandPercentage: number;
  /** As they were asked for; types are tried in their order by any of them, as there are no prices here. */
  readonly onDemandStrategy: string;
  readonly spotStrategy: string;
}

/** How machines wait in a warm pool. */
export type Rest = 'Stopped' | 'Running' | 'Hibernated';

/** Machines of a group that are prepared before they are wanted (EC2 Auto Scaling user guide, "Warm pools"). */
export interface WarmPoolRecord {
  readonly rest: Rest;
  /** So many are prepared, however many the group has. */
  readonly min: number;
  /** So many machines are prepared with those of the group; without it, as many as the group may have. */
  readonly prepared?: number;
  /** Machines that are too many come back to the pool. */
  readonly reuse: boolean;
  /** Machines for it that came to nothing, one after another, and when the next may be made: the group's own do not wait for that. */
  readonly failures?: number;
  readonly retryAt?: number;
  /** It goes when its last machine is gone. */
  readonly deleting?: true;
  /** Nobody is asked about its machines any more. */
  readonly forced?: true;
}

export type RefreshStatus =
  | 'Pending'
  | 'InProgress'
  | 'Baking'
  | 'Successful'
  | 'Failed'
  | 'Cancelling'
  | 'Cancelled'
  | 'RollbackInProgress'
  | 'RollbackSuccessful'
  | 'RollbackFailed';

/** How machines are replaced (EC2 Auto Scaling API reference, RefreshPreferences). Times are seconds. */
export interface RefreshPreferences {
  readonly minHealthy: number;
  readonly maxHealthy: number;
  readonly warmup: number;
  readonly skipMatching: boolean;
  readonly checkpoints: readonly number[];
  readonly checkpointDelay: number;
  readonly bake: number;
  readonly autoRollback: boolean;
  /** Names of alarms by which it fails. */
  readonly alarms: readonly string[];
  /** What becomes of machines that are protected from scale-in, and of those in standby, of which there are none here. */
  readonly ofProtected: 'Wait' | 'Ignore' | 'Refresh';
  readonly ofStandby: string;
}

/** What machines are made from, as it was when a refresh began. */
export interface MadeFrom {
  readonly template: string;
  readonly version: number;
  readonly types: readonly string[];
}

/** The replacement of the machines of a group. */
export interface RefreshRecord {
  readonly id: string;
  readonly status: RefreshStatus;
  readonly reason?: string;
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly preferences: RefreshPreferences;
  /** The template that the group has from then on, when it has succeeded. */
  readonly desired?: GroupRecord['template'];
  /** What machines are to be made from; and were before, where it can be gone back to. */
  readonly target: MadeFrom;
  readonly origin?: MadeFrom;
  /** Machines that it replaces, and how many of them are left. */
  readonly total: number;
  readonly left: number;
  /** Percent that are replaced, by machines that work. */
  readonly percent: number;
  /** When something of it went on last. */
  readonly movedAt: number;
  /** Checkpoints that were reached, and until when it waits at the last. */
  readonly passed: number;
  readonly waitsUntil: number;
  readonly rolledBackAt?: number;
}

/** An Auto Scaling group: so much capacity, kept. */
export interface GroupRecord {
  readonly name: string;
  /** Of its ARN. */
  readonly id: string;
  readonly min: number;
  readonly max: number;
  readonly desired: number;
  /** Seconds. */
  readonly cooldown: number;
  /** Seconds after which a machine in service is asked for its health. */
  readonly grace: number;
  readonly zones: readonly string[];
  readonly subnets: readonly string[];
  readonly template: { readonly id: string; readonly name: string; readonly version: string };
  /** Instance types in the order in which they are tried, in the place of the template's. */
  readonly types?: readonly string[];
  /** How much of the capacity a machine of each of those types is; without it, each is one. */
  readonly weights?: readonly number[];
  readonly distribution?: Distribution;
  /** The name of the provider that makes its machines. */
  readonly provider: string;
  readonly protectNew: boolean;
  /** Names of processes. */
  readonly suspended: readonly string[];
  readonly tags: readonly GroupTag[];
  readonly termination: readonly string[];
  readonly hooks?: readonly HookRecord[];
  readonly warm?: WarmPoolRecord;
  /** The refresh that is under way. */
  readonly refresh?: RefreshRecord;
  readonly createdAt: number;
  /** It goes when its last machine is gone. */
  readonly deleting?: true;
  /** Why the desired capacity is what it is, for activities. */
  readonly cause: string;
  /** When the desired capacity was last changed. */
  readonly scaledAt?: number;
  /** Launches that came to nothing, one after another, and when the next may be. */
  readonly failures: number;
  readonly retryAt: number;
}

/** `Warming`: it comes into the warm pool; `Warmed`: it waits there. */
export type MachineState = 'Pending' | 'InService' | 'Terminating' | 'Warming' | 'Warmed';

/** A machine of a group: what EC2 calls an instance. The row is there before its provider is asked for it, and until that has ended it. */
export interface MachineRecord {
  /** `i-` and 17 hexadecimal digits. */
  readonly id: string;
  /** Of the container instance that its agent registers; the id above is the beginning of it. */
  readonly instance: string;
  readonly group: string;
  readonly provider: string;
  readonly state: MachineState;
  readonly health: 'Healthy' | 'Unhealthy';
  readonly protected: boolean;
  readonly zone: string;
  readonly subnet?: string;
  readonly cluster: string;
  readonly template: { readonly id: string; readonly name: string; readonly version: number };
  readonly instanceType: string;
  /** How much of its group's capacity it is; without it, one. */
  readonly weight?: number;
  /** It may be taken back. */
  readonly spot?: true;
  readonly imageId: string;
  /** The ARN of the role that its agent acts as. */
  readonly role: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly launchedAt: number;
  readonly stateAt: number;
  /** Its provider has said that it is made. */
  readonly started?: true;
  /** The SHA-256 of the secret of the host that has used its right to join. */
  readonly host?: string;
  /** How it waits in the warm pool; one that comes from there has it until its provider has started it. */
  readonly rest?: Rest;
  /** It comes from the warm pool, or ends there. */
  readonly pool?: true;
  /** It is taken out of service, and goes to the warm pool then. */
  readonly returns?: true;
  /** What it waits for in the transition that it is in; undefined: it has not come to that. */
  readonly waits?: readonly HookWait[];
  /** Keys of the activities that tell of its beginning and of its end. */
  readonly beginning: string;
  readonly ending?: string;
}

export type ActivityStatus =
  | 'PreInService'
  | 'MidLifecycleAction'
  | 'InProgress'
  | 'Successful'
  | 'Failed'
  | 'Cancelled';

/** Something that a group did, or could not do. */
export interface ActivityRecord {
  readonly id: string;
  readonly group: string;
  readonly description: string;
  readonly cause: string;
  readonly status: ActivityStatus;
  readonly message?: string;
  readonly startedAt: number;
  readonly endedAt?: number;
}
