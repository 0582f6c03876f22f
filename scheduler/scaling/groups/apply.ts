import { type HeldLease } from '@slipway/storage/leases';
import { scan, transact, type Transaction } from '@slipway/storage/records';

import { ec2InstanceId, newId, type RandomBytes, toJson } from '../../state/index.ts';
import { beginActivity, endActivity, markWaiting, moment } from './activities.ts';
import type { Blueprint } from './blueprint.ts';
import { afterFailureOf, decide, type EndReason, type GroupPlan, isFailure, pauseAfter, type Sight } from './decide.ts';
import { ended, endWaits, type GroupsPorts } from './groups.ts';
import { groupKeys, groupsPartition } from './keys.ts';
import { abandonment, outcomeOf, waitsFor } from './lifecycle.ts';
import type { GroupRecord, MachineRecord } from './records.ts';
import { isTimely, type RefreshSight } from './refresh.ts';
import { withRefresh } from './refreshes.ts';
import { nextIsSpot, nextType, unitsOf } from './units.ts';
import { isPoolDone, isPooled } from './warm-pool.ts';

interface Applied {
  readonly account: string;
  readonly held: HeldLease;
  /** The group's name. */
  readonly group: string;
  readonly sights: (machine: MachineRecord) => Sight;
  /** What new machines are made from, or why there is none. */
  readonly blueprint: Blueprint | Error | undefined;
  readonly more: RefreshSight;
}

/**
 * Decides anew on the records as they are in the commit, and writes what is decided: machines that are to be made, those that are in
 * service, and those that are to end. Nothing is carried out here, so that a server that is killed leaves no machine without a row.
 */
export function applyPlan(
  ports: GroupsPorts,
  { account, held, group: name, sights, blueprint, more }: Applied,
): Promise<void> {
  return transact(
    ports.records,
    groupsPartition(account),
    async (tx) => {
      const found = await tx.get<GroupRecord>(groupKeys.group(name));
      if (found === undefined) return;
      const machines = await machinesOf(ports, account, tx, name);
      if (found.deleting === true && machines.length === 0) {
        tx.remove(groupKeys.group(name));
        return;
      }
      const now = ports.clock.now();
      const plan = decide(found, machines, sights, now, more);
      const { warm: _warm, ...unwarmed } = found;
      const before = withRefresh(tx, isPoolDone(found, machines) ? unwarmed : found, plan.refresh);
      for (const id of plan.ask) {
        const machine = machines.find((one) => one.id === id);
        if (machine === undefined) continue;
        const waits = waitsFor(found, 'launching', ports.random, now);
        tx.put(groupKeys.machine(id), toJson({ ...machine, waits }));
        await markWaiting(tx, machine.beginning);
      }
      const group = await writeEnds(tx, ports.random, before, machines, plan, now);
      for (const id of plan.enter) await enter(tx, machines, id, now);
      const entered = plan.enter.length > 0 ? { ...group, failures: 0, retryAt: 0 } : group;
      const going = new Set(plan.end.map(({ id }) => id));
      const there = machines.filter((one) => one.state !== 'Terminating' && !going.has(one.id) && !isPooled(one));
      for (const id of plan.wake) {
        const machine = machines.find((one) => one.id === id);
        if (machine !== undefined) there.push(wake(tx, ports.random, group, machine, there, now));
      }
      // It is another type's turn by now, of which as many would be more or less than is wanted: the next look makes them.
      const isPast =
        blueprint !== undefined && !(blueprint instanceof Error) && blueprint.weight !== nextType(found).weight;
      const made = { there, blueprint, now };
      const isLate = blueprint !== undefined && !(blueprint instanceof Error) && !isTimely(found, blueprint.template);
      const launched = isPast || isLate ? [] : plan.launch;
      const grown = launch(tx, ports.random, entered, launched, { ...made, state: 'Pending' });
      const prepared = isLate || (plan.launch.length > 0 && blueprint instanceof Error) ? [] : plan.prepare;
      const after = launch(tx, ports.random, grown, prepared, { ...made, state: 'Warming' });
      if (after !== found) tx.put(groupKeys.group(name), toJson(after));
    },
    { fence: held, attempts: 100 },
  );
}

