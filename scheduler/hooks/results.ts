import type { HeldLease } from '@slipway/storage/leases';
import { transact } from '@slipway/storage/records';

import type { EcsPorts } from '../cluster/index.ts';
import type { ServiceRef } from '../services/index.ts';
import {
  clusterKeys,
  clusterPartition,
  type HookResultRecord,
  sameRecord,
  type ServiceRecord,
  toJson,
} from '../state/index.ts';
import { askedHook } from './asked.ts';

/** What a hook has answered so far; undefined: nothing. */
export async function readResult(
  { records }: Pick<EcsPorts, 'records'>,
  ref: ServiceRef,
  run: string,
): Promise<HookResultRecord | undefined> {
  const key = clusterKeys.hookResult(ref.service, run);
  return (await records.get<HookResultRecord>(clusterPartition(ref.account, ref.cluster), key))?.value;
}

/**
 * Records what a hook answered, under the leader's fence, and only while its deployment waits for this very asking and the row is as it was
 * when the hook was asked: late answers, repeated ones and those to a leader that was replaced change nothing.
 * @param before the row as it was then
 * @returns `over` when nobody waits for it any more, `overtaken` when somebody else has recorded an answer
 * @throws StaleEpoch, StoreUnavailable
 */
export function recordResult(
  { records }: Pick<EcsPorts, 'records'>,
  ref: ServiceRef,
  before: HookResultRecord | undefined,
  result: HookResultRecord,
  held: HeldLease,
): Promise<'recorded' | 'over' | 'overtaken'> {
  return transact(
    records,
    clusterPartition(ref.account, ref.cluster),
    async (tx) => {
      const service = await tx.get<ServiceRecord>(clusterKeys.service(ref.service));
      const asked = askedHook(service, result.id);
      if (asked?.deployment.id !== result.deploymentId) return 'over';
      const key = clusterKeys.hookResult(ref.service, result.id);
      if (!sameRecord(await tx.get<HookResultRecord>(key), before)) return 'overtaken';
      tx.put(key, toJson(result));
      return 'recorded';
    },
    // The service's record changes with each pass over it.
    { fence: held, attempts: 100 },
  );
}
