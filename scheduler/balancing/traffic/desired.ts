import type { Network } from '../../network/records/index.ts';
import type {
  Action,
  Certificate,
  Condition,
  DesiredState,
  Forward,
  HttpAttributes,
  HttpListener,
  Listener,
  Rule,
  StreamListener,
  Target,
  TargetGroup,
  Tls,
} from '../../routing/index.ts';
import {
  alpnPolicies,
  type ActionRecord,
  type Balancing,
  challengePath,
  type ConditionRecord,
  listenerByName,
  type ListenerRecord,
  type LoadBalancerRecord,
  readAttribute,
  responseHeadersOf,
  sslPolicy,
  type SslPolicy,
  usualSslPolicy,
  type TargetGroupRecord,
  type TargetRecord,
} from '../records/index.ts';

/** What the records do not hold of what engines are told. */
export interface DesiredPorts {
  /** See `DesiredState.cookieKey`. */
  readonly cookieKey: string;
  /** Certificates by ARN, those of listeners that are there. */
  readonly certificates: ReadonlyMap<string, Certificate>;
}

/**
 * What engines carry out: the records of one account, its security groups, and what health checks have found, as one document. Pure.
 * Groups that no listener names, and targets of theirs, are not in it, nor listeners without a certificate that they need.
 */
export function desiredState(records: Balancing, network: Network, ports: DesiredPorts): DesiredState {
  const balancing = records.carried;
  const balancers = balancing.all('loadbalancer');
  const used = new Set(balancers.flatMap(({ id }) => [...balancing.groupsOf(id)]));
  const own = balancers.flatMap((balancer) => {
    return balancing
      .listenersOf(balancer.id)
      .filter((listener) => !lacksCertificate(listener, ports.certificates))
      .map((listener) => listenerFor(balancing, balancer, listener, admittedBy(network, balancer, listener), ports));
  });
  return {
    generation: balancing.generation,
    cookieKey: ports.cookieKey,
    certificates: [...ports.certificates.values()],
    listeners: [...own, ...listenersByName(own)],
    targetGroups: balancing.all('targetgroup').flatMap((group) => {
      return used.has(group.id) ? [groupFor(group, balancing.targetsOf(group.id))] : [];
    }),
  };
}

/** Whether a listener needs a certificate and none of its own can be had. */
export const lacksCertificate = (
  { protocol, certificates }: ListenerRecord,
  known: DesiredPorts['certificates'],
): boolean => (protocol === 'HTTPS' || protocol === 'TLS') && !certificates.some((arn) => known.has(arn));

const everybody = ['0.0.0.0/0'];

/**
 * Who may connect to a listener: what the ingress rules of its security groups let through. A rule whose source is a group lets nobody
 * through: what comes from a task arrives from the address of its host. A load balancer without groups lets everybody through, as a
 * Network Load Balancer does.
 */
export function admittedBy(
  network: Network,
  { securityGroups }: LoadBalancerRecord,
  { port }: Pick<ListenerRecord, 'port'>,
): readonly string[] {
  if (securityGroups.length === 0) return everybody;
  const ranges = securityGroups.flatMap((id) =>
    network.rulesOf(id).flatMap(({ egress, protocol, from = 0, to = 65_535, peer }) => {
      const fits = protocol === '-1' || (protocol === 'tcp' && from <= port && port <= to);
      return !egress && fits && 'cidr' in peer ? [peer.cidr] : [];
    }),
  );
  return [...new Set(ranges)].toSorted();
}

function listenerFor(
  balancing: Balancing,
  balancer: LoadBalancerRecord,
  listener: ListenerRecord,
  admitted: readonly string[],
  { certificates }: DesiredPorts,
): Listener {
  const { id, protocol, port } = listener;
  const base = { id, loadBalancerId: balancer.id, address: balancer.address, port, admitted };
  const tls = protocol === 'HTTPS' || protocol === 'TLS' ? { tls: tlsFor(listener, certificates) } : {};
  if (protocol === 'TCP' || protocol === 'TLS')
    return {
      ...base,
      protocol,
      ...tls,
      idleTimeout: Number(readAttribute(listener, 'tcp.idle_timeout.seconds')),
      defaultAction: actionFor(listener.defaultAction) as Forward,
    } satisfies StreamListener;
  return {
    ...base,
    protocol,
    ...tls,
    dnsName: balancer.dnsName,
    attributes: httpAttributes(balancer, listener),
    rules: [
      ...(protocol === 'HTTP' ? challengeRules(balancing, id) : []),
      ...balancing.rulesOf(id).map((rule) => ({
        id: rule.id,
        conditions: rule.conditions.map(conditionFor),
        action: actionFor(rule.action),
      })),
    ],
    defaultAction: actionFor(listener.defaultAction),
  } satisfies HttpListener;
}

/**
 * The rules that answer an authority, in front of all others, while it issues a certificate: the name and path of a challenge, exactly. Every
 * HTTP listener has them: which one the authority is led to by a name, and from which port, nobody here knows.
 */
