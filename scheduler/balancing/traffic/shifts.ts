import type { Fence } from '@slipway/storage/records';

import type { MeasuredRecord, ShiftLiveRecord, ShiftRecord } from '../../state/index.ts';
import { type GroupSample, numbersKeys, numbersPartition } from '../numbers/index.ts';
import {
  type ActionRecord,
  type Balancing,
  carries,
  type Draft,
  type EngineRecord,
  type ListenerRecord,
  mostGroupsOfAction,
  needsHttps,
  readAttribute,
  type RuleRecord,
} from '../records/index.ts';

import { answers } from './desired.ts';
import type { Drains } from './drains.ts';
import { defaultTiming, type TrafficOptions } from './ports.ts';
import { measure, noTally, type Said, tallyOf, unmeasurable } from './measure.ts';
import { noEngine } from './reports.ts';

/** What a service wants of the rules of its load balancers, as its cluster has it, and what is known to have come of it. */
export interface WantedShift {
  readonly cluster: string;
  readonly wanted: ShiftRecord;
  readonly live: ShiftLiveRecord | undefined;
  /** Whether what engines count of its two revisions is to be told, and what was told last. */
  readonly isMeasured: boolean;
  readonly measured: MeasuredRecord | undefined;
}

/** The clusters of an installation, as far as they want traffic shared out between revisions. */
export interface TrafficShifts {
  /** What services want whose deployments shift traffic, by everything that was committed before the call. */
  read(account: string): Promise<readonly WantedShift[]>;
  /** Writes what has come of it: not for a sequence that is not wanted any more, nor over what a later leader has written. */
  note(account: string, cluster: string, live: ShiftLiveRecord): Promise<void>;
  /** Writes what engines have counted, in the same way. */
  tell(account: string, cluster: string, measured: MeasuredRecord): Promise<void>;
}

type Forward = Extract<ActionRecord, { readonly type: 'forward' }>;
type Weights = Forward['targetGroups'];

/** A rule, or a listener with its default action, as it is to be. */
type Write =
  | { readonly type: 'listener'; readonly record: ListenerRecord }
  | { readonly type: 'listener-rule'; readonly record: RuleRecord };

/** What becomes of a shift: rules to write, none where they are as it wants them; or why it cannot be had now. */
export type ShiftPlan = { readonly writes: readonly Write[]; readonly version: number } | { readonly problem: string };

/**
 * Compares rules with what a service wants of them. All of its rules change together, or none. Pure.
 * @param claimed which service has a group of a rule, by both; services before this one have written themselves in
 */
export function planShift(balancing: Balancing, shift: WantedShift, claimed: Map<string, string>): ShiftPlan {
  const owner = nameOf(shift);
  const writes: Write[] = [];
  let version = 0;
  for (const { arn, groups } of shift.wanted.rules) {
    const found = forwardOf(balancing, arn);
    if (typeof found === 'string') return { problem: found };
    const wanted = groups.map(({ targetGroupArn, weight }) => ({ id: lastOf(targetGroupArn), weight }));
    for (const { id } of wanted) {
      const other = claimed.getOrInsert(`${lastOf(arn)} ${id}`, owner);
      if (other !== owner)
        return { problem: `the service ${other} sets the weights of ${arn} for the same target group` };
    }
    const before = found.action.targetGroups;
    const after = shared(before, wanted);
    const problem =
      groupProblem(balancing, found.listener, arn, before, after) ?? emptyProblem(balancing, arn, before, wanted);
    if (problem !== undefined) return { problem };
    version = Math.max(version, balancing.versionOf(found.type, found.record.id) ?? 0);
    if (isSame(before, after)) continue;
    const action: Forward = { ...found.action, targetGroups: after };
    if (found.type === 'listener')
      writes.push({ type: found.type, record: { ...found.record, defaultAction: action } });
    else writes.push({ type: found.type, record: { ...found.record, action } });
  }
  return { writes, version };
}

const lastOf = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);

type Found = { readonly listener: ListenerRecord; readonly action: Forward } & (
  | { readonly type: 'listener'; readonly record: ListenerRecord }
  | { readonly type: 'listener-rule'; readonly record: RuleRecord }
);

