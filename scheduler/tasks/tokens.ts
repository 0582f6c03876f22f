import { createHash } from 'node:crypto';

import { AwsError } from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';

import { type ClusterRef, type EcsPorts } from '../cluster/index.ts';
import { arns, clusterKeys, clusterPartition, toJson, type TokenRecord } from '../state/index.ts';

const lifetime = 24 * 60 * 60 * 1000;

/** A digest of a request, to tell a retry from another request under the same token. The token itself is left out. */
export function requestDigest(input: { readonly clientToken?: string | undefined }): string {
  const { clientToken: _, ...request } = input;
  return createHash('sha256').update(stableJson(request)).digest('hex');
}

/** JSON with sorted keys, so that equal values give equal text. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/**
 * Claims a RunTask token: the ids that its tasks have, now and at every retry within 24 hours, and whether an earlier
 * attempt got through.
 * @throws ConflictException when another request used the token; `resourceIds` are the ARNs of its tasks
 */
export async function claimToken(
  ports: EcsPorts,
  ref: ClusterRef,
  token: string,
  request: string,
  ids: readonly string[],
): Promise<TokenRecord> {
  return transact(ports.records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const key = clusterKeys.token('RunTask', token);
    const used = await tx.get<TokenRecord>(key);
    const now = ports.clock.now();
    if (used !== undefined && now - used.createdAt < lifetime) {
      if (used.request === request) return used;
      throw new AwsError(
        'ConflictException',
        'The client token was already used by a different request: use a new token.',
        {
          members: { resourceIds: used.ids.map((id) => arns.task(ports.region, ref.account, ref.cluster, id)) },
        },
      );
    }
    const claimed: TokenRecord = { operation: 'RunTask', request, ids, createdAt: now, done: false };
    tx.put(key, toJson(claimed));
    return claimed;
  });
}

/** Notes that the request behind a token got through: a retry reports its tasks and starts none, even when they are long gone. */
export async function settleToken(
  ports: EcsPorts,
  ref: ClusterRef,
  token: string,
  claimed: TokenRecord,
): Promise<void> {
  await ports.records.commit(clusterPartition(ref.account, ref.cluster), {
    put: [{ key: clusterKeys.token('RunTask', token), value: toJson({ ...claimed, done: true }) }],
  });
}
