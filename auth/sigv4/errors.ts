/** Why a request's signature was not accepted; the gateway words it in the caller's protocol. */
export type SignatureProblem =
  /** No credentials at all. */
  | 'missing'
  /** The Authorization header or the signing parameters cannot be read or lack a part. */
  | 'incomplete'
  /** The access key is unknown, inactive, or its session token does not belong to it. */
  | 'unknown-key'
  /** Temporary credentials that have ended. */
  | 'expired-token'
  /** A presigned request past its end. */
  | 'expired-request'
  /** Signed, but not what we calculate: another secret, a changed request, a wrong scope, a clock too far off. */
  | 'mismatch'
  /** A body that is streamed differs from the hash that was signed. */
  | 'altered-body'
  /** A body in chunks that cannot be read. */
  | 'malformed-body';

/** A request whose signature was refused. `detail` is for the audit line: it tells apart what callers may not learn. */
export class SignatureError extends Error {
  override readonly name = 'SignatureError';
  readonly problem: SignatureProblem;
  readonly detail: string;
  /** The access key that the request claimed, once it was read. */
  readonly accessKeyId: string | undefined;
  constructor(problem: SignatureProblem, message: string, detail: string = message, accessKeyId?: string) {
    super(message);
    this.problem = problem;
    this.detail = detail;
    this.accessKeyId = accessKeyId;
  }
}

/** The sentence AWS answers for every signature that differs; the cause is in the audit line only. */
export const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';
