import { createServer as createHttp, type Server as HttpServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { connect, createServer as createNet, type Server as NetServer, type Socket } from 'node:net';
import { connect as secureConnect, createSecureContext, createServer as createTls, type SecureContext } from 'node:tls';
import {
  type AddressBlocks,
  blockList,
  type Certificate,
  certificatesByName,
  compileRouter,
  type DesiredState,
  draws,
  entryFor,
  type HttpListener,
  isHttp,
  isWithin,
  type Listener,
  type StreamListener,
  type Share,
  thresholds,
} from '../../../routing/index.ts';
import { bindReason } from '../binding.ts';
import type { Applied, BindResult, Codes, Observation } from '../contract.ts';
import { parseDesiredState } from '../parse.ts';
import { noCodes } from '../counts.ts';
import { chooseTarget, countCode, type Exchange, type LiveGroup, updateGroup } from './group.ts';
import { wantsWebSocket } from './judge.ts';
import type { Service } from './passage.ts';
import { refuseBytes, refuseTunnel, serve, serveUpgrade } from './proxy.ts';
import { headPatience } from './patience.ts';
import { proxyHeader } from './proxy-protocol.ts';
import { inTurn } from './turns.ts';

/** What carries traffic within a process: every decision is made by the newest state, from the moment that `apply` answers. */
export interface Carrier {
  apply(given: unknown): Promise<Applied>;
  observe(): Observation;
  stop(): Promise<void>;
}

/** An address and port that is listened on, whatever listener it belongs to at the moment. */
interface Place {
  readonly server: NetServer;
  readonly sockets: Set<Socket>;
  /** Who may connect. */
  admitted: AddressBlocks;
  /** Whether connections begin with TLS. */
  isSecure: boolean;
  /** Takes a connection that was admitted. */
  accept: (socket: Socket) => void;
  /** Lets go of clients that wait for nothing. */
  retire: () => void;
  /** What requests are decided by, also those of connections that are older; of streams, where they go. */
  service: Service | undefined;
  shares: readonly Share[];
  newConnections: number;
  requests: number;
}

/** Seconds that the head of a request may take. */
const longestHead = 60;
/** @param mostConnections of one listener at a time; more are closed at once */
export function createCarrier({ mostConnections = 16_384 } = {}): Carrier {
  const places = new Map<string, Place>();
  const groups = new Map<string, LiveGroup>();
  const engineCodes = new Map<string, Codes>();
  let generation = 0;
  let results = new Map<string, BindResult>();
  let listeners: readonly Listener[] = [];

  async function apply(given: unknown): Promise<Applied> {
    const state = parseDesiredState(given);
    if (state.generation < generation) return { generation, listeners: results };
    const bound = await bindAll(state.listeners);
    // From here on nothing waits: a request is decided by the old state or by the new one.
    const now = Date.now();
    const listed = new Set(state.targetGroups.map(({ id }) => id));
    for (const group of state.targetGroups)
      groups.set(group.id, updateGroup(groups.get(group.id), group, state.cookieKey, now));
    for (const [id, live] of groups) {
      if (listed.has(id)) continue;
      updateGroup(live, { ...live.group, targets: [] }, state.cookieKey, now);
      groups.delete(id);
    }
    const wanted = new Set(state.listeners.map(placeOf));
    for (const [key, place] of places) {
      if (wanted.has(key)) continue;
      places.delete(key);
      place.server.close();
      place.retire();
    }
    for (const listener of state.listeners) {
      const place = places.get(placeOf(listener));
      if (place !== undefined) furnish(place, listener, state);
    }
    [generation, results, listeners] = [state.generation, bound, state.listeners];
    return { generation, listeners: results };
  }

  async function bindAll(wanted: readonly Listener[]): Promise<Map<string, BindResult>> {
    return new Map(
      await Promise.all(
        wanted.map(async (listener): Promise<[string, BindResult]> => [listener.id, await bind(listener)]),
      ),
    );
  }

  async function bind(listener: Listener): Promise<BindResult> {
    const key = placeOf(listener);
    if (places.has(key)) return { bound: true };
    return new Promise((resolve) => {
      const server = createNet({ noDelay: true, allowHalfOpen: true }, (socket) => accept(place, socket));
      // Until the state is live whoever connects waits in the kernel's queue no longer than that takes.
      const place: Place = {
        server,
        sockets: new Set(),
        admitted: blockList([]),
        isSecure: false,
        accept: (socket) => socket.destroy(),
        retire: () => undefined,
        service: undefined,
        shares: [],
        newConnections: 0,
        requests: 0,
      };
      server.maxConnections = mostConnections;
      server.once('error', (error: NodeJS.ErrnoException) =>
        resolve({ bound: false, reason: bindReason(error.code, listener.address, listener.port) }),
      );
      server.listen({ host: listener.address, port: listener.port, exclusive: true, ipv6Only: true }, () => {
        places.set(key, place);
        resolve({ bound: true });
      });
    });
  }

  function accept(place: Place, socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (!isWithin(place.admitted, socket.remoteAddress ?? '')) {
      socket.resetAndDestroy();
      return;
    }
    // TLS has its own end, and closes the connection with it.
    socket.allowHalfOpen = !place.isSecure;
    place.newConnections++;
    place.sockets.add(socket);
    socket.on('close', () => place.sockets.delete(socket));
    place.accept(socket);
  }

  /** Makes a place serve a listener as a state has it; connections that are open go on. */
  function furnish(place: Place, listener: Listener, state: DesiredState): void {
    place.retire();
    place.admitted = blockList(listener.admitted);
    place.isSecure = listener.tls !== undefined;
    if (isHttp(listener)) furnishHttp(place, listener, state);
    else furnishStream(place, listener, state);
  }

  function furnishHttp(place: Place, listener: HttpListener, state: DesiredState): void {
    const countOwn = (status: number): void => {
      engineCodes.set(listener.loadBalancerId, countCode(engineCodes.get(listener.loadBalancerId) ?? noCodes, status));
    };
    const own: Service = {
      listener,
      router: compileRouter(listener, state.cookieKey),
      groups,
      countOwn,
      leaving: false,
    };
    place.service = own;
    let isLeaving = false;
    // A connection of an older state is let go with its answer, which is of the newest all the same.
    const service = (): Service => (isLeaving ? { ...(place.service ?? own), leaving: true } : own);
    const { idleTimeout, http2 } = listener.attributes;
    const patience = Math.min(idleTimeout, longestHead) * 1000;
    const options = {
      maxHeaderSize: 65_536,
      requestTimeout: 0,
      keepAliveTimeout: patience,
      handshakeTimeout: patience,
      shouldUpgradeCallback: wantsWebSocket,
    };
    const tls = tlsOptions(listener, state);
    const server = (
      tls === undefined
        ? createHttp(options)
        : http2
          ? createSecureServer({ ...options, ...tls, allowHTTP1: true })
          : createHttps({ ...options, ...tls, ALPNProtocols: ['http/1.1'] })
    ) as HttpServer;
    server.timeout = (idleTimeout + 5) * 1000;
    const heads = headPatience(server, { milliseconds: patience, isSecure: tls !== undefined });
    const began = new WeakMap<object, number>();
    const take: (
      ...given: Parameters<typeof serve> extends [unknown, infer Q, infer R, ...unknown[]] ? [Q, R] : never
    ) => void = (request, response) => {
      place.requests++;
      const { socket } = request;
      const since = began.get(socket) ?? Math.floor(Date.now() / 1000);
      began.set(socket, since);
      if (request.httpVersionMajor === 1) {
        heads.came(socket);
        response.once('close', () => heads.wait(socket));
      }
      inTurn(request, response, () => serve(service(), request, response, since));
    };
    server.on('request', take);
    server.on('checkExpectation', take);
    server.on('upgrade', (request, socket, head) => {
      place.requests++;
      heads.came(request.socket);
      serveUpgrade(service(), request, socket, head);
    });
    server.on('connect', (_, socket) => {
      place.requests++;
      refuseTunnel(own, socket);
    });
    server.on('clientError', (error, socket) => {
      countOwn(400);
      refuseBytes(socket, error, listener.attributes.serverHeader);
    });
    server.on('tlsClientError', (_, socket) => socket.destroy());
    server.on('sessionError', () => undefined);
    place.accept = (socket) => server.emit('connection', socket);
    place.retire = () => {
      // A client that waits for nothing is let go after its next answer, not in the midst of asking.
      isLeaving = true;
    };
  }

  function furnishStream(place: Place, listener: StreamListener, state: DesiredState): void {
    const tls = tlsOptions(listener, state);
    place.service = undefined;
    place.shares = thresholds(listener.defaultAction);
    const pass = (client: Socket): void => {
      place.requests++;
      client.on('error', () => client.destroy());
      const draw = Math.floor(Math.random() * draws);
      const group = groups.get(place.shares.find(({ below }) => draw < below)?.id ?? '');
      if (group === undefined) client.destroy();
      else passBytes(client, group, listener.idleTimeout);
    };
    if (tls === undefined) {
      place.accept = pass;
    } else {
      const server = createTls({ ...tls, allowHalfOpen: true }, pass);
      server.on('tlsClientError', (_, socket) => socket.destroy());
      place.accept = (socket) => server.emit('connection', socket);
    }
    place.retire = () => undefined;
  }

  function observe(): Observation {
    const placed = (listener: Listener): Place | undefined => places.get(placeOf(listener));
    return {
      generation,
      oldestServing: generation,
      targets: [...groups.values()].flatMap(({ group, targets }) =>
        [...targets.values()].map(({ target, exchanges, counts }) => ({
          targetGroupId: group.id,
          registrationId: target.registrationId,
          inFlight: exchanges.size,
          counts: { ...counts },
        })),
      ),
      listeners: listeners.map((listener) => ({
        id: listener.id,
        result: results.get(listener.id)!,
        activeConnections: placed(listener)?.sockets.size ?? 0,
        newConnections: placed(listener)?.newConnections ?? 0,
        requests: placed(listener)?.requests ?? 0,
      })),
      loadBalancers: [...new Set(listeners.map(({ loadBalancerId }) => loadBalancerId))].map((id) => ({
        id,
        engineCodes: engineCodes.get(id) ?? noCodes,
      })),
    };
  }

  let queue: Promise<unknown> = Promise.resolve();
  return {
    apply(given) {
      const turn = queue.then(() => apply(given));
      queue = turn.catch(() => undefined);
      return turn;
    },
    observe,
    async stop() {
      for (const { server, sockets } of places.values()) {
        server.close();
        for (const socket of sockets) socket.destroy();
      }
      places.clear();
    },
  };
}

/** Passes bytes both ways between a client and a target, each end of a direction by itself. */
function passBytes(client: Socket, group: LiveGroup, idleSeconds: number): void {
  const tried = new Set<Parameters<typeof chooseTarget>[1]['tried'] extends ReadonlySet<infer T> ? T : never>();
  const attempt = (left: number): void => {
    const target = chooseTarget(group, {
      tried,
      now: Date.now(),
      random: Math.random(),
      source: group.group.stickiness?.kind === 'source_ip' ? client.remoteAddress : undefined,
    });
    if (target === undefined || left === 0 || client.destroyed) {
      client.destroy();
      return;
    }
    tried.add(target);
    const { address, port } = target.target;
    const exchange: Exchange = { cut: () => (upstream.destroy(), client.destroy()) };
    target.exchanges.add(exchange);
    const isSecure = group.group.protocol === 'TLS';
    const plain = connect({ host: address, port, noDelay: true, allowHalfOpen: !isSecure });
    // It stands before everything, also before TLS.
    if (group.group.proxyProtocol) plain.write(proxyHeader(client));
    const upstream: Socket = isSecure ? secureConnect({ socket: plain, rejectUnauthorized: false }) : plain;
    plain.on('error', () => upstream.destroy());
    let connected = false;
    upstream.on('error', () => upstream.destroy());
    upstream.setTimeout(10_000, () => upstream.destroy());
    upstream.once(isSecure ? 'secureConnect' : 'connect', () => {
      connected = true;
      target.counts.requests++;
      upstream.setTimeout(idleSeconds * 1000);
      client.setTimeout(idleSeconds * 1000, () => client.destroy());
      upstream.on('data', (chunk: Buffer) => (target.counts.bytesOut += chunk.length));
      client.on('data', (chunk: Buffer) => (target.counts.bytesIn += chunk.length));
      client.pipe(upstream);
      upstream.pipe(client);
    });
    const ended = (): void => {
      target.exchanges.delete(exchange);
    };
    client.once('close', () => {
      ended();
      upstream.destroy();
    });
    upstream.once('close', (hadError) => {
      ended();
      if (connected && hadError) return void client.destroy();
      // What is still on its way to the client arrives.
      if (connected) return client.destroySoon();
      target.counts.connectionErrors++;
      attempt(left - 1);
    });
  };
  attempt(3);
}

/**
 * What Node is told of TLS: for each name a context with its certificate, else one with the first. Node shows one certificate for a name
 * whatever the client knows, so of two kinds of keys it is the one that every client knows: RSA.
 */
function tlsOptions(listener: Listener, state: DesiredState) {
  const { tls } = listener;
  if (tls === undefined) return undefined;
  const own = tls.certificates.map((id) => state.certificates.find((certificate) => certificate.id === id)!);
  const optionsFor = ({ chain, privateKey }: Certificate) => ({
    cert: chain,
    key: privateKey,
    minVersion: tls.versions[0]!,
    maxVersion: tls.versions.at(-1)!,
    ciphers: [...ciphers13, ...tls.ciphers].join(':'),
    honorCipherOrder: true,
  });
  // Names share contexts: a certificate may have a hundred of them.
  const contexts = new Map<string, SecureContext>();
  const contextOf = (certificate: Certificate): SecureContext =>
    contexts.getOrInsertComputed(certificate.id, () => createSecureContext(optionsFor(certificate)));
  const table = new Map([...certificatesByName(own)].map(([name, chosen]) => [name, contextOf(chosen.at(-1)!)]));
  const usual = contextOf(own[0]!);
  return {
    ...optionsFor(own[0]!),
    SNICallback: (name: string, done: (error: null, context?: SecureContext) => void) =>
      done(null, entryFor(table, name) ?? usual),
    ...(tls.alpn === undefined || tls.alpn.length === 0 ? {} : { ALPNProtocols: [...tls.alpn] }),
  };
}

const ciphers13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

function placeOf({ address, port }: Listener): string {
  return `${address} ${port}`;
}
