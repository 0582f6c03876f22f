import type { IncomingMessage } from 'node:http';
import { hostname } from 'node:os';
import { BlockList, isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';

export interface OriginOptions {
  /** Where clients reach this installation, e.g. `https://registry.example.com`; needed behind a proxy that changes the address. */
  readonly publicUrl?: string;
  /** Further host names under which clients may reach us, with port when it is not the listening one. */
  readonly hosts?: readonly string[];
  /** Addresses or CIDR ranges of proxies whose `X-Forwarded-For` and `-Proto` count. Default: none. */
  readonly trustedProxies?: readonly string[];
}

/** Tells where a request came from and under which address the client reached us, without believing what anyone may write. */
export class Origins {
  readonly #publicUrl: string | undefined;
  readonly #hosts: ReadonlySet<string>;
  readonly #proxies: BlockList | undefined;
  /** Names without ports under which this installation knows itself. */
  readonly #names: ReadonlySet<string>;

  constructor(options: OriginOptions) {
    this.#publicUrl = options.publicUrl?.replace(/\/+$/, '');
    this.#hosts = new Set(options.hosts?.map((host) => host.toLowerCase()));
    const own = hostname().toLowerCase();
    const publicHost = this.#publicUrl === undefined ? [] : [new URL(this.#publicUrl).host];
    this.#names = new Set([own, `${own}.local`, ...[...this.#hosts, ...publicHost].map(withoutPort)]);
    this.#proxies = options.trustedProxies === undefined ? undefined : addressList(options.trustedProxies);
  }

  /** The peer's address, or what a trusted proxy says it is. */
  sourceIp(request: IncomingMessage): string {
    const peer = plain(request.socket.remoteAddress ?? '');
    const forwarded = request.headers['x-forwarded-for'];
    if (this.#proxies === undefined || forwarded === undefined || !this.#trusts(peer)) return peer;
    const hops = (Array.isArray(forwarded) ? forwarded.join(',') : forwarded).split(',');
    // From the right: each hop was written by the one after it, which we trust until we meet one that we do not.
    for (let i = hops.length - 1; i >= 0; i--) {
      const hop = plain((hops[i] as string).trim());
      if (isIP(hop) === 0) return peer;
      if (i === 0 || !this.#trusts(hop)) return hop;
    }
    return peer;
  }

  /**
   * Whether a request names this installation by an address or a name of its own. A page of somebody else's can lead a browser
   * here under that page's name (DNS rebinding) and then read every answer; it cannot do so under an address or under our names.
   */
  isKnownHost({ headers }: IncomingMessage): boolean {
    // Only HTTP/1.0 knows requests without it, and no browser sends them.
    if (headers.host === undefined) return true;
    const name = withoutPort(headers.host.toLowerCase());
    return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || this.#names.has(name);
  }

  /** Whether a proxy that nobody told us of says that it asks for somebody else: whose request it is, is not known then. */
  isForwardedByStranger({ headers, socket }: IncomingMessage): boolean {
    const forwarded = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
    return forwarded && !this.#trusts(plain(socket.remoteAddress ?? ''));
  }

  /** Whether an address is that of a proxy, behind which are many clients. */
  isProxy(address: string): boolean {
    return this.#trusts(plain(address));
  }

  /**
   * Scheme and authority for addresses that are handed back. The `Host` header counts when it was signed, when it is the
   * very address of the connection, or when it was configured; otherwise it is the configured URL, or the connection's address.
   */
  endpoint(request: IncomingMessage, hostIsSigned: boolean): string {
    const scheme = this.#scheme(request);
    const host = request.headers.host?.toLowerCase();
    if (host !== undefined && (hostIsSigned ? HOST.test(host) : this.#isOurs(request, host)))
      return `${scheme}://${host}`;
    return this.#publicUrl ?? `${scheme}://${localAuthority(request)}`;
  }

  /**
   * Whether {@link endpoint} of an unsigned request is an address that its client can use: not when a forwarded port or a proxy
   * lies between that nobody told us of.
   */
  isReachable(request: IncomingMessage): boolean {
    const host = request.headers.host?.toLowerCase();
    if (host === undefined || !this.#isOurs(request, host)) return this.#publicUrl !== undefined;
    const { socket, headers } = request;
    return headers['x-forwarded-proto'] === undefined || this.#trusts(plain(socket.remoteAddress ?? ''));
  }

  #scheme(request: IncomingMessage): string {
    if ((request.socket as TLSSocket).encrypted) return 'https';
    if (this.#proxies !== undefined && request.headers['x-forwarded-proto'] === 'https') {
      if (this.#trusts(plain(request.socket.remoteAddress ?? ''))) return 'https';
    }
    return 'http';
  }

  #isOurs(request: IncomingMessage, host: string): boolean {
    if (this.#hosts.has(host) || host === this.#publicUrl?.replace(/^https?:\/\//, '')) return true;
    const { localAddress = '', localPort } = request.socket;
    const local = plain(localAddress);
    const name = withoutPort(host);
    if (this.#hosts.has(name)) return true;
    if (host !== name && !host.endsWith(`:${localPort}`)) return false;
    if (name === local) return true;
    return isLoopback(local) && (name === 'localhost' || isLoopback(name));
  }

  #trusts(address: string): boolean {
    return (
      this.#proxies !== undefined &&
      isIP(address) !== 0 &&
      this.#proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
    );
  }
}

/** What is answered to a request under a name that this installation does not know itself by. */
export const unknownHost =
  'This server does not know itself by the host name of this request. If the name is right, add it to SLIPWAY_ENDPOINTS.';

const withoutPort = (host: string): string => host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');

/** A host name, IPv4 address or bracketed IPv6 address, with or without a port. */
const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]{0,252})|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;

/** A list of addresses and CIDR ranges; throws on one that is neither. */
export function addressList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address);
    if (family === 0) throw new TypeError(`not an address or CIDR range: ${entry}`);
    if (bits === undefined) list.addAddress(address, family === 6 ? 'ipv6' : 'ipv4');
    else list.addSubnet(address, Number(bits), family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

export const isLoopback = (address: string): boolean =>
  address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));

/** An IPv4 address that a dual-stack socket shows as IPv6, as IPv4 again. */
const plain = (address: string): string =>
  address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;

function localAuthority(request: IncomingMessage): string {
  const { localAddress = '127.0.0.1', localPort = 0 } = request.socket;
  const address = plain(localAddress);
  return isIP(address) === 6 ? `[${address}]:${localPort}` : `${address}:${localPort}`;
}
