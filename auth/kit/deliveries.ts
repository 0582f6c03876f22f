import { createHmac, timingSafeEqual } from 'node:crypto';

/** The header that carries a delivery's time and signature: `t=<seconds since the epoch>,v1=<hexadecimal>`. */
export const signatureHeader = 'slipway-signature';

/** How far a delivery's time may be from ours. Milliseconds. */
export const deliveryWindow = 300_000;

/** HMAC-SHA-256 over time, the id of what is delivered to, and the body as sent; what signs one is no good for another. */
function sign(secret: string, id: string, seconds: number, body: Uint8Array): string {
  return createHmac('sha256', secret).update(`${seconds}.${id}.`).update(body).digest('hex');
}

/** A header that {@link verifyDelivery} accepts. */
export const signatureOf = (secret: string, id: string, seconds: number, body: Uint8Array): string =>
  `t=${seconds},v1=${sign(secret, id, seconds, body)}`;

/**
 * Whether a header signs this body for this hook, now. Takes the same time for every wrong signature.
 * @returns the signature, which is used once; undefined when it is not good
 */
export function verifyDelivery(
  header: string | undefined,
  signed: { readonly secret: string; readonly id: string; readonly body: Uint8Array; readonly now: number },
): string | undefined {
  const [, time = '0', given = ''] = /^t=([1-9]\d{0,11}),v1=([0-9a-f]{64})$/.exec(header ?? '') ?? [];
  const expected = sign(signed.secret, signed.id, Number(time), signed.body);
  const equal = timingSafeEqual(Buffer.from(expected), Buffer.from(given.padEnd(64, '-')));
  return equal && Math.abs(signed.now - Number(time) * 1000) <= deliveryWindow ? given : undefined;
}
