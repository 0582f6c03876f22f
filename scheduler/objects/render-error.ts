import { AwsError, GatewayError, type WebService } from '@slipway/auth/contract';
import { SignatureError } from '@slipway/auth/sigv4';
import { BlobStoreError } from '@slipway/storage/blobs';
import { StoreUnavailable } from '@slipway/storage/records';

import { writeError } from './xml.ts';

type Known = readonly [status: number, code: string, message?: string];

const ofGateway: Readonly<Record<GatewayError['kind'], Known>> = {
  unauthenticated: [403, 'AccessDenied', 'Access Denied'],
  denied: [403, 'AccessDenied'],
  'not-found': [404, 'NoSuchKey'],
  'method-not-allowed': [405, 'MethodNotAllowed'],
  throttled: [503, 'SlowDown'],
  'too-large': [400, 'EntityTooLarge'],
  'bad-request': [400, 'InvalidRequest'],
  unavailable: [503, 'ServiceUnavailable'],
};

const ofSignature: Readonly<Record<SignatureError['problem'], Known>> = {
  missing: [403, 'AccessDenied', 'Access Denied'],
  incomplete: [400, 'AuthorizationHeaderMalformed'],
  'unknown-key': [403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.'],
  'expired-token': [400, 'ExpiredToken', 'The provided token has expired.'],
  'expired-request': [403, 'AccessDenied', 'Request has expired'],
  mismatch: [403, 'SignatureDoesNotMatch'],
  'altered-body': [400, 'XAmzContentSHA256Mismatch'],
  'malformed-body': [400, 'InvalidRequest'],
};

function known(error: unknown): Known {
  if (error instanceof AwsError) return [error.status, error.code];
  if (error instanceof GatewayError) return ofGateway[error.kind];
  if (error instanceof SignatureError) return ofSignature[error.problem];
  if (error instanceof BlobStoreError && error.code === 'full')
    return [507, 'InsufficientStorage', 'The blob store is full.'];
  if (error instanceof BlobStoreError || error instanceof StoreUnavailable)
    return [503, 'ServiceUnavailable', 'The store cannot be reached; try again.'];
  return [500, 'InternalError', 'We encountered an internal error. Please try again.'];
}

/**
 * More of a body than this is not taken from who will read an error instead: its connection ends, which most clients report in place of
 * the error. It is a part as clients send them (the AWS CLI has 8 MiB), and what is taken is held nowhere.
 */
const mostLeft = 16 * 1024 * 1024;

/** Errors as S3 writes them (S3 API reference, "Error responses"). */
export const renderError: WebService['renderError'] = (ctx, error) => {
  const [status, code, message] = known(error);
  const requestId = String(ctx.res.getHeader('x-amzn-requestid') ?? '');
  ctx.set('x-amz-request-id', requestId);
  ctx.status = status;
  if (!ctx.req.complete) {
    const { 'content-length': length, 'x-amz-decoded-content-length': meant } = ctx.req.headers;
    if (Number(length ?? meant ?? NaN) <= mostLeft) ctx.req.resume();
    else ctx.set('Connection', 'close');
  }
  ctx.set('Content-Type', 'application/xml');
  ctx.body = writeError({
    Code: code,
    Message: message ?? (error as Error).message,
    Resource: ctx.path,
    RequestId: requestId,
  });
};
