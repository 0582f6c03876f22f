export type RemoteErrorCode = 'not-found' | 'denied' | 'too-many-requests' | 'refused' | 'unavailable' | 'corrupt';

/** Another registry did not do what it was asked. The message is for an operator; it holds nothing secret. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';
  readonly code: RemoteErrorCode;
  /** HTTP status, when there was an answer. */
  readonly status: number | undefined;
  constructor(code: RemoteErrorCode, message: string, options: ErrorOptions & { status?: number } = {}) {
    super(message, options);
    this.code = code;
    this.status = options.status;
  }
}

export function errorOf(status: number, what: string, body: string): RemoteError {
  const code: RemoteErrorCode =
    status === 404
      ? 'not-found'
      : status === 401 || status === 403
        ? 'denied'
        : status === 429
          ? 'too-many-requests'
          : status >= 500
            ? 'unavailable'
            : 'refused';
  return new RemoteError(code, `${what}: ${status} ${body.replace(/[^\x20-\x7e]/g, ' ').slice(0, 300)}`, { status });
}
