import { Chance } from './chance.ts';

/** One thing that a user of the installation does. `seed` decides its details, so that leaving others out does not change it. */
export interface UserAction {
  /** Milliseconds after the start. */
  readonly at: number;
  readonly kind: UserActionKind;
  readonly seed: number;
}

export type UserActionKind =
  | 'create-service'
  | 'update-service'
  | 'scale-service'
  | 'delete-service'
  | 'push'
  | 'run-task'
  | 'stop-task'
  | 'drain'
  | 'activate'
  | 'attribute'
  | 'tag'
  | 'protect'
  | 'describe'
  | 'break-image';

/** One thing that goes wrong, and for how long. */
export interface Fault {
  /** Milliseconds after the start. */
  readonly at: number;
  /** Milliseconds until it is mended. */
  readonly lasts: number;
  readonly kind: FaultKind;
  /** Which server or host, taken modulo their number. */
  readonly target: number;
  readonly seed: number;
}

/** What goes wrong for a while, by name; the README tells of each. */
export const faultSentences = {
  'server-crash': 'A server dies between any two steps of its code, and starts again later.',
  'server-restart': 'The same, as an operator does it.',
  'agent-crash': 'An agent dies between any two steps; its containers run on.',
  'host-off': 'A host loses its power: its agent and containers are gone, its disk stays.',
  'host-reboot': 'The same, as an operator does it.',
  'pause-server': 'A server stands still and goes on as if no time had passed.',
  'pause-host': 'A host stands still likewise.',
  'clock-jump-server': "A server's wall clock is moved by up to two minutes, and back later.",
  'clock-jump-host': "A host's wall clock likewise.",
  partition: 'A server and a host do not reach each other.',
  'partition-one-way': 'What a server sends to a host is held up, or what a host sends to a server.',
  'store-cut': 'A server does not reach the store.',
  'store-answers-lost': 'What a server sends to the store takes place, and it never hears of it.',
  'stale-server':
    'A server hears of changes up to 25 seconds late, so that agents that reconnect to it are told what is past.',
  'store-down': 'The store answers nobody.',
  'store-rewind': 'The store loses its last second or so: a failover to a replica that lagged.',
  'feed-lag': 'Every server hears of changes up to 8 seconds late.',
  'slow-network': 'Messages between machines take up to 1.5 seconds.',
  'engine-down': "A host's engine does not answer; its containers run on.",
  'engine-restart': "A host's engine restarts; its containers end.",
  'engine-errors': 'An engine refuses some requests, and carries others out without an answer.',
  'engine-forgets': 'Somebody removes a container by hand.',
  'disk-full': "A host's disk is full: pulls fail, and the agent cannot write.",
  'agent-data-lost': "An agent's data folder is lost, and the operator deregisters what it was.",
  'host-deregistered':
    'An operator deregisters a host that is there or that no server reaches; it comes back by itself.',
  'host-reclaimed':
    'A host that may be taken back is: its tasks have two minutes, then its power goes. It comes back, and takes no tasks before an operator says so.',
  'traffic-ends':
    'The processes of a traffic engine end: what they carried is lost, and they are told everything anew.',
  'traffic-silent': 'A traffic engine goes on by what it knows, and answers nobody who drives it.',
  'edge-crash': 'What drives an engine of another host dies, and starts anew; the engine carries on.',
  'edge-cut': 'An engine of another host is cut off from all servers, one way or both, and carries on.',
  'edge-lies': 'Something on the host of an engine says to its server what was not asked, or what is no answer.',
} as const;

export type FaultKind = keyof typeof faultSentences;

/** What holds for the whole of the troubled time; probabilities are per call. */
export interface Troubles {
  /** A commit whose outcome nobody learns. */
  readonly unknownOutcome: number;
  /** A server dies right before or right after a commit. */
  readonly crashAtCommit: number;
  /** A call between machines whose request or answer gets lost. */
  readonly lostCalls: number;
  /** A call that takes seconds. */
  readonly slowCalls: number;
  /** No server ever hears that an event was announced. */
  readonly eventsLost: boolean;
  /** An engine's event that its agent is not told of. */
  readonly engineEventsLost: number;
  /** An engine's answer about a container that is as old as its last change but one. */
  readonly engineLies: number;
  /** Milliseconds by which wall clocks of machines may be off. */
  readonly skew: number;
  /** By how much of a second a second may be longer or shorter on a machine. */
  readonly drift: number;
  /** Milliseconds after which hosts that stay away leave the cluster by themselves; undefined: they never do. */
  readonly deregisterLostAfter?: number | undefined;
}

