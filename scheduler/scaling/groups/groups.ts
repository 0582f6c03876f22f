import { AwsError } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { hasRoom, type RecordStore, scanAll, transact, type Transaction } from '@slipway/storage/records';

import { newEventId, type RandomBytes, toJson } from '../../state/index.ts';
import { beginActivity, moment } from './activities.ts';
import { noGroup, noMachine, validation } from './errors.ts';
import { groupKeys, groupsPartition, parseGroupArn } from './keys.ts';
import { waitsFor } from './lifecycle.ts';
import type { ActivityRecord, GroupRecord, GroupTag, HookWait, MachineRecord } from './records.ts';
import { unitsOf } from './units.ts';
import { isPooled, roomToReturn } from './warm-pool.ts';

/** What groups are kept with. */
export interface GroupsPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly region: string;
}

/** What a group is made of. */
export type GroupDraft = Omit<
  GroupRecord,
  'id' | 'createdAt' | 'cause' | 'failures' | 'retryAt' | 'suspended' | 'deleting' | 'scaledAt'
>;

/** How often a change is tried again when somebody else changes the same records. */
const attempts = 100;
/** As an account of ASG may have. */
export const mostGroups = 500;

/** The Auto Scaling groups of all accounts: what is wanted of them. Who acts on it is {@link GroupKeeper}. */
export class Groups {
  readonly #ports: GroupsPorts;

  constructor(ports: GroupsPorts) {
    this.#ports = ports;
  }

  /** Every group of an account, in the order of keys. */
  async list(account: string): Promise<GroupRecord[]> {
    return this.#all<GroupRecord>(account, groupKeys.groups);
  }

  async byName(account: string, name: string): Promise<GroupRecord | undefined> {
    return (await this.#ports.records.get<GroupRecord>(groupsPartition(account), groupKeys.group(name)))?.value;
  }

  /** The group of an ARN; undefined also for one that was made anew under the same name. */
  async byArn(account: string, arn: string): Promise<GroupRecord | undefined> {
    const named = parseGroupArn(this.#ports.region, account, arn);
    const group = named === undefined ? undefined : await this.byName(account, named.name);
    return group?.id === named?.id ? group : undefined;
  }

  /** Every machine of an account, in order of id. */
  machines(account: string): Promise<MachineRecord[]> {
    return this.#all<MachineRecord>(account, groupKeys.machines);
  }

  async machine(account: string, id: string): Promise<MachineRecord | undefined> {
    return (await this.#ports.records.get<MachineRecord>(groupsPartition(account), groupKeys.machine(id)))?.value;
  }

  /** The machines that a group has for tasks, in order of id; those of its warm pool are none of them. */
  async instancesOf(account: string, group: string): Promise<MachineRecord[]> {
    return (await this.#ofGroup(account, group)).filter((machine) => !isPooled(machine));
  }

  /** What a group did, or all did, the newest first. */
  async activities(account: string, group?: string): Promise<ActivityRecord[]> {
    const prefix = group === undefined ? groupKeys.activities : groupKeys.activitiesOf(group);
    const all = await this.#all<ActivityRecord>(account, prefix);
    return group === undefined ? all.toSorted((a, b) => b.startedAt - a.startedAt) : all;
  }

  /** @throws AlreadyExists, LimitExceeded */
  create(account: string, draft: GroupDraft): Promise<GroupRecord> {
    const { clock, random } = this.#ports;
    return this.#change(account, async (tx) => {
      const key = groupKeys.group(draft.name);
      if ((await tx.get(key)) !== undefined)
        throw new AwsError(
          'AlreadyExists',
          `AutoScalingGroup by this name already exists - A group with the name ${draft.name} already exists`,
        );
      if (!(await hasRoom(tx, groupKeys.groups, mostGroups)))
        throw new AwsError('LimitExceeded', `An account has at most ${mostGroups} Auto Scaling groups.`);
      const now = clock.now();
      const cause = `At ${moment(now)} a user request created an AutoScalingGroup changing the desired capacity from 0 to ${draft.desired}.`;
      const group: GroupRecord = {
        ...draft,
        id: newEventId(random),
        createdAt: now,
        suspended: [],
        cause,
        failures: 0,
        retryAt: 0,
      };
      tx.put(key, toJson(group));
      return group;
    });
  }

  /**
   * Changes a group. What it may not become is refused: bounds that cross, a desired capacity outside them.
   * @param why told in activities when the desired capacity changes: `a user request explicitly set group desired capacity`
   * @throws ValidationError
   */
  update(
    account: string,
    name: string,
    why: string,
    change: (group: GroupRecord) => GroupRecord,
  ): Promise<GroupRecord> {
    return this.#change(account, async (tx) => {
      const before = await present(tx, name);
      const after = change(before);
      checkSize(after);
      const now = this.#ports.clock.now();
      const group = desiredFor(before, after, why, now);
      tx.put(groupKeys.group(name), toJson(group));
      return group;
    });
  }

