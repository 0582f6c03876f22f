import { cookieToken, type Stickiness, type Target, type TargetGroup, targetCookies } from '../../../routing/index.ts';
import { cookieLines, keptLines } from './cookies.ts';
import { isOfTarget } from './statistics.ts';
import { argument, nameOf } from './words.ts';

/** What differs between groups by the load balancer that uses them. */
export interface BackendOptions {
  readonly cookieKey: string;
  /** Seconds without a byte from a target. */
  readonly idleTimeout: number;
  /** Whether clients may speak HTTP/2 to a listener that leads there. */
  readonly http2: boolean;
}

/** A server of a backend as it is to be. */
export interface Server {
  readonly name: string;
  readonly registrationId: string;
  /** With its port; where this or the options differ, it is another server. */
  readonly address: string;
  readonly options: string;
  readonly weight: number;
  readonly ready: boolean;
}

/** A backend: its lines without servers, and its servers. */
export interface Backend {
  readonly name: string;
  readonly targetGroupId: string;
  readonly lines: readonly string[];
  readonly servers: readonly Server[];
}

/** Name of a group's backend. */
export function backendName(targetGroupId: string): string {
  return nameOf('g', targetGroupId);
}

/**
 * A group as backends. HTTP groups have two with the same servers: safe requests share kept connections and are sent again when one turns
 * out to be stale; others each get a connection of their own, which cannot be.
 */
export function backends(group: TargetGroup, options: BackendOptions): readonly Backend[] {
  const name = backendName(group.id);
  const isHttp = group.protocol === 'HTTP' || group.protocol === 'HTTPS';
  const shared = [
    balance(group),
    'timeout connect 10s',
    `timeout server ${options.idleTimeout}s`,
    `timeout tunnel ${options.idleTimeout}s`,
    'retries 3',
    'option redispatch 1',
  ];
  if (!isHttp) return [backend(name, group, options, ['mode tcp', ...shared])];
  const http = ['mode http', ...shared, refused, ...mismatch(group, options.http2), ...stickyLines(group.stickiness)];
  const fresh = ['http-reuse never', 'option http-server-close', 'retry-on conn-failure', ...http];
  if (group.freshConnections) return [backend(name, group, options, fresh)];
  const kept = ['http-reuse safe', `retry-on conn-failure${group.retrySafe ? ' empty-response' : ''}`, ...http];
  return [backend(name, group, options, kept), backend(unsafeBackendName(group), group, options, fresh)];
}

/** Name of the backend for requests that must not be sent twice. */
export function unsafeBackendName(group: TargetGroup): string {
  return group.freshConnections ? backendName(group.id) : `${backendName(group.id)}u`;
}

function backend(name: string, group: TargetGroup, { cookieKey }: BackendOptions, lines: readonly string[]): Backend {
  const options = serverOptions(group);
  return {
    name,
    targetGroupId: group.id,
    // How servers are reached is part of what cannot change without a reload.
    lines: [...lines, `# servers: ${options}`],
    servers: group.targets.map((target) => serverOf(group, target, cookieKey, options)),
  };
}

/** What does not speak as the group does (ELB answers 464): gRPC is POST over HTTP/2, to groups of gRPC or HTTP/2. */
function mismatch({ protocolVersion }: TargetGroup, http2: boolean): readonly string[] {
  const refuse = 'http-request return status 464';
  if (protocolVersion === 'HTTP1')
    return !http2 ? [] : [`${refuse} if { fc_http_major 2 } { req.hdr(content-type) -m beg -i -- application/grpc }`];
  return [
    `${refuse} unless { fc_http_major 2 }`,
    ...(protocolVersion === 'GRPC' ? [`${refuse} unless { method POST }`] : []),
  ];
}

/** HAProxy says 503 of a target that refuses; ELB has that word for groups without any that is up. */
const refused = `http-after-response set-status 502 if !${isOfTarget} { status 503 } { nbsrv gt 0 }`;

function serverOf(group: TargetGroup, target: Target, cookieKey: string, options: string): Server {
  const host = target.address.includes(':') ? `[${target.address}]` : target.address;
  return {
    name: cookieToken(cookieKey, 'target', group.id, target.registrationId),
    registrationId: target.registrationId,
    address: `${host}:${target.port}`,
    options,
    weight: target.weight,
    ready: target.state === 'up',
  };
}

function balance({ algorithm, stickiness }: TargetGroup): string {
  if (stickiness?.kind === 'source_ip') return 'balance source\nhash-type consistent';
  return {
    round_robin: 'balance roundrobin',
    least_outstanding_requests: 'balance leastconn',
    weighted_random: 'balance random(1)',
  }[algorithm];
}

function serverOptions({ protocol, protocolVersion, slowStart, freshConnections, proxyProtocol }: TargetGroup): string {
  const isHttp2 = protocolVersion !== 'HTTP1';
  return [
    protocol === 'HTTPS' || protocol === 'TLS'
      ? `ssl verify none${isHttp2 ? ' alpn h2' : ''}`
      : isHttp2 && protocol === 'HTTP'
        ? 'proto h2'
        : '',
    slowStart === 0 ? '' : `slowstart ${slowStart}s`,
    protocol === 'HTTP' || protocol === 'HTTPS'
      ? freshConnections
        ? 'pool-max-conn 0'
        : 'pool-purge-delay 500ms'
      : '',
    proxyProtocol ? 'send-proxy-v2' : '',
  ]
    .filter((option) => option !== '')
    .join(' ');
}

function stickyLines(stickiness: Stickiness | undefined): readonly string[] {
  if (stickiness === undefined || stickiness.kind === 'source_ip') return [];
  const use = 'use-server %[var(txn.kept)] if { var(txn.kept) -m found }';
  // The group's cookies were read into the same variable.
  const begin = 'http-request unset-var(txn.kept)';
  if (stickiness.kind === 'lb_cookie') {
    return [
      begin,
      ...targetCookies.flatMap((name) => keptLines('http-request', name, String(stickiness.seconds))),
      use,
      ...cookieLines(targetCookies, '%[srv_name]', 'TRUE'),
    ];
  }
  const own = argument(stickiness.cookieName);
  return [
    begin,
    ...keptLines('http-request', appCookie, String(stickiness.seconds)),
    `http-request unset-var(txn.kept) unless { req.cook(${own}) -m found }`,
    use,
    ...cookieLines([appCookie], '%[srv_name]', `{ res.cook(${own}) -m found }`),
  ];
}

/** Stands beside the application's own cookie and says which target set it. */
export const appCookie = 'AWSALBAPP-0';
