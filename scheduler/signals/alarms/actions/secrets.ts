import type { Sealer } from '@slipway/auth/tokens';

import { webhookSecret } from '../../../state/index.ts';
import type { AlarmPorts } from '../store/alarms.ts';
import { alarmKeys, alarmsPartition } from '../store/keys.ts';

export type SecretPorts = AlarmPorts & { readonly sealer: Sealer };

/**
 * What the calls of an alarm's webhooks are signed with: see {@link webhookSecret}. They belong to the alarm's name, so that a receiver can be set up
 * first.
 */
export function alarmSecret(ports: SecretPorts, account: string, alarm: string, renew = false): Promise<string> {
  const place = {
    partition: alarmsPartition(account),
    key: alarmKeys.secret(alarm),
    purpose: `webhooks of alarm ${account}/${alarm}`,
  };
  return webhookSecret(ports, place, renew);
}
