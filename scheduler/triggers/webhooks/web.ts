import { renderPlainError, type WebService } from '@slipway/auth/contract';

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

/** Errors as `{ code, message }`. */
export const renderError: WebService['renderError'] = (ctx, error) => {
  if (!(error instanceof WebhookError)) return renderPlainError(ctx, error);
  ctx.status = error.status;
  ctx.body = { code: error.code, message: error.message };
};
