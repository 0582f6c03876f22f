import {
  groupKeys,
  type GroupRecord,
  groupsPartition,
  type HookRecord,
  isPooled,
  type MachineRecord,
} from '@slipway/scheduler/scaling/groups';
import { isLive } from '@slipway/scheduler/state';
import { Violation } from './invariants.ts';
import type { Mirror } from './mirror.ts';
import { account } from './server.ts';
import type { SeenCommit } from './store.ts';

/** Milliseconds for which tasks of a machine that is to end are waited for, by clocks that may be off a little. */
const drainAtMost = 890_000;

/** Milliseconds by which clocks of two servers may be off, those that were moved included. */
const clocksOff = 420_000;

export interface GroupChecksPorts {
  readonly mirror: Mirror;
  readonly now: () => number;
  /** How late, at the most, servers may have heard of changes lately; milliseconds. */
  readonly lag: () => number;
}

/** The group of an installation and its machines as the records have them, and what must hold of them. */
export class GroupChecks {
  readonly #ports: GroupChecksPorts;
  readonly #machines = new Map<string, MachineRecord>();
  /** Since when machines are to end: true time. */
  readonly #endsSince = new Map<string, number>();
  /** Since when hooks are asked about machines: true time, by the tokens of the actions. */
  readonly #askedSince = new Map<string, number>();
  #group: GroupRecord | undefined;

  constructor(ports: GroupChecksPorts) {
    this.#ports = ports;
  }

