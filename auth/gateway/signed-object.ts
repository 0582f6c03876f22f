import type { IncomingMessage } from 'node:http';
import { GatewayError, type StreamedBody, type WebService } from '../contract/index.ts';
import { readObject, readSignature, SignatureError } from '../sigv4/index.ts';
import type { Exchange } from './exchange.ts';
import { type SignerParts, unverified } from './signed-caller.ts';

/** The signing name of a service of objects; undefined of another. */
export const objectsOf = ({ authentication }: WebService): string | undefined =>
  typeof authentication === 'object' && 'objects' in authentication ? authentication.objects : undefined;

/**
 * Whether a request says that it is signed for a name: that alone tells requests for buckets from others, since buckets may have the names
 * of our own paths. What it says is verified later.
 */
export function isSignedFor({ headers: { authorization } }: IncomingMessage, url: string, name: string): boolean {
  if (authorization !== undefined)
    return authorization.startsWith('AWS4-') && authorization.slice(0, 1024).includes(`/${name}/aws4_request`);
  const at = url.indexOf('?');
  return (
    at !== -1 && new RegExp(`[?&]X-Amz-Credential=[^&?]*(?:%2F|/)${name}(?:%2F|/)aws4_request`, 'i').test(url.slice(at))
  );
}

/** Whether a path begins with what may be a bucket (S3 user guide, "Bucket naming rules"), and is none of the gateway's own. */
export const mayNameBucket = (url: string): boolean =>
  /^\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:[/?]|$)/.test(url) && !/^\/(?:healthz|readyz|metrics|token)(?:\?|$)/.test(url);

/**
 * Finds out who signed a request for an object, and what its body must be. Without a signature it is nobody's, and its body stays unread.
 * @throws SignatureError, counted as a failed login; GatewayError `unavailable`, `throttled`, `bad-request`
 */
export async function identifyObjectSigner(
  exchange: Exchange,
  service: string,
  { verifier, throttle, region }: SignerParts,
): Promise<StreamedBody> {
  const { request } = exchange;
  const { method = '', url: target = '/', rawHeaders, headers } = request;
  let claimed = '';
  try {
    const signed = readSignature({ method, target, rawHeaders });
    claimed = signed.claim.accessKeyId;
    exchange.via = signed.claim.kind === 'presigned' ? 'presigned' : 'sigv4';
    const { principal, payload } = await verifier.openObject(signed, { service, regions: [region] });
    exchange.principal = principal;
    const length = lengthOf(
      payload.kind === 'chunks' ? headers['x-amz-decoded-content-length'] : lengthHeader(request),
    );
    return {
      length,
      sha256: payload.kind === 'whole' ? payload.sha256 : undefined,
      ...readObject(unbroken(request), payload, length),
    };
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    if (error instanceof SignatureError && error.problem === 'missing') {
      if (target.includes('AWSAccessKeyId=')) throw older();
      return nothing;
    }
    throw await unverified(error, exchange, throttle, claimed);
  }
}

/** Signature Version 2, which the AWS CLI 1 and boto3 still presign with unless they are told otherwise. */
const older = (): SignatureError =>
  new SignatureError(
    'incomplete',
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256 (s3.signature_version = s3v4).',
  );

/** A body whose connection stays when it is not read to its end: an answer is to follow. */
const unbroken = (request: IncomingMessage): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }),
});

/** Of a request that is nobody's. */
export const nothing: StreamedBody = {
  length: 0,
  sha256: undefined,
  bytes: { async *[Symbol.asyncIterator]() {} },
  trailers: new Map(),
};

/** A request without a length and without chunks has no body. */
const lengthHeader = ({ headers }: IncomingMessage): string | undefined =>
  headers['content-length'] ?? (headers['transfer-encoding'] === undefined ? '0' : undefined);

function lengthOf(text: string | string[] | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text))
    throw new GatewayError('bad-request', 'the length of the body is not a number of bytes');
  return Number(text);
}
