import { type HeldLease } from '@slipway/storage/leases';
import { StaleEpoch, transact, type Transaction } from '@slipway/storage/records';

import { deregisterInstance, findInstance } from '../../cluster/index.ts';
import { groupAttribute, toJson } from '../../state/index.ts';
import { type InstanceProvider, type MachineSpec, ProviderError } from '../providers/index.ts';
import { beginActivity, endActivity, moment } from './activities.ts';
import { afterFailure, joinWithin, pauseAfter } from './decide.ts';
import { ended } from './groups.ts';
import { drain } from './drain.ts';
import { joinToken } from './join-token.ts';
import type { KeeperPorts } from './keeper.ts';
import { groupKeys, groupsPartition } from './keys.ts';
import { outcomeOf } from './lifecycle.ts';
import type { GroupRecord, MachineRecord } from './records.ts';
import type { ProviderList } from './sight.ts';
import { agentSettings } from './user-data.ts';

/** Requests of a provider that are under way at once. */
const mostAtOnce = 4;

/** Carries out at providers what the rows of machines say: makes those that are not started, ends those that are to end. */
export class Workshop {
  readonly #ports: KeeperPorts;
  readonly #account: string;
  readonly #held: HeldLease;
  /** What is under way, by the id of its machine. */
  readonly #busy = new Map<string, { readonly provider: string; readonly done: Promise<void> }>();
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
    for (const machine of machines.toSorted((a, b) => turnOf(a) - turnOf(b))) {
      const provider = this.#ports.providers.find(({ name }) => name === machine.provider) ?? gone(machine.provider);
      const group = groups.find(({ name }) => name === machine.group);
      const waits = group !== undefined && outcomeOf(group, machine, now).kind === 'waits';
      const hasRoom =
        machine.state === 'Terminating'
          ? this.#do(provider, machine.id, () => this.#end(provider, owner, machine, waits, over))
          : machine.state !== 'Pending' ||
            machine.started === true ||
            this.#do(provider, machine.id, () => this.#launch(provider, owner, machine, over));
      if (!hasRoom) late.push(machine.id);
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

  /** @returns whether there was room for it */
  #do(provider: InstanceProvider, id: string, work: () => Promise<void>): boolean {
    const { clock } = this.#ports;
    if (this.#busy.has(id) || clock.monotonic() < (this.#failed.get(id)?.until ?? 0)) return true;
    if ([...this.#busy.values()].filter((one) => one.provider === provider.name).length >= mostAtOnce) return false;
    const done = this.#settle(provider.name, id, work);
    this.#busy.set(id, { provider: provider.name, done });
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

  async #launch(provider: InstanceProvider, owner: string, machine: MachineRecord, over: AbortSignal): Promise<void> {
    let failure: string | undefined;
    try {
      await provider.launch(await this.#spec(owner, machine), over);
    } catch (error) {
      if (over.aborted) return;
      failure = error instanceof ProviderError ? error.message : 'the provider failed; the log of the server says how';
      this.#ports.log.warn(
        { err: error, instance: machine.id, provider: provider.name },
        'a machine could not be made',
      );
    }
    await this.#commit(async (tx) => {
      const now = this.#ports.clock.now();
      const found = await tx.get<MachineRecord>(groupKeys.machine(machine.id));
      if (found === undefined || found.state === 'Terminating') return;
      if (failure === undefined) {
        tx.put(groupKeys.machine(found.id), toJson({ ...found, started: true }));
        return;
      }
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
      tx.put(groupKeys.group(group.name), toJson(afterFailure(group, found.launchedAt, now)));
    });
  }

  /** @param waits whether hooks have not let it go yet: its tasks go elsewhere meanwhile */
  async #end(
    provider: InstanceProvider,
    owner: string,
    machine: MachineRecord,
    waits: boolean,
    over: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#ports;
    if (!(await drain(this.#ports, this.#account, machine)) || waits) return;
    await provider.terminate(machine.id, owner, over);
    const ref = { account: this.#account, cluster: machine.cluster };
    const instance = await findInstance(this.#ports, ref, machine.instance);
    if (instance !== undefined && instance.status !== 'INACTIVE')
      await deregisterInstance(this.#ports, ref, machine.instance, true);
    const isGone = !this.#ports.providers.some(({ name }) => name === provider.name);
    await this.#commit(async (tx) => {
      const found = await tx.get<MachineRecord>(groupKeys.machine(machine.id));
      if (found === undefined) return;
      tx.remove(groupKeys.machine(machine.id));
      const now = clock.now();
      await endActivity(tx, found.beginning, 'Cancelled', now, 'it was ended before it was in service');
      if (isGone)
        await endActivity(tx, found.ending, 'Failed', now, `${notThere(provider.name)} End what it has left.`);
      else await endActivity(tx, found.ending, 'Successful', now);
    });
  }

  async #spec(owner: string, machine: MachineRecord): Promise<MachineSpec> {
    const { networks, region, joinKey, endpoint } = this.#ports;
    const { template } = machine;
    const version = await networks.templateVersion(this.#account, template.id, template.version);
    if (version === undefined)
      throw new ProviderError(`The launch template ${template.name} has no version ${template.version} any more.`);
    const { data } = version;
    const said = agentSettings(Buffer.from(data.UserData ?? '', 'base64').toString('utf8'));
    return {
      id: machine.id,
      owner,
      account: this.#account,
      region,
      group: machine.group,
      cluster: machine.cluster,
      zone: machine.zone,
      ...(machine.subnet === undefined ? {} : { subnet: machine.subnet }),
      instanceType: machine.instanceType,
      ...(machine.spot === true ? { spot: true } : {}),
      imageId: machine.imageId,
      template: data,
      tags: machine.tags,
      settings: {
        ...said,
        ECS_CLUSTER: machine.cluster,
        ...(machine.spot === true ? { SLIPWAY_SPOT: 'true' } : {}),
        ECS_INSTANCE_ATTRIBUTES: attributesFor(said['ECS_INSTANCE_ATTRIBUTES'], machine),
        AWS_ENDPOINT_URL: endpoint(),
        AWS_REGION: region,
        SLIPWAY_JOIN: joinToken(joinKey, this.#account, machine.id),
      },
      joinUntil: machine.launchedAt + joinWithin,
    };
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

/** The attributes that user data names, with those that are the group's to say. What is no JSON object the agent refuses itself. */
function attributesFor(attributes: string | undefined, { zone, group }: MachineRecord): string {
  try {
    const said = JSON.parse(attributes ?? '{}') as unknown;
    if (typeof said === 'object' && said !== null && !Array.isArray(said))
      return JSON.stringify({ ...said, 'ecs.availability-zone': zone, [groupAttribute]: group });
  } catch {
    // As it is.
  }
  return attributes ?? '';
}
