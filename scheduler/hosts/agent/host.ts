import type { Attribute, Resource } from '@aws-sdk/client-ecs';
import type Docker from 'dockerode';

import { engineCall } from './docker.ts';
import { endpointPort } from './endpoint/index.ts';
import type { Isolation } from './isolation/index.ts';

/** What a host registers with. */
export interface Host {
  /** CPU units: 1024 a processor. */
  readonly cpu: number;
  /** MiB that tasks may take. */
  readonly memory: number;
  readonly attributes: readonly Attribute[];
  readonly dockerVersion: string;
}

export interface HostOptions {
  /** MiB kept for the system. Default: a sixteenth of the memory, at most 1024. */
  readonly reservedMemory?: number;
  /** Custom attributes of this instance. */
  readonly attributes?: Readonly<Record<string, string>>;
  readonly availabilityZone?: string;
  /** Whether privileged containers are allowed here. */
  readonly privileged?: boolean;
  /** Whether tasks get the credentials of their role here. */
  readonly taskRoles: boolean;
  /** Whether tasks may be on the host's network. */
  readonly hostNetwork: boolean;
  /** Whether tasks get network interfaces of their own here. */
  readonly taskNetwork: boolean;
  /** Whether tasks of Fargate may come, if they get network interfaces here. */
  readonly fargate: boolean;
  /** What isolates tasks of Fargate here, or that it cannot; undefined where nothing is to. */
  readonly isolation?: Isolation | { readonly reason: string } | undefined;
  /** Whether it may be taken back. */
  readonly spot: boolean;
  /** Whether this host has the folder that file systems of EFS lie in. */
  readonly fileSystems: boolean;
  /** Whether a task is limited as a whole here, and not only each of its containers. */
  readonly taskLimits: boolean;
  /** Whether its engine holds containers to the storage of their task, which is counted elsewhere. */
  readonly storageQuota: boolean;
  /** Whether tasks may have log routers here. */
  readonly routers: boolean;
  /** Where others reach this host. */
  readonly address?: string | undefined;
  /** Its end of encrypted tunnels. */
  readonly tunnel?: string | undefined;
  /** The address that its tasks' ports are published on, unless that is every one. */
  readonly publishedOn?: string | undefined;
}

const mebibyte = 1024 * 1024;

/** Ports of the host that tasks cannot have: SSH, Docker, the agents' own (as amazon-ecs-agent registers them). */
export const reservedTcpPorts: readonly number[] = [22, 2375, 2376, 51678, endpointPort];

/** Asks the Docker engine what the host is. @throws EngineUnavailable */
export async function inspectHost(docker: Docker, options: HostOptions): Promise<Host> {
  const [info, version] = await Promise.all([
    engineCall(() => docker.info() as Promise<EngineInfo>),
    engineCall(() => docker.version()),
  ]);
  const total = Math.floor(info.MemTotal / mebibyte);
  const reserved = options.reservedMemory ?? Math.min(1024, Math.floor(total / 16));
  return {
    cpu: info.NCPU * 1024,
    memory: Math.max(1, total - reserved),
    attributes: attributesOf(info, version.ApiVersion, options),
    dockerVersion: version.Version,
  };
}

/** The part of Docker's `/info` that is used. */
interface EngineInfo {
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly OSType: string;
  readonly OperatingSystem: string;
  readonly Architecture: string;
  readonly Plugins?: { readonly Log?: readonly string[] | null; readonly Volume?: readonly string[] | null };
  readonly SecurityOptions?: readonly string[] | null;
}