/** All that a run is decided by: the same plan gives the same history. */
export interface Plan {
  readonly seed: number;
  readonly servers: number;
  readonly hosts: number;
  /** Milliseconds in which users act and things go wrong; afterwards everything must become quiet. */
  readonly duration: number;
  readonly users: readonly UserAction[];
  /** Services whose tasks have addresses of their own. */
  readonly addressed: readonly string[];
  readonly faults: readonly Fault[];
  readonly troubles: Troubles;
  /** Whether services stand behind load balancers, and clients ask them. */
  readonly balanced: boolean;
  /** Whether services have strategies that shift traffic, with pauses that people end. */
  readonly shifts: boolean;
  /** Whether steps of those are judged, and revisions answer well or badly. */
  readonly judged: boolean;
  /** Whether somebody else than ECS deploys services: by task sets. */
  readonly sets: boolean;
  /** Whether zones of services are evened out. */
  readonly zones: boolean;
  /** Whether deployments may fail by alarms, which go on and off. */
  readonly alarms: boolean;
  /** Whether there is an Auto Scaling group that follows the tasks of its capacity provider. */
  readonly groups: boolean;
  /** Whether only engines of other hosts carry the traffic of load balancers. */
  readonly edges: boolean;
}

/** Kinds of days, each an option of `main.ts`; no seed has any by itself, so that those that there are stay as they are. */
export const dayKinds = ['shifts', 'judged', 'sets', 'zones', 'alarms', 'groups', 'edges'] as const;

/** How large and how bad plans are. */
export interface PlanOptions {
  /** Milliseconds; by default one of {@link durations}. */
  readonly duration?: number;
  readonly servers?: number;
  readonly hosts?: number;
  /** Actions of users a minute; by default one of {@link paces}. */
  readonly actions?: number;
  /** Faults a minute; by default one of {@link troubledPaces}. */
  readonly faults?: number;
  /** The only kinds of faults that there are; by default each seed knows some of all. */
  readonly kinds?: readonly FaultKind[];
  /** Days of services with strategies that shift traffic; no seed has them by itself, so that those that there are stay as they are. */
  readonly shifts?: boolean;
  /** Days of services that shift traffic behind load balancers and have their steps judged, likewise. */
  readonly judged?: boolean;
  /** Days of services with task sets, likewise. */
  readonly sets?: boolean;
  /** Days of services whose zones are evened out, likewise. */
  readonly zones?: boolean;
  /** Days of services with alarms, likewise. */
  readonly alarms?: boolean;
  /** Days with an Auto Scaling group, likewise. */
  readonly groups?: boolean;
  /** Days whose load balancers are carried by engines of other hosts, likewise. */
  readonly edges?: boolean;
}

/** Names that services get: few, so that actions meet. */
export const serviceNames = ['alpha', 'beta', 'gamma', 'delta'] as const;

const userKinds: readonly (readonly [UserActionKind, number])[] = [
  ['create-service', 4],
  ['update-service', 4],
  ['scale-service', 4],
  ['delete-service', 1],
  ['push', 5],
  ['run-task', 3],
  ['stop-task', 2],
  ['drain', 1.5],
  ['activate', 1.5],
  ['attribute', 1.5],
  ['tag', 1],
  ['protect', 1],
  ['describe', 5],
];

/** What users do on days of services that shift traffic: what deployments begin with, and what meets them. */
const shiftingKinds: typeof userKinds = [
  ['create-service', 4],
  ['update-service', 6],
  ['scale-service', 3],
  ['delete-service', 0.5],
  ['push', 6],
  ['stop-task', 1],
  ['drain', 1],
  ['activate', 1.5],
  ['protect', 0.5],
  ['describe', 1],
];

const faultKinds: readonly (readonly [FaultKind, number])[] = [
  ['server-crash', 3],
  ['server-restart', 1],
  ['agent-crash', 3],
  ['host-off', 2],
  ['host-reboot', 1],
  ['pause-server', 2],
  ['pause-host', 1],
  ['clock-jump-server', 1],
  ['clock-jump-host', 1],
  ['partition', 3],
  ['partition-one-way', 2],
  ['store-cut', 2],
  ['store-answers-lost', 1],
  ['stale-server', 1.5],
  ['store-down', 1],
  ['store-rewind', 0.3],
  ['feed-lag', 2],
  ['slow-network', 1],
  ['engine-down', 1],
  ['engine-restart', 1],
  ['engine-errors', 1],
  ['engine-forgets', 1],
  ['disk-full', 1],
];

