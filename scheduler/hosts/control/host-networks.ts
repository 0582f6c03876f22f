import type { NetworkState } from '../wire/index.ts';

import type { InstanceRef } from './connections.ts';

/** What the hosts are told of the network of tasks that have addresses of their own. */
export interface HostNetworks {
  /** The network as one host needs it; undefined while it has no part in it. */
  of(ref: InstanceRef): NetworkState | undefined;
  /** Calls back whenever what {@link of} says may have changed, until the returned function is called. */
  watch(account: string, changed: () => void): () => void;
}

/** No host has a part in any. */
export const noHostNetworks: HostNetworks = { of: () => undefined, watch: () => () => undefined };
