import type { ContainerDefinition } from '@aws-sdk/client-ecs';

import { containersOf, type TaskDefinitionBody } from './definition.ts';
import { isEcrImage } from './requires.ts';

/** GiB that go with each number of CPU units (ECS developer guide, "Task CPU and memory"): from, to, step. */
const sizes: Readonly<Record<string, readonly number[]>> = {
  256: [0.5, 1, 2],
  512: range(1, 4, 1),
  1024: range(2, 8, 1),
  2048: range(4, 16, 1),
  4096: range(8, 30, 1),
  8192: range(16, 60, 4),
  16384: range(32, 120, 8),
  32768: [60, 120, 244],
};

function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: (to - from) / step + 1 }, (_, index) => from + index * step);
}

/**
 * Why tasks of a definition cannot have the launch type FARGATE, as a sentence; undefined when they can. Overrides are applied.
 * Rules: ECS developer guide, "Task definition differences for Fargate". Log drivers are not held to Fargate's three: what a host
 * here can do, it may.
 */
export function fargateConflict(body: TaskDefinitionBody): string | undefined {
  if (body.networkMode !== 'awsvpc') return "Fargate only supports network mode 'awsvpc'.";
  if (body.cpu === undefined) return "Fargate requires that 'cpu' be defined at the task level.";
  if (body.memory === undefined) return "Fargate requires that 'memory' be defined at the task level.";
  if (sizes[body.cpu]?.includes(Number(body.memory) / 1024) !== true) {
    const fitting = sizes[body.cpu];
    return fitting === undefined
      ? `No Fargate configuration exists for given values: cpu is one of ${Object.keys(sizes).join(', ')}, not ${body.cpu}.`
      : `No Fargate configuration exists for given values: with ${body.cpu} CPU units memory is one of ${fitting.map((gib) => gib * 1024).join(', ')} MiB, not ${body.memory}.`;
  }
  if (body.ipcMode !== undefined) return "Fargate does not support 'ipcMode'.";
  if (body.pidMode === 'host') return "Fargate does not support pidMode 'host'.";
  if ((body.placementConstraints ?? []).length > 0) return 'Fargate does not support placement constraints.';
  const hostVolume = (body.volumes ?? []).find(({ host }) => host?.sourcePath !== undefined);
  if (hostVolume !== undefined) {
    return `Fargate does not support paths of the host: volume '${hostVolume.name ?? ''}' has 'host.sourcePath'.`;
  }
  const dockerVolume = (body.volumes ?? []).find(({ dockerVolumeConfiguration: docker }) => docker !== undefined);
  if (dockerVolume !== undefined)
    return `Fargate does not support 'dockerVolumeConfiguration', which volume '${dockerVolume.name ?? ''}' has: use 'efsVolumeConfiguration', or a volume without a configuration.`;
  for (const container of containersOf(body)) {
    const why = containerConflict(container);
    if (why !== undefined) return `Fargate does not support ${why} (container '${container.name ?? ''}').`;
  }
  return roleConflict(body);
}

/** What only the execution role may do for a task that has no container instance of its account. */
function roleConflict(body: TaskDefinitionBody): string | undefined {
  const containers = containersOf(body);
  const logged = containers.filter(({ logConfiguration }) => logConfiguration?.logDriver === 'awslogs');
  const unnamed = logged.find(({ logConfiguration }) => !logConfiguration?.options?.['awslogs-stream-prefix']);
  if (unnamed !== undefined) return 'Fargate requires option awslogs-stream-prefix for log driver awslogs.';
  if (body.executionRoleArn !== undefined) return undefined;
  const requires = (what: string): string =>
    `Fargate requires task definition to have execution role ARN to support ${what}.`;
  if (logged.length > 0) return requires('log driver awslogs');
  return containers.some(({ image = '' }) => isEcrImage(image)) ? requires('ECR images') : undefined;
}

function containerConflict(container: ContainerDefinition): string | undefined {
  const linux = container.linuxParameters;
  const rules: readonly (readonly [boolean, string])[] = [
    [container.privileged === true, "'privileged'"],
    [container.disableNetworking === true, "'disableNetworking'"],
    [(container.dockerSecurityOptions ?? []).length > 0, "'dockerSecurityOptions'"],
    [(container.dnsServers ?? []).length > 0, "'dnsServers'"],
    [(container.dnsSearchDomains ?? []).length > 0, "'dnsSearchDomains'"],
    [(container.extraHosts ?? []).length > 0, "'extraHosts'"],
    [(linux?.devices ?? []).length > 0, "'linuxParameters.devices'"],
    [linux?.sharedMemorySize !== undefined, "'linuxParameters.sharedMemorySize'"],
    [linux?.maxSwap !== undefined, "'linuxParameters.maxSwap'"],
    [linux?.swappiness !== undefined, "'linuxParameters.swappiness'"],
    [(linux?.capabilities?.add ?? []).some((name) => name !== 'SYS_PTRACE'), 'capabilities other than SYS_PTRACE'],
  ];
  return rules.find(([applies]) => applies)?.[1];
}
