import type { CapacityProviderStrategyItem } from '@aws-sdk/client-ecs';

import type { ClusterRecord } from '../state/index.ts';
import { findProvider, isFargate } from './capacity-providers.ts';
import { activeCluster } from './clusters.ts';
import type { ClusterRef, EcsPorts } from './ports.ts';
import { mostItems } from './strategies.ts';

/** Milliseconds for which an association is waited for, and between looks. */
const patience = 10_000;
const pause = 250;

/**
 * The cluster in which a service is made whose strategy names these capacity providers. Templates associate a provider with its cluster
 * and make a service that names it at the same time, as nothing in them orders the two; so one that is there is waited for until the
 * cluster has it, for ten seconds. What the cluster lacks after that, the check of the strategy refuses.
 * @param signal ends the wait
 * @throws ClusterNotFoundException
 */
export async function associatedCluster(
  ports: EcsPorts,
  ref: ClusterRef,
  items: readonly CapacityProviderStrategyItem[] | undefined,
  signal: AbortSignal,
): Promise<ClusterRecord> {
  // Each once, and no more than a strategy may have: each is read at every look.
  const names = new Set((items ?? []).slice(0, mostItems).map(({ capacityProvider = '' }) => capacityProvider));
  const until = ports.clock.monotonic() + patience;
  for (;;) {
    const cluster = await activeCluster(ports, ref);
    const lacking = [...names].filter((name) => !isFargate(name) && !cluster.capacityProviders.includes(name));
    if (lacking.length === 0 || ports.clock.monotonic() >= until) return cluster;
    for (const name of lacking) if ((await findProvider(ports, ref.account, name)) === undefined) return cluster;
    await ports.clock.sleep(pause, signal);
  }
}
