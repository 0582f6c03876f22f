import { type HeldLease } from '@slipway/storage/leases';
import { StaleEpoch, transact, type Transaction } from '@slipway/storage/records';

import { deregisterInstance, findInstance, machineEnded } from '../../cluster/index.ts';
import { toJson } from '../../state/index.ts';
import { type InstanceProvider, ProviderError } from '../providers/index.ts';
import { beginActivity, endActivity, moment } from './activities.ts';
import { afterFailureOf, pauseAfter } from './decide.ts';
import { ended } from './groups.ts';
import { drain } from './drain.ts';
import type { KeeperPorts } from './keeper.ts';
import { groupKeys, groupsPartition } from './keys.ts';
import { hooksFor, outcomeOf } from './lifecycle.ts';
import type { GroupRecord, MachineRecord, Rest } from './records.ts';
import type { ProviderList } from './sight.ts';
import { specOf } from './spec.ts';
import { poolOf, returned, untroubled } from './warm-pool.ts';

/** Requests of a provider that are under way at once. */
const mostAtOnce = 4;
/** Of these, requests that prepare machines for a warm pool: what somebody waits for has the others. */
const mostPrepared = 2;

interface Job {
  readonly provider: InstanceProvider;
  readonly owner: string;
  readonly machine: MachineRecord;
  readonly group: GroupRecord | undefined;
  /** Whether hooks have not let it go on. */
  readonly waits: boolean;
  readonly over: AbortSignal;
}

/** Whether a machine is made or put to rest for a warm pool, so that nobody waits for it. */
const isPrepared = ({ state }: MachineRecord): boolean => state === 'Warming' || state === 'Warmed';

/** Carries out at providers what the rows of machines say: makes those that are not started, ends those that are to end. */
export class Workshop {
  readonly #ports: KeeperPorts;
  readonly #account: string;
  readonly #held: HeldLease;
  /** What is under way, by the id of its machine. */
  readonly #busy = new Map<
    string,
    { readonly provider: string; readonly prepares: boolean; readonly done: Promise<void> }
  >();
  /** Machines for which there was no room at the last look, in that order: they come first at the next, or those that wait for long would keep the others waiting. */
  #late: readonly string[] = [];
  /** Ends that failed: how often, and when the next try is. */
  readonly #failed = new Map<string, { readonly times: number; readonly until: number }>();

  constructor(ports: KeeperPorts, account: string, held: HeldLease) {
    this.#ports = ports;
    this.#account = account;
    this.#held = held;
  }

