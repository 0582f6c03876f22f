import type { Sealer } from '@slipway/auth/tokens';
import { transact } from '@slipway/storage/records';

import { toJson } from '../../../state/index.ts';
import type { AlarmPorts } from '../store/alarms.ts';
import { alarmKeys, alarmsPartition } from '../store/keys.ts';
import type { SecretRecord } from '../store/records.ts';

export type SecretPorts = AlarmPorts & { readonly sealer: Sealer };

/**
 * What the calls of an alarm's webhooks are signed with: 43 characters, made when they are first asked for. They belong to the alarm's name, so
 * that a receiver can be set up first.
 * @param renew makes others; what was signed with those before is not good any more
 */
export function alarmSecret(ports: SecretPorts, account: string, alarm: string, renew = false): Promise<string> {
  const { records, clock, random, sealer } = ports;
  const purpose = `webhooks of alarm ${account}/${alarm}`;
  return transact(records, alarmsPartition(account), async (tx) => {
    const present = renew ? undefined : await tx.get<SecretRecord>(alarmKeys.secret(alarm));
    if (present !== undefined) return sealer.open(present.sealed, purpose);
    const secret = Buffer.from(random(32)).toString('base64url');
    const made: SecretRecord = { sealed: sealer.seal(secret, purpose), createdAt: clock.now() };
    tx.put(alarmKeys.secret(alarm), toJson(made));
    return secret;
  });
}