/** The forward that an ARN names: a rule's, or the default one of a listener by its own ARN or that of its default rule; or why there is none. */
function forwardOf(balancing: Balancing, arn: string): Found | string {
  const id = lastOf(arn);
  const rule = balancing.get('listener-rule', id);
  const listener =
    balancing.get('listener', rule?.listenerId ?? id) ??
    balancing.all('listener').find(({ defaultRuleId }) => defaultRuleId === id);
  if (listener === undefined) return `there is no listener or rule ${arn} any more`;
  const action = rule === undefined ? listener.defaultAction : rule.action;
  if (action.type !== 'forward')
    return `the action of ${arn} is of type ${action.type}: weights are of actions of type forward`;
  return rule === undefined
    ? { type: 'listener', record: listener, listener, action }
    : { type: 'listener-rule', record: rule, listener, action };
}

/** The groups of an action with the weights that are wanted; others keep theirs, and each its place. */
function shared(before: Weights, wanted: Weights): Weights {
  const weights = new Map(wanted.map(({ id, weight }) => [id, weight]));
  const kept = before.map(({ id, weight }) => ({ id, weight: weights.get(id) ?? weight }));
  return [...kept, ...wanted.filter(({ id }) => before.every((one) => one.id !== id))];
}

const isSame = (before: Weights, after: Weights): boolean =>
  before.length === after.length &&
  after.every(({ id, weight }, at) => before[at]?.id === id && before[at].weight === weight);

/** Why a listener cannot send to groups that it does not send to yet. */
function groupProblem(
  balancing: Balancing,
  listener: ListenerRecord,
  arn: string,
  before: Weights,
  after: Weights,
): string | undefined {
  const balancer = balancing.get('loadbalancer', listener.loadBalancerId);
  for (const { id } of after) {
    if (before.some((one) => one.id === id)) continue;
    const group = balancing.get('targetgroup', id);
    if (group === undefined) return `the target group ${id} that ${arn} is to send to is not there any more`;
    if (!carries(listener.protocol, group) || (needsHttps(group) && listener.protocol !== 'HTTPS'))
      return `the target group ${group.name} is of ${group.protocol}, which the listener of ${arn} cannot send to`;
    const other = balancing.balancerOfGroup(id);
    if (group.vpcId !== balancer?.vpcId || (other !== undefined && other.id !== balancer.id))
      return `the target group ${group.name} belongs to another load balancer or VPC than ${arn}`;
  }
  return after.length > mostGroupsOfAction
    ? `${arn} would forward to more than ${mostGroupsOfAction} target groups: take one out of it`
    : undefined;
}

/**
 * Why weights are not for now: requests would go where nothing answers them, more of them than do already. A group with a weight and
 * without a target that is up answers 503 for its share, it is not skipped (ELB's rule). What other groups of the action do is their own.
 */
function emptyProblem(balancing: Balancing, arn: string, before: Weights, wanted: Weights): string | undefined {
  const own = before.filter(({ id }) => wanted.some((one) => one.id === id));
  const empty = (weights: Weights): Weights =>
    weights.filter(({ id, weight }) => weight > 0 && !answers(balancing, id));
  const lost = (weights: Weights): number => {
    const total = sumOf(weights);
    return total === 0 ? 1 : sumOf(empty(weights)) / total;
  };
  if (lost(wanted) <= lost(own)) return undefined;
  const names = empty(wanted).map(({ id }) => balancing.get('targetgroup', id)?.name ?? id);
  return `no target of ${names.join(', ')} can answer yet: ${arn} goes on as it is`;
}

const sumOf = (weights: Weights): number => weights.reduce((sum, { weight }) => sum + weight, 0);

/**
 * Whether every engine routes by rules as they have been since a version, and none of its processes by older ones; or why that does not
 * come about. What is waited for is what a target that drains waits for, and as long: an engine that has fallen silent may go on with what
 * it knew, and a process that is leaving only finishes what it carries once the delay of the groups is over.
 * @param waited milliseconds since the rules were seen so first
 */
