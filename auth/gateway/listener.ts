import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions } from 'node:http';
import {
  createServer as createTlsServer,
  type Server as TlsServer,
  type ServerOptions as TlsServerOptions,
} from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { CertificateSource } from './certificates.ts';
import { ListenError } from './errors.ts';
import type { Limits } from './options.ts';
import { asksForUpgrade, hasBody } from './heads.ts';
import { isLoopback } from './origin.ts';
import { SlowPeers } from './slow-peers.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** TLS 1.2 and up with this certificate; the source stays the caller's to close. */
  readonly tls?: CertificateSource;
  /** Plain HTTP is only for this machine unless it is asked for. */
  readonly allowPlainHttp?: boolean;
  /**
   * Several processes of one installation on the port, between which the kernel spreads connections (SO_REUSEPORT): the
   * first takes it, which still fails when another program has it, the others join.
   */
  readonly share?: 'first' | 'join';
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** How this machine reaches it, e.g. `http://127.0.0.1:7500`; loopback when it listens on all addresses. */
  readonly url: string;
}

export interface Listener {
  readonly server: Server | TlsServer;
  readonly slowPeers: SlowPeers;
  readonly listening: Listening;
  /** Whether a request asked for an upgrade in a way that none can be given: with a body, or behind requests that are still under way. */
  refusedUpgrade(request: IncomingMessage): boolean;
  /** Stops accepting, lets requests finish for `deadlineMs`, then closes what is left. */
  close(deadlineMs: number): Promise<void>;
}

/**
 * Opens the one port.
 * @param isShared whether an address stands for many clients, as a proxy's does
 * @param protocols that connections may be upgraded to, in lower case
 * @param onError told what the port itself ran into, such as no file descriptors for a connection; it goes on listening
 * @throws ListenError that says what to do: port taken, no permission, no such address, plain HTTP not asked for
 */
export async function openListener(
  handler: RequestListener,
  options: ListenOptions,
  limits: Limits,
  isShared: (address: string) => boolean,
  onError: (error: Error) => void,
  protocols: ReadonlySet<string>,
): Promise<Listener> {
  if (
    options.tls === undefined &&
    options.allowPlainHttp !== true &&
    !isLoopback(options.host) &&
    options.host !== 'localhost'
  ) {
    throw new ListenError(
      'insecure',
      `plain HTTP on ${options.host} would send credentials in the clear: give a certificate and key, or allow plain HTTP explicitly`,
    );
  }
  const refused = new WeakSet<IncomingMessage>();
  const serverOptions: ServerOptions = {
    headersTimeout: limits.headersMs,
    // A body may take as long as it makes progress; SlowPeers sees to the rest.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.max(100, Math.min(2000, limits.headersMs / 4)),
    noDelay: true,
    shouldUpgradeCallback: (request) => {
      if (!asksForUpgrade(request, protocols)) return false;
      if (!hasBody(request) && !slowPeers.isBusy(request.socket)) return true;
      refused.add(request);
      return false;
    },
  };
  const { tls } = options;
  const server =
    tls === undefined
      ? createServer(serverOptions, handler)
      : createTlsServer(
          {
            ...serverOptions,
            ...tls.current,
            ...challengeOptions(tls),
            ...tlsRules,
            handshakeTimeout: limits.headersMs,
          },
          handler,
        );
  // Handshakes under way and WebSockets come on top of the connections that are watched.
  server.maxConnections = limits.connections * 2;
  const { stallMs, bytesPerSecond } = limits;
  const peers = { ...limits, isShared };
  const slowPeers = new SlowPeers(server as Server, tls !== undefined, stallMs, bytesPerSecond, peers);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const forget = tls?.onChange((pair) => (server as TlsServer).setSecureContext({ ...pair, ...tlsRules }));
  if (options.share === 'first') await checkFree(options);
  await bind(server as Server, options);
  server.on('error', onError);
  return {
    server,
    refusedUpgrade: (request) => refused.has(request),
    slowPeers,
    listening: describe(server as Server, options),
    async close(deadlineMs) {
      forget?.();
      slowPeers.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const deadline = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, deadlineMs);
      await closed;
      clearTimeout(deadline);
    },
  };
}

/** TLS 1.2 and up, with suites that authenticate what they encrypt and keep no key for later: no CBC, no static RSA. */
const tlsRules = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
  ].join(':'),
} as const;

/** A port that is shared can be joined by any program that shares it as well, so whether it is free is found out without sharing. */
async function checkFree({ host, port }: ListenOptions): Promise<void> {
  const probe = createServer();
  await bind(probe, { host, port });
  await new Promise((resolve) => probe.close(resolve));
}

/** Connections that may wait to be accepted when many come at once, such as all agents after a restart; the kernel has a limit as well. */
const BACKLOG = 4096;

function bind(server: Server, { host, port, share }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, host, port));
    server.once('error', failed);
    server.listen({ host, port, backlog: BACKLOG, reusePort: share !== undefined }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const { code = '' } = error;
  if (code === 'EADDRINUSE') {
    return new ListenError(
      'in-use',
      `port ${port} on ${host} is taken by another program: stop it or choose another port`,
      { cause: error },
    );
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new ListenError('no-permission', `no permission to listen on port ${port}: choose a port above 1023`, {
      cause: error,
    });
  }
  if (['EADDRNOTAVAIL', 'ENOTFOUND', 'EINVAL', 'EAI_AGAIN'].includes(code)) {
    return new ListenError('bad-address', `this machine has no address ${host} to listen on`, { cause: error });
  }
  return error;
}

function describe(server: Server, options: ListenOptions): Listening {
  const { address, port, family } = server.address() as AddressInfo;
  const scheme = options.tls === undefined ? 'http' : 'https';
  const reached = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return { host: address, port, url: `${scheme}://${family === 'IPv6' ? `[${reached}]` : reached}:${port}` };
}

/**
 * Lets the port answer TLS-ALPN-01 beside HTTP: whoever asks for `acme-tls/1` gets the certificate of the challenge, and
 * nothing further. Other clients are served as without it.
 */
function challengeOptions(source: CertificateSource): TlsServerOptions {
  const { challenge } = source;
  if (challenge === undefined) return {};
  return {
    ALPNCallback(this: TLSSocket, { servername, protocols }: { servername: string; protocols: string[] }) {
      if (!protocols.includes(acmeProtocol)) return protocols.find((protocol) => protocol === 'http/1.1');
      const context = challenge(servername);
      if (context === undefined) return undefined;
      this.setKeyCert(context);
      this.once('secure', () => this.end());
      return acmeProtocol;
    },
  };
}

const acmeProtocol = 'acme-tls/1';
