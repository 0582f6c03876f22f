/** Milliseconds for which a host has to be too many before it goes. A load that comes and goes by the minute keeps its hosts. */
export const calmFor = 60_000;

/**
 * Milliseconds for which a group of some size keeps room for what its fullest host runs and one task more, on hosts that are empty or in use: what comes
 * and goes by the minute then finds room at once, and only what has been quiet for longer is packed to the last host.
 */
export const restFor = 900_000;

/** Milliseconds in which a host comes, if it does: those that are too many are not waited for longer, however long one that has come stays. */
const comesWithin = 300_000;

/** Hosts in use from which room is kept so long: a fifth of what is there, or little more. */
const some = 5;

/** Hosts that are looked at for one that can go alone: those that run least. */
const tried = 5;

/** Of so many hosts one is emptied at once, and one at least: their tasks move at the same time. */
const perEmptied = 4;

/** How the size of a group of hosts follows its tasks: of a capacity provider (ECS: `ManagedScaling`). */
export interface CapacityRule {
  /** Per cent of the hosts that are to be in use: 1 to 100. */
  readonly targetCapacity: number;
  /** Hosts that are added at once. */
  readonly minimumScalingStepSize: number;
  readonly maximumScalingStepSize: number;
  /** Seconds for which a new host stays, in use or not. */
  readonly instanceWarmupPeriod: number;
}

/** One machine of the group that is not being ended. */
export interface CapacityHost {
  readonly id: string;
  /** On its way, taking tasks, or being emptied because it is too many. Whoever is emptied by somebody else is in neither: leave it out. */
  readonly state: 'coming' | 'ready' | 'emptying';
  /** Tasks on it but those of daemon services. */
  readonly tasks: number;
  /** Since when it is there; milliseconds since the epoch. */
  readonly since: number;
  /** Whether it may be ended at all: nobody protects it from scale-in. */
  readonly open: boolean;
  /** Whether one of its tasks cannot move, wherever there is room: it is not emptied. */
  readonly fixed?: boolean;
}

export interface CapacityState {
  readonly rule: CapacityRule;
  readonly group: { readonly min: number; readonly max: number; readonly desired: number };
  readonly hosts: readonly CapacityHost[];
  /** Empty hosts that the tasks need that wait, those on their way included. */
  readonly needed: number;
  /** Those of them that are neither there nor on their way: no empty host that there is could take what they are for. */
  readonly missing: number;
  /**
   * Whether hosts can be emptied now, all of them together: their tasks may move, and others have room for them; with `like`, room also for what that
   * host runs once more, and one of its tasks again.
   */
  readonly canEmpty: (ids: readonly string[], like?: string) => boolean;
  /** Since when there are too many; undefined: not as of the last look. */
  readonly surplusSince: number | undefined;
  readonly now: number;
}

/** What is to be done about a group, all of it at once. */
export interface CapacityPlan {
  /** How many hosts are to be in the group; the same as before when nothing has to be made. */
  readonly desired: number;
  /** Hosts that were being emptied and stay after all. */
  readonly keep: readonly string[];
  /** Hosts that take no more tasks from now on, to go when they are empty. */
  readonly empty: readonly string[];
  /** Empty hosts that go, the group being smaller by each. */
  readonly end: readonly string[];
  readonly surplusSince: number | undefined;
  /** How many would be right. */
  readonly wanted: number;
  /** `CapacityProviderReservation`: hosts that are needed for each hundred that are there. */
  readonly reservation: number;
}

/**
 * What a group needs. Out: hosts in use and those that waiting tasks need, with what the target leaves free, at once, in steps of the rule.
 * In: what has been too many for {@link calmFor} goes if it has not come yet, and is else first closed to new tasks and ended when it is empty, fewer than half of the hosts at
 * once, empty ones first; where all are in use, those whose tasks have room elsewhere, a quarter of the hosts at once and the next when they are gone; none that is protected.
 * A group of some size keeps some room for {@link restFor}. Pure; never beyond the group's bounds.
 */
