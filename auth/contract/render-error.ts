import { AwsError } from './aws-error.ts';
import { GatewayError, statusOf } from './gateway-error.ts';
import type { WebService } from './web.ts';

/**
 * Errors as `{ code, message }`, for routes of the server's own that speak no protocol of others: those of AWS under their codes, the
 * gateway's under their kinds; nothing else is said of what was not foreseen.
 */
export const renderPlainError: WebService['renderError'] = (ctx, error) => {
  if (error instanceof AwsError) {
    ctx.status = error.status;
    ctx.body = { code: error.code, message: error.message };
  } else if (error instanceof GatewayError) {
    ctx.status = statusOf[error.kind];
    ctx.body = { code: error.kind, message: error.message };
  } else {
    ctx.status = 500;
    ctx.body = { code: 'internal', message: 'The request could not be served.' };
  }
};
