import { randomBytes } from 'node:crypto';
import {
  type ClientRequest,
  type IncomingMessage,
  request as plainRequest,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as secureConnect } from 'node:tls';
import {
  type Decision,
  draws,
  groupCookies,
  type HttpListener,
  readCookie,
  type RequestHead,
  type Router,
  setCookies,
  targetCookies,
} from '../../../routing/index.ts';
import { chooseTarget, countAnswer, type Exchange, type LiveGroup, type LiveTarget } from './group.ts';
import { cookieOf, type Pairs, pairsOf, towardsClient, towardsTarget, valuesOf } from './headers.ts';
import { type Admitted, judge } from './judge.ts';

/** What a listener goes by at the moment; replaced whole by every state. */
export interface Service {
  readonly listener: HttpListener;
  readonly router: Router;
  readonly groups: ReadonlyMap<string, LiveGroup>;
  /** Counts an answer of the engine's own. */
  readonly countOwn: (status: number) => void;
  /** Whether the listener goes: then connections end with their answer. */
  readonly leaving: boolean;
}

/** Milliseconds for a connection to a target. */
const connectPatience = 10_000;
/** How many targets, or connections to one, a request is tried with. */
const attempts = 3;
const appCookie = 'AWSALBAPP-0';
/** Answers of the engine's own after which a connection carries no other request. */
const closing = new Set([400, 405, 422]);
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

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

/** Where a passage's answer goes. */
interface Client {
  /** Ends with an answer of the engine's own, or cuts what has begun. */
  fail(status: number): void;
  begin(incoming: IncomingMessage, headers: string[]): void;
  upgrade(incoming: IncomingMessage, headers: string[], upstream: Socket, head: Buffer): void;
  cut(): void;
  /** Called once when nothing goes to the client any more. */
  onEnd(listener: () => void): void;
  readonly upgrading: string | undefined;
}

function respondTo(service: Service, request: IncomingMessage, response: ServerResponse): Client {
  return {
    upgrading: undefined,
    fail: (status) => answer(service, response, status),
    cut: () => response.destroy(),
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
        if (incoming.rawTrailers.length > 0) response.addTrailers(trailersOf(incoming.rawTrailers));
        response.end();
      });
      // A body that the target cut must look cut.
      incoming.on('error', () => response.destroy());
      incoming.on('aborted', () => response.destroy());
    },
  };
}

