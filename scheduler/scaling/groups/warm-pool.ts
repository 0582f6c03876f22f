import { newId, type RandomBytes } from '../../state/index.ts';
import type { EndReason, Sight } from './decide.ts';
import { hooksFor, outcomeOf } from './lifecycle.ts';
import type { GroupRecord, MachineRecord, WarmPoolRecord } from './records.ts';
import { isOutdated } from './refresh.ts';
import { atOnce, joinWithin, zonesFor } from './room.ts';

/** Characters of a container instance's id that its machine has in its own. */
const idLength = 17;

/** Whether a machine is in the warm pool, so that it is none of those that its group has for tasks. */
export const isPooled = ({ state, pool }: Pick<MachineRecord, 'state' | 'pool'>): boolean =>
  state === 'Warming' || state === 'Warmed' || (state === 'Terminating' && pool === true);

/** The warm pool of a group, unless it is to go. */
export const poolOf = ({ warm, deleting }: Pick<GroupRecord, 'warm' | 'deleting'>): WarmPoolRecord | undefined =>
  warm?.deleting === true || deleting === true ? undefined : warm;

/** A warm pool of which a machine has come to something. */
export const untroubled = ({ failures: _failures, retryAt: _retryAt, ...pool }: WarmPoolRecord): WarmPoolRecord => pool;

/** Whether a warm pool is to go and has nothing left. */
export const isPoolDone = ({ warm }: GroupRecord, machines: readonly MachineRecord[]): boolean =>
  warm?.deleting === true && !machines.some(isPooled);

/** Machines that a warm pool is to have: what is prepared beyond the desired capacity, and its minimum at least (PutWarmPool, API reference). */
export function poolSize(group: Pick<GroupRecord, 'warm' | 'deleting' | 'max' | 'desired'>): number {
  const pool = poolOf(group);
  return pool === undefined ? 0 : Math.max(pool.min, (pool.prepared ?? group.max) - group.desired);
}

/** Machines that are in the pool to stay, or come back to it. */
const there = (machines: readonly MachineRecord[]): readonly MachineRecord[] =>
  machines.filter(({ state, returns }) => state === 'Warming' || state === 'Warmed' || returns === true);

/** How many machines of a group may come back to its pool. */
export const roomToReturn = (group: GroupRecord, machines: readonly MachineRecord[]): number =>
  poolOf(group)?.reuse === true ? Math.max(0, poolSize(group) - there(machines).length) : 0;

/**
 * Machines of the pool that come into service, before others are made: those that wait as the pool has them wait, where the fewest are.
 * @param kept the machines in service, and on their way there
 */
export function chooseWarm(
  group: GroupRecord,
  machines: readonly MachineRecord[],
  kept: readonly MachineRecord[],
  count: number,
): readonly MachineRecord[] {
  const pool = poolOf(group);
  const open = machines.filter(
    (one) => one.state === 'Warmed' && one.rest === pool?.rest && one.health === 'Healthy' && !isOld(group, one),
  );
  const chosen: MachineRecord[] = [];
  while (chosen.length < count && open.length > 0) {
    const [zone] = zonesFor({ zones: [...new Set(open.map((one) => one.zone))].sort() }, [...kept, ...chosen], 1);
    chosen.push(
      ...open.splice(
        open.findIndex((one) => one.zone === zone),
        1,
      ),
    );
  }
  return chosen;
}

/** A machine that has come out of service and goes to the pool. Its next container instance is another one: its last one is over. */
export function returned(machine: MachineRecord, random: RandomBytes, now: number): MachineRecord {
  const { returns: _, rest: _rest, ending, ...others } = machine;
  const instance = `${machine.instance.slice(0, idLength)}${newId(random).slice(idLength)}`;
  const beginning = ending ?? machine.beginning;
  // Hooks were asked when it came out of service.
  return { ...others, instance, beginning, state: 'Warming', stateAt: now, protected: false, waits: [] };
}

/** What is to be done about a warm pool. */
export interface PoolPlan {
  /** Machines that are made, before whose place in the pool hooks are asked. */
  readonly ask: readonly string[];
  readonly end: readonly { readonly id: string; readonly reason: EndReason }[];
  /** The zones of machines that are to be made for it, one for each. */
  readonly prepare: readonly string[];
}

interface Situation {
  readonly sight: (machine: MachineRecord) => Sight;
  readonly now: number;
  /** Ids of machines that come into service. */
  readonly waking: ReadonlySet<string>;
  /** How many are chosen to come back just now. */
  readonly returning: number;
  /** How many of the group are on their way in. */
  readonly unborn: number;
}

/** Compares what is wanted of a warm pool with what is there. Pure, and level-triggered. */
export function decidePool(group: GroupRecord, all: readonly MachineRecord[], situation: Situation): PoolPlan {
  const { sight, now, waking, returning, unborn } = situation;
  const pool = poolOf(group);
  const ask: string[] = [];
  const end: { id: string; reason: EndReason }[] = [];
  const kept: MachineRecord[] = [];
  for (const machine of all) {
    if (!isPooled(machine) || machine.state === 'Terminating' || waking.has(machine.id)) continue;
    const reason =
      group.deleting === true
        ? 'deleted'
        : pool === undefined
          ? 'pool-deleted'
          : poolFault(group, machine, sight(machine), now);
    if (reason !== undefined) {
      end.push({ id: machine.id, reason });
      continue;
    }
    kept.push(machine);
    const asksNow = machine.waits === undefined && hooksFor(group, 'launching').length > 0;
    if (machine.state === 'Warming' && machine.started === true && asksNow) ask.push(machine.id);
  }
  const wanted = poolSize(group);
  const comingBack = all.filter(({ returns }) => returns === true).length + returning;
  const tooMany = kept.length + comingBack - wanted;
  if (tooMany > 0 && !group.suspended.includes('Terminate')) {
    const order = kept.toSorted((a, b) => rank(a) - rank(b) || b.launchedAt - a.launchedAt || (a.id < b.id ? -1 : 1));
    for (const { id } of order.slice(0, tooMany)) end.push({ id, reason: 'pool-surplus' });
  }
  // Those that are on their way out still take room.
  const leaving = all.filter((machine) => machine.state === 'Terminating' && isPooled(machine)).length;
  const warming = kept.filter(({ state }) => state === 'Warming').length;
  const missing = Math.min(-tooMany - leaving, atOnce - unborn - warming);
  const retryAt = Math.max(group.retryAt, pool?.retryAt ?? 0);
  const mayLaunch = missing > 0 && !group.suspended.includes('Launch') && now >= retryAt;
  return { ask, end, prepare: mayLaunch ? zonesFor(group, kept, missing) : [] };
}

const rank = ({ state }: MachineRecord): number => (state === 'Warming' ? 0 : 1);

/** Whether the refresh of a group replaces a machine. */
const isOld = ({ refresh }: GroupRecord, machine: MachineRecord): boolean =>
  refresh !== undefined && isOutdated(refresh, machine);

function poolFault(
  group: GroupRecord,
  machine: MachineRecord,
  { provider }: Sight,
  now: number,
): EndReason | undefined {
  if (machine.health === 'Unhealthy') return 'unhealthy';
  if (isOld(group, machine) && !group.suspended.includes('InstanceRefresh')) return 'refresh';
  if (provider === 'gone' && machine.started === true) return 'vanished';
  if (machine.state === 'Warmed') return undefined;
  if (outcomeOf(group, machine, now).kind === 'abandoned') return 'abandoned';
  return machine.started !== true && now - machine.stateAt > joinWithin ? 'never-joined' : undefined;
}