export function acknowledged(
  balancing: Balancing,
  { rules }: ShiftRecord,
  version: number,
  all: readonly EngineRecord[],
  { silentFor, waited }: Pick<Drains, 'silentFor'> & { readonly waited: number },
): { readonly isLive: boolean; readonly problem?: string } {
  const delays = rules.flatMap(({ groups }) =>
    groups.map(({ targetGroupArn }) => {
      const group = balancing.get('targetgroup', lastOf(targetGroupArn));
      return group === undefined ? 0 : Number(readAttribute(group, 'deregistration_delay.timeout_seconds')) * 1000;
    }),
  );
  const delay = Math.max(0, ...delays);
  const engines = all.filter((one) => silentFor(one) < defaultTiming.gone + delay);
  if (engines.length === 0) return { isLive: false, problem: noEngine };
  const behind = engines.filter(
    ({ generation, oldestServing }) => generation < version || (oldestServing < version && waited < delay),
  );
  if (behind.length === 0) return { isLive: true };
  const refusing = behind.find(({ refused }) => refused !== undefined && refused.generation >= version);
  if (refusing?.refused !== undefined)
    return { isLive: false, problem: `the traffic engine ${refusing.id} refuses it: ${refusing.refused.reason}` };
  const silent = behind.find((one) => silentFor(one) >= defaultTiming.gone);
  if (silent !== undefined)
    return { isLive: false, problem: `the traffic engine ${silent.id} is not heard of: it is waited for` };
  return { isLive: false };
}

/**
 * Makes the weights of rules what services want whose deployments shift traffic, and tells them when every engine goes by those. Whoever
 * changes such a weight by hand finds it set back: it is the service's for as long as it has the strategy.
 */
export class Shifter {
  readonly #options: Pick<TrafficOptions, 'account' | 'balancers' | 'clock' | 'log' | 'records' | 'shifts'>;
  /** Of each shift, since when its rules have been as they are, by this process's monotonic clock. */
  #since = new Map<string, { readonly version: number; readonly at: number }>();

  constructor(options: Pick<TrafficOptions, 'account' | 'balancers' | 'clock' | 'log' | 'records' | 'shifts'>) {
    this.#options = options;
  }

  /** Takes the next step of every shift. @returns whether some are to be looked at again before anything changes */
  async step(given: Balancing, engines: readonly EngineRecord[], drains: Drains, fence: Fence): Promise<boolean> {
    const { account, shifts } = this.#options;
    const all = (await shifts.read(account)).toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    if (all.length === 0) return false;
    const { balancing, plans } = await this.#write(given, all, fence);
    const waited = this.#look(plans);
    const { silentFor } = drains;
    let isWaiting = false;
    for (const [shift, plan] of plans) {
      const answer =
        'problem' in plan
          ? { isLive: false, problem: plan.problem }
          : acknowledged(balancing, shift.wanted, plan.version, engines, { silentFor, waited: waited(shift) });
      await this.#note(shift, answer, fence);
      // Of an engine that is behind, or was not heard of, nobody knows by what it routed: it is looked at anew when it is back. The others
      // count on meanwhile.
      const ready = engines.filter(
        (one) =>
          'version' in plan &&
          one.generation >= plan.version &&
          (answer.isLive || one.oldestServing >= plan.version) &&
          silentFor(one) < defaultTiming.gone,
      );
      if (shift.isMeasured) await this.#tell(shift, balancing, { engines: ready, isLive: answer.isLive }, fence);
      isWaiting ||= !answer.isLive || shift.isMeasured;
    }
    return isWaiting;
  }

