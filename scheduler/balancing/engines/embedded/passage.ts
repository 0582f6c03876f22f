import { randomUUID } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http';
import { constants } from 'node:http2';
import { request as secureRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as secureConnect } from 'node:tls';
import {
  groupCookies,
  type HttpListener,
  readCookie,
  type Router,
  setCookies,
  targetCookies,
} from '../../../routing/index.ts';
import { chooseTarget, countAnswer, type Exchange, type LiveGroup, type LiveTarget } from './group.ts';
import { cookieOf, hasBody, type Pairs, pairsOf, towardsClient, towardsTarget, valuesOf } from './headers.ts';
import { type Incoming, incomingOf, isMismatch, requestHttp2 } from './http2.ts';
import type { Admitted } from './judge.ts';

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

/** Where a passage's answer goes. */
export interface Client {
  /** Ends with an answer of the engine's own, or cuts what has begun. */
  fail(status: number): void;
  begin(incoming: Incoming, headers: string[]): void;
  upgrade(incoming: IncomingMessage, headers: string[], upstream: Socket, head: Buffer): void;
  cut(): void;
  /** Called once when nothing goes to the client any more. */
  onEnd(listener: () => void): void;
  readonly upgrading: string | undefined;
}

/** Milliseconds for a connection to a target. */
const connectPatience = 10_000;
/** How many targets, or connections to one, a request is tried with. */
const attempts = 3;
const appCookie = 'AWSALBAPP-0';
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** 24 hexadecimal digits, those of a UUID that are drawn: Node draws many UUIDs at once. */
function randomDigits(): string {
  const id = randomUUID();
  return `${id.slice(0, 8)}${id.slice(9, 13)}${id.slice(24)}`;
}

/** What came after a body, as Node takes it. */
export function trailersOf(raw: readonly string[]): Record<string, string> {
  return Object.fromEntries(pairsOf(raw));
}

/**
 * One request on its way to a target and back. Safe requests without a body share kept connections and are sent again when one turns out to
 * be stale; any other gets a connection of its own, and is tried elsewhere only while no byte of it was sent.
 */
export class Passage implements Exchange {
  readonly #service: Service;
  readonly #group: LiveGroup;
  readonly #groupToken: string | undefined;
  readonly #admitted: Admitted;
  readonly #pairs: Pairs;
  readonly #request: IncomingMessage;
  readonly #now: number;
  readonly #client: Client;
  readonly #tried = new Set<LiveTarget>();
  readonly #id = randomDigits();
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
    if (isMismatch(this.#group.group, this.#request)) return this.#client.fail(464);
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
    const isPooled =
      this.#group.group.protocolVersion === 'HTTP1' &&
      safeMethods.has(this.#request.method!) &&
      !hasBody(this.#request) &&
      this.#client.upgrading === undefined &&
      !this.#group.group.freshConnections;
    if (isPooled) this.#exchange(target, undefined);
    else this.#connect(target);
  }

  #connect(target: LiveTarget): void {
    const { address, port } = target.target;
    const isSecure = this.#group.group.protocol === 'HTTPS';
    const isHttp2 = this.#group.group.protocolVersion !== 'HTTP1';
    const socket: Socket = isSecure
      ? secureConnect({ host: address, port, rejectUnauthorized: false, ...(isHttp2 ? { ALPNProtocols: ['h2'] } : {}) })
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
      else if (isHttp2) this.#exchangeHttp2(target, socket);
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

  #headers(): string[] {
    return towardsTarget(this.#request, this.#pairs, this.#service.listener, {
      host: this.#admitted.host,
      peer: (this.#request.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, ''),
      now: this.#now,
      id: this.#id,
      upgrade: this.#client.upgrading,
    });
  }

  /** Over a connection of its own: its target sees it once. */
  #exchangeHttp2(target: LiveTarget, socket: Socket): void {
    let upstream: ReturnType<typeof requestHttp2>;
    try {
      upstream = requestHttp2(socket, {
        scheme: this.#group.group.protocol === 'HTTPS' ? 'https' : 'http',
        method: this.#request.method ?? '',
        path: this.#admitted.url,
        headers: this.#headers(),
        endStream: !hasBody(this.#request),
      });
    } catch {
      socket.destroy();
      return this.#fail(400);
    }
    this.#upstream = upstream;
    target.counts.requests++;
    let timedOut = false;
    upstream.setTimeout(this.#service.listener.attributes.idleTimeout * 1000, () => {
      timedOut = true;
      upstream.close(constants.NGHTTP2_CANCEL);
    });
    upstream.on('error', () => undefined);
    upstream.on('response', (head) => this.#respond(target, incomingOf(upstream, head)));
    upstream.on('close', () => {
      if (this.#ended || (this.#begun && upstream.rstCode === constants.NGHTTP2_NO_ERROR)) return;
      if (!this.#begun) target.counts.connectionErrors++;
      this.#fail(timedOut ? 504 : 502);
    });
    if (hasBody(this.#request)) {
      this.#request.on('data', (chunk: Buffer) => (target.counts.bytesIn += chunk.length));
      this.#request.pipe(upstream);
    }
  }

  #exchange(target: LiveTarget, socket: Socket | undefined): void {
    const { address, port } = target.target;
    const client = this.#client;
    const headers = this.#headers();
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
      if (timedOut) {
        // Where the request is not whole yet, its client stands still.
        if (upstream.writableEnded) target.counts.connectionErrors++;
        return this.#fail(504);
      }
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

  #respond(target: LiveTarget, incoming: Incoming): void {
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

  #cookies(target: LiveTarget, incoming: Pick<Incoming, 'rawHeaders'>): readonly string[] {
    const stickiness = this.#group.group.stickiness;
    const group = this.#groupToken === undefined ? [] : setCookies(groupCookies, this.#groupToken, this.#now);
    if (stickiness === undefined || stickiness.kind === 'source_ip') return group;
    if (stickiness.kind === 'lb_cookie') return [...group, ...setCookies(targetCookies, target.token, this.#now)];
    const isSet = valuesOf(pairsOf(incoming.rawHeaders), 'set-cookie').some((line) =>
      line.startsWith(`${stickiness.cookieName}=`),
    );
    return isSet ? [...group, setCookies([appCookie, appCookie], target.token, this.#now)[0]] : group;
  }
}
