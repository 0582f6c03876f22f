import type {
  BalancingRecords,
  BalancingType,
  ClassicListener,
  ClassicProtocol,
  ClassicRecord,
  HealthCheckRecord,
  ListenerRecord,
  LoadBalancerRecord,
  Protocol,
  TargetGroupRecord,
} from './records.ts';

const protocols: Readonly<Record<ClassicProtocol, Protocol>> = { HTTP: 'HTTP', HTTPS: 'HTTPS', TCP: 'TCP', SSL: 'TLS' };

/** The group of the instances that a listener goes to; listeners that go to one port the same way share it. */
export const classicGroupId = ({ id }: ClassicRecord, { instanceProtocol, instancePort }: ClassicListener): string =>
  `${id}-${instanceProtocol}-${instancePort}`;

export const classicListenerId = ({ id }: ClassicRecord, port: number): string => `${id}-${port}`;

/** What a health check's target says: `HTTP:80/up`, `TCP:80`; undefined for any other text. */
export function readCheckTarget(
  target: string,
): (Pick<HealthCheckRecord, 'protocol' | 'path'> & { port: number }) | undefined {
  const [, protocol, port = '', path] =
    /^(HTTP|HTTPS|TCP):([1-9][0-9]{0,4})(\/[\x21-\x7e]{0,1023})?$/.exec(target) ?? [];
  if (protocol === undefined || Number(port) > 65_535 || (protocol === 'TCP') !== (path === undefined))
    return undefined;
  return {
    protocol: protocol as HealthCheckRecord['protocol'],
    port: Number(port),
    ...(path === undefined ? {} : { path }),
  };
}

/** A Classic Load Balancer as one of the kinds that carry traffic: a record with the id that it has, and what it is. */
export function carriedOf(
  classic: ClassicRecord,
): readonly (readonly [BalancingType, BalancingRecords[BalancingType]])[] {
  const { id, name, scheme, vpcId, subnets, securityGroups, address, dnsName, createdAt, listeners } = classic;
  const balancer: LoadBalancerRecord = {
    id,
    name,
    scheme,
    vpcId,
    subnets,
    securityGroups,
    address,
    dnsName,
    createdAt,
    tags: {},
    type: 'application',
    attributes: {
      'idle_timeout.timeout_seconds': String(classic.idleTimeout),
      // Classic Load Balancers speak HTTP/1.1 to their clients.
      'routing.http2.enabled': 'false',
    },
  };
  const groups = new Map(listeners.map((listener) => [classicGroupId(classic, listener), listener]));
  return [
    ['loadbalancer', balancer],
    ...listeners.map((one) => ['listener', listenerOf(classic, one)] as const),
    ...[...groups].map(([groupId, one]) => ['targetgroup', groupOf(classic, groupId, one)] as const),
  ];
}

function listenerOf(classic: ClassicRecord, listener: ClassicListener): ListenerRecord {
  const protocol = protocols[listener.protocol];
  return {
    id: classicListenerId(classic, listener.port),
    loadBalancerId: classic.id,
    protocol,
    port: listener.port,
    certificates: listener.certificate === undefined ? [] : [listener.certificate],
    defaultAction: { type: 'forward', targetGroups: [{ id: classicGroupId(classic, listener), weight: 1 }] },
    defaultRuleId: classicListenerId(classic, listener.port),
    createdAt: classic.createdAt,
    attributes: isHttp(protocol) ? {} : { 'tcp.idle_timeout.seconds': String(classic.idleTimeout) },
    tags: {},
  };
}

const isHttp = (protocol: Protocol): boolean => protocol === 'HTTP' || protocol === 'HTTPS';

function groupOf(
  { vpcId, createdAt, healthCheck, draining }: ClassicRecord,
  id: string,
  { instanceProtocol, instancePort }: ClassicListener,
): TargetGroupRecord {
  const protocol = protocols[instanceProtocol];
  const { target, ...times } = healthCheck;
  const check = readCheckTarget(target) ?? { protocol: 'TCP', port: instancePort };
  return {
    id,
    name: id,
    protocol,
    ...(isHttp(protocol) ? { protocolVersion: 'HTTP1' } : {}),
    port: instancePort,
    vpcId,
    targetType: 'instance',
    healthCheck: { ...times, ...check, ...(check.protocol === 'TCP' ? {} : { matcher: '200' }) },
    createdAt,
    attributes: {
      'deregistration_delay.timeout_seconds': String(draining.enabled ? draining.timeout : 0),
      ...(isHttp(protocol) ? {} : { 'deregistration_delay.connection_termination.enabled': 'true' }),
    },
    tags: {},
  };
}
