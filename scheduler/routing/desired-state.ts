/** The desired state of load balancing: what every engine of a host carries out, and what `route` decides by. */

/** Certificate and key as PEM; `chain` begins with the leaf. An engine refuses a pair that does not fit before it changes anything. */
export interface Certificate {
  readonly id: string;
  readonly chain: string;
  readonly privateKey: string;
}

/** A value with `*` (any number of characters) and `?` (exactly one), as ELB writes them. Neither can be escaped. */
export type Wildcard = string;

/** A regular expression of the subset that `patterns/` compiles to an automaton; anything else is refused by `parsePattern`. */
export type RegularExpression = string;

/** One condition of a rule: its values are alternatives. All conditions of a rule must hold. */
export type Condition =
  | {
      readonly kind: 'host-header';
      readonly values: readonly Wildcard[];
      readonly regexValues: readonly RegularExpression[];
    }
  | {
      readonly kind: 'path-pattern';
      readonly values: readonly Wildcard[];
      readonly regexValues: readonly RegularExpression[];
    }
  | {
      readonly kind: 'http-header';
      readonly name: string;
      readonly values: readonly Wildcard[];
      readonly regexValues: readonly RegularExpression[];
    }
  | { readonly kind: 'http-request-method'; readonly values: readonly string[] }
  | {
      readonly kind: 'query-string';
      readonly values: readonly { readonly key?: Wildcard | undefined; readonly value: Wildcard }[];
    }
  | { readonly kind: 'source-ip'; readonly values: readonly string[] };

/** Shares of a forward. A group keeps its share whether it has targets or not (ELB's rule): its requests are then answered 503. */
export interface Forward {
  readonly kind: 'forward';
  /** 1 to 5; weight 0 to 999. All 0: every request is answered 503. */
  readonly targetGroups: readonly { readonly id: string; readonly weight: number }[];
  /** A client stays with the group it got, for so many seconds (1 to 604800). */
  readonly stickySeconds?: number | undefined;
}

/** Members may hold `#{protocol} #{host} #{port} #{path} #{query}`; `#{path}` stands for the path without its leading `/`. */
export interface Redirect {
  readonly kind: 'redirect';
  readonly status: 301 | 302;
  readonly protocol: string;
  readonly host: string;
  readonly port: string;
  readonly path: string;
  readonly query: string;
}

export interface FixedResponse {
  readonly kind: 'fixed-response';
  /** 200 to 299, 400 to 599. */
  readonly status: number;
  readonly contentType: 'text/plain' | 'text/css' | 'text/html' | 'application/javascript' | 'application/json';
  /** At most 1024 characters. */
  readonly body: string;
}

export type Action = Forward | Redirect | FixedResponse;

export interface Rule {
  readonly id: string;
  /** At least one. */
  readonly conditions: readonly Condition[];
  readonly action: Action;
}

/** The attributes of a load balancer and its listener that change what an engine does, in ELB's meaning and units. */
export interface HttpAttributes {
  /** Seconds without a byte, on either side. */
  readonly idleTimeout: number;
  /** Seconds that a client's connection may live at all. */
  readonly clientKeepAlive: number;
  readonly dropInvalidHeaderFields: boolean;
  readonly preserveHostHeader: boolean;
  readonly forwardedFor: 'append' | 'preserve' | 'remove';
  readonly forwardedForWithPort: boolean;
  /** HTTP/2 towards clients; HTTPS listeners only. */
  readonly http2: boolean;
  /** Headers `x-amzn-tls-version` and `x-amzn-tls-cipher-suite` for targets; HTTPS listeners only. */
  readonly tlsHeaders: boolean;
  /** Whether answers that the engine makes itself carry `Server`. */
  readonly serverHeader: boolean;
  /** Set on every answer, by lower-case name; what a target sent under that name is replaced. */
  readonly responseHeaders: Readonly<Record<string, string>>;
}

