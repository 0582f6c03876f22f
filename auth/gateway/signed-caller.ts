import { readSignature, SignatureError, type SignatureVerifier } from '../sigv4/index.ts';
import type { Exchange } from './exchange.ts';
import { GatewayError } from '../contract/index.ts';
import type { Throttle } from './throttle.ts';

/**
 * Finds out who signed a request without a body, by Signature Version 4 in its headers; the exchange has the principal afterwards.
 * @param service the signing name
 * @throws SignatureError, counted as a failed login; GatewayError `unavailable` when the credentials cannot be read, `throttled` after
 * too many failures
 */
export async function identifySigner(
  exchange: Exchange,
  service: string,
  parts: { readonly verifier: SignatureVerifier; readonly throttle: Throttle; readonly region: string },
): Promise<void> {
  const { verifier, throttle, region } = parts;
  const { method = '', url: target = '/', rawHeaders } = exchange.request;
  const signed = readSignature({ method, target, rawHeaders });
  exchange.via = 'sigv4';
  try {
    const opened = await verifier.open(signed, { service, regions: [region], presigned: false });
    exchange.principal = opened.finish(new Uint8Array(0));
  } catch (error) {
    if (!(error instanceof SignatureError))
      throw new GatewayError('unavailable', 'the credentials could not be checked', 1);
    exchange.detail = error.detail;
    await throttle.failed(exchange, signed.claim.accessKeyId);
    throw error;
  }
}
