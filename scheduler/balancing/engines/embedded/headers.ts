import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { TLSSocket } from 'node:tls';
import { hostName, type HttpListener, lower } from '../../../routing/index.ts';

/** Names and values of a message in the order they came. */
export type Pairs = readonly (readonly [string, string])[];

/** Headers that are for the next hop alone (RFC 9110 7.6.1). */
const hops = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

/** More addresses in X-Forwarded-For than these are answered 463 (ELB's rule). */
export const mostForwarded = 30;

/** Whether a request has a body, by its framing. */
export function hasBody(request: IncomingMessage): boolean {
  // Node's layer for both versions calls this `IncomingMessage` too.
  const { stream } = request as unknown as Partial<Http2ServerRequest>;
  if (request.httpVersionMajor === 2 && stream !== undefined) return !stream.endAfterHeaders;
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

/** The header lines of a message; HTTP/2's own parts are not among them. */
export function pairsOf(rawHeaders: readonly string[]): Pairs {
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (!rawHeaders[i]!.startsWith(':')) pairs.push([rawHeaders[i]!, rawHeaders[i + 1]!]);
  }
  return pairs;
}

/** Every line of a header, by its lower-case name. */
export function valuesOf(pairs: Pairs, name: string): readonly string[] {
  return pairs.filter(([key]) => lower(key) === name).map(([, value]) => value);
}

/** What is passed on of a message: nothing for the next hop, nor what `Connection` names. */
export function endToEnd(pairs: Pairs): Pairs {
  const named = new Set(
    valuesOf(pairs, 'connection').flatMap((value) => value.split(',').map((name) => lower(name.trim()))),
  );
  // Without these a request would be another one.
  for (const name of ['host', 'content-length']) named.delete(name);
  return pairs.filter(([name]) => {
    const key = lower(name);
    return !hops.has(key) && !named.has(key);
  });
}

/** Value of a cookie of a request, the last of that name. */
export function cookieOf(pairs: Pairs, name: string): string | undefined {
  let found: string | undefined;
  for (const line of valuesOf(pairs, 'cookie')) {
    for (const part of line.split(';')) {
      const equals = part.indexOf('=');
      if (equals !== -1 && part.slice(0, equals).trim() === name) found = part.slice(equals + 1).trim();
    }
  }
  return found;
}

/** What clients say of these is not passed on: targets get them from the engine, or not at all. */
const replaced = new Set([
  'host',
  'expect',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-amzn-trace-id',
  'x-amzn-tls-version',
  'x-amzn-tls-cipher-suite',
]);
const forwardedFor = 'x-forwarded-for';

/** The headers that a target gets, as a flat list (ELB's rules; `balancing.md` has the table). */
export function towardsTarget(
  request: IncomingMessage,
  pairs: Pairs,
  listener: HttpListener,
  given: {
    readonly host: string;
    readonly peer: string;
    readonly now: number;
    readonly id: string;
    readonly upgrade: string | undefined;
  },
): string[] {
  const { attributes, protocol, port } = listener;
  const passed = endToEnd(pairs);
  const kept = passed.filter(([name]) => {
    const key = lower(name);
    if (replaced.has(key) || (key === forwardedFor && attributes.forwardedFor !== 'preserve')) return false;
    return !attributes.dropInvalidHeaderFields || !/[^-A-Za-z0-9]/.test(name);
  });
  const added: (readonly [string, string])[] = [
    ['Host', attributes.preserveHostHeader ? given.host : hostName(given.host)],
  ];
  if (attributes.forwardedFor === 'append') {
    const peer = attributes.forwardedForWithPort ? withPort(given.peer, request.socket.remotePort ?? 0) : given.peer;
    added.push(['X-Forwarded-For', [...valuesOf(passed, forwardedFor), peer].join(', ')]);
  }
  added.push(['X-Forwarded-Proto', protocol === 'HTTPS' ? 'https' : 'http'], ['X-Forwarded-Port', String(port)]);
  const root = /(1-[0-9a-f]{8}-[0-9a-f]{24})/.exec(valuesOf(pairs, 'x-amzn-trace-id').join())?.[1];
  const own = `1-${given.now.toString(16).padStart(8, '0')}-${given.id}`;
  added.push(['X-Amzn-Trace-Id', root === undefined ? `Root=${own}` : `Self=${own};Root=${root}`]);
  if (attributes.tlsHeaders && request.socket instanceof TLSSocket) {
    added.push(
      ['x-amzn-tls-version', request.socket.getProtocol() ?? ''],
      ['x-amzn-tls-cipher-suite', request.socket.getCipher().name],
    );
  }
  if (given.upgrade !== undefined) added.push(['Connection', 'Upgrade'], ['Upgrade', given.upgrade]);
  if (hasBody(request) && request.headers['content-length'] === undefined) added.push(['Transfer-Encoding', 'chunked']);
  return [...added, ...kept].flat();
}

/** The headers that a client gets of a target's answer. */
export function towardsClient(pairs: Pairs, listener: HttpListener, cookies: readonly string[]): string[] {
  const own = listener.attributes.responseHeaders;
  const kept = endToEnd(pairs).filter(([name]) => own[lower(name)] === undefined);
  return [...kept, ...Object.entries(own), ...cookies.map((cookie) => ['Set-Cookie', cookie] as const)].flat();
}

function withPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
