import { cookieToken, type Target, type TargetGroup } from '../../../routing/index.ts';
import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import type { Codes, Counts } from '../contract.ts';
import { latencyClass, noCounts } from '../counts.ts';

/** How long a connection to a target is kept without use, in milliseconds: below what applications keep it, so that few are stale. */
const idleConnection = 1000;

/** Something that a target carries: a request or a connection. */
export interface Exchange {
  /** Ends it because its target is no longer listed. */
  cut(): void;
}

/** A registration as the process has it, over all generations that list it. */
export interface LiveTarget {
  target: Target;
  readonly token: string;
  readonly exchanges: Set<Exchange>;
  readonly agent: Agent;
  readonly counts: { -readonly [K in keyof Counts]: Counts[K] };
  /** When it last turned up, in milliseconds; undefined while it is not up. */
  upSince: number | undefined;
  /** Of smooth weighted round robin. */
  credit: number;
}

/** A group as the process has it. */
export interface LiveGroup {
  group: TargetGroup;
  readonly targets: Map<string, LiveTarget>;
}

/** Adds one to the count of a status. */
export function countCode(codes: Codes, status: number): Codes {
  const at = Math.floor(status / 100) - 2;
  return codes.map((count, i) => (i === at ? count + 1 : count)) as unknown as Codes;
}

/** Counts the head of a target's answer, which took so many milliseconds. */
export function countAnswer({ counts }: LiveTarget, status: number, took: number): void {
  counts.codes = countCode(counts.codes, status);
  const { classes, seconds } = counts.latency;
  const own = latencyClass(took / 1000);
  counts.latency = {
    classes: classes.map((count, i) => (i === own ? count + 1 : count)),
    seconds: seconds + took / 1000,
  };
}

/** Brings a group to what a state says of it; targets that it does not list any more are cut. `now` in milliseconds. */
export function updateGroup(
  live: LiveGroup | undefined,
  group: TargetGroup,
  cookieKey: string,
  now: number,
): LiveGroup {
  const targets = live?.targets ?? new Map<string, LiveTarget>();
  // A target ramps beside one that does not: else there is nobody to carry the load.
  const ramps = [...targets.values()].some(
    ({ upSince }) => upSince !== undefined && now - upSince >= group.slowStart * 1000,
  );
  const listed = new Set(group.targets.map(({ registrationId }) => registrationId));
  for (const [id, target] of targets) {
    if (listed.has(id)) continue;
    targets.delete(id);
    for (const exchange of target.exchanges) exchange.cut();
    target.agent.destroy();
  }
  for (const target of group.targets) {
    const known = targets.get(target.registrationId) ?? newTarget(group, target, cookieKey);
    known.target = target;
    if (target.state !== 'up') known.upSince = undefined;
    else known.upSince ??= ramps ? now : 0;
    targets.set(target.registrationId, known);
  }
  if (live === undefined) return { group, targets };
  live.group = group;
  return live;
}

function newTarget(group: TargetGroup, target: Target, cookieKey: string): LiveTarget {
  const options = { keepAlive: true, timeout: idleConnection, scheduling: 'lifo' } as const;
  return {
    target,
    token: cookieToken(cookieKey, 'target', group.id, target.registrationId),
    exchanges: new Set(),
    agent: group.protocol === 'HTTPS' ? new SecureAgent({ ...options, rejectUnauthorized: false }) : new Agent(options),
    counts: { ...noCounts },
    upSince: undefined,
    credit: 0,
  };
}

/**
 * Chooses the target for a request: the one that `token` names if it is up, else by the group's algorithm among those that are up and were
 * not tried. `random` is from 0 to below 1.
 */
export function chooseTarget(
  { group, targets }: LiveGroup,
  given: {
    readonly token?: string | undefined;
    readonly tried: ReadonlySet<LiveTarget>;
    readonly now: number;
    readonly random: number;
    /** Address of the client, where its connections are to stay together. */
    readonly source?: string | undefined;
  },
): LiveTarget | undefined {
  const up = [...targets.values()].filter(({ target }) => target.state === 'up');
  const kept = up.find((target) => target.token === given.token && !given.tried.has(target));
  if (kept !== undefined) return kept;
  const untried = up.filter((target) => !given.tried.has(target));
  const candidates = untried.length > 0 ? untried : up;
  const weightOf = (one: LiveTarget): number => {
    const age = (given.now - (one.upSince ?? 0)) / 1000;
    return (
      one.target.weight * (group.slowStart === 0 || age >= group.slowStart ? 1 : Math.max(0.05, age / group.slowStart))
    );
  };
  const { source } = given;
  // Of all targets the one with the highest number for this address (rendezvous): one that leaves moves its own clients alone.
  if (source !== undefined) return least(candidates, (one) => -mix(source + one.token));
  switch (group.algorithm) {
    case 'least_outstanding_requests':
      return least(candidates, (one) => (one.exchanges.size + 1) / weightOf(one));
    case 'weighted_random': {
      let draw = given.random * candidates.reduce((sum, one) => sum + weightOf(one), 0);
      return candidates.find((one) => (draw -= weightOf(one)) < 0) ?? candidates.at(-1);
    }
    case 'round_robin': {
      const total = candidates.reduce((sum, one) => sum + weightOf(one), 0);
      for (const one of candidates) one.credit += weightOf(one);
      const chosen = least(candidates, (one) => -one.credit);
      if (chosen !== undefined) chosen.credit -= total;
      return chosen;
    }
  }
}

/** A number for a text, from 0 to 2^32 - 1 (FNV-1a, with its bits spread by the end of MurmurHash3). */
function mix(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function least(all: readonly LiveTarget[], measure: (one: LiveTarget) => number): LiveTarget | undefined {
  let best: LiveTarget | undefined;
  for (const one of all) if (best === undefined || measure(one) < measure(best)) best = one;
  return best;
}