  /** Takes in how rules are now. @returns for how many milliseconds those of a shift have been so */
  #look(plans: ReadonlyMap<WantedShift, ShiftPlan>): (shift: WantedShift) => number {
    const now = this.#options.clock.monotonic();
    const since = new Map<string, { readonly version: number; readonly at: number }>();
    for (const [shift, plan] of plans) {
      if ('problem' in plan) continue;
      const before = this.#since.get(nameOf(shift));
      since.set(nameOf(shift), before?.version === plan.version ? before : { version: plan.version, at: now });
    }
    this.#since = since;
    return (shift) => now - (since.get(nameOf(shift))?.at ?? now);
  }

  async #write(
    given: Balancing,
    all: readonly WantedShift[],
    fence: Fence,
  ): Promise<{ readonly balancing: Balancing; readonly plans: ReadonlyMap<WantedShift, ShiftPlan> }> {
    const { account, balancers, log } = this.#options;
    const plans = planAll(given, all);
    const due = [...plans].filter(([, plan]) => 'writes' in plan && plan.writes.length > 0);
    if (due.length === 0) return { balancing: given, plans };
    for (const [{ cluster, wanted, live }] of due)
      if (live?.sequence === wanted.sequence)
        log.warn(
          { account, cluster, service: wanted.service },
          'somebody changed the weights of a service; setting them back',
        );
    const { balancing } = await balancers.change(account, (draft) => planAll(draft, all, draft), fence);
    return { balancing, plans: planAll(balancing, all) };
  }

  /** Writes down what has come of a shift, where that is news. */
  async #note(
    { cluster, wanted, live }: WantedShift,
    { isLive, problem }: { readonly isLive: boolean; readonly problem?: string },
    { epoch }: Fence,
  ): Promise<void> {
    const { account, clock, shifts } = this.#options;
    const { service } = wanted;
    const isNews = isLive && live?.sequence !== wanted.sequence;
    const reason = live?.problem?.sequence === wanted.sequence ? live.problem.reason : undefined;
    if (!isNews && reason === problem && (problem !== undefined || live?.problem === undefined)) return;
    await shifts.note(account, cluster, {
      service,
      epoch,
      sequence: isLive ? wanted.sequence : (live?.sequence ?? 0),
      at: isNews || live === undefined ? clock.now() : live.at,
      ...(problem === undefined ? {} : { problem: { sequence: wanted.sequence, reason: problem } }),
    });
  }

  /** Tells what engines have counted of both revisions, where that is news. */
  async #tell(
    { cluster, wanted, measured }: WantedShift,
    balancing: Balancing,
    { engines, isLive }: { readonly engines: readonly EngineRecord[]; readonly isLive: boolean },
    { epoch }: Fence,
  ): Promise<void> {
    const { account, clock, shifts } = this.#options;
    const { service, sequence } = wanted;
    const next = measure(measured, {
      service,
      epoch,
      sequence,
      now: clock.now(),
      isLive,
      engines: await this.#said(wanted, engines),
      problem: unmeasurable(balancing, wanted, lastOf),
    });
    if (next !== undefined && next !== measured) await shifts.tell(account, cluster, next);
  }

  /** What each engine has counted of the groups of a shift. */
  async #said({ rules }: ShiftRecord, engines: readonly EngineRecord[]): Promise<ReadonlyMap<string, Said>> {
    const { account, records } = this.#options;
    const groups = [
      ...new Set(rules.flatMap((rule) => rule.groups.map(({ targetGroupArn }) => lastOf(targetGroupArn)))),
    ];
    const keys = engines.flatMap(({ id }) => groups.map((group) => numbersKeys.group(id, group)));
    if (keys.length === 0) return new Map();
    const rows = await records.getMany(numbersPartition(account), keys);
    return new Map(
      engines.map(({ id }) => {
        const of = groups.map((group) => [group, rows.get(numbersKeys.group(id, group))] as const);
        return [
          id,
          {
            version: Math.max(0, ...of.map(([, row]) => row?.version ?? 0)),
            tallies: Object.fromEntries(
              of.map(([group, row]) => [
                group,
                row === undefined ? noTally : tallyOf(row.value as unknown as GroupSample),
              ]),
            ),
          },
        ];
      }),
    );
  }
}

const nameOf = ({ cluster, wanted }: WantedShift): string => `${cluster}/${wanted.service}`;

/** Plans of all shifts, each on what those before it leave; written where there is a draft. */
function planAll(
  balancing: Balancing,
  all: readonly WantedShift[],
  draft?: Draft,
): ReadonlyMap<WantedShift, ShiftPlan> {
  const claimed = new Map<string, string>();
  return new Map(
    all.map((shift) => {
      const plan = planShift(balancing, shift, claimed);
      if (draft !== undefined && 'writes' in plan) for (const write of plan.writes) put(draft, write);
      return [shift, plan];
    }),
  );
}

function put(draft: Draft, write: Write): void {
  if (write.type === 'listener') draft.put('listener', write.record);
  else draft.put('listener-rule', write.record);
}
