import type { IncomingMessage } from 'node:http';
import type { HttpListener } from '../../../routing/index.ts';
import { lower } from '../../../routing/index.ts';
import { mostForwarded, type Pairs, valuesOf } from './headers.ts';

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);

/** As many header lines as HAProxy's `tune.http.maxhdr` lets through. */
const mostHeaders = 255;

/** A request that may be routed, in origin form. */
export interface Admitted {
  readonly host: string;
  readonly path: string;
  readonly query: string;
  /** As it goes to the target. */
  readonly url: string;
}

/**
 * Whether a request becomes another protocol: WebSocket alone. Any other wish to change is none, so that nobody gets past the rules to a
 * target that agrees to speak HTTP/2.
 */
export function wantsWebSocket(request: IncomingMessage): boolean {
  const { upgrade = '', 'transfer-encoding': encoding, 'content-length': length = '0' } = request.headers;
  return lower(upgrade) === 'websocket' && request.method === 'GET' && encoding === undefined && Number(length) === 0;
}

/** Takes a request's line and framing apart as both engines do it; a number is the status it is refused with. */
export function judge(request: IncomingMessage, pairs: Pairs, listener: HttpListener): Admitted | number {
  // Node forgets those beyond 2,000, and with them what says where the request ends.
  if (pairs.length > mostHeaders) return 400;
  if (!methods.has(request.method ?? '')) return 405;
  const encodings = valuesOf(pairs, 'transfer-encoding');
  if (encodings.length > 0 && (request.httpVersion === '1.0' || valuesOf(pairs, 'content-length').length > 0))
    return 400;
  // Only chunks are a framing; other codings within them are nobody's here (RFC 9112, section 6.1).
  const codings = encodings.flatMap((value) => value.split(',')).map((value) => lower(value.trim()));
  if (codings.length > 0 && codings.at(-1) !== 'chunked') return 400;
  if (codings.length > 1) return 422;
  const authority = request.httpVersionMajor === 2 ? (request.headers[':authority'] as string | undefined) : undefined;
  const hosts = authority === undefined ? valuesOf(pairs, 'host') : [authority];
  const host = hosts[0] ?? (request.httpVersion === '1.0' ? listener.dnsName : '');
  if (hosts.length > 1 || !/^[A-Za-z0-9._~%!&*+,=:[\];-]+$/.test(host)) return 400;
  let url = request.url ?? '';
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/is.exec(url);
  if (absolute !== null) {
    if (lower(absolute[1]!) !== lower(host)) return 400;
    url = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]!}`;
  }
  if (!url.startsWith('/') || url.includes('#')) return 400;
  const forwarded = valuesOf(pairs, 'x-forwarded-for').reduce((sum, value) => sum + value.split(',').length, 0);
  if (forwarded > mostForwarded) return 463;
  const mark = url.indexOf('?');
  return { host, url, path: mark === -1 ? url : url.slice(0, mark), query: mark === -1 ? '' : url.slice(mark + 1) };
}