function challengeRules(balancing: Balancing, listenerId: string): readonly Rule[] {
  // Rules of several listeners may come together in one (`listenersByName`), which engines refuse when two have one id.
  const all = balancing
    .all('requested')
    .flatMap(({ id, challenges }) => challenges.map((one, place) => ({ ...one, id: `${listenerId}-${id}-${place}` })));
  return all.map(({ id, name, token, answer }) => ({
    id,
    conditions: [
      { kind: 'host-header', values: [name], regexValues: [] },
      { kind: 'path-pattern', values: [challengePath(token)], regexValues: [] },
    ],
    action: { kind: 'fixed-response', status: 200, contentType: 'text/plain', body: answer },
  }));
}

function tlsFor(
  { certificates, sslPolicy: policy, alpnPolicy }: ListenerRecord,
  known: DesiredPorts['certificates'],
): Tls {
  const { versions, ciphers } = sslPolicy(policy ?? usualSslPolicy) ?? (sslPolicy(usualSslPolicy) as SslPolicy);
  return {
    certificates: certificates.filter((arn) => known.has(arn)),
    versions,
    ciphers,
    ...(alpnPolicy === undefined ? {} : { alpn: alpnPolicies[alpnPolicy] }),
  };
}

function httpAttributes(balancer: LoadBalancerRecord, listener: ListenerRecord): HttpAttributes {
  const is = (key: string): boolean => readAttribute(balancer, key) === 'true';
  return {
    idleTimeout: Number(readAttribute(balancer, 'idle_timeout.timeout_seconds')),
    clientKeepAlive: Number(readAttribute(balancer, 'client_keep_alive.seconds')),
    dropInvalidHeaderFields: is('routing.http.drop_invalid_header_fields.enabled'),
    preserveHostHeader: is('routing.http.preserve_host_header.enabled'),
    forwardedFor: readAttribute(balancer, 'routing.http.xff_header_processing.mode') as HttpAttributes['forwardedFor'],
    forwardedForWithPort: is('routing.http.xff_client_port.enabled'),
    http2: is('routing.http2.enabled'),
    tlsHeaders: is('routing.http.x_amzn_tls_version_and_cipher_suite.enabled'),
    serverHeader: readAttribute(listener, 'routing.http.response.server.enabled') === 'true',
    responseHeaders: responseHeadersOf(listener),
  };
}

function actionFor(action: ActionRecord): Action {
  switch (action.type) {
    case 'forward': {
      const { enabled = false, seconds } = action.stickiness ?? {};
      return {
        kind: 'forward',
        targetGroups: action.targetGroups,
        ...(enabled && seconds !== undefined ? { stickySeconds: seconds } : {}),
      };
    }
    case 'redirect': {
      const { status, protocol, host, port, path, query } = action;
      return { kind: 'redirect', status, protocol, host, port, path, query };
    }
    case 'fixed-response':
      return {
        kind: 'fixed-response',
        status: action.status,
        contentType: (action.contentType ?? 'text/plain') as 'text/plain',
        body: action.body ?? '',
      };
  }
}

function conditionFor(condition: ConditionRecord): Condition {
  switch (condition.field) {
    case 'host-header':
    case 'path-pattern':
      return { kind: condition.field, values: condition.values, regexValues: condition.regexValues };
    case 'http-header':
      return {
        kind: condition.field,
        name: condition.name,
        values: condition.values,
        regexValues: condition.regexValues,
      };
    case 'http-request-method':
    case 'source-ip':
      return { kind: condition.field, values: condition.values };
    case 'query-string':
      return { kind: condition.field, values: condition.pairs };
  }
}

function groupFor(group: TargetGroupRecord, targets: readonly TargetRecord[]): TargetGroup {
  const isHttp = group.protocol === 'HTTP' || group.protocol === 'HTTPS';
  const read = (key: string): string => readAttribute(group, key);
  return {
    id: group.id,
    protocol: group.protocol,
    protocolVersion: group.protocolVersion ?? 'HTTP1',
    algorithm: isHttp ? (read('load_balancing.algorithm.type') as TargetGroup['algorithm']) : 'round_robin',
    slowStart: isHttp ? Number(read('slow_start.duration_seconds')) : 0,
    ...stickinessOf(group),
    retrySafe: isHttp && read('slipway.retry_safe_requests.enabled') === 'true',
    freshConnections: isHttp && read('slipway.fresh_connections.enabled') === 'true',
    proxyProtocol: !isHttp && read('proxy_protocol_v2.enabled') === 'true',
    targets: targetsFor(group, targets),
  };
}