/** How long days last, milliseconds: mostly short and dense, and some long enough for what waits for minutes. */
const durations = [60_000, 90_000, 90_000, 120_000, 120_000, 240_000];
/** The same of days of services that shift traffic, where all that happens is deployments: those are under way at the end, too. */
const shiftingDurations = [30_000, 45_000, 45_000, 60_000, 60_000, 120_000];
/** Actions of users a minute. */
const paces = [10, 15, 20];
/** Faults a minute. */
const troubledPaces = [2, 4, 6];
const shiftingTroubledPaces = [3, 6, 10];

/**
 * Draws a plan. Each seed knows only some kinds of faults and of actions, as swarm testing has it: a run in which everything may
 * happen rarely gets deep into anything.
 */
export function drawPlan(seed: number, options: PlanOptions = {}): Plan {
  const chance = new Chance(seed);
  const shifts = options.shifts === true;
  const duration = options.duration ?? chance.pick(shifts ? shiftingDurations : durations);
  const minutes = duration / 60_000;
  const servers = options.servers ?? chance.whole(1, 3);
  const hosts = options.hosts ?? chance.whole(2, shifts ? 4 : 6);
  const quiet = chance.happens(0.15);
  const faults = quiet
    ? []
    : drawFaults(
        chance,
        duration,
        Math.round(minutes * (options.faults ?? chance.pick(shifts ? shiftingTroubledPaces : troubledPaces))),
        options.kinds,
      );
  if (!quiet && options.faults !== 0 && options.kinds === undefined) {
    faults.push(...drawLaterFaults(seed, duration, laterFaults));
    if (options.edges === true) faults.push(...drawLaterFaults(seed, duration, edgeFaults));
  }
  const groups = options.groups === true;
  const actions = Math.round(minutes * (options.actions ?? chance.pick(paces)));
  const users = drawUsers(chance, duration, actions, shifts ? shiftingKinds : userKinds);
  if (shifts || options.alarms === true) users.push(...drawBroken(seed, duration));
  const sometimes = (probability: number, low: number, high: number): number =>
    !quiet && chance.happens(probability) ? chance.between(low, high) : 0;
  return {
    seed,
    servers,
    hosts,
    duration,
    users,
    // What an operator has made is there: nobody makes the group anew when the store has lost it.
    faults: groups ? faults.filter(({ kind }) => kind !== 'store-rewind') : faults,
    addressed:
      chance.happens(0.4) && !groups && options.judged !== true ? subset(chance, [...serviceNames, 'once'], 0.5) : [],
    troubles: {
      unknownOutcome: sometimes(0.3, 0.001, 0.02),
      crashAtCommit: sometimes(0.3, 0.001, 0.01),
      lostCalls: sometimes(0.4, 0.005, 0.1),
      slowCalls: sometimes(0.3, 0.005, 0.05),
      eventsLost: !quiet && chance.happens(0.1),
      engineEventsLost: sometimes(0.3, 0.05, 0.5),
      engineLies: sometimes(0.25, 0.02, 0.4),
      skew: sometimes(0.3, 1_000, 90_000),
      drift: sometimes(0.2, 0.001, 0.02),
      deregisterLostAfter: quiet ? undefined : drawLeaving(seed),
    },
    balanced:
      options.judged === true ||
      options.edges === true ||
      (!groups && new Chance(seed ^ 0x1075).happens(shifts ? 0.4 : 0.14)),
    shifts: shifts || options.judged === true,
    judged: options.judged === true,
    sets: options.sets === true,
    zones: options.zones === true,
    alarms: options.alarms === true,
    groups,
    edges: options.edges === true,
  };
}

/** What ran once need not run again: images whose containers end from some time on, on some days that have what to go back to. */
function drawBroken(seed: number, duration: number): UserAction[] {
  const chance = new Chance(seed ^ 0xb40c);
  if (!chance.happens(0.25)) return [];
  return Array.from({ length: chance.whole(1, 3) }, () => ({
    at: Math.round(chance.between(20_000, duration)),
    kind: 'break-image',
    seed: chance.whole(0, 2 ** 31),
  }));
}