  /**
   * Sets how many machines a group has.
   * @param why who wants it, for the activity's cause: `a user request explicitly set group desired capacity`
   * @param honorCooldown whether a change within the cooldown of the last one is refused
   * @throws ValidationError outside the bounds, ScalingActivityInProgress
   */
  setDesired(account: string, name: string, desired: number, why: string, honorCooldown = false): Promise<GroupRecord> {
    return this.update(account, name, why, (group) => {
      const until = (group.scaledAt ?? 0) + group.cooldown * 1000;
      if (honorCooldown && group.scaledAt !== undefined && this.#ports.clock.now() < until)
        throw new AwsError(
          'ScalingActivityInProgress',
          `Scaling activity is in progress: the cooldown of ${group.cooldown} seconds ends at ${moment(until)}`,
        );
      return { ...group, desired };
    });
  }

  /** Sets whether machines are ended when there are too many. @throws ValidationError for one that is not in service in this group */
  protect(account: string, group: string, ids: readonly string[], on: boolean): Promise<void> {
    return this.#change(account, async (tx) => {
      await present(tx, group);
      for (const id of new Set(ids)) {
        const machine = await tx.get<MachineRecord>(groupKeys.machine(id));
        if (machine === undefined || machine.group !== group)
          throw validation(`The instance ${id.slice(0, 50)} is not part of Auto Scaling group ${group}.`);
        if (isPooled(machine) || (machine.state === 'Terminating' && on))
          throw validation(`The instance ${id} is not in InService or EnteringStandby or Standby.`);
        if (machine.protected !== on) tx.put(groupKeys.machine(id), toJson({ ...machine, protected: on }));
      }
    });
  }

  /** Says of a machine that it is as it should be, or not: what is not is replaced. @throws ValidationError */
  setHealth(account: string, id: string, health: MachineRecord['health'], respectGrace: boolean): Promise<void> {
    return this.#change(account, async (tx) => {
      const machine = await tx.get<MachineRecord>(groupKeys.machine(id));
      if (machine === undefined) throw noMachine(id);
      const { grace } = await present(tx, machine.group);
      if (respectGrace && this.#ports.clock.now() < machine.stateAt + grace * 1000) return;
      if (machine.state !== 'Terminating') tx.put(groupKeys.machine(id), toJson({ ...machine, health }));
    });
  }

  /**
   * Ends one machine. @param decrement whether the group has one less from then on, rather than another in its place
   * @param returns whether it goes to the group's warm pool, where that takes it back
   * @returns the activity that tells of it
   * @throws ValidationError for one that is not there, or when the group may not have less
   */
  terminate(
    account: string,
    id: string,
    {
      decrement,
      why,
      returns = false,
    }: { readonly decrement: boolean; readonly why: string; readonly returns?: boolean },
  ): Promise<ActivityRecord> {
    const { clock, random } = this.#ports;
    return this.#change(account, async (tx) => {
      const machine = await tx.get<MachineRecord>(groupKeys.machine(id));
      if (machine === undefined) throw noMachine(id);
      const group = await present(tx, machine.group);
      const now = clock.now();
      if (machine.state === 'Terminating' && machine.ending !== undefined) {
        const told = await tx.get<ActivityRecord>(machine.ending);
        if (told !== undefined) return told;
      }
      if (decrement && isPooled(machine))
        throw validation(
          `The instance ${id} is in the warm pool: the desired capacity cannot be decremented. Set shouldDecrementDesiredCapacity to false.`,
        );
      const left = group.desired - unitsOf([machine]);
      if (decrement && left < group.min)
        throw validation(
          `Currently, desiredSize ${left + 1 === group.min ? 'equals' : 'without the instance is below'} minSize (${group.min}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.`,
        );
      const waits = endWaits(group, machine, random, now);
      const change = decrement ? `, shrinking the capacity from ${group.desired} to ${left}` : '';
      const after = decrement ? { ...group, desired: left } : group;
      const isReused =
        returns && machine.state === 'InService' && roomToReturn(after, await this.#ofGroup(account, group.name)) > 0;
      const activity = {
        group: group.name,
        description: isReused ? `Returning EC2 instance to warm pool: ${id}` : `Terminating EC2 instance: ${id}`,
        cause: `At ${moment(now)} instance ${id} was taken out of service in response to ${why}${change}.`,
        status: waits.length > 0 ? 'MidLifecycleAction' : 'InProgress',
        startedAt: now,
      } as const;
      const ending = beginActivity(tx, random, activity);
      const going = ended(machine, ending, now, waits);
      tx.put(groupKeys.machine(id), toJson(isReused ? { ...going, returns: true } : going));
      if (decrement) tx.put(groupKeys.group(group.name), toJson(after));
      return { ...activity, id: ending.slice(-36) };
    });
  }

  /** Has a group go. @param force its machines with it @throws ResourceInUse while it has machines, ValidationError */
  remove(account: string, name: string, force: boolean): Promise<void> {
    return this.#change(account, async (tx) => {
      const group = await present(tx, name);
      if (!force && (await this.#ofGroup(account, name)).length > 0)
        throw new AwsError(
          'ResourceInUse',
          'You cannot delete an AutoScalingGroup while there are instances or pending activities still in the group.',
        );
      // The keeper, which alone makes machines, takes away what has none: one that it makes at this moment is not left behind.
      tx.put(groupKeys.group(name), toJson({ ...group, deleting: true, min: 0, desired: 0 }));
    });
  }

  /** Changes the tags of groups, in one commit. @throws ValidationError */
  changeTags(
    account: string,
    changes: ReadonlyMap<string, (tags: readonly GroupTag[]) => readonly GroupTag[]>,
  ): Promise<void> {
    return this.#change(account, async (tx) => {
      for (const [name, change] of changes) {
        const group = await present(tx, name);
        tx.put(groupKeys.group(name), toJson({ ...group, tags: change(group.tags) }));
      }
    });
  }

  /** Those of its warm pool too. */
  async #ofGroup(account: string, group: string): Promise<MachineRecord[]> {
    return (await this.machines(account)).filter((machine) => machine.group === group);
  }

  async #all<T>(account: string, prefix: string): Promise<T[]> {
    const rows = await scanAll<T>(this.#ports.records, groupsPartition(account), { prefix, limit: 1000 });
    return rows.map(({ value }) => value);
  }

  #change<T>(account: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return transact(this.#ports.records, groupsPartition(account), work, { attempts });
  }
}

