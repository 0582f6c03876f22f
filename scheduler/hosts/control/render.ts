import type { ContainerDefinition, Secret, Volume } from '@aws-sdk/client-ecs';
import { registryOf } from '../../references/index.ts';
import {
  arns,
  type AttachmentRecord,
  ec2InstanceId,
  idOf,
  isForced,
  isOut,
  type TaskDefinitionRecord,
  type TaskRecord,
} from '../../state/index.ts';
import { containersOf, taskBody, type TaskDefinitionBody } from '../../tasks/index.ts';

import { dockerConfigOf, type LogWay, shippedLogsOf } from './docker-config.ts';
import type {
  AgentContainer,
  AgentFileSystem,
  AgentInterface,
  AgentTask,
  ContainerSecrets,
  RoleCredentials,
  SentTask,
} from '../wire/index.ts';

/** What a payload says besides the definition: where the task runs, and with whose rights. */
export interface RenderPorts extends LogWay {
  readonly clusterArn: string;
  readonly region: string;
  readonly account: string;
  /** Where the agent reached this installation, e.g. `http://127.0.0.1:7500`. */
  readonly endpoint: string;
  /** Whether a host in an image reference means this installation. */
  readonly ownHost: (host: string) => boolean;
  /** Where the task's file systems are, by volume. */
  readonly fileSystems: Readonly<Record<string, AgentFileSystem>>;
  readonly secretValues?: Readonly<Record<string, ContainerSecrets>>;
  readonly roleCredentials?: RoleCredentials;
  readonly executionRoleCredentials?: RoleCredentials;
}

/**
 * A task as the agent protocol carries it (`PayloadMessage.tasks[]`), for the real amazon-ecs-agent as well as ours:
 * the definition with the task's overrides applied, and Docker Engine API JSON for what only Docker understands.
 */
export function renderTask(task: TaskRecord, definition: TaskDefinitionRecord, ports: RenderPorts): AgentTask {
  const body = taskBody(task, definition);
  return {
    arn: task.arn,
    taskClusterArn: ports.clusterArn,
    family: definition.family,
    version: String(definition.revision),
    // One that is told to stop runs on while requests may reach it.
    desiredStatus: 'RUNNING',
    ...(task.targets === undefined ? {} : { loadBalanced: true }),
    ...(task.enableExecuteCommand ? { enableExecuteCommand: true } : {}),
    knownStatus: task.lastStatus,
    networkMode: body.networkMode ?? 'bridge',
    launchType: task.launchType,
    group: task.group,
    ...(task.service === undefined ? {} : { serviceName: task.service.name }),
    overrides: '{"containerOverrides":[]}',
    // Vcpus and MiB of the task as a whole; the agent turns them into limits of the task's control group.
    ...(body.cpu === undefined ? {} : { cpu: Number(body.cpu) / 1024 }),
    ...(body.memory === undefined ? {} : { memory: Number(body.memory) }),
    ...(task.ephemeralStorage === undefined ? {} : { ephemeralStorage: task.ephemeralStorage }),
    ...(body.pidMode === undefined ? {} : { pidMode: body.pidMode }),
    ...(body.ipcMode === undefined ? {} : { ipcMode: body.ipcMode }),
    elasticNetworkInterfaces: task.attachment === undefined ? [] : [renderInterface(task.attachment, ports)],
    volumes: (body.volumes ?? []).map((volume) => renderVolume(volume, ports)),
    containers: containersOf(body).map((container) => renderContainer(task, container, body, ports)),
    ...(ports.secretValues === undefined ? {} : { secretValues: ports.secretValues }),
    ...(ports.roleCredentials === undefined ? {} : { roleCredentials: ports.roleCredentials }),
    ...(ports.executionRoleCredentials === undefined
      ? {}
      : { executionRoleCredentials: ports.executionRoleCredentials }),
  };
}

