import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** Why a request's head is refused before anybody looks at what is asked for. */
export interface BadHead {
  readonly status: 400;
  readonly message: string;
}

/**
 * What is wrong with the framing of a request, so that a proxy before us and we, or two places here, cannot take it for two different ones
 * (RFC 9112, sections 3.2 and 6.1). Node refuses the rest: two lengths, a length beside `chunked`, no Host, bare line feeds. What comes behind a
 * `#` belongs to a query for whoever cuts it off at the `?`, and to nothing for `URL`: one would authorize what the other one does not do.
 */
export function badHead(request: IncomingMessage): BadHead | undefined {
  const { rawHeaders, httpVersionMinor, headers, url = '' } = request;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  if (hosts > 1) return { status: 400, message: 'There must be one Host header.' };
  if (httpVersionMinor === 0 && headers['transfer-encoding'] !== undefined)
    return { status: 400, message: 'HTTP/1.0 knows no Transfer-Encoding.' };
  if (url.includes('#')) return { status: 400, message: 'A request target has no #: write it as %23.' };
  return undefined;
}

/** Whether a request asks for a protocol that something here speaks; one that asks for another is served as if it had not asked. @param protocols in lower case */
export const asksForUpgrade = ({ headers }: IncomingMessage, protocols: ReadonlySet<string>): boolean =>
  headers.upgrade !== undefined && protocols.has(headers.upgrade.toLowerCase());

/** Whether a body comes with it. Node would hand an upgrade's connection over before that body was there. */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || !/^0*$/.test(headers['content-length'] ?? '');

/** Sends a plain answer over a connection that no response belongs to, and ends it. */
export function answerRaw(socket: Duplex, status: string, headers: readonly string[], body: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const lines = [...headers, 'Connection: close', `Content-Length: ${Buffer.byteLength(body)}`];
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
