import type { Sealer } from '@slipway/auth/tokens';
import type { Clock } from '@slipway/storage/clock';
import { type RecordStore, transact } from '@slipway/storage/records';

import type { RandomBytes } from './ids.ts';

/** What calls of webhooks are signed with, as it is stored. */
interface SecretRecord {
  readonly sealed: string;
  readonly createdAt: number;
}

/**
 * What the calls of a webhook are signed with: 43 characters, made when they are first asked for.
 * @param place `purpose`: what is sealed for one opens for no other
 * @param renew makes others; what was signed with those before is not good any more
 */
export function webhookSecret(
  ports: {
    readonly records: RecordStore;
    readonly clock: Clock;
    readonly random: RandomBytes;
    readonly sealer: Sealer;
  },
  { partition, key, purpose }: { readonly partition: string; readonly key: string; readonly purpose: string },
  renew: boolean,
): Promise<string> {
  const { records, clock, random, sealer } = ports;
  return transact(records, partition, async (tx) => {
    const present = renew ? undefined : await tx.get<SecretRecord>(key);
    if (present !== undefined) return sealer.open(present.sealed, purpose);
    const secret = Buffer.from(random(32)).toString('base64url');
    const made: SecretRecord = { sealed: sealer.seal(secret, purpose), createdAt: clock.now() };
    tx.put(key, { ...made });
    return secret;
  });
}