export function decideCapacity({
  rule,
  group,
  hosts,
  needed,
  missing: unmade,
  canEmpty,
  surplusSince,
  now,
}: CapacityState): CapacityPlan {
  const emptying = hosts.filter(({ state }) => state === 'emptying');
  const ready = hosts.filter(({ state }) => state === 'ready');
  const inUse = ready.filter(({ tasks }) => tasks > 0);
  const target = (used: number): number =>
    Math.min(Math.max(Math.ceil((used * 100) / rule.targetCapacity), group.min), group.max);
  const least = unmade === 0 ? 0 : Math.min(group.max, hosts.length - emptying.length + unmade);
  const wanted = Math.max(target(inUse.length + needed), least);
  /** Those that stay as things are. */
  const staying = group.desired - emptying.length;
  const up = hosts.filter(({ state }) => state !== 'coming').length;
  const plan = {
    desired: group.desired,
    keep: [] as string[],
    empty: [] as string[],
    end: [] as string[],
    surplusSince: undefined as number | undefined,
    wanted,
    reservation: reservationOf(inUse.length + needed, up),
  };
  if (wanted > staying) {
    // What is nearly empty already is the cheapest host that there is.
    plan.keep = emptying
      .toSorted((a, b) => b.tasks - a.tasks || (a.id < b.id ? -1 : 1))
      .slice(0, wanted - staying)
      .map(({ id }) => id);
    const missing = wanted - staying - plan.keep.length;
    if (missing > 0)
      plan.desired = Math.min(
        group.max,
        group.desired + Math.max(rule.minimumScalingStepSize, Math.min(rule.maximumScalingStepSize, missing)),
      );
    return plan;
  }
  // What is wanted and not made yet, as launches fail, is none that could stay in the place of another.
  const spare = Math.min(group.desired, hosts.length) - group.min;
  plan.end = emptying.flatMap(({ id, tasks, open }) => (open && tasks === 0 ? [id] : [])).slice(0, Math.max(0, spare));
  const old = ready.filter(({ since, open }) => open && now - since >= rule.instanceWarmupPeriod * 1000);
  const idle = old.filter(({ tasks }) => tasks === 0).toSorted((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
  const surplus = Math.min(staying - wanted, spare - emptying.length);
  const keeps = rule.targetCapacity === 100 && inUse.length >= some;
  const going = idle.slice(0, Math.max(0, Math.min(surplus, mostAtOnce(ready.length))));
  // One host less, if what it runs can go elsewhere, is as good as one that is empty; not to an empty one, which would be in use then.
  const isQuiet = needed === 0 && hosts.every(({ state }) => state === 'ready');
  const arePacked = ready.every((host) => host.tasks > 0 || going.includes(host));
  const movers =
    isQuiet && arePacked && spare > going.length && target(inUse.length - 1) < staying - going.length
      ? old
          .filter(({ tasks, fixed }) => tasks > 0 && fixed !== true)
          .toSorted((a, b) => a.tasks - b.tasks || (a.id < b.id ? -1 : 1))
      : [];
  // What comes when nothing needs it any more goes before it is there: it may never come, and nor may what would be made in its place, again and again.
  const soon = Math.min(rule.instanceWarmupPeriod * 1000, comesWithin);
  const late = hosts.filter(({ state, since, open }) => state === 'coming' && open && now - since >= soon);
  if (needed === 0 && late.length > 0 && surplus > 0) {
    plan.surplusSince = surplusSince ?? now;
    const oldest = late.toSorted((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1)).slice(0, surplus);
    if (now - plan.surplusSince >= calmFor) plan.end = [...plan.end, ...oldest.map(({ id }) => id)];
    return plan;
  }
  const isMore = going.length > 0 || movers.slice(0, tried).some(({ id }) => canEmpty([id]));
  if (!isMore) return plan;
  plan.surplusSince = surplusSince ?? now;
  const since = now - plan.surplusSince;
  if (since < calmFor) return plan;
  const room = keeps && since < restFor;
  const pace = Math.min(
    Math.max(1, Math.floor(ready.length / perEmptied)),
    mostAtOnce(ready.length) - going.length,
    spare - going.length,
  );
  plan.empty = mostOf({ going, movers, pace, ready, room, canEmpty }).map(({ id }) => id);
  return plan;
}

interface Going {
  /** Empty hosts that may go. */
  readonly going: readonly CapacityHost[];
  /** Hosts whose tasks may go elsewhere, those that run least first, and how many of them at once. */
  readonly movers: readonly CapacityHost[];
  readonly pace: number;
  readonly ready: readonly CapacityHost[];
  /** Whether there is to be room beside. */
  readonly room: boolean;
  readonly canEmpty: CapacityState['canEmpty'];
}

/** The most hosts that can go together: empty ones, and then those that run least. */
function mostOf({ going, movers, pace, ready, room, canEmpty }: Going): readonly CapacityHost[] {
  const can = (leaving: readonly CapacityHost[]): boolean => {
    const ids = leaving.map(({ id }) => id);
    const staying = ready.filter((host) => !leaving.includes(host));
    const like = room ? staying.toSorted((a, b) => b.tasks - a.tasks || (a.id < b.id ? -1 : 1))[0] : undefined;
    return like === undefined ? canEmpty(ids) : canEmpty(ids, like.id);
  };
  const moving = mostFor(Math.min(pace, movers.length), (count) => can([...going, ...movers.slice(0, count)]));
  if (moving > 0) return [...going, ...movers.slice(0, moving)];
  const other = pace < 1 ? undefined : movers.slice(1, tried).find((mover) => can([...going, mover]));
  if (other !== undefined) return [...going, other];
  return room
    ? going.slice(
        0,
        mostFor(going.length, (count) => can(going.slice(0, count))),
      )
    : going;
}

/** The largest number up to a bound for which something holds that holds for all smaller ones too, but zero: with few questions, as each is dear. */
function mostFor(bound: number, holds: (count: number) => boolean): number {
  let [most, least] = [Math.max(bound, 0), 0];
  while (least < most) {
    // All at once first: mostly it is nothing or everything.
    const count = least === 0 && most === bound ? bound : Math.ceil((least + most) / 2);
    if (holds(count)) least = count;
    else most = count - 1;
  }
  return least;
}

/** Fewer than half of the hosts, and one at least (ECS developer guide, managed scaling). */
const mostAtOnce = (hosts: number): number => Math.max(1, Math.ceil(hosts / 2) - 1);

/** As ECS reckons it: 100 where nothing is there or needed, 200 where nothing is there. */
function reservationOf(needed: number, up: number): number {
  if (up > 0) return (needed / up) * 100;
  return needed > 0 ? 200 : 100;
}