function stickinessOf(group: TargetGroupRecord): Pick<TargetGroup, 'stickiness'> {
  if (readAttribute(group, 'stickiness.enabled') !== 'true') return {};
  switch (readAttribute(group, 'stickiness.type')) {
    case 'lb_cookie':
      return {
        stickiness: {
          kind: 'lb_cookie',
          seconds: Number(readAttribute(group, 'stickiness.lb_cookie.duration_seconds')),
        },
      };
    case 'app_cookie':
      return {
        stickiness: {
          kind: 'app_cookie',
          seconds: Number(readAttribute(group, 'stickiness.app_cookie.duration_seconds')),
          cookieName: readAttribute(group, 'stickiness.app_cookie.cookie_name'),
        },
      };
    default:
      return { stickiness: { kind: 'source_ip' } };
  }
}

/**
 * Which targets get requests. When fewer are healthy than the group wants, all that ever were get some (ELB: fail open); one that never
 * passed a check gets none, so that an image that never came up answers nothing rather than errors.
 */
function targetsFor(group: TargetGroupRecord, targets: readonly TargetRecord[]): Target[] {
  const registered = targets.filter(({ deregisteredAt }) => deregisteredAt === undefined);
  const isOpen = failsOpen(group, registered);
  const cuts = cutsUnhealthy(group);
  return targets.flatMap(({ id, address, port, deregisteredAt, health }): Target[] => {
    const isUp = health.state === 'healthy' || (isOpen && health.passed === true);
    if (deregisteredAt === undefined && !isUp && health.state === 'unhealthy' && cuts) return [];
    const state = deregisteredAt !== undefined ? 'draining' : isUp ? 'up' : 'down';
    return [{ registrationId: id, address, port, weight: 1, state }];
  });
}

/** Whether anything would answer a request that goes to a group, as engines are told of its targets. */
export function answers(balancing: Balancing, groupId: string): boolean {
  const group = balancing.get('targetgroup', groupId);
  return group !== undefined && targetsFor(group, balancing.targetsOf(groupId)).some(({ state }) => state === 'up');
}

/** Whether a group has fewer healthy targets than it needs to tell them from others. */
export function failsOpen(group: TargetGroupRecord, registered: readonly TargetRecord[]): boolean {
  const name = 'target_group_health.unhealthy_state_routing.minimum_healthy_targets';
  const healthy = registered.filter(({ health }) => health.state === 'healthy').length;
  const percentage = readAttribute(group, `${name}.percentage`);
  return (
    healthy < Number(readAttribute(group, `${name}.count`)) ||
    (percentage !== 'off' && healthy * 100 < Number(percentage) * registered.length)
  );
}

/** Whether connections to a target end when it becomes unhealthy: what engines are not told of, they cut. */
const cutsUnhealthy = (group: TargetGroupRecord): boolean =>
  (group.protocol === 'TCP' || group.protocol === 'TLS') &&
  readAttribute(group, 'target_health_state.unhealthy.connection_termination.enabled') === 'true';

const loopback = '127.0.0.1';

/**
 * Listeners on the address that names below `localhost` mean everywhere: 127.0.0.1 (RFC 6761, section 6.3; curl and browsers ask nobody).
 * Load balancers that have addresses of the loopback network themselves are found there by their names, so that a name from
 * DescribeLoadBalancers works without a DNS server, also when two of them have one port.
 */
function listenersByName(own: readonly Listener[]): readonly HttpListener[] {
  const named = own.filter(
    (one): one is HttpListener =>
      one.protocol === 'HTTP' && one.address.startsWith('127.') && one.dnsName.endsWith('.localhost'),
  );
  const taken = new Set(own.flatMap(({ address, port }) => (address === loopback ? [port] : [])));
  return [...Map.groupBy(named, ({ port }) => port)].flatMap(([port, listeners]): HttpListener[] => {
    const [first] = listeners;
    if (first === undefined || taken.has(port)) return [];
    return [
      {
        id: listenerByName(port),
        // What engines answer themselves counts for whoever is alone here.
        loadBalancerId: listeners.length === 1 ? first.loadBalancerId : 'names',
        protocol: 'HTTP',
        address: loopback,
        port,
        admitted: ['127.0.0.0/8'],
        dnsName: first.dnsName,
        attributes: first.attributes,
        rules: listeners.flatMap(byName),
        defaultAction: {
          kind: 'fixed-response',
          status: 404,
          contentType: 'text/plain',
          body: `No load balancer of this name has a listener on port ${port}.\n`,
        },
      },
    ];
  });
}

/** The rules of a listener for requests to its load balancer's name, from who may connect to it. */
function byName({ id, dnsName, admitted, rules, defaultAction }: HttpListener): readonly Rule[] {
  if (admitted.length === 0) return [];
  const mine: readonly Condition[] = [
    { kind: 'host-header', values: [dnsName], regexValues: [] },
    { kind: 'source-ip', values: admitted },
  ];
  return [
    ...rules.map((rule) => ({ ...rule, id: `names-${rule.id}`, conditions: [...mine, ...rule.conditions] })),
    { id: `names-${id}`, conditions: mine, action: defaultAction },
  ];
}
