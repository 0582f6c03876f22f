/** A token that is not accepted. The message is for logs; callers learn only that it was not accepted. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
}

/** A scope text that no grammar allows; the caller's mistake, worth a 400. */
export class ScopeError extends Error {
  override readonly name = 'ScopeError';
}
