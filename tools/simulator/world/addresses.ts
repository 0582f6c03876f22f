import { overlaps, parseCidr } from '@slipway/scheduler/network/addresses';
import {
  type NetworkInterfaceRecord,
  networkKeys,
  networkPartition,
  type SliceRecord,
} from '@slipway/scheduler/network/records';
import { isLive } from '@slipway/scheduler/state';
import type { Json, RecordStore } from '@slipway/storage/records';
import type { SimulatedHost } from './host.ts';
import { Violation } from './invariants.ts';
import type { Mirror } from './mirror.ts';
import { quarantine, sweepAddressesEvery } from './server.ts';
import type { SeenCommit } from './store.ts';

export interface AddressPorts {
  readonly account: string;
  readonly mirror: Mirror;
  readonly hosts: readonly SimulatedHost[];
  readonly now: () => number;
  /** By how many milliseconds wall clocks may have been off when something was noted. */
  readonly clockError: number;
}

/** The addresses of tasks, as the records give them out and as the hosts have them: held against each other. */
export class AddressChecks {
  readonly #ports: AddressPorts;
  readonly #partition: string;
  readonly #interfaces = new Map<string, NetworkInterfaceRecord>();
  readonly #slices = new Map<string, SliceRecord>();
  /** Whether the store ever lost commits: then an address that is in use may be given out again. */
  #rewound = false;

  constructor(ports: AddressPorts) {
    this.#ports = ports;
    this.#partition = networkPartition(ports.account);
  }

