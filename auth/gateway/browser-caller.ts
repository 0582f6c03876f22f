import { onlyAsked } from '../audit/index.ts';
import { type BrowserCalls, GatewayError } from '../contract/index.ts';
import type { Exchange } from './exchange.ts';
import type { Origins } from './origin.ts';
import type { Throttle } from './throttle.ts';

/** Has a browser's call decoded, validated and authorized, and then not made: pages show no buttons that would be refused. */
const onlyAsksHeader = 'x-slipway-only-ask';

/** Whether a browser's call is to be decided and not made. */
export const asksOnly = ({ request }: Exchange): boolean => request.headers[onlyAsksHeader] !== undefined;

/**
 * Finds out whose session a request of a browser comes by; the exchange has the principal afterwards.
 * @throws GatewayError `unauthenticated`, counted as a failed login; `denied` for what no page of ours has sent
 */
export async function browserCaller(
  exchange: Exchange,
  browser: BrowserCalls,
  { origins, throttle }: { readonly origins: Origins; readonly throttle: Throttle },
): Promise<void> {
  const { request } = exchange;
  exchange.via = 'browser';
  try {
    exchange.principal = await browser.caller(request, origins.endpoint(request, false));
  } catch (error) {
    if (error instanceof GatewayError && error.kind === 'unauthenticated') await throttle.failed(exchange, 'browser');
    throw error;
  }
  // Said whatever comes of it: a refusal would look like an attempt.
  if (asksOnly(exchange)) exchange.detail = onlyAsked;
}
