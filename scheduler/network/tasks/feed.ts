import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { type Json, project, type RecordChange, type RecordStore, scanAll } from '@slipway/storage/records';

import type { NetworkState } from '../../hosts/control/index.ts';
import {
  type Network,
  type NetworkInterfaceRecord,
  networkKeys,
  networkPartition,
  type Networks,
  type SliceRecord,
} from '../records/index.ts';

import { hostState } from './host-state.ts';

export interface FeedPorts {
  readonly records: RecordStore;
  readonly networks: Networks;
  readonly clock: Clock;
  readonly log: Log;
}

/** Page of a scan; the records are small. */
const limit = 10_000;

/** A live copy of one account's interfaces and slices, and what each host must know of them. */
export class NetworkFeed {
  readonly #ports: FeedPorts;
  readonly #account: string;
  readonly #interfaces = new Map<string, NetworkInterfaceRecord>();
  readonly #slices = new Map<string, SliceRecord>();
  readonly #watchers = new Set<() => void>();
  readonly #states = new Map<string, NetworkState | undefined>();
  /** {@link onHost}, worked out once for all hosts that ask between two changes. */
  #byHost: ReadonlyMap<string | undefined, readonly NetworkInterfaceRecord[]> | undefined;
  #network: Network | undefined;

  constructor(ports: FeedPorts, account: string) {
    this.#ports = ports;
    this.#account = account;
  }

  /** Follows the records until the signal aborts, across failures of the store. */
  run(signal: AbortSignal): Promise<void> {
    const { records, clock, log } = this.#ports;
    return project(
      records,
      networkPartition(this.#account),
      {
        load: () => this.#load(),
        apply: (changes) => this.#apply(changes),
        interrupted: (err) => log.warn({ account: this.#account, err }, 'cannot follow the network; trying again'),
        retryAfter: 1_000,
      },
      { clock, signal },
    );
  }

  /** Calls back on every change, until the returned function is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => {
      this.#watchers.delete(changed);
    };
  }

  /** What a host must know; undefined while it has no part of any subnet, or nothing has been read yet. */
  of(instanceId: string): NetworkState | undefined {
    if (this.#network === undefined) return undefined;
    if (!this.#states.has(instanceId)) {
      // Most hosts of most accounts have no part of any subnet: for them nothing else is looked at.
      const own = [...this.#slices.values()].some((slice) => slice.instanceId === instanceId);
      const interfaces = own ? [...this.#interfaces.values()] : [];
      this.#states.set(instanceId, hostState(instanceId, this.#network, [...this.#slices.values()], interfaces));
    }
    return this.#states.get(instanceId);
  }

  /** The ranges that hosts have. */
  slices(): Iterable<SliceRecord> {
    return this.#slices.values();
  }

  /** Interfaces of tasks of a host. */
  onHost(instanceId: string): readonly NetworkInterfaceRecord[] {
    this.#byHost ??= Map.groupBy(this.#interfaces.values(), ({ task }) => task?.instanceId);
    return this.#byHost.get(instanceId) ?? [];
  }

  async #load(): Promise<void> {
    const { records, networks } = this.#ports;
    const partition = networkPartition(this.#account);
    const [network, interfaces, slices] = await Promise.all([
      networks.read(this.#account),
      scanAll<NetworkInterfaceRecord>(records, partition, { prefix: networkKeys.interfaces, limit }),
      scanAll<SliceRecord>(records, partition, { prefix: networkKeys.slices, limit }),
    ]);
    this.#network = network;
    this.#interfaces.clear();
    this.#slices.clear();
    for (const { key, value } of interfaces) this.#interfaces.set(key, value);
    for (const { key, value } of slices) this.#slices.set(key, value);
    this.#tell();
  }

  async #apply(changes: readonly RecordChange[]): Promise<void> {
    let nouns = false;
    for (const change of changes) {
      nouns ||= change.key === networkKeys.revision;
      const table = change.key.startsWith(networkKeys.interfaces)
        ? this.#interfaces
        : change.key.startsWith(networkKeys.slices)
          ? this.#slices
          : undefined;
      if (change.kind === 'put') table?.set(change.key, change.value as Json as never);
      else table?.delete(change.key);
    }
    if (nouns) this.#network = await this.#ports.networks.read(this.#account);
    this.#tell();
  }

  #tell(): void {
    this.#states.clear();
    this.#byHost = undefined;
    for (const changed of this.#watchers) changed();
  }
}