function renderInterface(attachment: AttachmentRecord, { region, account }: RenderPorts): AgentInterface {
  return {
    ec2Id: attachment.networkInterface,
    attachmentArn: arns.attachment(region, account, attachment.id),
    macAddress: attachment.mac,
    ipv4Addresses: [{ primary: true, privateAddress: attachment.address }],
    privateDnsName: attachment.privateDnsName,
    vpcId: attachment.vpc,
    securityGroups: [...attachment.securityGroups],
    outside: attachment.outside,
  };
}

/** What stops a task: the identity is enough, so it works even when the definition is gone. @param now milliseconds since the epoch */
export function renderStop(task: TaskRecord, clusterArn: string, now: number): SentTask {
  const [, family = '', version = '0'] = /([^/:]+):(\d+)$/.exec(task.taskDefinition) ?? [];
  return {
    arn: task.arn,
    taskClusterArn: clusterArn,
    family,
    version,
    desiredStatus: 'STOPPED',
    ...(isOut(task) ? { drained: true } : isForced(task, now) ? { forced: true } : {}),
    knownStatus: task.lastStatus,
    volumes: [],
    containers: [],
  };
}

/** What the container runs: the digest that its deployment pinned when it has one, not what a tag points to by now (versionConsistency). */
const imageOf = (task: TaskRecord, { name, image = '' }: ContainerDefinition): string =>
  task.containers.find((container) => container.name === name)?.image ?? image;

function renderContainer(
  task: TaskRecord,
  container: ContainerDefinition,
  body: TaskDefinitionBody,
  ports: RenderPorts,
): AgentContainer {
  const image = imageOf(task, container);
  return {
    name: container.name ?? '',
    image,
    essential: container.essential ?? true,
    cpu: container.cpu ?? 0,
    memory: container.memory ?? 0,
    // Present but empty would take the image's own entry point away; templates say `"entryPoint": []` and mean none of their own.
    ...(container.entryPoint?.length ? { entryPoint: container.entryPoint } : {}),
    ...(container.command?.length ? { command: container.command } : {}),
    environment: Object.fromEntries((container.environment ?? []).map(({ name = '', value = '' }) => [name, value])),
    environmentFiles: container.environmentFiles ?? [],
    secrets: [
      ...(container.secrets ?? []).map((secret) => ({ ...sourceOf(secret, ports), type: 'ENVIRONMENT_VARIABLE' })),
      ...(container.logConfiguration?.secretOptions ?? []).map((secret) => ({
        ...sourceOf(secret, ports),
        target: 'LOG_DRIVER',
      })),
    ],
    portMappings: (container.portMappings ?? []).map((port) => ({
      ...(port.containerPort === undefined ? {} : { containerPort: port.containerPort }),
      ...(port.containerPortRange === undefined ? {} : { containerPortRange: port.containerPortRange }),
      hostPort: port.hostPort ?? 0,
      protocol: port.protocol ?? 'tcp',
    })),
    overrides: '{}',
    mountPoints: (container.mountPoints ?? []).map((mount) => ({
      sourceVolume: mount.sourceVolume ?? '',
      containerPath: mount.containerPath ?? '',
      readOnly: mount.readOnly ?? false,
    })),
    volumesFrom: (container.volumesFrom ?? []).map((from) => ({
      sourceContainer: from.sourceContainer ?? '',
      readOnly: from.readOnly ?? false,
    })),
    links: container.links ?? [],
    dependsOn: (container.dependsOn ?? []).map((dependency) => ({
      containerName: dependency.containerName ?? '',
      condition: dependency.condition ?? 'START',
    })),
    ...(container.startTimeout === undefined ? {} : { startTimeout: container.startTimeout }),
    ...(container.stopTimeout === undefined ? {} : { stopTimeout: container.stopTimeout }),
    ...(container.restartPolicy === undefined
      ? {}
      : {
          restartPolicy: {
            enabled: container.restartPolicy.enabled ?? false,
            ignoredExitCodes: container.restartPolicy.ignoredExitCodes ?? [],
            restartAttemptPeriod: container.restartPolicy.restartAttemptPeriod ?? 300,
          },
        }),
    ...(container.healthCheck === undefined ? {} : { healthCheckType: 'docker' as const }),
    ...routerOf(task, container),
    ...registryAuthentication(container, image, ports),
    dockerConfig: dockerConfigOf(container, body, idOf(task.arn), ports),
    ...logsOf(container, ports),
  };
}

