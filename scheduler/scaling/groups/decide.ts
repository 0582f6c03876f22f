import { hooksFor, outcomeOf } from './lifecycle.ts';
import { atOnce, joinWithin, zonesFor } from './room.ts';
import { chooseWarm, decidePool, isPooled, roomToReturn } from './warm-pool.ts';
import type { GroupRecord, MachineRecord, RefreshRecord } from './records.ts';
import { decideRefresh, isOutdated, type RefreshSight } from './refresh.ts';
import { excessOf, nextType, unitsOf } from './units.ts';

/** Milliseconds for which the agent of a machine may be away before the machine counts as broken. */
export const awayAtMost = 120_000;
/** Milliseconds before a launch is tried again, doubled with each that came to nothing, up to this many. */
const firstPause = 10_000;
const longestPause = 600_000;

/** How many times its maximum a group has machines at the most, together with those that are on their way out. */
export const mostWithLeaving = 2;

/** How long a group waits after launches that came to nothing, one after another; milliseconds. */
export const pauseAfter = (failures: number): number =>
  failures === 0 ? 0 : Math.min(firstPause * 2 ** Math.min(failures - 1, 20), longestPause);

/** What is seen of a machine beside its record. */
export interface Sight {
  /** What its provider says: that it has it, that it has not, or nothing just now. */
  readonly provider: 'there' | 'gone' | 'silent';
  /** What the cluster knows of its agent. */
  readonly agent: 'never' | 'connected' | 'away' | 'deregistered';
  /** Since when the agent is away. */
  readonly awaySince?: number;
}

export type EndReason =
  | 'surplus'
  | 'deleted'
  | 'never-joined'
  | 'vanished'
  | 'agent-away'
  | 'deregistered'
  | 'unhealthy'
  | 'abandoned'
  | 'refresh'
  | 'pool-deleted'
  | 'pool-surplus';

/**
 * A group after a launch that came to nothing. Launches that were begun before the last failure were tried together with that one: they count
 * once, or a moment in which a provider fails would keep a group of many waiting for as long as one that fails for ever.
 */
export function afterFailure<G extends Pick<GroupRecord, 'failures' | 'retryAt'>>(
  group: G,
  launchedAt: number,
  now: number,
): G {
  if (group.failures > 0 && launchedAt <= group.retryAt - pauseAfter(group.failures)) return group;
  const failures = group.failures + 1;
  return { ...group, failures, retryAt: now + pauseAfter(failures) };
}

/** A group after one of its machines came to nothing: what fails for its warm pool holds up that alone. */
export function afterFailureOf(
  group: GroupRecord,
  machine: Pick<MachineRecord, 'state' | 'pool'>,
  launchedAt: number,
  now: number,
): GroupRecord {
  const { warm } = group;
  if (warm === undefined || !isPooled(machine)) return afterFailure(group, launchedAt, now);
  const { failures = 0, retryAt = 0 } = warm;
  return { ...group, warm: { ...warm, ...afterFailure({ failures, retryAt }, launchedAt, now) } };
}

/** What is to be done about a group. */
export interface GroupPlan {
  /** Machines that are made, before whose service hooks are asked. */
  readonly ask: readonly string[];
  /** Machines whose agents have joined. */
  readonly enter: readonly string[];
  /** Those that return go to the warm pool when they are out of service. */
  readonly end: readonly { readonly id: string; readonly reason: EndReason; readonly returns?: true }[];
  /** Machines of the warm pool that come into service. */
  readonly wake: readonly string[];
  /** The zones of new machines, one for each; and of those for the warm pool. */
  readonly launch: readonly string[];
  readonly prepare: readonly string[];
  /** How the refresh of the group stands after that. */
  readonly refresh?: RefreshRecord;
}

/** Reasons that speak against making another machine at once: what made this one does not work. */
export const isFailure = (reason: EndReason, state: MachineRecord['state']): boolean =>
  reason === 'never-joined' ||
  reason === 'abandoned' ||
  (reason === 'vanished' && (state === 'Pending' || state === 'Warming'));

