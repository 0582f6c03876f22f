import { GatewayError } from '@slipway/auth/contract';
import { BlobStoreError } from '@slipway/storage/blobs';
import { StoreUnavailable } from '@slipway/storage/records';
import type Koa from 'koa';
import { ImagesError, type ImagesErrorCode } from '../images/index.ts';

/** A refusal that only this API knows. */
export class DistributionError extends Error {
  override readonly name = 'DistributionError';
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * The domain's refusals in the codes that the specification has. `TAG_INVALID` is not one of them: it is what ECR answers to a push of a tag
 * that must not move, and what docker shows with the reason behind it.
 */
const codes: Readonly<Record<ImagesErrorCode, readonly [status: number, code: string]>> = {
  RepositoryNameInvalid: [400, 'NAME_INVALID'],
  RepositoryNotFound: [404, 'NAME_UNKNOWN'],
  RepositoryAlreadyExists: [409, 'NAME_INVALID'],
  RepositoryNotEmpty: [409, 'UNSUPPORTED'],
  RepositoryPolicyNotFound: [404, 'NAME_UNKNOWN'],
  LifecyclePolicyNotFound: [404, 'NAME_UNKNOWN'],
  RegistryPolicyNotFound: [404, 'NAME_UNKNOWN'],
  TagInvalid: [400, 'MANIFEST_INVALID'],
  DigestInvalid: [400, 'DIGEST_INVALID'],
  ManifestInvalid: [400, 'MANIFEST_INVALID'],
  ManifestTooLarge: [413, 'SIZE_INVALID'],
  ManifestNotFound: [404, 'MANIFEST_UNKNOWN'],
  ManifestInUse: [403, 'DENIED'],
  PullRefused: [403, 'DENIED'],
  LayersNotFound: [400, 'MANIFEST_BLOB_UNKNOWN'],
  ReferencedImagesNotFound: [400, 'MANIFEST_BLOB_UNKNOWN'],
  ImageTagAlreadyExists: [400, 'TAG_INVALID'],
  ImageDigestDoesNotMatch: [400, 'DIGEST_INVALID'],
  BlobNotFound: [404, 'BLOB_UNKNOWN'],
  BlobInUse: [403, 'DENIED'],
  BlobTooLarge: [413, 'SIZE_INVALID'],
  UploadNotFound: [404, 'BLOB_UPLOAD_UNKNOWN'],
  UploadRangeInvalid: [416, 'BLOB_UPLOAD_INVALID'],
  UploadSizeInvalid: [400, 'SIZE_INVALID'],
  UploadDigestMismatch: [400, 'DIGEST_INVALID'],
  UploadEmpty: [400, 'SIZE_INVALID'],
  UploadPartTooSmall: [400, 'SIZE_INVALID'],
  TooManyUploads: [429, 'TOOMANYREQUESTS'],
  TooManyTags: [403, 'DENIED'],
  TooManyImages: [403, 'DENIED'],
  TooManyRepositories: [403, 'DENIED'],
  PolicyInvalid: [400, 'UNSUPPORTED'],
  LifecyclePolicyInvalid: [400, 'UNSUPPORTED'],
};

const gatewayCodes: Readonly<Record<GatewayError['kind'], readonly [status: number, code: string]>> = {
  unauthenticated: [401, 'UNAUTHORIZED'],
  denied: [403, 'DENIED'],
  'not-found': [404, 'NAME_UNKNOWN'],
  'method-not-allowed': [405, 'UNSUPPORTED'],
  throttled: [429, 'TOOMANYREQUESTS'],
  'too-large': [413, 'SIZE_INVALID'],
  'bad-request': [400, 'UNSUPPORTED'],
  unavailable: [503, 'UNAVAILABLE'],
};

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly detail?: ImagesError['detail'];
  readonly retryAfter?: number;
}

function answerFor(error: unknown): Answer {
  if (error instanceof ImagesError) {
    const [status, code] = codes[error.code];
    return {
      status,
      code,
      message: error.message,
      detail: error.detail,
      ...(status === 429 ? { retryAfter: 10 } : {}),
    };
  }
  if (error instanceof DistributionError) return { status: error.status, code: error.code, message: error.message };
  if (error instanceof GatewayError) {
    const [status, code] = gatewayCodes[error.kind];
    return {
      status,
      code,
      message: error.message,
      ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }),
    };
  }
  if (error instanceof BlobStoreError && error.code === 'full') {
    return {
      status: 507,
      code: 'UNAVAILABLE',
      message: 'The registry has no room left. Try again when space has been made.',
    };
  }
  if (error instanceof BlobStoreError || error instanceof StoreUnavailable) {
    return {
      status: 503,
      code: 'UNAVAILABLE',
      message: 'The registry cannot reach its storage right now. Try again.',
      retryAfter: 5,
    };
  }
  return {
    status: 500,
    code: 'UNKNOWN',
    message: 'The registry failed on its own account. The request id leads to the reason in its log.',
  };
}

/** Writes any error as the specification wants it. Never a stack trace, never what a store said. */
export function renderError(ctx: Koa.Context, error: unknown): void {
  const answer = answerFor(error);
  ctx.status = answer.status;
  // What was said of the content before it failed does not hold for the error.
  for (const name of ['Cache-Control', 'ETag', 'Content-Range', 'Docker-Content-Digest']) ctx.remove(name);
  ctx.set('Docker-Distribution-API-Version', 'registry/2.0');
  if (answer.retryAfter !== undefined) ctx.set('Retry-After', String(answer.retryAfter));
  if (answer.status === 416 && typeof answer.detail?.['size'] === 'number') {
    // The upload goes on: say where.
    ctx.set('Range', `0-${Math.max(0, answer.detail['size'] - 1)}`);
    ctx.set('Location', ctx.path);
  }
  // A body that was not read would have to be read to its end before this connection can be used again.
  if (!ctx.req.complete) ctx.set('Connection', 'close');
  const detail = answer.detail !== undefined && Object.keys(answer.detail).length > 0 ? { detail: answer.detail } : {};
  ctx.body = { errors: [{ code: answer.code, message: answer.message, ...detail }] };
}
