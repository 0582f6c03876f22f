/**
 * A request to an address that a user gave could not be made. The message is the same for everything that would let the
 * user explore our network with us; `detail` is for our log.
 */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  readonly kind: 'bad-url' | 'unreachable' | 'timeout' | 'too-large' | 'redirect';
  readonly detail: string;
  constructor(kind: OutboundError['kind'], message: string, detail: string = message, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
    this.detail = detail;
  }
}
