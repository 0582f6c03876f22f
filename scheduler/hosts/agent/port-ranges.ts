import type { AgentContainer } from '../wire/index.ts';
import type { Protocol } from './host-ports.ts';

type Mapping = AgentContainer['portMappings'][number];

/** Ports of a container next to each other. */
export interface ContainerPorts {
  readonly first: number;
  readonly count: number;
  readonly protocol: Protocol;
}

/**
 * The ports that a mapping opens: one, or those of its `containerPortRange` (`8000-8010`; PortMapping in the ECS API reference).
 * Undefined when it names none that exist.
 */
export function portsOf({ containerPort, containerPortRange, protocol: named }: Mapping): ContainerPorts | undefined {
  const protocol = named === 'udp' ? 'udp' : 'tcp';
  if (containerPort !== undefined) return { first: containerPort, count: 1, protocol };
  const [, from = '', to = ''] = /^(\d{1,5})-(\d{1,5})$/.exec(containerPortRange ?? '') ?? [];
  const [first, last] = [Number(from), Number(to)];
  return first < 1 || last > 65_535 || first > last ? undefined : { first, count: last - first + 1, protocol };
}
