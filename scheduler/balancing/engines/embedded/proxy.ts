import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Decision, draws, type RequestHead } from '../../../routing/index.ts';
import { cookieOf, type Pairs, pairsOf, valuesOf } from './headers.ts';
import { type Admitted, judge } from './judge.ts';
import { type Client, Passage, type Service, trailersOf } from './passage.ts';

/** Answers of the engine's own after which a connection carries no other request. */
const closing = new Set([400, 405, 422]);

/** Answers a request: an answer of the engine's own, or what a target says. Never throws: a faulty request ends itself alone. */
export function serve(service: Service, request: IncomingMessage, response: ServerResponse, began: number): void {
  const { listener } = service;
  response.sendDate = false;
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  const now = Math.floor(Date.now() / 1000);
  if (service.leaving || now - began >= listener.attributes.clientKeepAlive) {
    if (request.httpVersionMajor === 1) response.shouldKeepAlive = false;
  }
  const pairs = pairsOf(request.rawHeaders);
  const admitted = judge(request, pairs, listener);
  if (typeof admitted === 'number') return answer(service, response, admitted);
  const decision = decide(service, request, pairs, admitted, now);
  if (decision.kind !== 'forward') return own(service, response, decision);
  const group = service.groups.get(decision.targetGroupId ?? '');
  if (group === undefined) return answer(service, response, 503);
  new Passage(
    service,
    group,
    decision.groupToken,
    admitted,
    pairs,
    request,
    now,
    respondTo(service, request, response),
  ).start();
}

/** The same for a request that asks to become another protocol: its connection is the client's. */
export function serveUpgrade(service: Service, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { listener } = service;
  socket.on('error', () => socket.destroy());
  const pairs = pairsOf(request.rawHeaders);
  const now = Math.floor(Date.now() / 1000);
  const client = respondRaw(service, request, socket, head);
  const admitted = judge(request, pairs, listener);
  if (typeof admitted === 'number') return client.fail(admitted);
  if (request.headers['sec-websocket-key'] === undefined) return client.fail(400);
  const decision = decide(service, request, pairs, admitted, now);
  if (decision.kind !== 'forward') return client.decided(decision);
  const group = service.groups.get(decision.targetGroupId ?? '');
  if (group === undefined) return client.fail(503);
  new Passage(service, group, decision.groupToken, admitted, pairs, request, now, client).start();
}

function decide(
  { router }: Service,
  request: IncomingMessage,
  pairs: Pairs,
  admitted: Admitted,
  now: number,
): Decision {
  const head: RequestHead = {
    method: request.method ?? '',
    path: admitted.path,
    query: admitted.query,
    host: admitted.host,
    header: (name) => valuesOf(pairs, name),
    cookie: (name) => cookieOf(pairs, name),
    peer: request.socket.remoteAddress ?? '',
    draw: Math.floor(Math.random() * draws),
    now,
  };
  return router(head);
}

/** Headers and body of an answer that the engine makes itself. */
function ownAnswer({ listener }: Service, status: number, decision?: Decision): { headers: string[]; body: string } {
  const { serverHeader, responseHeaders } = listener.attributes;
  const title = `${status} ${STATUS_CODES[status] ?? ''}`.trim();
  const [type, body] =
    decision?.kind === 'fixed-response'
      ? [decision.contentType, decision.body]
      : ['text/html', decision === undefined ? `<html><body><h1>${title}</h1></body></html>\n` : ''];
  return {
    body,
    headers: [
      ...(serverHeader ? ['Server', 'slipway'] : []),
      ...(body === '' ? [] : ['Content-Type', type]),
      ...(status === 204 ? [] : ['Content-Length', String(Buffer.byteLength(body))]),
      ...(decision?.kind === 'redirect' ? ['Location', decision.location] : []),
      ...Object.entries(responseHeaders).flat(),
    ],
  };
}

function answer(service: Service, response: ServerResponse, status: number, decision?: Decision): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  service.countOwn(status);
  // Whoever is refused may think of another end of the request than we do.
  if (decision === undefined && closing.has(status) && response.req.httpVersionMajor === 1)
    response.shouldKeepAlive = false;
  const { headers, body } = ownAnswer(service, status, decision);
  try {
    response.writeHead(status, reason(response, status), headers.map(asHeader));
  } catch {
    response.destroy();
    return;
  }
  response.end(body);
}

function own(service: Service, response: ServerResponse, decision: Exclude<Decision, { kind: 'forward' }>): void {
  answer(service, response, decision.status, decision.kind === 'refuse' ? undefined : decision);
}