  /** Takes a commit in. @returns what it changed, in words @throws Violation */
  check({ partition, batch }: SeenCommit): readonly string[] {
    if (partition !== this.#partition) return [];
    const changed: string[] = [];
    for (const key of batch.remove ?? []) {
      const record = this.#interfaces.get(key);
      if (record !== undefined) changed.push(`${record.id} (${record.address}) removed`);
      const slice = this.#slices.get(key);
      this.#interfaces.delete(key);
      this.#slices.delete(key);
      if (record !== undefined) this.#givenBack(record);
      if (slice !== undefined) this.#sliceGivenBack(slice);
    }
    for (const { key, value } of batch.put ?? []) changed.push(...this.#put(key, value));
    return changed;
  }

  /** Reads everything anew: the store lost commits. */
  async rewound(records: RecordStore): Promise<void> {
    this.#rewound = true;
    this.#interfaces.clear();
    this.#slices.clear();
    for (const prefix of [networkKeys.interfaces, networkKeys.slices]) {
      const { records: rows } = await records.list(this.#partition, { prefix, limit: 10_000 });
      for (const { key, value } of rows) this.#take(key, value);
    }
  }

  /** A host has given a task an interface. @throws Violation */
  linked(host: SimulatedHost, id: string, address: string): void {
    if (this.#rewound) return;
    for (const other of this.#ports.hosts) {
      const twin = [...other.links.links].find(([one, link]) => one !== id && link.address === address);
      if (twin !== undefined)
        throw new Violation('address', `${id} on ${host.name} and ${twin[0]} on ${other.name} both have ${address}`);
    }
  }

  /** An address, a range or a link that nobody needs any more; undefined when there is none. */
  leftOver(): string | undefined {
    const { mirror, hosts } = this.#ports;
    for (const record of this.#interfaces.values()) {
      const { id = '', instanceId = '' } = record.task ?? {};
      const task = mirror.tasks.get(id);
      if (task !== undefined && isLive(task)) continue;
      if (this.#present(instanceId) || !this.#waits(instanceId))
        return `${record.id} has ${record.address}, its task ${id} is over`;
    }
    for (const { cidr, instanceId } of this.#slices.values())
      if (!this.#present(instanceId) && !this.#waits(instanceId)) return `${cidr} is of ${instanceId}, which is gone`;
    for (const { name, links } of hosts) {
      const stray = [...links.links.keys()].find((id) => !this.#interfaces.has(networkKeys.interface(id)));
      if (stray !== undefined && !this.#rewound) return `${name} has a link for ${stray}, which there is not`;
    }
    return this.#unknown();
  }

  /** What a host with tasks does not know of the network, or knows wrongly, that it was to be told; undefined when there is nothing. */
  #unknown(): string | undefined {
    const ranges = [...this.#slices.values()].map(({ cidr }) => cidr).toSorted();
    for (const { name, links } of this.#ports.hosts) {
      if (links.links.size === 0 || this.#rewound) continue;
      const { blocks = [], members = {} } = links.enforced ?? {};
      const known = blocks.map(({ cidr }) => cidr).toSorted();
      if (known.join() !== ranges.join()) return `${name} knows the ranges ${known.join(' ')}, not ${ranges.join(' ')}`;
      for (const [group, told] of Object.entries(members)) {
        const all = [...this.#interfaces.values()].filter(({ groups }) => groups.includes(group));
        const addresses = all.map(({ address }) => address).toSorted();
        if (told.toSorted().join() !== addresses.join())
          return `${name} knows ${told.length} members of ${group}, which are ${addresses.join(' ')}`;
      }
    }
    return undefined;
  }

  #put(key: string, value: Json): string[] {
    const before = this.#interfaces.get(key);
    const had = this.#slices.get(key);
    if (!this.#take(key, value) || before !== undefined) return [];
    const record = this.#interfaces.get(key);
    if (record === undefined) {
      const slice = this.#slices.get(key)!;
      if (had !== undefined && had.instanceId !== slice.instanceId)
        throw new Violation(
          'address',
          `${slice.instanceId} took ${slice.cidr}, which ${had.instanceId} had not given back`,
        );
      this.#apart(slice);
      return [];
    }
    for (const [other, { subnetId, address }] of this.#interfaces) {
      if (other !== key && subnetId === record.subnetId && address === record.address)
        throw new Violation('address', `${record.id} was given ${address} of ${subnetId}, which ${other} has`);
    }
    return [`${record.id} (${record.address}) for ${record.task?.id}`];
  }

  /** @returns whether it is an interface or a range */
  #take(key: string, value: Json): boolean {
    if (key.startsWith(networkKeys.interfaces)) this.#interfaces.set(key, value as unknown as NetworkInterfaceRecord);
    else if (key.startsWith(networkKeys.slices)) this.#slices.set(key, value as unknown as SliceRecord);
    else return false;
    return true;
  }

  #apart(slice: SliceRecord): void {
    const range = parseCidr(slice.cidr)!;
    for (const other of this.#slices.values()) {
      if (other.cidr === slice.cidr || other.vpcId !== slice.vpcId || !overlaps(range, parseCidr(other.cidr)!))
        continue;
      throw new Violation(
        'address',
        `${slice.cidr} of ${slice.instanceId} lies in ${other.cidr} of ${other.instanceId}`,
      );
    }
  }

  /** What a host may still run that is gone from its cluster keeps its address by the host's range, which nobody else is given. */
  #givenBack({ id, address, task }: NetworkInterfaceRecord): void {
    if (task === undefined || this.#rewound || !this.#present(task.instanceId)) return;
    for (const { name, engine, links } of this.#ports.hosts) {
      if (!links.links.has(id)) continue;
      const runs = [...engine.containers.values()].find(
        ({ status, labels }) =>
          status === 'running' && labels['com.amazonaws.ecs.task-arn']?.endsWith(task.id) === true,
      );
      if (runs !== undefined)
        throw new Violation('address', `${address} was given back while ${name} runs ${runs.name} with it`);
    }
  }

  #sliceGivenBack({ cidr, instanceId }: SliceRecord): void {
    if (this.#rewound) return;
    const range = parseCidr(cidr)!;
    for (const { name, links } of this.#ports.hosts) {
      const link = [...links.links.values()].find(({ address }) => overlaps(range, parseCidr(`${address}/32`)!));
      if (link !== undefined)
        throw new Violation('address', `${cidr} of ${instanceId} was given back while ${name} has ${link.address}`);
    }
  }

  #present(instanceId: string): boolean {
    const instance = this.#ports.mirror.instances.get(instanceId);
    return instance !== undefined && instance.status !== 'INACTIVE';
  }

  /** Whether what a host that is gone had is still kept from others, as long as it is to be. */
  #waits(instanceId: string): boolean {
    const { now, clockError } = this.#ports;
    const most = quarantine + clockError + 3 * sweepAddressesEvery;
    return [...this.#slices.values()].some(
      (slice) => slice.instanceId === instanceId && slice.orphanedAt !== undefined && now() - slice.orphanedAt < most,
    );
  }
}
