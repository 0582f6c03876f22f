import { onlyAsked } from '../audit/index.ts';
import type { Denial } from '../contract/index.ts';
import type { Exchange } from './exchange.ts';
import type { Origins } from './origin.ts';

/** Nothing waits for what is only explained. */
const never = new AbortController().signal;

/**
 * What a request was refused by policies for. Undefined where it was not: it was answered, its proof was not good, nobody has asked it, or
 * only whether it would be allowed was asked.
 * @param now milliseconds since the epoch
 */
export function denialOf(
  exchange: Exchange,
  now: number,
  { region }: { readonly region: string },
  origins: Origins,
): Denial | undefined {
  const { status, principal, decisive, detail, service, operation, via, requestId, sourceIp, request } = exchange;
  if (status < 400 || principal.type === 'anonymous' || detail === onlyAsked) return undefined;
  if (decisive === undefined || decisive.decision.allowed) return undefined;
  return {
    service,
    operation,
    via,
    ...decisive,
    call: {
      requestId,
      principal,
      account: principal.account,
      region,
      endpoint: origins.endpoint(request, via !== 'none'),
      sourceIp,
      userAgent: (request.headers['user-agent'] ?? '').slice(0, 512),
      isBrowser: via === 'browser',
      time: new Date(now),
      signal: never,
    },
  };
}