  async idle(): Promise<void> {
    await Promise.all([...this.#busy.values()].map(({ done }) => done));
  }

  /** Begins what there is to do and is not under way. */
  begin(owner: string, groups: readonly GroupRecord[], machines: readonly MachineRecord[], over: AbortSignal): void {
    const now = this.#ports.clock.now();
    const turns = new Map(this.#late.map((id, turn) => [id, turn]));
    const turnOf = ({ id }: MachineRecord): number => turns.get(id) ?? turns.size;
    const late: string[] = [];
    const sorted = machines.toSorted((a, b) => Number(isPrepared(a)) - Number(isPrepared(b)) || turnOf(a) - turnOf(b));
    for (const machine of sorted) {
      const provider = this.#ports.providers.find(({ name }) => name === machine.provider) ?? gone(machine.provider);
      const group = groups.find(({ name }) => name === machine.group);
      const waits = group !== undefined && outcomeOf(group, machine, now).kind === 'waits';
      const work = this.#workOn({ provider, owner, machine, group, waits, over });
      if (work !== undefined && !this.#do(provider, machine.id, work, isPrepared(machine))) late.push(machine.id);
    }
    this.#late = late;
  }

  /** Ends what providers have that no row knows. */
  endStrays(
    owner: string,
    lists: ReadonlyMap<string, ProviderList>,
    machines: readonly MachineRecord[],
    over: AbortSignal,
  ): void {
    const known = new Set(machines.map(({ id }) => id));
    for (const provider of this.#ports.providers)
      for (const id of lists.get(provider.name)?.machines ?? [])
        if (!known.has(id)) this.#do(provider, id, () => provider.terminate(id, owner, over));
  }

  /** What is to be carried out of what the row of a machine says; undefined: nothing. */
  #workOn({ provider, owner, machine, group, waits, over }: Job): (() => Promise<void>) | undefined {
    const { id, state, started, rest, waits: asked } = machine;
    const pool = group === undefined ? undefined : poolOf(group);
    if (state === 'Terminating')
      return () => this.#end(provider, owner, machine, waits, machine.returns === true && pool !== undefined, over);
    if (state === 'InService') return undefined;
    if (started !== true)
      return () =>
        this.#try(machine, over, async () =>
          provider.launch(await specOf(this.#ports, this.#account, owner, machine), over),
        );
    if (state === 'Pending')
      return rest === undefined
        ? undefined
        : () => this.#try(machine, over, () => this.#start(provider, id, owner, over));
    if (pool === undefined || group === undefined || rest === pool.rest || waits) return undefined;
    // Hooks are asked first.
    if (state === 'Warming' && asked === undefined && hooksFor(group, 'launching').length > 0) return undefined;
    if (outcomeOf(group, machine, this.#ports.clock.now()).kind === 'abandoned') return undefined;
    return () => this.#settleIn(provider, owner, machine, pool.rest, over);
  }

  /** Has a machine of the warm pool wait as the pool has them wait. */
  async #settleIn(
    provider: InstanceProvider,
    owner: string,
    machine: MachineRecord,
    rest: Rest,
    over: AbortSignal,
  ): Promise<void> {
    const done = await this.#attempt(machine, over, async () => {
      if (rest === 'Running') {
        if (machine.rest !== undefined) await this.#start(provider, machine.id, owner, over);
        return;
      }
      if (provider.stop === undefined)
        throw new ProviderError(`The instance provider ${provider.name} stops no machines.`);
      await provider.stop(machine.id, owner, rest, over);
    });
    if (!done) return;
    await this.#commit(async (tx) => {
      const found = await tx.get<MachineRecord>(groupKeys.machine(machine.id));
      if (found === undefined) return;
      const now = this.#ports.clock.now();
      const { waits: _, ...others } = found;
      // It may have been asked for meanwhile: it is started again then.
      if (found.state === 'Pending') tx.put(groupKeys.machine(found.id), toJson({ ...found, rest }));
      if (found.state === 'Warmed') tx.put(groupKeys.machine(found.id), toJson({ ...found, rest }));
      if (found.state !== 'Warming') return;
      tx.put(groupKeys.machine(found.id), toJson({ ...others, state: 'Warmed', stateAt: now, rest }));
      await endActivity(tx, found.beginning, 'Successful', now);
      const group = await tx.get<GroupRecord>(groupKeys.group(found.group));
      if (group?.warm?.failures !== undefined)
        tx.put(groupKeys.group(group.name), toJson({ ...group, warm: untroubled(group.warm) }));
    });
  }

  #start(provider: InstanceProvider, id: string, owner: string, over: AbortSignal): Promise<void> {
    if (provider.start === undefined)
      throw new ProviderError(`The instance provider ${provider.name} starts no machines.`);
    return provider.start(id, owner, over);
  }

  /** @returns whether there was room for it */
  #do(provider: InstanceProvider, id: string, work: () => Promise<void>, prepares = false): boolean {
    const { clock } = this.#ports;
    if (this.#busy.has(id) || clock.monotonic() < (this.#failed.get(id)?.until ?? 0)) return true;
    const busy = [...this.#busy.values()].filter((one) => one.provider === provider.name);
    if (busy.length >= mostAtOnce) return false;
    if (prepares && busy.filter((one) => one.prepares).length >= mostPrepared) return false;
    const done = this.#settle(provider.name, id, work);
    this.#busy.set(id, { provider: provider.name, prepares, done });
    return true;
  }

  /** Never rejects. */
  async #settle(provider: string, id: string, work: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#ports;
    try {
      await work();
      this.#failed.delete(id);
    } catch (err) {
      if (err instanceof StaleEpoch) return;
      const times = (this.#failed.get(id)?.times ?? 0) + 1;
      this.#failed.set(id, { times, until: clock.monotonic() + pauseAfter(times) });
      log.warn({ err, instance: id, provider }, 'an instance provider failed; trying again');
    } finally {
      this.#busy.delete(id);
    }
  }

  /** Makes or starts a machine. One of which that fails is replaced. */
  async #try(machine: MachineRecord, over: AbortSignal, work: () => Promise<void>): Promise<void> {
    if (!(await this.#attempt(machine, over, work))) return;
    await this.#commit(async (tx) => {
      const found = await tx.get<MachineRecord>(groupKeys.machine(machine.id));
      if (found === undefined || found.state === 'Terminating') return;
      const { rest: _, ...others } = found;
      tx.put(groupKeys.machine(found.id), toJson({ ...others, started: true }));
    });
  }

  /** Has a provider do something with a machine, which is ended where it does not. @returns whether it did */
  async #attempt(machine: MachineRecord, over: AbortSignal, work: () => Promise<void>): Promise<boolean> {
    let failure: string;
    try {
      await work();
      return true;
    } catch (error) {
      if (over.aborted) return false;
      failure = error instanceof ProviderError ? error.message : 'the provider failed; the log of the server says how';
      const fields = { err: error, instance: machine.id, provider: machine.provider };
      this.#ports.log.warn(fields, 'a machine could not be made, started or stopped');
    }
    await this.#commit(async (tx) => {
      const now = this.#ports.clock.now();
      const found = await tx.get<MachineRecord>(groupKeys.machine(machine.id));
      if (found === undefined || found.state === 'Terminating') return;
      // Nobody knows how far it came: it is ended, and another one is made in its place.
      const cause = `At ${moment(now)} instance ${found.id} was taken out of service as it could not be launched.`;
      const description = `Terminating EC2 instance: ${found.id}`;
      const ending = beginActivity(tx, this.#ports.random, {
        group: found.group,
        description,
        cause,
        status: 'InProgress',
        startedAt: now,
      });
      tx.put(groupKeys.machine(found.id), toJson({ ...ended(found, ending, now, []), health: 'Unhealthy' }));
      await endActivity(tx, found.beginning, 'Failed', now, failure);
      const group = await tx.get<GroupRecord>(groupKeys.group(found.group));
      if (group === undefined) return;
      tx.put(groupKeys.group(group.name), toJson(afterFailureOf(group, found, found.stateAt, now)));
    });
    return false;
  }

  /**
   * @param waits whether hooks have not let it go yet: its tasks go elsewhere meanwhile
   * @param returns whether it goes to the warm pool
   */
  async #end(
    provider: InstanceProvider,
    owner: string,
    machine: MachineRecord,
    waits: boolean,
    returns: boolean,
    over: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#ports;
    if (!(await drain(this.#ports, this.#account, machine)) || waits) return;
    if (!returns) await provider.terminate(machine.id, owner, over);
    const ref = { account: this.#account, cluster: machine.cluster };
    const instance = await findInstance(this.#ports, ref, machine.instance);
    if (instance !== undefined && instance.status !== 'INACTIVE')
      await deregisterInstance(
        this.#ports,
        ref,
        machine.instance,
        true,
        machineEnded(machine.id, returns ? 'stopped' : 'terminated'),
      );
    const isGone = !this.#ports.providers.some(({ name }) => name === provider.name);
    await this.#commit(async (tx) => {
      const found = await tx.get<MachineRecord>(groupKeys.machine(machine.id));
      if (found === undefined) return;
      const now = clock.now();
      if (returns) {
        tx.put(groupKeys.machine(machine.id), toJson(returned(found, this.#ports.random, now)));
        return;
      }
      tx.remove(groupKeys.machine(machine.id));
      await endActivity(tx, found.beginning, 'Cancelled', now, 'it was ended before it was in service');
      if (isGone)
        await endActivity(tx, found.ending, 'Failed', now, `${notThere(provider.name)} End what it has left.`);
      else await endActivity(tx, found.ending, 'Successful', now);
    });
  }

  #commit<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const options = { fence: this.#held, attempts: 100 };
    return transact(this.#ports.records, groupsPartition(this.#account), work, options);
  }
}

const notThere = (name: string): string => `There is no instance provider ${name.slice(0, 100)} any more.`;

/**
 * In the place of a provider that left the configuration: it makes nothing, and what is to end does not keep its row for ever. When the provider comes
 * back, what it has without a row is ended.
 */
const gone = (name: string): InstanceProvider => ({
  name,
  launch: () => Promise.reject(new ProviderError(notThere(name))),
  terminate: () => Promise.resolve(),
  list: () => Promise.resolve([]),
});