function logsOf(
  container: ContainerDefinition,
  ports: RenderPorts,
): Pick<AgentContainer, 'logs' | 'logsAuthStrategy'> | object {
  const logs = shippedLogsOf(container);
  if (logs === undefined) return {};
  if (ports.shipsLogs) return { logs };
  // amazon-ecs-agent then gives Docker's driver the credentials of the execution role.
  return ports.executionRoleCredentials === undefined ? {} : { logsAuthStrategy: 'ExecutionRole' };
}

/** The container as its task's log router, if it is that. */
function routerOf(
  task: TaskRecord,
  { firelensConfiguration: router }: ContainerDefinition,
): Pick<AgentContainer, 'firelensConfiguration'> | object {
  if (router === undefined) return {};
  const { type = '', options = {} } = router;
  // A task of Fargate is on no instance that its owner knows.
  const instance = task.launchType === 'FARGATE' ? undefined : task.instanceId;
  return {
    firelensConfiguration: {
      type,
      options,
      ...(instance === undefined ? {} : { ec2InstanceId: ec2InstanceId(instance) }),
    },
  };
}

/** Where a secret comes from, as agents are told. */
const sourceOf = ({ name, valueFrom = '' }: Secret, { region }: RenderPorts) => ({
  name,
  valueFrom,
  provider: valueFrom.includes(':secretsmanager:') ? 'asm' : 'ssm',
  region,
});

function registryAuthentication(
  { repositoryCredentials }: ContainerDefinition,
  image: string,
  ports: RenderPorts,
): Pick<AgentContainer, 'registryAuthentication'> | object {
  const credentialsParameter = repositoryCredentials?.credentialsParameter;
  if (credentialsParameter !== undefined)
    return {
      registryAuthentication: { type: 'asm', asmAuthData: { credentialsParameter, region: ports.region } },
    };
  if (!isReachedAt(registryOf(image), ports)) return {};
  return {
    registryAuthentication: {
      type: 'ecr',
      ecrAuthData: {
        registryId: ports.account,
        region: ports.region,
        endpointOverride: ports.endpoint,
        useExecutionRole: ports.executionRoleCredentials !== undefined,
      },
    },
  };
}

/**
 * Whether the agent finds this installation's registry at a host, in lower case: where it connects to itself, or under another of the
 * installation's names. One of loopback is its own machine's: only an agent beside the server finds the server there, and any
 * other would send the password to whatever listens, a task's published port for one.
 */
function isReachedAt(host: string, { endpoint, ownHost }: RenderPorts): boolean {
  const at = new URL(endpoint).host;
  return host === at || (ownHost(host) && (!loopback.test(host) || loopback.test(at)));
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/;

function renderVolume(volume: Volume, { fileSystems }: RenderPorts): AgentTask['volumes'][number] {
  const name = volume.name ?? '';
  if (volume.dockerVolumeConfiguration !== undefined) {
    const {
      scope = 'task',
      autoprovision = false,
      driver,
      driverOpts = {},
      labels = {},
    } = volume.dockerVolumeConfiguration;
    return {
      name,
      type: 'docker',
      dockerVolumeConfiguration: { scope, autoprovision, driver: driver ?? 'local', driverOpts, labels },
    };
  }
  if (volume.efsVolumeConfiguration !== undefined) {
    const fileSystem = Object.hasOwn(fileSystems, name) ? fileSystems[name] : undefined;
    return { name, type: 'efs', ...(fileSystem === undefined ? {} : { fileSystem }) };
  }
  return {
    name,
    type: 'host',
    host: volume.host?.sourcePath === undefined ? {} : { sourcePath: volume.host.sourcePath },
  };
}
