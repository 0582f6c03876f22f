import { type Codes, type LoadBalancerObservation, type Observation, type TargetObservation } from '../contract.ts';
import type { Ledger } from './ledger.ts';
import { addCodes, addCounts, noCodes, noCounts } from '../counts.ts';
import type { WorkerStatistics } from './statistics.ts';

/** Puts the sums over all workers into the contract's terms. A target has two servers, one for each kind of request. */
export function observationOf(
  ledger: Ledger,
  oldestServing: number,
  { frontends, servers, latencies }: WorkerStatistics,
): Observation {
  const targets = new Map<string, TargetObservation>();
  const targetCodes = new Map<string, Codes>();
  for (const { path, targetGroupId, registrationId, loadBalancerId } of ledger.servers) {
    const key = `${targetGroupId}\n${registrationId}`;
    const { inFlight, counts } = servers.get(path) ?? { inFlight: 0, counts: noCounts };
    // Its servers count latencies together.
    const latency = latencies.get(path.slice(path.indexOf('/') + 1)) ?? noCounts.latency;
    const before = targets.get(key) ?? {
      targetGroupId,
      registrationId,
      inFlight: 0,
      counts: { ...noCounts, latency },
    };
    targets.set(key, { ...before, inFlight: before.inFlight + inFlight, counts: addCounts(before.counts, counts) });
    if (loadBalancerId !== undefined)
      targetCodes.set(loadBalancerId, addCodes(targetCodes.get(loadBalancerId) ?? noCodes, counts.codes));
  }
  const allCodes = new Map<string, Codes>();
  const listeners = ledger.listeners.map(({ id, loadBalancerId, name, reason }) => {
    const counts = frontends.get(name);
    allCodes.set(loadBalancerId, addCodes(allCodes.get(loadBalancerId) ?? noCodes, counts?.codes ?? noCodes));
    return {
      id,
      result: reason === undefined ? ({ bound: true } as const) : ({ bound: false, reason } as const),
      activeConnections: counts?.active ?? 0,
      newConnections: counts?.connections ?? 0,
      requests: counts?.requests ?? 0,
    };
  });
  const loadBalancers = [...allCodes].map(([id, codes]): LoadBalancerObservation => {
    const ofTargets = targetCodes.get(id) ?? noCodes;
    return { id, engineCodes: codes.map((count, i) => Math.max(0, count - ofTargets[i]!)) as unknown as Codes };
  });
  return { generation: ledger.generation, oldestServing, targets: [...targets.values()], listeners, loadBalancers };
}
