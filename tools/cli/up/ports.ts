import type { PortMapping } from '@aws-sdk/client-ecs';
import type { Field } from './fields.ts';
import { portOf } from './values.ts';

/** Ports that speak something else than HTTP as good as always, so that a load balancer that takes requests is no help. */
const notHttp: Readonly<Record<number, string>> = {
  22: 'SSH',
  25: 'SMTP',
  53: 'DNS',
  1433: 'SQL Server',
  1521: 'Oracle',
  1883: 'MQTT',
  3306: 'MySQL',
  5432: 'PostgreSQL',
  5672: 'AMQP',
  6379: 'Redis',
  9042: 'Cassandra',
  9092: 'Kafka',
  11211: 'memcached',
  27017: 'MongoDB',
};

export interface Ports {
  /** All that the container's definition maps. */
  readonly mappings: readonly PortMapping[];
  /** Those of the load balancer. */
  readonly published: readonly { readonly containerPort: number; readonly port: number }[];
}

/**
 * `ports` of a Compose service. A port that is published is a listener of the service's load balancer, which takes HTTP requests; with
 * `mode: host` it is one of the host that a task runs on, for whatever protocol.
 */
export function readPorts(field: Field): Ports {
  const mappings: PortMapping[] = [];
  const published: { containerPort: number; port: number }[] = [];
  for (const item of field.items()) {
    const port = item.kind === 'map' ? longPort(item) : shortPort(item);
    if (port === undefined) continue;
    if (port.mode === 'host') {
      mappings.push({ containerPort: port.target, hostPort: port.published ?? 0, protocol: port.protocol });
      continue;
    }
    if (port.protocol === 'udp') {
      item.refuse(`load balancers take HTTP here, no UDP: write it long, with mode: host, for a port of the host`);
      continue;
    }
    const other = notHttp[port.target];
    if (other !== undefined && !port.isHttp) {
      item.refuse(
        `port ${port.target} is ${other}'s, and load balancers take HTTP here: leave it out (services that depend on this one reach it by its name), or write it long, with mode: host, for a port of the host, or with app_protocol: http if it is HTTP after all`,
      );
      continue;
    }
    if (!mappings.some(({ containerPort }) => containerPort === port.target))
      mappings.push({ containerPort: port.target, protocol: 'tcp' });
    published.push({ containerPort: port.target, port: port.published ?? 80 });
  }
  return { mappings, published };
}

interface Port {
  readonly target: number;
  readonly published?: number;
  readonly protocol: 'tcp' | 'udp';
  readonly mode: 'ingress' | 'host';
  readonly isHttp: boolean;
}

function shortPort(item: Field): Port | undefined {
  const text = item.text();
  if (text === undefined) return undefined;
  const port = portOf(text);
  if (port === undefined) return item.refuse(`is a port such as "8080:80", not '${text}'`);
  if (port.target.includes('-') || port.published?.includes('-') === true)
    return item.refuse('ranges of ports are not mapped: name each port');
  if (port.address !== undefined)
    return item.refuse(
      `a load balancer has an address of its own, not ${port.address}: write "${port.published ?? ''}:${port.target}"`,
    );
  return checked(item, port.target, port.published, port.protocol, 'ingress', false);
}

function longPort(item: Field): Port | undefined {
  const said: Record<string, string> = {};
  for (const [name, member] of item.members()) {
    if (name.startsWith('x-') || name === 'name') continue;
    if (!['target', 'published', 'protocol', 'mode', 'app_protocol'].includes(name))
      member.refuse(
        name === 'host_ip' ? 'a load balancer has an address of its own: remove it' : 'is no field of a port',
      );
    else said[name] = member.text() ?? '';
  }
  const { target, published, protocol = 'tcp', mode = 'ingress', app_protocol: app } = said;
  if (target === undefined) return item.refuse('needs a target: the port of the container');
  if (app !== undefined && app !== 'http')
    return item.refuse(`app_protocol: load balancers that slipway up makes take http, not ${app}`);
  return checked(item, target, published, protocol, mode, app === 'http');
}

function checked(
  item: Field,
  target: string,
  published: string | undefined,
  protocol: string,
  mode: string,
  isHttp: boolean,
): Port | undefined {
  if (protocol !== 'tcp' && protocol !== 'udp') return item.refuse(`the protocol is tcp or udp, not ${protocol}`);
  if (mode !== 'ingress' && mode !== 'host') return item.refuse(`mode is ingress or host, not ${mode}`);
  for (const port of [target, published])
    if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535))
      return item.refuse(`a port is from 1 to 65535, not ${port}`);
  return {
    target: Number(target),
    ...(published === undefined ? {} : { published: Number(published) }),
    protocol,
    mode,
    isHttp,
  };
}