function drawUsers(chance: Chance, duration: number, count: number, all: typeof userKinds): UserAction[] {
  const kinds = subset(chance, all, 0.75);
  const first: UserAction[] = Array.from({ length: chance.whole(1, 3) }, (_, index) => ({
    at: 500 + index * 200,
    kind: 'create-service',
    seed: chance.whole(0, 2 ** 31),
  }));
  const rest = Array.from({ length: count }, () => ({
    at: Math.round(chance.between(5_000, duration)),
    kind: weighted(chance, kinds),
    seed: chance.whole(0, 2 ** 31),
  }));
  return [...first, ...rest.sort((a, b) => a.at - b.at)];
}

function drawFaults(chance: Chance, duration: number, count: number, only?: readonly FaultKind[]): Fault[] {
  const kinds = only?.map((kind) => [kind, 1] as const) ?? subset(chance, faultKinds, 0.35);
  return Array.from({ length: count }, () => ({
    at: Math.round(chance.between(2_000, duration)),
    lasts: Math.round(chance.happens(0.7) ? chance.between(200, 20_000) : chance.between(20_000, 120_000)),
    kind: weighted(chance, kinds),
    target: chance.whole(0, 1_000),
    seed: chance.whole(0, 2 ** 31),
  })).sort((a, b) => a.at - b.at);
}

interface LaterFault {
  readonly kind: FaultKind;
  readonly source: number;
  /** How likely a plan has any of them, and how many at most. */
  readonly probability: number;
  readonly most: number;
  /** Milliseconds, at least and at most. */
  readonly lasts: readonly [number, number];
}

/** Faults that were added to the others later: each kind has a source of chance of its own, and leaves the rest of the plans as they are. */
const laterFaults: readonly LaterFault[] = [
  { kind: 'agent-data-lost', source: 0xda7a, probability: 0.12, most: 2, lasts: [5_000, 120_000] },
  { kind: 'host-deregistered', source: 0xde7e6, probability: 0.15, most: 3, lasts: [5_000, 90_000] },
  { kind: 'host-reclaimed', source: 0x5907, probability: 0.15, most: 2, lasts: [60_000, 180_000] },
  { kind: 'traffic-ends', source: 0x7af1c, probability: 0.4, most: 3, lasts: [1_000, 2_000] },
  { kind: 'traffic-silent', source: 0x51e47, probability: 0.4, most: 2, lasts: [2_000, 90_000] },
];

/** Those of days whose traffic engines of other hosts carry. */
const edgeFaults: readonly LaterFault[] = [
  { kind: 'edge-crash', source: 0xed6e, probability: 0.6, most: 4, lasts: [500, 60_000] },
  { kind: 'edge-cut', source: 0xc07, probability: 0.7, most: 4, lasts: [1_000, 90_000] },
  { kind: 'edge-lies', source: 0x11e5, probability: 0.5, most: 4, lasts: [500, 10_000] },
];

const drawLaterFaults = (seed: number, duration: number, all: readonly LaterFault[]): Fault[] =>
  all.flatMap(({ kind, source, probability, most, lasts: [shortest, longest] }) => {
    const chance = new Chance(seed ^ source);
    if (!chance.happens(probability)) return [];
    return Array.from({ length: chance.whole(1, most) }, () => ({
      at: Math.round(chance.between(20_000, duration)),
      lasts: Math.round(chance.between(shortest, longest)),
      kind,
      target: chance.whole(0, 1_000),
      seed: chance.whole(0, 2 ** 31),
    }));
  });

/** After what time hosts that are away leave, from a source of chance of its own: some are back before that, and some are not. */
function drawLeaving(seed: number): number | undefined {
  const chance = new Chance(seed ^ 0x1ea7e);
  return chance.happens(0.25) ? chance.between(60_000, 100_000) : undefined;
}

function subset<T>(chance: Chance, all: readonly T[], share: number): readonly T[] {
  const chosen = all.filter(() => chance.happens(share));
  return chosen.length === 0 ? all : chosen;
}

function weighted<T>(chance: Chance, from: readonly (readonly [T, number])[]): T {
  let left = chance.number() * from.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of from) {
    left -= weight;
    if (left < 0) return kind;
  }
  return from.at(-1)![0];
}