/** All of them, or there would be more and more; the commit depends on each. Only the keeper adds some. */
async function machinesOf(
  { records }: GroupsPorts,
  account: string,
  tx: Transaction,
  group: string,
): Promise<MachineRecord[]> {
  const machines: MachineRecord[] = [];
  const rows = scan<MachineRecord>(records, groupsPartition(account), { prefix: groupKeys.machines });
  for await (const { key, value } of rows) {
    const machine = value.group === group ? await tx.get<MachineRecord>(key) : undefined;
    if (machine !== undefined) machines.push(machine);
  }
  return machines;
}

async function enter(tx: Transaction, machines: readonly MachineRecord[], id: string, now: number): Promise<void> {
  const machine = machines.find((one) => one.id === id);
  if (machine === undefined) return;
  const { waits: _, rest: _rest, pool: _pool, ...others } = machine;
  tx.put(groupKeys.machine(id), toJson({ ...others, state: 'InService', stateAt: now, started: true }));
  await endActivity(tx, machine.beginning, 'Successful', now);
}

/** Why a machine is taken out of service, as activities of ASG write it. */
const reasons: Readonly<Record<EndReason, string>> = {
  surplus: 'a difference between desired and actual capacity',
  deleted: 'the Auto Scaling group being deleted',
  'never-joined': 'its agent not having joined the cluster within 10 minutes',
  vanished: 'an EC2 health check indicating it has been terminated or stopped: its provider does not have it',
  'agent-away': 'a health check indicating that its agent has been away for more than 2 minutes',
  deregistered: 'a health check indicating that its container instance was deregistered',
  abandoned: 'a lifecycle action that was abandoned',
  refresh: 'an instance refresh',
  'pool-deleted': 'the warm pool being deleted',
  'pool-surplus': 'a difference between desired and actual capacity of the warm pool',
  unhealthy: 'a user health-check: it was said to be unhealthy',
};

/** There is nothing left that a hook could do something about. */
const withoutHooks: ReadonlySet<EndReason> = new Set(['deleted', 'vanished']);

/** They say nothing against a machine. */
const withoutFault: ReadonlySet<EndReason> = new Set(['surplus', 'deleted', 'refresh', 'pool-deleted', 'pool-surplus']);

async function writeEnds(
  tx: Transaction,
  random: RandomBytes,
  group: GroupRecord,
  machines: readonly MachineRecord[],
  { end }: GroupPlan,
  now: number,
): Promise<GroupRecord> {
  let after = group;
  let capacity = unitsOf(machines.filter((one) => one.state !== 'Terminating' && !isPooled(one)));
  for (const { id, reason, returns } of end) {
    const machine = machines.find((one) => one.id === id);
    if (machine === undefined) continue;
    const without = capacity - unitsOf([machine]);
    const shrinking = reason === 'surplus' ? `, shrinking the capacity from ${capacity} to ${without}` : '';
    const chosen = reason === 'surplus' ? `  At ${moment(now)} instance ${id} was selected for termination.` : '';
    const asked = reason === 'surplus' ? `${group.cause}  ` : '';
    if (!isPooled(machine)) capacity = without;
    if (isFailure(reason, machine.state)) after = afterFailureOf(after, machine, machine.launchedAt, now);
    const asksNobody = withoutHooks.has(reason) || (reason === 'pool-deleted' && group.warm?.forced === true);
    const waits = asksNobody ? [] : endWaits(group, machine, random, now);
    const outcome = outcomeOf(group, machine, now);
    if (reason === 'abandoned' && outcome.kind === 'abandoned')
      await endActivity(tx, machine.beginning, 'Cancelled', now, abandonment(outcome.wait));
    const ending = beginActivity(tx, random, {
      group: group.name,
      description: returns === true ? `Returning EC2 instance to warm pool: ${id}` : `Terminating EC2 instance: ${id}`,
      cause: `${asked}At ${moment(now)} an instance was taken out of service in response to ${reasons[reason]}${shrinking}.${chosen}`,
      status: waits.length > 0 ? 'MidLifecycleAction' : 'InProgress',
      startedAt: now,
    });
    const health = withoutFault.has(reason) ? machine.health : 'Unhealthy';
    const going = ended(machine, ending, now, waits);
    tx.put(groupKeys.machine(id), toJson({ ...going, health, ...(returns === true ? { returns } : {}) }));
  }
  return after;
}

