import type { GroupRecord, MachineRecord, MadeFrom, RefreshRecord, RefreshStatus } from './records.ts';

/** Milliseconds after which a refresh fails of which nothing goes on. */
export const stallsAfter = 3_600_000;

/** Whether a refresh has made machines from what the group had before, rather than from what it is to have. */
const rollsBack = ({ status }: RefreshRecord): boolean => status === 'RollbackInProgress';

/** What a refresh makes machines from. */
const madeOf = (refresh: RefreshRecord): MadeFrom =>
  rollsBack(refresh) ? (refresh.origin ?? refresh.target) : refresh.target;

/**
 * The group with what its next machines are made from: while a refresh is under way, what that brings, as it was when it began. By what $Latest has become or
 * somebody has changed meanwhile, it would replace what it has just made, and that again.
 */
export function launchedAs<G extends Pick<GroupRecord, 'template' | 'types' | 'weights' | 'refresh'>>(group: G): G {
  const { refresh, template, weights } = group;
  if (refresh === undefined) return group;
  const { template: id, version, types } = madeOf(refresh);
  const { name } = rollsBack(refresh) ? template : (refresh.desired ?? template);
  const made = { ...group, template: { id, name, version: String(version) } };
  return weights === undefined ? { ...made, types } : made;
}

/** Whether a machine of a version that was read a moment ago is what the refresh of its group makes by now. */
export function isTimely({ refresh }: Pick<GroupRecord, 'refresh'>, template: MachineRecord['template']): boolean {
  if (refresh === undefined) return true;
  const made = madeOf(refresh);
  return template.id === made.template && template.version === made.version;
}

const isOf = ({ template, instanceType }: MachineRecord, made: MadeFrom): boolean =>
  template.id === made.template && template.version === made.version && made.types.includes(instanceType);

/** Whether a refresh is to replace a machine. */
export function isOutdated(refresh: RefreshRecord, machine: MachineRecord): boolean {
  const { preferences, target, origin, startedAt } = refresh;
  if (machine.state === 'Terminating') return false;
  if (preferences.ofProtected === 'Ignore' && machine.protected) return false;
  if (rollsBack(refresh)) return origin !== undefined && !isOf(machine, origin);
  return preferences.skipMatching ? !isOf(machine, target) : machine.launchedAt < startedAt;
}

/** What a refresh does next. */
export interface RefreshPlan {
  /** How many machines the group has beyond its capacity while they are replaced. */
  readonly surge: number;
  /** Machines that end now, in whose place others are made. */
  readonly end: readonly string[];
  /** The refresh as it stands; over when it has an end. */
  readonly after: RefreshRecord;
}

/** What is known besides the records. */
export interface RefreshSight {
  /** An alarm of the refresh that is in ALARM. */
  readonly alarm?: string | undefined;
}

/** And of the machines: whether one could take tasks, by what is heard of its agent. */
interface MachineSight extends RefreshSight {
  readonly works: (machine: MachineRecord) => boolean;
}

/**
 * Decides what a refresh does next (EC2 Auto Scaling user guide, "How an instance refresh works"). Pure, and level-triggered. Never fewer machines that are
 * healthy than its minimum, but for one where the group could not be refreshed else; never more at once than up to the next checkpoint.
 * @param machines those that the group has for tasks, and that nothing is wrong with
 * @param wanted how many it is to have
 */
