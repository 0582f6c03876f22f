import { clusterKeys, clusterPartition, type InstanceRecord } from '../../state/index.ts';
import { changeInstance, type EcsPorts, scanAll } from '../../cluster/index.ts';

import { connectionKeys } from './keys.ts';

/** Names one container instance. */
export interface InstanceRef {
  readonly account: string;
  readonly cluster: string;
  readonly id: string;
}

/** What an agent says of itself when it connects. */
export interface AgentVersions {
  readonly agentVersion?: string;
  readonly agentHash?: string;
  readonly dockerVersion?: string;
}

/** Sequence numbers of one connection lie in a range of their own: generation × 2^20 + count. */
export const firstSequence = (generation: number): number => generation * 2 ** 20;

/**
 * Notes that an agent is connected and supersedes every earlier connection of the same instance. The generation is
 * above every one in the record and above the sequence number that the agent has seen, also when the store has lost
 * its newest writes.
 * @returns undefined when the instance is gone
 */
export async function noteConnected(
  options: EcsPorts,
  ref: InstanceRef,
  connectionId: string,
  seenSequence: number,
  versions: AgentVersions,
): Promise<InstanceRecord | undefined> {
  return changeInstance(options, ref, ref.id, (instance) => {
    const seen = Math.floor(seenSequence / 2 ** 20);
    return {
      ...instance,
      ...versions,
      agentConnected: instance.runtimeImpaired !== true,
      connectionId,
      channelGeneration: Math.max(instance.channelGeneration ?? 0, seen) + 1,
      connectivityChangedAt: options.clock.now(),
    };
  });
}

/** Notes that a connection is gone; nothing when a newer one has taken its place. */
export async function noteDisconnected(options: EcsPorts, ref: InstanceRef, connectionId: string): Promise<void> {
  await changeInstance(options, ref, ref.id, (instance) => {
    if (instance.connectionId !== connectionId) return instance;
    const { connectionId: _, ...rest } = instance;
    return { ...rest, agentConnected: false, connectivityChangedAt: options.clock.now() };
  });
}

/** Notes whether the container runtime works, as the agent says: an instance without one takes no tasks. */
export async function noteRuntime(options: EcsPorts, ref: InstanceRef, impaired: boolean): Promise<void> {
  await changeInstance(options, ref, ref.id, (instance) => {
    if ((instance.runtimeImpaired ?? false) === impaired) return instance;
    return {
      ...instance,
      runtimeImpaired: impaired,
      agentConnected: instance.connectionId !== undefined && !impaired,
      connectivityChangedAt: options.clock.now(),
    };
  });
}

/** How long a server's row may stay unchanged before its connections count as gone. Milliseconds. */
export const serverSilence = 20_000;

/**
 * Finds connections whose server died without saying so. Judges by its own monotonic clock how long another server's
 * row has not moved; clocks of different machines are never compared.
 */
export class ConnectionSweeper {
  readonly #options: EcsPorts;
  readonly #seen = new Map<string, { beat: number; at: number }>();

  constructor(options: EcsPorts) {
    this.#options = options;
  }

  /** One pass over a cluster: instances connected to servers that are silent for longer than {@link serverSilence} become disconnected. */
  async sweep(account: string, cluster: string): Promise<void> {
    const partition = clusterPartition(account, cluster);
    const { records, clock } = this.#options;
    const page = await records.list<{ beat: number }>(partition, { prefix: connectionKeys.servers });
    const dead = new Set<string>();
    for (const { key, value } of page.records) {
      const place = `${partition} ${key}`;
      const known = this.#seen.get(place);
      if (known?.beat !== value.beat) this.#seen.set(place, { beat: value.beat, at: clock.monotonic() });
      else if (clock.monotonic() - known.at > serverSilence) dead.add(key.slice(connectionKeys.servers.length));
    }
    if (dead.size === 0) return;
    for (const instance of await scanAll<InstanceRecord>(records, partition, clusterKeys.instances)) {
      const server = instance.connectionId?.split('.')[0];
      if (instance.connectionId !== undefined && server !== undefined && dead.has(server)) {
        await noteDisconnected(this.#options, { account, cluster, id: instance.id }, instance.connectionId);
      }
    }
    await records.commit(partition, { remove: [...dead].map((id) => connectionKeys.server(id)) });
    for (const id of dead) this.#seen.delete(`${partition} ${connectionKeys.server(id)}`);
  }
}
