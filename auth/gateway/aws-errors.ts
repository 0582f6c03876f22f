import { StoreUnavailable } from '@slipway/storage/records';
import { type Codec, InputError, type WireError } from '../protocol/index.ts';
import { SignatureError, type SignatureProblem } from '../sigv4/index.ts';
import type { AwsServiceFront, ProtocolKind } from './aws-routes.ts';
import { AwsError, GatewayError } from '../contract/index.ts';

/** Bodies that are streamed are those of objects, which no AWS call has. */
type Problem = Exclude<SignatureProblem, 'altered-body' | 'malformed-body'>;
type Names = Readonly<Record<Problem | GatewayError['kind'], readonly [code: string, status: number]>>;

/** What the JSON services call the errors of the front door. */
const jsonNames: Names = {
  missing: ['MissingAuthenticationTokenException', 400],
  incomplete: ['IncompleteSignatureException', 400],
  'unknown-key': ['UnrecognizedClientException', 400],
  'expired-token': ['ExpiredTokenException', 400],
  'expired-request': ['RequestExpired', 400],
  mismatch: ['InvalidSignatureException', 400],
  unauthenticated: ['MissingAuthenticationTokenException', 400],
  denied: ['AccessDeniedException', 400],
  'not-found': ['UnknownOperationException', 400],
  'method-not-allowed': ['UnknownOperationException', 400],
  throttled: ['ThrottlingException', 400],
  'too-large': ['RequestEntityTooLarge', 413],
  'bad-request': ['SerializationException', 400],
  unavailable: ['ServiceUnavailable', 503],
};

/** What the Query services call them. */
const queryNames: Names = {
  missing: ['MissingAuthenticationToken', 403],
  incomplete: ['IncompleteSignature', 400],
  'unknown-key': ['InvalidClientTokenId', 403],
  'expired-token': ['ExpiredToken', 403],
  'expired-request': ['RequestExpired', 400],
  mismatch: ['SignatureDoesNotMatch', 403],
  unauthenticated: ['MissingAuthenticationToken', 403],
  denied: ['AccessDenied', 403],
  'not-found': ['InvalidAction', 400],
  'method-not-allowed': ['InvalidAction', 400],
  throttled: ['Throttling', 400],
  'too-large': ['RequestEntityTooLarge', 413],
  'bad-request': ['MalformedInput', 400],
  unavailable: ['ServiceUnavailable', 503],
};

/** What EC2 calls them (EC2 API reference, "Error codes"). */
const ec2Names: Names = {
  missing: ['AuthFailure', 401],
  incomplete: ['IncompleteSignature', 400],
  'unknown-key': ['AuthFailure', 401],
  'expired-token': ['RequestExpired', 400],
  'expired-request': ['RequestExpired', 400],
  mismatch: ['SignatureDoesNotMatch', 403],
  unauthenticated: ['AuthFailure', 401],
  denied: ['UnauthorizedOperation', 403],
  'not-found': ['InvalidAction', 400],
  'method-not-allowed': ['InvalidAction', 400],
  throttled: ['RequestLimitExceeded', 503],
  'too-large': ['RequestEntityTooLarge', 413],
  'bad-request': ['InvalidParameterValue', 400],
  unavailable: ['Unavailable', 503],
};

/** The REST services have the names of the JSON services, and say more by the status. */
const restNames: Names = {
  ...jsonNames,
  missing: ['MissingAuthenticationTokenException', 403],
  incomplete: ['IncompleteSignatureException', 403],
  'unknown-key': ['UnrecognizedClientException', 403],
  'expired-token': ['ExpiredTokenException', 403],
  mismatch: ['InvalidSignatureException', 403],
  unauthenticated: ['MissingAuthenticationTokenException', 403],
  denied: ['AccessDeniedException', 403],
  'not-found': ['UnknownOperationException', 404],
  'method-not-allowed': ['UnknownOperationException', 404],
  throttled: ['ThrottlingException', 429],
};

const namesOf: Readonly<Record<ProtocolKind, Names>> = {
  'aws-json': jsonNames,
  'rpc-v2-cbor': jsonNames,
  'rest-json': restNames,
  'aws-query': queryNames,
  'ec2-query': ec2Names,
};

/** Turns anything thrown into the caller's error; undefined when it is ours to log and nobody's to see. */
export function wireErrorOf(
  error: unknown,
  kind: ProtocolKind,
  service?: AwsServiceFront,
  codec?: Codec,
): WireError | undefined {
  const names = namesOf[kind];
  if (error instanceof AwsError) {
    return { code: error.code, message: error.message, status: error.status, members: error.members };
  }
  if (error instanceof InputError) {
    if (service?.model !== undefined && codec !== undefined) return codec.inputError(error, service.model);
    return { code: names['bad-request'][0], message: error.message };
  }
  if (error instanceof SignatureError) return named(names[error.problem as Problem], error.message);
  if (error instanceof GatewayError) return named(names[error.kind], error.message);
  if (error instanceof StoreUnavailable) return named(names.unavailable, 'The service is unavailable; try again.');
  return undefined;
}

/** What callers see of an error that is ours. */
export function internalError(kind: ProtocolKind, service: AwsServiceFront | undefined, requestId: string): WireError {
  const named = kind === 'aws-json' && service?.model?.errors.has('ServerException') === true;
  const code = named ? 'ServerException' : kind === 'ec2-query' ? 'InternalError' : 'InternalFailure';
  return {
    code,
    status: 500,
    message: `The request could not be completed because of an error of the server. Request id: ${requestId}`,
  };
}

const named = ([code, status]: readonly [string, number], message: string): WireError => ({ code, message, status });
