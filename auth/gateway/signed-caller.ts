import { readSignature, SignatureError, type SignatureVerifier } from '../sigv4/index.ts';
import type { Exchange } from './exchange.ts';
import { GatewayError } from '../contract/index.ts';
import type { Throttle } from './throttle.ts';

/** What finds out who signed a request. */
export interface SignerParts {
  readonly verifier: SignatureVerifier;
  readonly throttle: Throttle;
  readonly region: string;
}

/**
 * What a caller whose signature could not be verified is told. One that does not stand counts as a failed login, and the audit
 * line says what was wrong, and which key was named.
 * @param claimed the access key; empty when the request names none that can be read
 * @returns the SignatureError; GatewayError `unavailable` when the credentials could not be read: nobody may be let in then, and
 *   nobody be told that their key is wrong
 * @throws GatewayError `throttled` after too many failures
 */
export async function unverified(
  error: unknown,
  exchange: Exchange,
  throttle: Throttle,
  claimed: string,
): Promise<SignatureError | GatewayError> {
  if (!(error instanceof SignatureError)) {
    exchange.detail = `credentials could not be read: ${error instanceof Error ? error.message : 'unknown'}`;
    return new GatewayError('unavailable', 'The service is unavailable; try again.', 1);
  }
  exchange.detail = claimed === '' ? error.detail : `${error.detail} (access key ${claimed.slice(0, 32)})`;
  await throttle.failed(exchange, claimed);
  return error;
}

/**
 * Finds out who signed a request without a body, by Signature Version 4 in its headers; the exchange has the principal afterwards.
 * @param service the signing name
 * @throws SignatureError, counted as a failed login; GatewayError `unavailable` when the credentials cannot be read, `throttled` after
 * too many failures
 */
export async function identifySigner(
  exchange: Exchange,
  service: string,
  { verifier, throttle, region }: SignerParts,
): Promise<void> {
  const { method = '', url: target = '/', rawHeaders } = exchange.request;
  const signed = readSignature({ method, target, rawHeaders });
  exchange.via = 'sigv4';
  try {
    const opened = await verifier.open(signed, { service, regions: [region], presigned: false });
    exchange.principal = opened.finish(new Uint8Array(0));
  } catch (error) {
    throw await unverified(error, exchange, throttle, signed.claim.accessKeyId);
  }
}
