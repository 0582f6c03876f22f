import { GatewayError, statusOf, type WebService } from '@slipway/auth/contract';

/** An error that the caller of a webhook route is to see. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Errors as `{ code, message }`; nothing else is said of what was not foreseen. */
export const renderError: WebService['renderError'] = (ctx, error) => {
  if (error instanceof WebhookError) {
    ctx.status = error.status;
    ctx.body = { code: error.code, message: error.message };
  } else if (error instanceof GatewayError) {
    ctx.status = statusOf[error.kind];
    if (error.retryAfter !== undefined) ctx.set('Retry-After', String(error.retryAfter));
    ctx.body = { code: error.kind, message: error.message };
  } else {
    ctx.status = 500;
    ctx.body = { code: 'internal', message: 'The request could not be served.' };
  }
};
