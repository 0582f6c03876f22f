import type { IncomingMessage } from 'node:http';
import { type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { TargetGroup } from '../../../routing/index.ts';
import { type Pairs, pairsOf } from './headers.ts';

/** A target's answer, over whichever version it came: head, body, and what came after it. */
export interface Incoming extends Readable {
  readonly statusCode?: number | undefined;
  readonly statusMessage?: string | undefined;
  readonly rawHeaders: string[];
  /** Known when the body has ended. */
  readonly rawTrailers: string[];
  /** Whether the body ended where it should; asked when it has ended. */
  readonly complete: boolean;
}

/** Whether a request and a group do not speak the same (ELB answers 464): gRPC is POST over HTTP/2, to groups of gRPC or HTTP/2. */
export function isMismatch({ protocolVersion }: TargetGroup, request: IncomingMessage): boolean {
  const isHttp2 = request.httpVersionMajor === 2;
  if (protocolVersion === 'HTTP1')
    return isHttp2 && (request.headers['content-type'] ?? '').toLowerCase().startsWith('application/grpc');
  return !isHttp2 || (protocolVersion === 'GRPC' && request.method !== 'POST');
}

/** Begins a request over a connection of its own that is open; the session ends with it. `headers` as for HTTP/1.1, flat. */
export function requestHttp2(
  socket: Socket,
  given: {
    readonly scheme: 'http' | 'https';
    readonly method: string;
    readonly path: string;
    readonly headers: readonly string[];
    readonly endStream: boolean;
  },
): ClientHttp2Stream {
  const { scheme, method, path, endStream } = given;
  const session = connect(`${scheme}://target`, { createConnection: () => socket });
  session.on('error', () => undefined);
  const stream = session.request(
    {
      ...headersOf(pairsOf(given.headers)),
      [constants.HTTP2_HEADER_METHOD]: method,
      [constants.HTTP2_HEADER_PATH]: path,
      [constants.HTTP2_HEADER_SCHEME]: scheme,
    },
    { endStream },
  );
  stream.on('close', () => session.destroy());
  return stream;
}

/** What belongs to connections of HTTP/1.1 is none of HTTP/2's (RFC 9113, section 8.2.2). */
function headersOf(pairs: Pairs): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null) as Record<string, never>;
  for (const [key, value] of pairs) {
    const name = key.toLowerCase();
    if (name === 'transfer-encoding' || name === 'connection' || name === 'upgrade') continue;
    if (name === 'te' && value.trim().toLowerCase() !== 'trailers') continue;
    if (name === 'host') headers[constants.HTTP2_HEADER_AUTHORITY] = value;
    else headers[name] = headers[name] === undefined ? value : [headers[name], value].flat();
  }
  return headers;
}

/** The answer on a stream whose head has come. */
export function incomingOf(stream: ClientHttp2Stream, head: Readonly<Record<string, unknown>>): Incoming {
  const flat = (headers: Readonly<Record<string, unknown>>): string[] =>
    Object.entries(headers).flatMap(([name, value]) =>
      name.startsWith(':') ? [] : [value].flat().flatMap((one) => [name, String(one)]),
    );
  const rawTrailers: string[] = [];
  stream.on('trailers', (trailers) => rawTrailers.push(...flat(trailers as Readonly<Record<string, unknown>>)));
  return Object.defineProperties(stream as unknown as Incoming, {
    statusCode: { value: Number(head[constants.HTTP2_HEADER_STATUS]) },
    statusMessage: { value: '' },
    rawHeaders: { value: flat(head) },
    rawTrailers: { value: rawTrailers },
    complete: { get: () => stream.rstCode === constants.NGHTTP2_NO_ERROR },
  });
}
