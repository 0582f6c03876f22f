import type { TLSSocket } from 'node:tls';
import type { Span, Tracing } from '@slipway/storage/telemetry';
import type { Exchange } from './exchange.ts';
import { printable } from './printable.ts';

/** What load balancers and Prometheus ask all day is not worth a trace. */
const untraced = /^\/(?:healthz|readyz|metrics)(?:\?|$)/;

/**
 * Begins the span of a request. Neither its query nor, before its service is known, its path is told: both can carry what lets
 * somebody in (signed queries, download tokens).
 */
export function beginSpan(tracing: Tracing, { request, requestId, sourceIp }: Exchange): Span | undefined {
  if (untraced.test(request.url ?? '')) return undefined;
  const method = request.method ?? '_OTHER';
  return tracing.begin(method, request.headers, {
    kind: 'server',
    attributes: {
      'http.request.method': method,
      'url.scheme': (request.socket as TLSSocket).encrypted ? 'https' : 'http',
      'network.protocol.version': request.httpVersion,
      'client.address': sourceIp,
      'user_agent.original': printable(request.headers['user-agent'] ?? '', 256),
      'slipway.request_id': requestId,
    },
  });
}

/** Ends it with what was learned about the request on the way. */
export function endSpan(span: Span, exchange: Exchange): void {
  const { service, operation, principal, decisive, status, errorCode, request } = exchange;
  if (operation !== '') span.rename(`${service} ${operation}`);
  span.set({
    'http.response.status_code': status,
    'slipway.service': service,
    'slipway.operation': operation,
    'slipway.account': principal.account,
    'slipway.caller': principal.type,
    'slipway.via': exchange.via,
    ...(service === 'distribution' ? { 'url.path': printable(request.url?.split('?', 1)[0] ?? '', 512) } : {}),
    ...(decisive === undefined
      ? {}
      : {
          'slipway.action': decisive.access.action,
          'slipway.resource': decisive.access.resources[0]?.arn,
          'slipway.decision': decisive.decision.allowed ? 'allowed' : 'denied',
        }),
    'slipway.error': errorCode,
  });
  if (status >= 500) span.fail(errorCode ?? String(status));
  span.end();
}