interface ListenerBase {
  readonly id: string;
  readonly loadBalancerId: string;
  /** An IPv4 or IPv6 address of this host, never a name. */
  readonly address: string;
  readonly port: number;
  /** CIDR blocks that may connect; what the security groups admit. Empty: nobody. */
  readonly admitted: readonly string[];
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** The first certificate is the default; another one is taken when the client names one of its names. */
export interface Tls {
  readonly certificates: readonly string[];
  /** What is spoken, lowest first. */
  readonly versions: readonly TlsVersion[];
  /** Of TLS 1.2, in OpenSSL's names, the preferred first; of TLS 1.3 all are taken. Empty exactly where 1.2 is not spoken. */
  readonly ciphers: readonly string[];
  /** Application protocols, the preferred first, that a listener without rules agrees on with clients that offer some. */
  readonly alpn?: readonly AlpnProtocol[] | undefined;
}

export type AlpnProtocol = 'h2' | 'http/1.1' | 'http/1.0';

export interface HttpListener extends ListenerBase {
  readonly protocol: 'HTTP' | 'HTTPS';
  /** Given exactly when the protocol is HTTPS. */
  readonly tls?: Tls | undefined;
  /** Stands in for `Host` where an HTTP/1.0 client names none. */
  readonly dnsName: string;
  readonly attributes: HttpAttributes;
  /** By rising priority: the first that matches acts. */
  readonly rules: readonly Rule[];
  readonly defaultAction: Action;
}

export interface StreamListener extends ListenerBase {
  readonly protocol: 'TCP' | 'TLS';
  readonly tls?: Tls | undefined;
  /** Seconds without a byte. */
  readonly idleTimeout: number;
  readonly defaultAction: Forward;
}

export type Listener = HttpListener | StreamListener;

/** Whether a listener has rules; the others pass bytes on. */
export function isHttp(listener: Listener): listener is HttpListener {
  return listener.protocol === 'HTTP' || listener.protocol === 'HTTPS';
}

/**
 * Whether a target gets requests that have no target yet. The checker decides, for every engine alike; it also decides
 * to fail open, by telling targets `up` that are not well.
 * - `up`: gets new requests.
 * - `down`: gets none; what is in flight goes on.
 * - `draining`: gets none, neither by cookie; what is in flight goes on and is counted.
 * A target that is no longer listed is cut: its requests in flight are answered 502 or closed.
 */
export type TargetState = 'up' | 'down' | 'draining';

export interface Target {
  /** Of this registration. An address and port that come back under another task come back under another id. */
  readonly registrationId: string;
  readonly address: string;
  readonly port: number;
  /** 1 to 256; among the targets of its group. */
  readonly weight: number;
  readonly state: TargetState;
}

export interface TargetGroup {
  readonly id: string;
  /** Towards targets; their certificates are not verified, as ELB has it. */
  readonly protocol: 'HTTP' | 'HTTPS' | 'TCP' | 'TLS';
  /** For HTTP and HTTPS. */
  readonly protocolVersion: 'HTTP1' | 'HTTP2' | 'GRPC';
  readonly algorithm: 'round_robin' | 'least_outstanding_requests' | 'weighted_random';
  /** Seconds of a linear ramp after a target turns up; 0: none. */
  readonly slowStart: number;
  readonly stickiness?: Stickiness | undefined;
  /** Sends safe requests again over another connection when one turned out to be stale. */
  readonly retrySafe: boolean;
  /** Never keeps a connection to a target: no request can meet a stale one, at about three times the CPU per request. */
  readonly freshConnections: boolean;
  /** PROXY protocol version 2 towards targets; TCP and TLS only. */
  readonly proxyProtocol: boolean;
  readonly targets: readonly Target[];
}

export type Stickiness =
  | { readonly kind: 'lb_cookie'; readonly seconds: number }
  | { readonly kind: 'app_cookie'; readonly seconds: number; readonly cookieName: string }
  | { readonly kind: 'source_ip' };

/** Everything an engine carries. Engines of a generation get the same document and make the same decisions. */
export interface DesiredState {
  /** Rises with every change; an engine never goes back to a lower one. */
  readonly generation: number;
  /** Keys the tokens in stickiness cookies; 32 random bytes in hex, the same for all engines and for the life of the account. */
  readonly cookieKey: string;
  readonly certificates: readonly Certificate[];
  readonly listeners: readonly Listener[];
  readonly targetGroups: readonly TargetGroup[];
}