  /** @throws Violation */
  check({ partition, batch }: SeenCommit): void {
    if (partition !== groupsPartition(account)) return;
    let chosen: MachineRecord | undefined;
    const before = this.#group;
    for (const { key, value } of batch.put ?? []) {
      if (key.startsWith(groupKeys.groups)) this.#group = value as unknown as GroupRecord;
      if (!key.startsWith(groupKeys.machines)) continue;
      const after = value as unknown as MachineRecord;
      const was = this.#machines.get(after.id);
      this.#machines.set(after.id, after);
      for (const { token } of after.waits ?? [])
        if (!this.#askedSince.has(token)) this.#askedSince.set(token, this.#ports.now());
      if (was?.state === 'Pending' && after.state === 'InService') this.#heard(was, 'launching');
      if (was?.state === 'Warming' && after.state === 'Warmed') this.#heard(was, 'launching');
      if (after.state !== 'Terminating' || was?.state === 'Terminating') continue;
      this.#endsSince.set(after.id, this.#ports.now());
      // What is unhealthy is replaced, whatever there is beside it.
      if (after.health === 'Healthy' && !isPooled(after)) chosen = after;
    }
    for (const key of batch.remove ?? [])
      if (key.startsWith(groupKeys.machines)) this.#machines.delete(key.slice(groupKeys.machines.length));
    const group = this.#group;
    if (group === undefined) return;
    const { min, max, desired } = group;
    if (desired < min || desired > max)
      throw new Violation('group-size', `${desired} machines are wanted, of ${min} to ${max}`);
    const serving = this.#serving();
    const size = serving.filter(({ state }) => state !== 'Terminating').length;
    if (size > max) throw new Violation('group-size', `there are ${size} machines, ${max} at most`);
    if (serving.length > 2 * max)
      throw new Violation('group-size', `with those on their way out there are ${serving.length} machines of ${max}`);
    // One that a user ends is replaced.
    // One that a refresh ends is replaced, too.
    const replaces = group.refresh !== undefined || before?.refresh !== undefined;
    const isFewer = batch.fence !== undefined || desired < (before?.desired ?? 0);
    const kept = this.#kept();
    if (chosen !== undefined && isFewer && !replaces && kept < min)
      throw new Violation('group-size', `${chosen.id} was chosen to end and ${kept} stay, ${min} at least`);
  }

  /** A machine is about to be ended. @throws Violation when it has tasks that were to have time to go elsewhere */
  ends(id: string): void {
    const { mirror, now, lag } = this.#ports;
    const machine = this.#machines.get(id);
    // One without a row is left from what was ended.
    if (machine === undefined) return;
    // Those that nobody uses may be stopped, too.
    if (machine.state !== 'Terminating' && !isPooled(machine))
      throw new Violation('group-drained', `${id} is ended or stopped and is ${machine.state}`);
    if (machine.state === 'Terminating') this.#heard(machine, 'terminating');
    const recent = now() - lag();
    const instance = mirror.instances.get(machine.instance);
    if (instance === undefined || instance.status === 'INACTIVE' || !instance.agentConnected) return;
    if ((mirror.awayAt.get(instance.id) ?? -Infinity) > recent) return;
    const since = this.#endsSince.get(id) ?? 0;
    // Somebody has activated it after it was drained.
    if (instance.status === 'ACTIVE' && (mirror.statusAt.get(instance.id) ?? -Infinity) > since) return;
    if (now() - since >= drainAtMost) return;
    const task = [...(mirror.placed.get(machine.instance) ?? [])].find((one) => isLive(mirror.tasks.get(one)!));
    if (task !== undefined) throw new Violation('group-drained', `${id} is ended and has task ${task}`);
  }

  /** A machine goes on in a transition. @throws Violation when its hooks have not let it */
  #heard({ id, waits }: MachineRecord, transition: HookRecord['transition']): void {
    const hooks = (this.#group?.hooks ?? []).filter((hook) => hook.transition === transition);
    if (hooks.length === 0) return;
    if (transition === 'launching' && waits === undefined)
      throw new Violation('group-hooks', `${id} is in service and nobody was asked`);
    const isGiven = waits?.some(({ answer }) => answer === 'ABANDON') === true && transition === 'terminating';
    for (const { answer, token, hook } of isGiven ? [] : (waits ?? [])) {
      const { timeout = 0, result } = hooks.find(({ name }) => name === hook) ?? {};
      const isOver = this.#ports.now() - (this.#askedSince.get(token) ?? 0) >= timeout * 1000 - clocksOff;
      const said = answer ?? (isOver ? result : undefined);
      if (said === undefined) throw new Violation('group-hooks', `${id} goes on and ${hook} waits`);
      if (said === 'ABANDON' && transition === 'launching')
        throw new Violation('group-hooks', `${id} is in service and ${hook} has abandoned it`);
    }
  }

  /** Whether the group has as many machines as it may have. */
  get isFull(): boolean {
    const { max = Infinity } = this.#group ?? {};
    return this.#serving().filter(({ state }) => state !== 'Terminating').length >= max;
  }

  /** Whether a machine waits in the warm pool. */
  isWarm(id: string | undefined): boolean {
    const machine = this.#machines.get(id ?? '');
    return machine !== undefined && isPooled(machine);
  }

  /** A task that waits though its group may grow, or a machine that is not what it is to be; undefined when there is none. */
  unready(provided: ReadonlySet<string>): string | undefined {
    if (this.#group === undefined) return 'there is no group';
    const waiting = this.waiting()[0];
    if (waiting !== undefined && !this.isFull) return `task ${waiting} waits, and the group is not at its maximum`;
    const stray = [...provided].find((id) => !this.#machines.has(id));
    if (stray !== undefined) return `${stray} runs and has no row`;
    const ghost = [...this.#machines.values()].find(({ id, state }) => state === 'InService' && !provided.has(id));
    return ghost === undefined ? undefined : `${ghost.id} is in service and there is no such machine`;
  }

  /** Tasks that wait for an instance. */
  waiting(): string[] {
    return [...this.#ports.mirror.tasks.values()].flatMap(({ id, waits, desiredStatus }) =>
      waits !== undefined && desiredStatus === 'RUNNING' ? [id] : [],
    );
  }

  /** Why there are more machines than the group's minimum, or others than are wanted; undefined when it has come down to that. */
  tooMany(provided: ReadonlySet<string>): string | undefined {
    const { min = 0, desired = 0 } = this.#group ?? {};
    const states = this.#serving().map(({ state }) => state);
    const warm = this.#machines.size - states.length;
    if (desired === min && states.length === min && states.every((state) => state === 'InService'))
      return this.#group?.refresh !== undefined
        ? 'a refresh goes on'
        : provided.size === min + warm
          ? this.#warmth()
          : `there are ${provided.size} machines for ${min + warm} rows`;
    return `without load ${desired} machines are wanted and there are ${states.join(', ') || 'none'}; the minimum is ${min}`;
  }

  /** Machines that the group has for tasks, not those of its warm pool. */
  #serving(): readonly MachineRecord[] {
    return [...this.#machines.values()].filter((machine) => !isPooled(machine));
  }

  /** Why the warm pool is not what it is to be; undefined when it is. */
  #warmth(): string | undefined {
    const { warm, max = 0, desired = 0 } = this.#group ?? {};
    if (warm === undefined) return undefined;
    const wanted = Math.max(warm.min, (warm.prepared ?? max) - desired);
    const pool = [...this.#machines.values()].filter(isPooled);
    const ready = pool.filter(({ state, rest }) => state === 'Warmed' && rest === warm.rest);
    if (ready.length !== wanted || pool.length !== wanted)
      return `${wanted} machines are to be warm, and ${ready.length} of ${pool.length} are`;
    const works = ready.find(({ instance }) => {
      const known = this.#ports.mirror.instances.get(instance);
      return known !== undefined && known.status !== 'INACTIVE';
    });
    return works === undefined ? undefined : `${works.id} is warm and is a container instance`;
  }

  /** How many stay, with those of which whoever chose one to end need not have heard that they are broken. */
  #kept(): number {
    const recent = this.#ports.now() - this.#ports.lag();
    return this.#serving().filter(
      ({ id, state, health }) =>
        state !== 'Terminating' || (health === 'Unhealthy' && (this.#endsSince.get(id) ?? 0) > recent),
    ).length;
  }
}
