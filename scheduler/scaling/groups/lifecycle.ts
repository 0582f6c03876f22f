import { newEventId, type RandomBytes } from '../../state/index.ts';
import type { ActionResult, GroupRecord, HookRecord, HookWait, MachineRecord, Transition } from './records.ts';

/** The longest that a machine waits for a hook, however often somebody says that it goes on: 48 hours, or 100 times its timeout (EC2 Auto Scaling user guide). */
const longest = 172_800_000;
const timesLonger = 100;

/** Seconds for which a machine waits for a hook at most. */
export const globalTimeout = ({ timeout }: Pick<HookRecord, 'timeout'>): number =>
  Math.min(longest / 1000, timeout * timesLonger);

/** The hooks of a group for a transition. */
export const hooksFor = ({ hooks = [] }: Pick<GroupRecord, 'hooks'>, transition: Transition): readonly HookRecord[] =>
  hooks.filter((hook) => hook.transition === transition);

/** The transition that a machine is in, if it is in one. */
export const transitionOf = ({ state }: Pick<MachineRecord, 'state'>): Transition | undefined =>
  state === 'Pending' || state === 'Warming' ? 'launching' : state === 'Terminating' ? 'terminating' : undefined;

/** The lifecycle actions of a machine that comes to a transition: all of its hooks at once. */
export const waitsFor = (
  group: Pick<GroupRecord, 'hooks'>,
  transition: Transition,
  random: RandomBytes,
  now: number,
): readonly HookWait[] =>
  hooksFor(group, transition).map((hook) => ({
    hook: hook.name,
    token: newEventId(random),
    since: now,
    deadline: now + hook.timeout * 1000,
    until: now + globalTimeout(hook) * 1000,
  }));

/**
 * How one lifecycle action stands. Whoever has not answered when its time is over has given the hook's default result. A hook that was deleted has
 * let machines go: those that come do not, as on AWS.
 */
export function resultOf(
  { hooks = [] }: Pick<GroupRecord, 'hooks'>,
  transition: Transition,
  { hook: name, answer, deadline }: HookWait,
  now: number,
): ActionResult | 'waits' {
  if (answer !== undefined) return answer;
  const hook = hooks.find((one) => one.name === name && one.transition === transition);
  if (hook === undefined) return transition === 'launching' ? 'ABANDON' : 'CONTINUE';
  return now < deadline ? 'waits' : hook.result;
}

/** What the lifecycle actions of a machine come to: it goes on when all have let it; one that abandons it is the end of the others. */
export type Outcome =
  | { readonly kind: 'waits' }
  | { readonly kind: 'continues' }
  | { readonly kind: 'abandoned'; readonly wait: HookWait };

export function outcomeOf(
  group: Pick<GroupRecord, 'hooks' | 'deleting'>,
  machine: Pick<MachineRecord, 'state' | 'waits'>,
  now: number,
): Outcome {
  const transition = transitionOf(machine);
  // The actions of a group that goes go with it.
  if (transition === undefined || group.deleting === true) return { kind: 'continues' };
  const waits = machine.waits ?? [];
  const results = waits.map((wait) => resultOf(group, transition, wait, now));
  const abandoned = waits[results.indexOf('ABANDON')];
  if (abandoned !== undefined) return { kind: 'abandoned', wait: abandoned };
  return results.includes('waits') ? { kind: 'waits' } : { kind: 'continues' };
}

/** The state of a machine as it is shown. */
export function lifecycleState(
  group: Pick<GroupRecord, 'hooks' | 'deleting'>,
  machine: Pick<MachineRecord, 'state' | 'waits' | 'rest' | 'pool'>,
  now: number,
): string {
  const { state, rest = 'Running', pool } = machine;
  if (state === 'Warmed') return `Warmed:${rest}`;
  const shown =
    state === 'Warming' ? 'Warmed:Pending' : state === 'Terminating' && pool === true ? 'Warmed:Terminating' : state;
  if (transitionOf(machine) === undefined || machine.waits === undefined || machine.waits.length === 0) return shown;
  return `${shown}:${outcomeOf(group, machine, now).kind === 'waits' ? 'Wait' : 'Proceed'}`;
}

/** Why a machine does not come into service that a lifecycle action has abandoned, as ASG says it. */
export const abandonment = ({ token, answer }: HookWait): string =>
  `Instance failed to complete user's Lifecycle Action: Lifecycle Action with token ${token} was abandoned: ${answer === undefined ? 'Heartbeat Timeout' : 'Lifecycle Action Completed with ABANDON Result'}`;
