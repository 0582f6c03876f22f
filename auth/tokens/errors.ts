/** A token that is not accepted. The message is for logs; callers learn only that it was not accepted, or has expired. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  /** Whether it is one of ours that has ended: its holder may be told so. */
  readonly expired: boolean;

  constructor(message: string, options: ErrorOptions & { readonly expired?: boolean } = {}) {
    super(message, options);
    this.expired = options.expired ?? false;
  }
}

/** A scope text that no grammar allows; the caller's mistake, worth a 400. */
export class ScopeError extends Error {
  override readonly name = 'ScopeError';
}
