import type { Sealer } from '@slipway/auth/tokens';
import { type RecordStore, transact } from '@slipway/storage/records';

import { type RandomBytes, toJson } from '../../state/index.ts';
import { notFound, secretKeys, type SecretRecord, secretsPartition } from '../secrets/index.ts';

interface CallKeyRecord {
  readonly sealed: string;
  /** Of the secret whose it is: one of the same name that came later has another one. */
  readonly suffix?: string;
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
    const secret = await tx.get<SecretRecord>(secretKeys.secret(name));
    // Whoever asks may have found it before it was deleted: what is made for it then would wait for one of its name.
    if (secret?.suffix !== suffix) throw notFound();
    const present = renew ? undefined : await tx.get<CallKeyRecord>(secretKeys.callKey(name));
    const known = present === undefined ? undefined : opened(sealer, present, suffix, purpose);
    if (known !== undefined) return known;
    const key = Buffer.from(random(32)).toString('base64url');
    const made: CallKeyRecord = { sealed: sealer.seal(key, purpose), suffix };
    tx.put(secretKeys.callKey(name), toJson(made));
    return key;
  });
}

/** @returns undefined for one of an earlier secret of the name @throws SealBroken */
function opened(sealer: Sealer, { sealed, suffix }: CallKeyRecord, of: string, purpose: string): string | undefined {
  if (suffix !== undefined) return suffix === of ? sealer.open(sealed, purpose) : undefined;
  try {
    return sealer.open(sealed, purpose);
  } catch {
    // Rows of before have no suffix: what opens for this secret is its.
    return undefined;
  }
}
