import { tellWebhook, type WebhookPorts } from '@slipway/auth/outbound';

import { controlMessage } from './payload.ts';
import { subscriptionSecret, type SubscriptionSecretPorts } from './secrets.ts';

/** Calls a receiver with a control message, signed as what follows will be. @returns why that was not taken */
export type ReceiverTest = (
  account: string,
  names: { readonly group: string; readonly filter: string },
  url: string,
) => Promise<string | undefined>;

export const receiverTest =
  (ports: WebhookPorts & SubscriptionSecretPorts): ReceiverTest =>
  async (account, names, url) => {
    const secret = await subscriptionSecret(ports, account, names);
    const id = Buffer.from(ports.random(16)).toString('hex');
    const payload = await controlMessage(ports.clock.now());
    return tellWebhook(ports, url, { id, payload, secret }, new AbortController().signal);
  };