/** Capabilities are what this agent really does: a task definition that needs another is not placed here. */
function attributesOf(info: EngineInfo, apiVersion: string, options: HostOptions): Attribute[] {
  const capability = (name: string): Attribute => ({ name: `com.amazonaws.ecs.capability.${name}` });
  const security = info.SecurityOptions?.join(' ') ?? '';
  return [
    { name: 'ecs.os-type', value: info.OSType },
    { name: 'ecs.os-family', value: info.OSType.toUpperCase() },
    { name: 'ecs.cpu-architecture', value: architecture(info.Architecture) },
    ...(options.availabilityZone === undefined
      ? []
      : [{ name: 'ecs.availability-zone', value: options.availabilityZone }]),
    ...apiVersions(apiVersion).map((version) => capability(`docker-remote-api.${version}`)),
    ...(info.Plugins?.Log ?? []).map((driver) => capability(`logging-driver.${driver}`)),
    capability('logging-driver.none'),
    capability('ecr-auth'),
    capability('private-registry-authentication.secretsmanager'),
    // The values of secrets come with the task.
    { name: 'slipway.capability.secret-values' },
    // Commands come over connections that this agent opens, and need nothing within the container.
    { name: 'ecs.capability.execute-command' },
    { name: 'slipway.capability.exec' },
    ...(options.privileged === true ? [capability('privileged-container')] : []),
    ...(options.taskRoles ? [capability('task-iam-role')] : []),
    ...(options.taskRoles && options.hostNetwork ? [capability('task-iam-role-network-host')] : []),
    ...(options.taskNetwork ? networkAttributes(options) : []),
    ...(options.routers ? routerAttributes : []),
    ...(options.fileSystems
      ? ['ecs.capability.efs', 'ecs.capability.efsAuth', 'slipway.capability.file-systems'].map((name) => ({ name }))
      : []),
    ...(options.address === undefined ? [] : [{ name: 'slipway.address', value: options.address }]),
    ...(options.tunnel === undefined ? [] : [{ name: 'slipway.wireguard', value: options.tunnel }]),
    ...(options.publishedOn === undefined ? [] : [{ name: 'slipway.published-on', value: options.publishedOn }]),
    ...isolationAttributes(options.isolation),
    ...(options.spot ? [{ name: 'slipway.spot', value: 'true' }] : []),
    { name: 'slipway.limits', value: options.taskLimits ? 'task' : 'container' },
    { name: 'slipway.storage', value: options.storageQuota ? 'quota' : 'counted' },
    ...(security.includes('apparmor') ? [capability('apparmor')] : []),
    ...(security.includes('selinux') ? [capability('selinux')] : []),
    ...(info.Plugins?.Volume ?? []).map((driver) => ({ name: `ecs.capability.docker-plugin.${driver}` })),
    ...[
      'execution-role-ecr-pull',
      'execution-role-awslogs',
      'container-health-check',
      'container-ordering',
      'task-cpu-mem-limit',
      'full-sync',
      'container-restart-policy',
      'network.container-port-range',
      'pid-ipc-namespace-sharing',
      'env-files.s3',
      'secrets.asm.environment-variables',
      'secrets.ssm.environment-variables',
      'secrets.asm.bootstrap.log-driver',
      'secrets.ssm.bootstrap.log-driver',
      'external',
    ].map((name) => ({ name: `ecs.capability.${name}` })),
    ...Object.entries(options.attributes ?? {}).map(([name, value]) => ({ name, value })),
  ];
}

/** What a host says that gives tasks network interfaces: who may come. */
const networkAttributes = ({ fargate, isolation }: HostOptions): Attribute[] => [
  { name: 'ecs.capability.task-eni' },
  { name: 'slipway.capability.task-network' },
  ...(fargate && !(isolation !== undefined && 'reason' in isolation) ? [{ name: 'slipway.capability.fargate' }] : []),
];

/** What a host says that isolates tasks of Fargate: by which runtime, and how many containers such a task may have. */
function isolationAttributes(isolation: HostOptions['isolation']): Attribute[] {
  if (isolation === undefined) return [];
  if ('reason' in isolation) return [{ name: 'slipway.isolation', value: 'none' }];
  return [
    { name: 'slipway.isolation', value: isolation.runtime },
    { name: 'slipway.isolation.containers', value: isolation.several ? 'several' : 'one' },
  ];
}

/** What a host says that runs log routers: both programs, with configuration from their images or from S3. */
const routerAttributes: readonly Attribute[] = [
  { name: 'com.amazonaws.ecs.capability.logging-driver.awsfirelens' },
  { name: 'ecs.capability.firelens.fluentbit' },
  { name: 'ecs.capability.firelens.fluentd' },
  { name: 'ecs.capability.firelens.options.config.file' },
  { name: 'ecs.capability.firelens.options.config.s3' },
];

/** The versions of Docker's API that task definitions may ask for, up to the engine's own. */
function apiVersions(newest: string): string[] {
  const last = Math.min(32, Number(newest.split('.')[1] ?? 0));
  return Array.from({ length: Math.max(0, last - 16) }, (_, index) => `1.${index + 17}`);
}

const architecture = (name: string): string =>
  ({ amd64: 'x86_64', x86_64: 'x86_64', aarch64: 'arm64', arm64: 'arm64' })[name] ?? name;

/** `totalResources` of a registration. */
export const totalResources = (cpu: number, memory: number): Resource[] => [
  { name: 'CPU', type: 'INTEGER', integerValue: cpu },
  { name: 'MEMORY', type: 'INTEGER', integerValue: memory },
  { name: 'PORTS', type: 'STRINGSET', stringSetValue: reservedTcpPorts.map(String) },
  { name: 'PORTS_UDP', type: 'STRINGSET', stringSetValue: [] },
];