function trailersOf(raw: readonly string[]): [string, string][] {
  return pairsOf(raw).map(([name, value]) => [name, value]);
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

/**
 * One request on its way to a target and back. Safe requests without a body share kept connections and are sent again when one turns out to
 * be stale; any other gets a connection of its own, and is tried elsewhere only while no byte of it was sent.
 */
class Passage implements Exchange {
  readonly #service: Service;
  readonly #group: LiveGroup;
  readonly #groupToken: string | undefined;
  readonly #admitted: Admitted;
  readonly #pairs: Pairs;
  readonly #request: IncomingMessage;
  readonly #now: number;
  readonly #client: Client;
  readonly #tried = new Set<LiveTarget>();
  readonly #id = randomBytes(12).toString('hex');
  readonly #began = performance.now();
  #attempt = 0;
  #target: LiveTarget | undefined;
  #upstream: { destroy: () => void } | undefined;
  #ended = false;
  #begun = false;

  constructor(
    service: Service,
    group: LiveGroup,
    groupToken: string | undefined,
    admitted: Admitted,
    pairs: Pairs,
    request: IncomingMessage,
    now: number,
    client: Client,
  ) {
    this.#service = service;
    this.#group = group;
    this.#groupToken = groupToken;
    this.#admitted = admitted;
    this.#pairs = pairs;
    this.#request = request;
    this.#now = now;
    this.#client = client;
  }

  start(): void {
    this.#client.onEnd(() => {
      this.#end();
      this.#upstream?.destroy();
    });
    this.#send();
  }

  cut(): void {
    this.#upstream?.destroy();
    this.#fail(502);
  }

  #end(): void {
    this.#ended = true;
    this.#target?.exchanges.delete(this);
  }

  #fail(status: number): void {
    if (this.#ended) return;
    if (this.#begun) this.#client.cut();
    else this.#client.fail(status);
    this.#end();
  }

  /** The next attempt, with another target if there is one. */
  #send(): void {
    this.#attempt++;
    const target = chooseTarget(this.#group, {
      token: this.#keptToken(),
      tried: this.#tried,
      now: Date.now(),
      random: Math.random(),
    });
    if (target === undefined) return this.#fail(503);
    this.#target?.exchanges.delete(this);
    this.#target = target;
    target.exchanges.add(this);
    this.#tried.add(target);
    const isBodiless =
      this.#request.headers['transfer-encoding'] === undefined &&
      Number(this.#request.headers['content-length'] ?? 0) === 0;
    const isPooled =
      safeMethods.has(this.#request.method!) &&
      isBodiless &&
      this.#client.upgrading === undefined &&
      !this.#group.group.freshConnections;
    if (isPooled) this.#exchange(target, undefined);
    else this.#connect(target);
  }

  #connect(target: LiveTarget): void {
    const { address, port } = target.target;
    const isSecure = this.#group.group.protocol === 'HTTPS';
    const socket: Socket = isSecure
      ? secureConnect({ host: address, port, rejectUnauthorized: false })
      : connect({ host: address, port, noDelay: true });
    this.#upstream = socket;
    let timedOut = false;
    socket.setTimeout(connectPatience, () => {
      timedOut = true;
      socket.destroy(new Error('no connection in time'));
    });
    const refused = (): void => this.#retry(target, timedOut ? 504 : 502);
    socket.once('error', refused);
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      socket.off('error', refused);
      socket.setTimeout(0);
      if (this.#ended) socket.destroy();
      else this.#exchange(target, socket);
    });
  }

  /** After an attempt of which the target saw nothing, or that it may see twice. */
  #retry(target: LiveTarget, status: number): void {
    target.counts.connectionErrors++;
    if (this.#ended) return;
    if (this.#attempt < attempts) this.#send();
    else this.#fail(status);
  }

  #exchange(target: LiveTarget, socket: Socket | undefined): void {
    const { address, port } = target.target;
    const client = this.#client;
    const peer = (this.#request.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
    const headers = towardsTarget(this.#request, this.#service.listener, {
      host: this.#admitted.host,
      peer,
      now: this.#now,
      id: this.#id,
      upgrade: client.upgrading,
    });
    const create = this.#group.group.protocol === 'HTTPS' ? secureRequest : plainRequest;
    let upstream: ClientRequest;
    try {
      upstream = create({
        host: address,
        port,
        method: this.#request.method,
        path: this.#admitted.url,
        headers,
        setHost: false,
        maxHeaderSize: 32_768,
        ...(socket === undefined ? { agent: target.agent } : { createConnection: () => socket, agent: false }),
      });
    } catch {
      return this.#fail(400);
    }
    this.#upstream = upstream;
    target.counts.requests++;
    let timedOut = false;
    upstream.setTimeout(this.#service.listener.attributes.idleTimeout * 1000, () => {
      timedOut = true;
      upstream.destroy(new Error('no byte in time'));
    });
    upstream.on('response', (incoming) => this.#respond(target, incoming));
    upstream.on('upgrade', (incoming, upgraded: Socket, head) => {
      if (this.#ended) {
        upgraded.destroy();
        return;
      }
      this.#upstream = upgraded;
      this.#begun = true;
      countAnswer(target, 101, performance.now() - this.#began);
      client.upgrade(
        incoming,
        towardsClient(pairsOf(incoming.rawHeaders), this.#service.listener, this.#cookies(target, incoming)),
        upgraded,
        head,
      );
    });
    upstream.on('error', () => {
      if (this.#ended || this.#begun) return this.#fail(502);
      if (timedOut) return this.#fail(504);
      // Only what goes over kept connections may have met one that was stale, and only that may be seen twice.
      if (socket === undefined && this.#group.group.retrySafe) return this.#retry(target, 502);
      target.counts.connectionErrors++;
      this.#fail(502);
    });
    if (socket === undefined) upstream.end();
    else this.#upload(target, upstream);
  }

  #upload(target: LiveTarget, upstream: ClientRequest): void {
    const request = this.#request;
    if (this.#client.upgrading !== undefined) {
      upstream.end();
      return;
    }
    request.on('data', (chunk: Buffer) => (target.counts.bytesIn += chunk.length));
    request.pipe(upstream, { end: false });
    request.on('end', () => {
      if (request.rawTrailers.length > 0) upstream.addTrailers(trailersOf(request.rawTrailers));
      upstream.end();
    });
    request.on('aborted', () => upstream.destroy());
  }

  #respond(target: LiveTarget, incoming: IncomingMessage): void {
    if (this.#ended) {
      incoming.destroy();
      return;
    }
    this.#begun = true;
    countAnswer(target, incoming.statusCode!, performance.now() - this.#began);
    incoming.on('data', (chunk: Buffer) => (target.counts.bytesOut += chunk.length));
    const headers = towardsClient(
      pairsOf(incoming.rawHeaders),
      this.#service.listener,
      this.#cookies(target, incoming),
    );
    try {
      this.#client.begin(incoming, headers);
    } catch {
      incoming.destroy();
      this.#client.cut();
    }
  }

  /** The token of the target that the client's cookies name. */
  #keptToken(): string | undefined {
    const stickiness = this.#group.group.stickiness;
    if (stickiness === undefined || stickiness.kind === 'source_ip') return undefined;
    const read = (name: string): string | undefined =>
      readCookie(cookieOf(this.#pairs, name), stickiness.seconds, this.#now);
    if (stickiness.kind === 'lb_cookie') return read(targetCookies[0]) ?? read(targetCookies[1]);
    return cookieOf(this.#pairs, stickiness.cookieName) === undefined ? undefined : read(appCookie);
  }

  #cookies(target: LiveTarget, incoming: IncomingMessage): readonly string[] {
    const stickiness = this.#group.group.stickiness;
    const group = this.#groupToken === undefined ? [] : setCookies(groupCookies, this.#groupToken, this.#now);
    if (stickiness === undefined || stickiness.kind === 'source_ip') return group;
    if (stickiness.kind === 'lb_cookie') return [...group, ...setCookies(targetCookies, target.token, this.#now)];
    const isSet = (incoming.headers['set-cookie'] ?? []).some((line) => line.startsWith(`${stickiness.cookieName}=`));
    return isSet ? [...group, setCookies([appCookie, appCookie], target.token, this.#now)[0]] : group;
  }
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
