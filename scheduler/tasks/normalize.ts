import type { ContainerDefinition, PortMapping, RegisterTaskDefinitionRequest, Volume } from '@aws-sdk/client-ecs';

import { fargateConflict } from './check-fargate.ts';
import type { TaskDefinitionBody } from './definition.ts';
import { parseTaskCpu, parseTaskMemory } from './sizes.ts';

/**
 * A task definition as ECS gives it back: what the author left out that has a default is filled in, sizes are in CPU
 * units and MiB. Everything else stays as written, so that Terraform and the AWS CLI see no difference on reading back.
 * @throws ClientException when a task-level size is malformed
 */
export function normalizeDefinition(input: RegisterTaskDefinitionRequest): TaskDefinitionBody {
  const { tags: _, cpu, memory, containerDefinitions, volumes, placementConstraints, ...rest } = input;
  const body: TaskDefinitionBody = {
    ...rest,
    containerDefinitions: (containerDefinitions ?? []).map((container) =>
      normalizeContainer(container, input.networkMode),
    ),
    volumes: (volumes ?? []).map(normalizeVolume),
    placementConstraints: placementConstraints ?? [],
    ...(cpu === undefined ? {} : { cpu: parseTaskCpu(cpu) }),
    ...(memory === undefined ? {} : { memory: parseTaskMemory(memory) }),
  };
  return { ...body, compatibilities: compatibilitiesOf(body) };
}

/** The launch types that the definition is fit for: what runs outside of the network of a VPC is EXTERNAL. */
function compatibilitiesOf(body: TaskDefinitionBody): NonNullable<TaskDefinitionBody['compatibilities']> {
  if (body.networkMode !== 'awsvpc') return ['EXTERNAL', 'EC2'];
  return fargateConflict(body) === undefined ? ['EC2', 'FARGATE'] : ['EC2'];
}

function normalizeContainer(
  container: ContainerDefinition,
  networkMode: RegisterTaskDefinitionRequest['networkMode'],
): ContainerDefinition {
  const check = container.healthCheck;
  return {
    ...container,
    cpu: container.cpu ?? 0,
    portMappings: (container.portMappings ?? []).map((mapping) => normalizePort(mapping, networkMode)),
    essential: container.essential ?? true,
    environment: container.environment ?? [],
    mountPoints: container.mountPoints ?? [],
    volumesFrom: container.volumesFrom ?? [],
    systemControls: container.systemControls ?? [],
    ...(check === undefined
      ? {}
      : {
          healthCheck: {
            ...check,
            interval: check.interval ?? 30,
            timeout: check.timeout ?? 5,
            retries: check.retries ?? 3,
          },
        }),
  };
}

/** A host port of 0 is dynamic; with `host` and `awsvpc` networking it can only be the container's own. */
function normalizePort(mapping: PortMapping, networkMode: RegisterTaskDefinitionRequest['networkMode']): PortMapping {
  const protocol = mapping.protocol ?? 'tcp';
  if (mapping.containerPortRange !== undefined) return { ...mapping, protocol };
  const own = networkMode === 'host' || networkMode === 'awsvpc';
  const hostPort = own ? mapping.hostPort || mapping.containerPort : (mapping.hostPort ?? 0);
  return { ...mapping, ...(hostPort === undefined ? {} : { hostPort }), protocol };
}

const normalizeVolume = (volume: Volume): Volume =>
  volume.efsVolumeConfiguration !== undefined
    ? {
        ...volume,
        efsVolumeConfiguration: {
          ...volume.efsVolumeConfiguration,
          rootDirectory: volume.efsVolumeConfiguration.rootDirectory ?? '/',
        },
      }
    : volume.dockerVolumeConfiguration === undefined && volume.host === undefined
      ? { ...volume, host: {} }
      : volume.dockerVolumeConfiguration === undefined
        ? volume
        : {
            ...volume,
            dockerVolumeConfiguration: {
              ...volume.dockerVolumeConfiguration,
              scope: volume.dockerVolumeConfiguration.scope ?? 'task',
            },
          };