/** Writes that a machine of the warm pool comes into service. */
function wake(
  tx: Transaction,
  random: RandomBytes,
  group: GroupRecord,
  machine: MachineRecord,
  there: readonly MachineRecord[],
  now: number,
): MachineRecord {
  const { waits: _, rest, ...others } = machine;
  const from = unitsOf(there);
  const beginning = beginActivity(tx, random, {
    group: group.name,
    description: `Launching a new EC2 instance from warm pool: ${machine.id}`,
    cause: causeOf(group, from, from + 1, now),
    status: 'PreInService',
    startedAt: now,
  });
  const woken: MachineRecord = {
    ...others,
    ...(rest === undefined || rest === 'Running' ? {} : { rest }),
    pool: true,
    state: 'Pending',
    stateAt: now,
    protected: group.protectNew,
    beginning,
  };
  tx.put(groupKeys.machine(machine.id), toJson(woken));
  return woken;
}

const causeOf = (group: GroupRecord, from: number, to: number, now: number): string =>
  `${group.cause}  At ${moment(now)} an instance was started in response to a difference between desired and actual capacity, increasing the capacity from ${from} to ${to}.`;

interface Made {
  /** The machines that are to stay. */
  readonly there: readonly MachineRecord[];
  readonly blueprint: Blueprint | Error | undefined;
  readonly now: number;
  /** What they come to: service, or the warm pool. */
  readonly state: 'Pending' | 'Warming';
}

/** Writes the rows of new machines, or why there can be none. */
function launch(
  tx: Transaction,
  random: RandomBytes,
  group: GroupRecord,
  zones: readonly string[],
  { there, blueprint, now, state }: Made,
): GroupRecord {
  if (zones.length === 0 || blueprint === undefined) return group;
  const cause = (from: number, weight: number): string =>
    state === 'Warming'
      ? `At ${moment(now)} an instance was started in response to a difference between the wanted and the actual size of the warm pool.`
      : causeOf(group, from, from + weight, now);
  if (blueprint instanceof Error) {
    const failures = group.failures + 1;
    beginActivity(tx, random, {
      group: group.name,
      description:
        'Launching a new EC2 instance.  Status Reason: the launch template cannot be used. Launching EC2 instance failed.',
      cause: cause(unitsOf(there), 1),
      status: 'Failed',
      message: blueprint.message.slice(0, 255),
      startedAt: now,
      endedAt: now,
    });
    return { ...group, failures, retryAt: now + pauseAfter(failures) };
  }
  const { weight } = blueprint;
  const all = [...there];
  for (const zone of zones) {
    const instance = newId(random);
    const id = ec2InstanceId(instance);
    const beginning = beginActivity(tx, random, {
      group: group.name,
      description: `Launching a new EC2 instance${state === 'Warming' ? ' into warm pool' : ''}: ${id}`,
      cause: cause(unitsOf(all), weight),
      status: 'PreInService',
      startedAt: now,
    });
    const subnet = blueprint.subnets.get(zone);
    const machine: MachineRecord = {
      id,
      instance,
      group: group.name,
      provider: group.provider,
      state,
      health: 'Healthy',
      protected: state === 'Pending' && group.protectNew,
      zone,
      ...(subnet === undefined ? {} : { subnet }),
      cluster: blueprint.cluster,
      template: blueprint.template,
      instanceType: blueprint.instanceType,
      ...(weight === 1 ? {} : { weight }),
      ...(nextIsSpot(group, all, weight) ? { spot: true } : {}),
      imageId: blueprint.imageId,
      role: blueprint.role,
      tags: blueprint.tags,
      launchedAt: now,
      stateAt: now,
      beginning,
    };
    tx.put(groupKeys.machine(id), toJson(machine));
    all.push(machine);
  }
  return group;
}