/**
 * A group that has changed, with what is told of it where its desired capacity is another one.
 * @param why who wants it, for the activity's cause: `a user request explicitly set group desired capacity`
 */
export const desiredFor = (before: GroupRecord, after: GroupRecord, why: string, now: number): GroupRecord =>
  after.desired === before.desired
    ? after
    : {
        ...after,
        cause: `At ${moment(now)} ${why} changing the desired capacity from ${before.desired} to ${after.desired}.`,
        scaledAt: now,
        // Whoever asks for machines again has them tried at once.
        failures: 0,
        retryAt: 0,
      };

/** What a machine waits for before it ends: hooks are asked about those that were in service, or ready in the warm pool. */
export const endWaits = (
  group: GroupRecord,
  machine: MachineRecord,
  random: RandomBytes,
  now: number,
): readonly HookWait[] =>
  machine.state === 'InService' || machine.state === 'Warmed' ? waitsFor(group, 'terminating', random, now) : [];

/** A machine that ends. */
export const ended = (
  machine: MachineRecord,
  ending: string,
  now: number,
  waits: readonly HookWait[],
): MachineRecord => {
  const { pool: _pool, returns: _returns, ...others } = machine;
  const isOfPool = isPooled(machine) ? { pool: true as const } : {};
  return { ...others, ...isOfPool, state: 'Terminating', stateAt: now, ending, waits };
};

async function present(tx: Transaction, name: string): Promise<GroupRecord> {
  const group = await tx.get<GroupRecord>(groupKeys.group(name));
  if (group === undefined) throw noGroup(name);
  return group;
}

/** @throws ValidationError */
export function checkSize({ min, max, desired, name }: Pick<GroupRecord, 'min' | 'max' | 'desired' | 'name'>): void {
  if (min > max) throw validation(`Max bound, ${max}, must be greater than or equal to min bound, ${min}`);
  if (desired < min)
    throw validation(
      `New SetDesiredCapacity value ${desired} is below min value ${min} for the AutoScalingGroup ${name}.`,
    );
  if (desired > max)
    throw validation(
      `New SetDesiredCapacity value ${desired} is above max value ${max} for the AutoScalingGroup ${name}.`,
    );
}