export function decideRefresh(
  group: GroupRecord,
  machines: readonly MachineRecord[],
  wanted: number,
  now: number,
  { alarm, works }: MachineSight,
): RefreshPlan | undefined {
  const { refresh } = group;
  if (refresh === undefined) return undefined;
  const { preferences } = refresh;
  const still = (after: RefreshRecord): RefreshPlan => ({ surge: 0, end: [], after });
  if (refresh.status === 'Cancelling') return still(over(refresh, 'Cancelled', now, refresh.reason));
  const isNew = refresh.status === 'Pending';
  const outdated = machines.filter((machine) => isOutdated(refresh, machine));
  const isWarm = ({ stateAt }: MachineRecord): boolean => now >= stateAt + preferences.warmup * 1000;
  const healthy = machines.filter((one) => one.state === 'InService' && isWarm(one) && works(one));
  const left = outdated.length;
  // More of them may have come from the warm pool.
  const total = isNew ? left : Math.max(refresh.total, left);
  const unready = Math.max(0, wanted - healthy.length);
  const done = total === 0 ? 100 : Math.floor((100 * Math.max(0, total - left - unready)) / total);
  const percent = left === 0 && unready === 0 ? 100 : Math.min(done, 99);
  const moved = isNew || left !== refresh.left || percent !== refresh.percent;
  const status: RefreshStatus = isNew ? 'InProgress' : refresh.status;
  const current: RefreshRecord = { ...refresh, status, total, left, percent, movedAt: moved ? now : refresh.movedAt };
  if (alarm !== undefined && !rollsBack(refresh))
    return still(failed(current, `The alarm ${alarm} is in the ALARM state.`, now));
  if (status === 'Baking') {
    if (now < refresh.waitsUntil) return still(current);
    return still(over(current, 'Successful', now));
  }
  if (percent === 100) return still(finished(current, now));
  // For as long as it is suspended, its time to go on stands still; that is written now and then, not at each look.
  if (group.suspended.includes('InstanceRefresh'))
    return still(now - current.movedAt > stallsAfter / 2 ? { ...current, movedAt: now } : current);
  const waits = preferences.ofProtected === 'Wait' ? outdated.filter((one) => one.protected).length : 0;
  if (now - current.movedAt > stallsAfter + preferences.warmup * 1000) {
    const why =
      waits === left && left > 0
        ? `${waits} of its machines are protected from scale-in`
        : 'nothing of it went on for an hour';
    return still(failed(current, `The refresh could not go on: ${why}.`, now));
  }
  if (now < current.waitsUntil) return still(current);
  const checkpoint = rollsBack(current) ? undefined : preferences.checkpoints[current.passed];
  if (checkpoint !== undefined && percent >= checkpoint) {
    const passed = current.passed + 1;
    // Where the last one is not 100, that is all that is replaced.
    if (passed === preferences.checkpoints.length) return still(finished(current, now));
    return still({
      ...current,
      passed,
      waitsUntil: now + preferences.checkpointDelay * 1000,
      movedAt: now + preferences.checkpointDelay * 1000,
    });
  }
  // More than that may be gone already: what broke meanwhile is replaced.
  const upTo = Math.max(0, Math.ceil((total * (checkpoint ?? 100)) / 100) - (total - left));
  const open = outdated.filter((one) => !(preferences.ofProtected === 'Wait' && one.protected));
  const room = Math.max(0, Math.min(Math.floor((wanted * preferences.maxHealthy) / 100) - wanted, group.max - wanted));
  const surge = Math.min(room, upTo, open.length);
  const least = Math.ceil((wanted * preferences.minHealthy) / 100);
  const spare = healthy.length - least;
  const single = spare < 1 && surge === 0 && healthy.length >= wanted ? 1 : 0;
  // Those that nobody waits for go first; of the others the oldest.
  const idle = open.filter((one) => !healthy.includes(one) && one.state === 'Pending');
  const busy = open.filter((one) => one.state === 'InService' && healthy.includes(one));
  const order = busy.toSorted((a, b) => a.launchedAt - b.launchedAt || (a.id < b.id ? -1 : 1));
  const end = [...idle, ...order.slice(0, Math.max(0, spare, single))].slice(0, upTo).map(({ id }) => id);
  // Nothing comes in the place of the last ones: those that are to come in their place are there.
  return { surge: Math.min(surge, upTo - end.length, open.length - end.length), end, after: current };
}

/** A refresh that has come to where it was to come. */
function finished(refresh: RefreshRecord, now: number): RefreshRecord {
  const { bake } = refresh.preferences;
  if (rollsBack(refresh)) return over(refresh, 'RollbackSuccessful', now, refresh.reason);
  if (bake === 0) return over(refresh, 'Successful', now);
  return { ...refresh, status: 'Baking', waitsUntil: now + bake * 1000, movedAt: now };
}

/** A refresh that does not go on: it goes back where it may. */
export function failed(refresh: RefreshRecord, reason: string, now: number): RefreshRecord {
  if (rollsBack(refresh)) return over(refresh, 'RollbackFailed', now, reason);
  return refresh.preferences.autoRollback && refresh.origin !== undefined
    ? back(refresh, reason, now)
    : over(refresh, 'Failed', now, reason);
}

/** A refresh that goes back to what the group was made from before. */
export const back = (refresh: RefreshRecord, reason: string, now: number): RefreshRecord => ({
  ...refresh,
  status: 'RollbackInProgress',
  reason,
  rolledBackAt: now,
  total: 0,
  left: 0,
  percent: 0,
  movedAt: now,
  waitsUntil: 0,
});

const over = (refresh: RefreshRecord, status: RefreshStatus, now: number, reason?: string): RefreshRecord => ({
  ...refresh,
  status,
  endedAt: now,
  ...(reason === undefined ? {} : { reason }),
});
