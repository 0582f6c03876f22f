import type { AttachmentRecord, InstanceRecord, TaskRecord } from '../../state/index.ts';
import type { NetworkState } from '../wire/index.ts';

import type { InstanceRef } from './connections.ts';

/** What the hosts are told of the network of tasks that have addresses of their own, and how those get them. */
export interface HostNetworks {
  /** The network as one host needs it; undefined while it has no part in it. */
  of(ref: InstanceRef): NetworkState | undefined;
  /** Calls back whenever what {@link of} says may have changed, until the returned function is called. */
  watch(account: string, changed: () => void): () => void;
  /** Gives a task of an instance its interface; asking twice gives the same. `refused` says why it can have none. */
  attach(
    ref: InstanceRef,
    instance: InstanceRecord,
    task: TaskRecord,
  ): Promise<AttachmentRecord | { readonly refused: string }>;
  /** Gives an interface back, by its id, whose task's agent has said that it is gone; any number of times. */
  release(ref: InstanceRef, networkInterface: string): Promise<void>;
  /**
   * Gives the interfaces back of an instance's tasks that the records say are over, where nobody has yet, and has others hear where the
   * instance is when it says so anew. Tasks that are live, by id, are not looked up.
   */
  keep(ref: InstanceRef, instance: InstanceRecord, live: ReadonlySet<string>): Promise<void>;
}

/** No host has a part in any. */
export const noHostNetworks: HostNetworks = {
  of: () => undefined,
  watch: () => () => undefined,
  attach: async () => ({ refused: 'there is no network for tasks with interfaces of their own' }),
  release: async () => undefined,
  keep: async () => undefined,
};
