import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import type { Reservation } from '../state/index.ts';

import { containersOf, type TaskDefinitionBody } from './definition.ts';

/**
 * What placement takes from an instance for one task: task-level CPU and memory when given, otherwise the sum over the
 * containers, where `memoryReservation` comes before `memory`. Only static host ports count, per protocol; dynamic ones
 * are the agent's choice. GPUs are whole devices. Apply overrides first.
 */
export function reservationOf(body: TaskDefinitionBody): Reservation {
  const containers = containersOf(body);
  const ports =
    body.networkMode === 'none' || body.networkMode === 'awsvpc'
      ? []
      : containers.flatMap((container) => container.portMappings ?? []);
  const hostPorts = (protocol: 'tcp' | 'udp'): number[] =>
    ports
      .filter((port) => (port.protocol ?? 'tcp') === protocol)
      .flatMap((port) => (port.hostPort !== undefined && port.hostPort > 0 ? [port.hostPort] : []));
  return {
    cpu: body.cpu === undefined ? sum(containers, (container) => container.cpu ?? 0) : Number(body.cpu),
    memory: body.memory === undefined ? sum(containers, softMemory) : Number(body.memory),
    tcpPorts: hostPorts('tcp'),
    udpPorts: hostPorts('udp'),
    gpus: sum(containers, gpus),
  };
}

/** MiB that a container counts for. */
export const softMemory = (container: ContainerDefinition): number =>
  container.memoryReservation || container.memory || 0;

const gpus = (container: ContainerDefinition): number =>
  sum(container.resourceRequirements ?? [], (requirement) =>
    requirement.type === 'GPU' ? Number(requirement.value) : 0,
  );

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += value(item);
  return total;
}
