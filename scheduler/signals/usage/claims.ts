import { ConditionFailed, type OwnedRows, type RecordStore, scanAll } from '@slipway/storage/records';

import { clusterKeys, clusterPartition, clusters } from '../../state/index.ts';

import type { InstanceName } from './records.ts';

/** In a cluster's partition. */
const claimKeys = {
  claim: (instance: string): string => `telemetry/${instance}`,
  claims: 'telemetry/',
} as const;

export const telemetryRows: OwnedRows = {
  partition: clusters,
  owner: 'scheduler/signals/usage',
  keys: [claimKeys.claims],
};

/** Which process an instance's agent sends its numbers to: that one alone tells them, so that none is told twice. */
interface Claim {
  readonly by: string;
}

/** The agent of an instance is connected to a process from now on. */
export async function claim(records: RecordStore, { account, cluster, id }: InstanceName, by: string): Promise<void> {
  await records.commit(clusterPartition(account, cluster), {
    put: [{ key: claimKeys.claim(id), value: { by } satisfies Claim as never }],
    // A power failure ends the connection as well.
    lazy: true,
  });
}

/** By instance, the process that its agent is connected to, or was last. */
export async function claimsOf(
  records: RecordStore,
  account: string,
  cluster: string,
): Promise<ReadonlyMap<string, string>> {
  const rows = await scanAll<Claim>(records, clusterPartition(account, cluster), { prefix: claimKeys.claims });
  return new Map(rows.map(({ key, value }) => [key.slice(claimKeys.claims.length), value.by]));
}

/** Removes the claims of instances that are gone from the records. */
export async function forgetClaims(
  records: RecordStore,
  account: string,
  cluster: string,
  gone: readonly string[],
): Promise<void> {
  for (const id of gone)
    await records
      .commit(clusterPartition(account, cluster), {
        require: [{ key: clusterKeys.instance(id), exists: false }],
        remove: [claimKeys.claim(id)],
        lazy: true,
      })
      .catch((error: unknown) => {
        // It has been registered since.
        if (!(error instanceof ConditionFailed)) throw error;
      });
}