/** Node writes header lines as Latin-1: text beyond it goes as its UTF-8 bytes, as any other server has it. */
function asHeader(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** HTTP/2 has no reason phrase. */
function reason(response: ServerResponse, status: number): string {
  return response.req.httpVersionMajor === 2 ? '' : (STATUS_CODES[status] ?? 'Unknown');
}

function respondTo(service: Service, request: IncomingMessage, response: ServerResponse): Client {
  // In HTTP/2 only an error tells an end from a cut.
  const cut = (): void => {
    response.destroy(request.httpVersionMajor === 2 ? new Error("the target's answer broke off") : undefined);
  };
  return {
    upgrading: undefined,
    fail: (status) => answer(service, response, status),
    cut,
    onEnd: (listener) => response.once('close', listener),
    upgrade: (_, __, upstream) => {
      upstream.destroy();
      answer(service, response, 502);
    },
    begin(incoming, headers) {
      response.writeHead(
        incoming.statusCode!,
        request.httpVersionMajor === 2 ? '' : (incoming.statusMessage ?? ''),
        headers,
      );
      incoming.pipe(response, { end: false });
      incoming.on('end', () => {
        if (!incoming.complete) return cut();
        if (incoming.rawTrailers.length > 0) response.addTrailers(trailersOf(incoming.rawTrailers));
        response.end();
      });
      // A body that the target cut must look cut.
      incoming.on('error', cut);
      incoming.on('aborted', cut);
    },
  };
}

function respondRaw(
  service: Service,
  request: IncomingMessage,
  socket: Duplex,
  early: Buffer,
): Client & { decided: (decision: Exclude<Decision, { kind: 'forward' }>) => void } {
  const write = (status: number, phrase: string, headers: readonly string[]): void => {
    const lines = pairsOf(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`HTTP/1.1 ${status} ${phrase}\r\n${lines.join('')}\r\n`, 'latin1');
  };
  let begun = false;
  const finish = (status: number, decision?: Decision): void => {
    if (begun || socket.destroyed) {
      socket.destroy();
      return;
    }
    service.countOwn(status);
    const { headers, body } = ownAnswer(service, status, decision);
    write(status, STATUS_CODES[status] ?? 'Unknown', ['Connection', 'close', ...headers.map(asHeader)]);
    socket.end(body);
  };
  return {
    upgrading: request.headers.upgrade ?? 'websocket',
    fail: (status) => finish(status),
    decided: (decision) => finish(decision.status, decision.kind === 'refuse' ? undefined : decision),
    cut: () => socket.destroy(),
    onEnd: (listener) => socket.once('close', listener),
    begin(incoming, headers) {
      begun = true;
      write(incoming.statusCode!, incoming.statusMessage ?? '', ['Connection', 'close', ...headers]);
      incoming.pipe(socket);
      incoming.on('error', () => socket.destroy());
      incoming.on('aborted', () => socket.destroy());
    },
    upgrade(incoming, headers, upstream, head) {
      begun = true;
      write(101, incoming.statusMessage ?? 'Switching Protocols', [
        'Connection',
        'Upgrade',
        'Upgrade',
        incoming.headers.upgrade ?? 'websocket',
        ...headers,
      ]);
      if (head.length > 0) socket.write(head);
      if (early.length > 0) upstream.write(early);
      upstream.on('error', () => socket.destroy());
      const idle = service.listener.attributes.idleTimeout * 1000;
      upstream.setTimeout(idle, () => socket.destroy());
      socket.pipe(upstream);
      upstream.pipe(socket);
      upstream.on('close', () => socket.destroy());
      socket.on('close', () => upstream.destroy());
    },
  };
}

/** An answer to CONNECT: nothing here is a way to anywhere else. */
export function refuseTunnel({ countOwn, listener }: Service, socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  countOwn(405);
  writeRefusal(socket, 405, listener.attributes.serverHeader);
}

/** An answer to bytes that are no request, over the connection they came by. */
export function refuseBytes(
  socket: Duplex,
  error: NodeJS.ErrnoException & { rawPacket?: Buffer },
  serverHeader: boolean,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const isMethod =
    error.code === 'HPE_INVALID_METHOD' && /^[A-Za-z]+ /.test(error.rawPacket?.toString('latin1', 0, 64) ?? '');
  writeRefusal(socket, error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : isMethod ? 405 : 400, serverHeader);
}

function writeRefusal(socket: Duplex, status: number, serverHeader: boolean): void {
  const body = `<html><body><h1>${status} ${STATUS_CODES[status]}</h1></body></html>\n`;
  const server = serverHeader ? 'Server: slipway\r\n' : '';
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${server}Connection: close\r\nContent-Type: text/html\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}
