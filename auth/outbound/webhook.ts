import type { Clock } from '@slipway/storage/clock';

import { signatureHeader, signatureOf } from '../kit/index.ts';
import type { Outbound } from './client.ts';
import { OutboundError } from './errors.ts';

const webhookArn = /^arn:[^:]*:slipway:[^:]*:\d*:webhook\/(https:\/\/.+)$/;

/**
 * The address of a target that is a webhook: `https://…`, or `arn:aws:slipway:<region>:<account>:webhook/https://…` for programs that take
 * nothing but ARNs (Terraform). Undefined for anything else.
 */
export function webhookOf(target: string): string | undefined {
  if (target.startsWith('https://')) return target;
  return webhookArn.exec(target)?.[1];
}

/** The header that says which delivery it is: the same for each attempt. The signature is over it too. */
const deliveryHeader = 'slipway-delivery';

/** Milliseconds for one call with everything in it. */
const timeLimit = 10_000;

export interface WebhookPorts {
  /** The guarded client: addresses are the users'. */
  readonly outbound: Pick<Outbound, 'fetch'>;
  readonly clock: Clock;
}

/**
 * Tells a webhook once: `POST` with JSON, signed as deployments' hooks are. No redirect is followed.
 * @returns why it was not told; undefined: it was, with an answer of 200 to 299
 * @throws what `over` was aborted with
 */
export async function tellWebhook(
  { outbound, clock }: WebhookPorts,
  url: string,
  { id, payload, secret }: { readonly id: string; readonly payload: object; readonly secret: string },
  over: AbortSignal,
): Promise<string | undefined> {
  const body = Buffer.from(JSON.stringify(payload));
  try {
    const { status } = await outbound.fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'slipway',
        [deliveryHeader]: id,
        [signatureHeader]: signatureOf(secret, id, Math.floor(clock.now() / 1000), body),
      },
      body,
      signal: over,
      timeoutMs: timeLimit,
    });
    return status >= 200 && status <= 299 ? undefined : `It answered with HTTP status ${status}.`;
  } catch (error) {
    over.throwIfAborted();
    // The client's words, never its detail, which would tell what our network looks like.
    if (error instanceof OutboundError) return error.message;
    throw error;
  }
}
