/** The server could not start to listen. The message says what to do about it; print it and exit. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly kind: 'in-use' | 'no-permission' | 'bad-address' | 'insecure' | 'certificate';
  constructor(kind: ListenError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** The gateway was put together wrongly: a programming mistake that must not reach a running server. */
export class GatewayConfigError extends Error {
  override readonly name = 'GatewayConfigError';
}
