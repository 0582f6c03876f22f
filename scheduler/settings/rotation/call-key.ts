import type { Sealer } from '@slipway/auth/tokens';
import { type RecordStore, transact } from '@slipway/storage/records';

import { type RandomBytes, toJson } from '../../state/index.ts';
import { secretKeys, type SecretRecord, secretsPartition } from '../secrets/index.ts';

interface CallKeyRecord {
  readonly sealed: string;
}

export interface CallKeyPorts {
  readonly records: RecordStore;
  readonly random: RandomBytes;
  readonly sealer: Sealer;
}

/**
 * What the calls of a secret's rotation are signed with: 43 characters, made when they are first asked for, and gone with the secret.
 * @param renew makes others; what was signed with those before is not good any more
 */
export function callKey(
  { records, random, sealer }: CallKeyPorts,
  account: string,
  { name, suffix }: Pick<SecretRecord, 'name' | 'suffix'>,
  renew = false,
): Promise<string> {
  const purpose = `rotation of secret ${account}/${name}-${suffix}`;
  return transact(records, secretsPartition(account), async (tx) => {
    const present = renew ? undefined : await tx.get<CallKeyRecord>(secretKeys.callKey(name));
    if (present !== undefined) return sealer.open(present.sealed, purpose);
    const key = Buffer.from(random(32)).toString('base64url');
    const made: CallKeyRecord = { sealed: sealer.seal(key, purpose) };
    tx.put(secretKeys.callKey(name), toJson(made));
    return key;
  });
}