/**
 * Compares what is wanted of a group with what is there. Pure, and level-triggered: the same again as long as nothing has changed.
 *
 * Never so many machines that they are more than the maximum, those left out that are on their way out and with them {@link mostWithLeaving} times as many, but for what the
 * last one weighs beyond it; nor, by scaling in, fewer than the minimum; never more than {@link atOnce} that have not joined. A machine
 * is replaced that has not joined in {@link joinWithin}, that its provider does not have, or whose agent is away for long
 * after the group's grace: one after another where most are away. Of too many those go first that have not joined, then those of the zone with the most, in the order of the group's policies; never one that is protected.
 */
export function decide(
  group: GroupRecord,
  all: readonly MachineRecord[],
  sight: (machine: MachineRecord) => Sight,
  now: number,
  more: RefreshSight = {},
): GroupPlan {
  const machines = all.filter((machine) => !isPooled(machine));
  const isSuspended = (process: string): boolean => group.suspended.includes(process);
  const ask: string[] = [];
  const enter: string[] = [];
  const end: { id: string; reason: EndReason; returns?: true }[] = [];
  const well: MachineRecord[] = [];
  const size = group.deleting === true ? 0 : Math.min(Math.max(group.desired, group.min), group.max);
  const spared = sparedOf(machines, size, sight);
  for (const machine of machines) {
    if (machine.state === 'Terminating') continue;
    const seen = sight(machine);
    const found = group.deleting === true ? 'deleted' : fault(group, machine, seen, now, isSuspended('HealthCheck'));
    const reason = found === 'agent-away' && spared.has(machine.id) ? undefined : found;
    if (reason !== undefined && (reason === 'deleted' || reason === 'abandoned' || !isSuspended('ReplaceUnhealthy'))) {
      end.push({ id: machine.id, reason });
      continue;
    }
    well.push(machine);
    if (machine.state !== 'Pending') continue;
    const isThere = seen.agent === 'connected';
    if (machine.waits === undefined && hooksFor(group, 'launching').length > 0) {
      if (isThere || (machine.started === true && machine.rest === undefined)) ask.push(machine.id);
    } else if (isThere && outcomeOf(group, machine, now).kind === 'continues') enter.push(machine.id);
  }
  const works = (machine: MachineRecord): boolean => sight(machine).agent === 'connected';
  const refresh = group.deleting === true ? undefined : decideRefresh(group, well, size, now, { ...more, works });
  const replaced = new Set(isSuspended('Terminate') ? [] : refresh?.end);
  for (const id of replaced) end.push({ id, reason: 'refresh' });
  const kept = well.filter(({ id }) => !replaced.has(id));
  const wanted = size + (refresh?.surge ?? 0);
  const units = unitsOf(kept);
  const tooMany = units > wanted && !isSuspended('Terminate') ? surplus(group, kept, units - wanted) : [];
  const mayReturn = tooMany
    .filter((one) => one.state === 'InService' && !(group.refresh !== undefined && isOutdated(group.refresh, one)))
    .slice(0, roomToReturn(group, all));
  for (const machine of tooMany)
    end.push({ id: machine.id, reason: 'surplus', ...(mayReturn.includes(machine) ? { returns: true } : {}) });
  const unborn = kept.filter(({ id, state }) => state === 'Pending' && !enter.includes(id)).length;
  // What is on its way out is none of the group's any more, as on AWS: a machine may wait to be drained for the one that takes its tasks. But
  // where nothing ever ends, there are not more and more.
  const room = mostWithLeaving * group.max - unitsOf(machines);
  const missing = Math.min(Math.ceil(Math.min(wanted - units, room) / nextType(group).weight), atOnce - unborn);
  const mayLaunch = missing > 0 && !isSuspended('Launch') && now >= group.retryAt;
  const woken = mayLaunch ? chooseWarm(group, all, kept, missing) : [];
  const wake = woken.map(({ id }) => id);
  const pool = decidePool(group, all, {
    sight,
    now,
    waking: new Set(wake),
    returning: mayReturn.length,
    unborn: unborn + Math.max(0, mayLaunch ? missing : 0),
  });
  return {
    ask: [...ask.filter((id) => !replaced.has(id)), ...pool.ask],
    enter: enter.filter((id) => !replaced.has(id)),
    end: [...end, ...pool.end],
    wake,
    launch: mayLaunch ? zonesFor(group, [...kept, ...woken], missing - wake.length) : [],
    prepare: pool.prepare,
    ...(refresh === undefined ? {} : { refresh: refresh.after }),
  };
}

