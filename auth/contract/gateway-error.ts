/** What the gateway throws, for `renderError` to put into the service's format. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly kind:
    | 'unauthenticated'
    | 'denied'
    | 'not-found'
    | 'method-not-allowed'
    | 'throttled'
    | 'too-large'
    | 'bad-request'
    | 'unavailable';
  /** Seconds, for `throttled` and `unavailable`. */
  readonly retryAfter?: number;
  /** The exact `WWW-Authenticate` value, for `unauthenticated`; the gateway sets the header itself when the service did not. */
  readonly challenge?: string;
  constructor(kind: GatewayError['kind'], message: string, retryAfter?: number, challenge?: string) {
    super(message);
    this.kind = kind;
    if (retryAfter !== undefined) this.retryAfter = retryAfter;
    if (challenge !== undefined) this.challenge = challenge;
  }
}

/** The HTTP status of each kind, for services without a protocol that says another. */
export const statusOf: Readonly<Record<GatewayError['kind'], number>> = {
  unauthenticated: 401,
  denied: 403,
  'not-found': 404,
  'method-not-allowed': 405,
  throttled: 429,
  'too-large': 413,
  'bad-request': 400,
  unavailable: 503,
};
