import type { PortMapping } from '@aws-sdk/client-ecs';

import { containersOf, type TaskDefinitionBody } from './definition.ts';
import { checkOneOf, checkRange, refuse, refuseContainer } from './definition-error.ts';

/** What a mapping opens: container ports of one protocol, and the port of the host when it names one. */
interface Range {
  readonly first: number;
  readonly last: number;
  readonly protocol: string;
  /** 0 for one that the engine picks. */
  readonly host: number;
}

/**
 * Port mappings of all containers, after the "Port mappings" section of the task definition parameters. As ECS does, whatever that
 * section says: one port may be open for TCP and for UDP (DNS servers), and on several ports of the host.
 * @throws ClientException
 */
export function checkPorts(body: TaskDefinitionBody): void {
  const host = new Map<string, string>();
  checkNames(body);
  for (const { name, portMappings = [] } of containersOf(body)) {
    if (body.networkMode === 'none' && portMappings.length > 0) {
      refuseContainer(name, "Port mappings cannot be used with network mode 'none'.");
    }
    const ranges = portMappings.map((mapping) => checkMapping(name, mapping, body.networkMode));
    ranges.forEach((range, index) => {
      if (ranges.findIndex((other) => mapsAgain(other, range)) < index) {
        refuseContainer(name, `Container port ${range.first}/${range.protocol} is mapped more than once.`);
      }
    });
    for (const { hostPort, protocol = 'tcp' } of portMappings) {
      if (hostPort === undefined || hostPort === 0) continue;
      const key = `${hostPort}/${protocol}`;
      const other = host.get(key);
      if (other !== undefined) refuse(`Host port ${key} is used by containers '${other}' and '${name ?? ''}'.`);
      host.set(key, name ?? '');
    }
  }
}

/** A name stands for one port of the task, whichever container has it. */
function checkNames(body: TaskDefinitionBody): void {
  const names = containersOf(body).flatMap(({ portMappings = [] }) => portMappings.flatMap(({ name }) => name ?? []));
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) refuse(`The port mapping name '${twice}' is used more than once: give every port its own.`);
}

/** Whether two mappings open the same: a single port opens another port of the host each time that it names another. */
const mapsAgain = (one: Range, other: Range): boolean =>
  one.protocol === other.protocol &&
  one.first <= other.last &&
  other.first <= one.last &&
  (one.first !== one.last || other.first !== other.last || one.host === other.host);

function checkMapping(
  name: string | undefined,
  mapping: PortMapping,
  networkMode: TaskDefinitionBody['networkMode'],
): Range {
  checkOneOf(name, 'protocol', mapping.protocol, ['tcp', 'udp']);
  if (mapping.name !== undefined && !/^[a-z0-9][a-z0-9_-]{0,63}$/.test(mapping.name)) {
    refuseContainer(
      name,
      `The port mapping name '${mapping.name}' must be 1 to 64 lower-case letters, digits, '-' and '_'.`,
    );
  }
  checkOneOf(name, 'appProtocol', mapping.appProtocol, ['http', 'http2', 'grpc']);
  if (mapping.containerPortRange !== undefined) return checkPortRange(name, mapping, networkMode);
  if (mapping.containerPort === undefined) {
    refuseContainer(name, "A port mapping needs 'containerPort' or 'containerPortRange'.");
  }
  checkRange(name, 'containerPort', mapping.containerPort, 1, 65_535);
  checkRange(name, 'hostPort', mapping.hostPort, 0, 65_535);
  const own = networkMode === 'host' || networkMode === 'awsvpc';
  if (own && mapping.hostPort !== mapping.containerPort) {
    refuse(`When networkMode=${networkMode}, the host ports and container ports in port mappings must match.`);
  }
  const { containerPort: port, protocol = 'tcp', hostPort: host = 0 } = mapping;
  return { first: port, last: port, protocol, host };
}

function checkPortRange(
  name: string | undefined,
  mapping: PortMapping,
  networkMode: TaskDefinitionBody['networkMode'],
): Range {
  const text = mapping.containerPortRange ?? '';
  if (networkMode === 'host') refuseContainer(name, "'containerPortRange' cannot be used with network mode 'host'.");
  if (mapping.hostPort !== undefined || mapping.containerPort !== undefined) {
    refuseContainer(name, "'containerPortRange' excludes 'hostPort' and 'containerPort'.");
  }
  const [, first = '', last = ''] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  const range = { first: Number(first), last: Number(last), protocol: mapping.protocol ?? 'tcp', host: 0 };
  if (first === '' || range.first < 1 || range.last > 65_535 || range.first > range.last) {
    refuseContainer(name, `'containerPortRange' must be 'first-last' within 1 to 65535, not '${text}'.`);
  }
  return range;
}