/**
 * Machines that stay although their agents are away. Where most of a group are away at once, it is rather the way to here that does not work, and what they
 * run goes on: ending them all would be the outage. The one that is away longest is tried, and the next when another is in service in its place.
 */
function sparedOf(
  machines: readonly MachineRecord[],
  wanted: number,
  sight: (machine: MachineRecord) => Sight,
): ReadonlySet<string> {
  const serving = machines.filter(({ state }) => state === 'InService');
  const away = serving
    .filter((machine) => sight(machine).agent === 'away')
    .toSorted((a, b) => (sight(a).awaySince ?? 0) - (sight(b).awaySince ?? 0) || (a.id < b.id ? -1 : 1));
  if (away.length * 2 <= serving.length) return new Set();
  return new Set(away.slice(unitsOf(serving) < wanted ? 0 : 1).map(({ id }) => id));
}

/** What is wrong with a machine, if anything is. */
function fault(
  group: GroupRecord,
  machine: MachineRecord,
  { provider, agent, awaySince }: Sight,
  now: number,
  isUnchecked: boolean,
): EndReason | undefined {
  if (machine.health === 'Unhealthy') return 'unhealthy';
  // Whose agent speaks is there, whatever a provider lists.
  if (provider === 'gone' && machine.started === true && agent !== 'connected') return 'vanished';
  if (machine.state === 'Pending') {
    if (agent === 'deregistered') return 'deregistered';
    if (outcomeOf(group, machine, now).kind === 'abandoned') return 'abandoned';
    return agent !== 'connected' && now - machine.stateAt > joinWithin ? 'never-joined' : undefined;
  }
  if (isUnchecked || now < machine.stateAt + group.grace * 1000) return undefined;
  if (agent === 'deregistered' || agent === 'never') return 'deregistered';
  return agent === 'away' && now - (awaySince ?? now) > awayAtMost ? 'agent-away' : undefined;
}

/**
 * Machines to do without that are so much capacity together, and no more. One in service goes only when others in service are enough without it: a machine
 * that weighs much is too many as soon as it is asked for, and may never come.
 */
function surplus(group: GroupRecord, machines: readonly MachineRecord[], units: number): MachineRecord[] {
  const open = machines.filter((machine) => !machine.protected);
  const chosen: MachineRecord[] = [];
  const least = unitsOf(machines) - units;
  let serving = unitsOf(machines.filter(({ state }) => state === 'InService'));
  for (let left = units; left > 0 && open.length > 0;) {
    const there = machines.filter((machine) => !chosen.includes(machine));
    const perZone = Map.groupBy(there, ({ zone }) => zone);
    const rank = (machine: MachineRecord): readonly number[] => [
      machine.state === 'Pending' ? 0 : 1,
      excessOf(group, there, machine),
      -(perZone.get(machine.zone)?.length ?? 0),
      ...group.termination.flatMap((policy) => ranks[policy]?.(machine) ?? []),
    ];
    const [next] = open
      .filter((machine) => {
        const weight = unitsOf([machine]);
        return weight <= left && (machine.state !== 'InService' || serving - weight >= least);
      })
      .toSorted((a, b) => inOrder(rank(a), rank(b)) || (a.id < b.id ? -1 : 1));
    if (next === undefined) break;
    chosen.push(next);
    left -= unitsOf([next]);
    if (next.state === 'InService') serving -= unitsOf([next]);
    open.splice(open.indexOf(next), 1);
  }
  return chosen;
}

/** What goes first by each policy: the lowest. */
const ranks: Readonly<Record<string, (machine: MachineRecord) => readonly number[]>> = {
  OldestInstance: ({ launchedAt }) => [launchedAt],
  NewestInstance: ({ launchedAt }) => [-launchedAt],
  OldestLaunchTemplate: ({ template }) => [template.version],
  Default: ({ template, launchedAt }) => [template.version, launchedAt],
};

/** The termination policies that there are. */
export const terminationPolicies: readonly string[] = Object.keys(ranks);

function inOrder(a: readonly number[], b: readonly number[]): number {
  for (const [index, one] of a.entries()) if (one !== b[index]) return one - (b[index] ?? 0);
  return 0;
}
