import type {
  CapacityProvider,
  HookResultRecord,
  MeasuredRecord,
  ServiceLoadBalancer,
  ServiceRecord,
  ShiftLiveRecord,
  ShiftRecord,
  TaskRecord,
  TaskTarget,
} from '../state/index.ts';

/**
 * What is known about the host of a task. `ready`: its tasks count as they are, also while the agent is disconnected
 * for a short time. `draining`: its tasks move away. `lost`: disconnected for longer than the installation waits, or no
 * longer in the cluster; its tasks are replaced first and ended afterwards.
 */
export type HostCondition = 'ready' | 'draining' | 'lost';

/** The code of `Blocked` where the revision itself is gone: unlike lack of room, that is for ever. */
export const missingDefinition = 'MISSING_DEFINITION';

/** Why the next task of a deployment found no instance. */
export interface Blocked {
  readonly code: string;
  /** One sentence of the placement core. */
  readonly message: string;
  /** Running tasks of the service that would have to go to make room on one instance; empty when that would not help. */
  readonly relief: readonly string[];
}

/** How an alarm stands that a deployment may fail by. */
export interface WatchedAlarm {
  readonly state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
  /** When it last went into ALARM, whatever it is by now; milliseconds since the epoch. */
  readonly alarmedAt?: number;
  /** Milliseconds that it looks back over. */
  readonly span: number;
}

/** A task that would be placed better elsewhere. */
export interface Gain {
  readonly taskId: string;
  /** Ids of container instances. */
  readonly from: string;
  readonly to: string;
  /** What is gained, for people. */
  readonly why: string;
}

/** Everything one pass over a service looks at. */
export interface ServiceState {
  readonly service: ServiceRecord;
  /** Every task of the service that is still in the records, STOPPED ones included. */
  readonly tasks: readonly TaskRecord[];
  readonly hostOf: (task: TaskRecord) => HostCondition;
  /** When the task is told to stop at the latest, as its host is taken back; milliseconds since the epoch. Undefined: its host stays. */
  readonly interruptedAt: (task: TaskRecord) => number | undefined;
  /** Where a task that runs answers requests of a target group; `missing` says what is not known of that. */
  readonly placeOf: (task: TaskRecord, wanted: ServiceLoadBalancer) => TargetPlace | { readonly missing: string };
  /** `blockedKey` -> why the next task cannot be placed, as found by this pass's attempt to place. */
  readonly blocked: ReadonlyMap<string, Blocked>;
  /** Which of the candidates to end first, at most `limit`, given that those of `gone` have ended. The placement core's. */
  readonly scaleInOrder: (ids: readonly string[], limit: number, gone: readonly string[]) => readonly string[];
  /** The availability zone of a task's host. */
  readonly zoneOf: (task: TaskRecord) => string | undefined;
  /** The zones with hosts that could take tasks of the PRIMARY deployment if they had room. Dear where hosts are many. */
  readonly zones: () => readonly string[];
  /** The zones with hosts at all: those, and maybe others. Cheap. */
  readonly zonesOfHosts: () => readonly string[];
  /** Which of these tasks would be placed better elsewhere by the service's placement strategies. The placement core's. Dear where instances are many. */
  readonly gainOf: (tasks: readonly TaskRecord[]) => Gain | undefined;
  /** DAEMON: ids of the instances that should run one task. */
  readonly eligible?: readonly string[];
  /** DAEMON: ids of DRAINING instances that still run other tasks: daemons are the last to go. */
  readonly lingering?: readonly string[];
  /** How the rules of its load balancers were last told to share traffic out. */
  readonly shift?: ShiftRecord | undefined;
  /** What traffic engines have acknowledged of that. */
  readonly shiftLive?: ShiftLiveRecord | undefined;
  /** What they have counted of its two revisions since, where its steps are judged. */
  readonly measured?: MeasuredRecord | undefined;
  /** What hooks have answered, of any of its deployments. */
  readonly hookResults: readonly HookResultRecord[];
  /** The alarms of the account by name, of a service whose deployments may fail by some; absent while that is not known. */
  readonly alarms?: ReadonlyMap<string, WatchedAlarm> | undefined;
  /** A fresh UUID, for a run of a hook. */
  readonly newRunId: () => string;
}

/** See `TaskTarget`. */
export type TargetPlace = Pick<TaskTarget, 'id' | 'targetId' | 'address' | 'port'>;

/** Tasks to start for one deployment. */
export interface Start {
  readonly deploymentId: string;
  readonly count: number;
  /** DAEMON: the instances to start one task on each. */
  readonly instances?: readonly string[];
  /** Of a service with a capacity provider strategy: the provider of each task. */
  readonly providers?: readonly CapacityProvider[];
  /** The one availability zone that it is for. */
  readonly zone?: string;
  /** It is beside those that are wanted, for one that moves: where there is no room for it, nothing is missing. */
  readonly isBeside?: true;
}

/** Under what `blocked` has why a start found no instance: its deployment, or of a start in one zone, or beside the others, that one alone. */
export const blockedKey = ({
  deploymentId,
  zone,
  isBeside,
}: Pick<Start, 'deploymentId' | 'zone' | 'isBeside'>): string =>
  isBeside ? `${deploymentId} beside` : zone === undefined ? deploymentId : `${deploymentId} in ${zone}`;

/** What one pass decided; nothing has happened yet. */
export interface ServicePlan {
  /** The service as it should be written; the same object as before when nothing changed. */
  readonly service: ServiceRecord;
  /** Tasks as they should be written: ended, found healthy, or reviewed. */
  readonly tasks: readonly TaskRecord[];
  readonly starts: readonly Start[];
  /** Ids of the tasks of `tasks` that are told to stop. */
  readonly stops: readonly string[];
  /** How the rules of its load balancers are to share traffic out from now on; written with the service. Absent: as before. */
  readonly shift?: ShiftRecord;
  /** Nobody needs what its rules were told any more: that row, and what was acknowledged of it, go. */
  readonly endsShift: boolean;
  /** Ids of runs of hooks whose results nobody needs any more. */
  readonly endedRuns: readonly string[];
  /** Ids of tasks that go when their successors are there: spread looks past them when the starts are placed. */
  readonly leaving: readonly string[];
  /** Lines for the service's `events`, complete. */
  readonly events: readonly string[];
  /** When to look again although nothing changed; milliseconds since the epoch. */
  readonly wakeAt?: number;
  /** Decisions worth a log line: what and why. */
  readonly decisions: readonly Decision[];
}

/** Every kind of decision about a service. */
export const decisionKinds = [
  'start',
  'stop',
  'failure',
  'back-off',
  'deployment-completed',
  'deployment-failed',
  'rollback',
  'rollback-impossible',
  'stage',
  'shift',
  'judgement',
  'unplaceable',
  'deadlock',
  'service-inactive',
] as const;

export interface Decision {
  readonly what: (typeof decisionKinds)[number];
  readonly deploymentId?: string;
  readonly tasks?: readonly string[];
  readonly count?: number;
  readonly why: string;
}
