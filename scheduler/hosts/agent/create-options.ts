import { createHash } from 'node:crypto';

import type Docker from 'dockerode';

import { labels, withoutOurs } from './docker.ts';
import type { AgentContainer, AgentTask, AgentVolume } from '../wire/index.ts';
import { isHeldToUser, sharePoint, userOf } from './file-systems/index.ts';
import { holderName, isInternal, ownContainers, pauseName } from './pause.ts';
import { dockerConfig, dockerHostConfig } from './policy.ts';
import { portsOf } from './port-ranges.ts';

/** What a container needs besides its task's payload. */
export interface Placement {
  readonly agentId: string;
  /** Of which installation the task is; undefined where its server did not say. */
  readonly installation: string | undefined;
  /** Cluster name or ARN as the label shows it. */
  readonly cluster: string;
  /** What to run: a reference or id that Docker has. */
  readonly image: string;
  /** Address that published ports listen on. */
  readonly bindAddress: string;
  /** The agent's own variables; the task definition cannot set them. */
  readonly environment: Readonly<Record<string, string>>;
  readonly region: string;
  /** Servers of names that a task with an address of its own asks, unless its definition names others. */
  readonly dns: readonly string[];
  /** The port of the host for each mapping of the container that names none, the first one for a range; by the mapping's place. */
  readonly hostPorts: ReadonlyMap<number, number>;
  /** The control group that limits the task as a whole; without one each container is limited on its own. */
  readonly parent: string | undefined;
  /** GiB that the engine holds what the container writes to; undefined where it holds nothing. */
  readonly storage: number | undefined;
  /** The engine's runtime that the container is isolated by; undefined for the usual one. */
  readonly runtime?: string | undefined;
  /** The Docker volume that is the folder of all file systems; undefined where this host has none. */
  readonly share?: string | undefined;
  /** Processes and threads of a container at most. */
  readonly pidsLimit: number;
  /** What the agent itself mounts into the container. */
  readonly mounts: readonly Docker.MountSettings[];
}

const taskId = (task: AgentTask): string => task.arn.slice(task.arn.lastIndexOf('/') + 1);

/** The name of a task's container: the same every time, so that creating it twice cannot make two. */
export function containerName(task: AgentTask, name: string): string {
  return `ecs-${dockerName(task.family)}-${dockerName(task.version)}-${dockerName(name)}-${dockerName(taskId(task))}`;
}

/** Docker's names allow fewer characters than ECS's and the file system limits their length. */
export const dockerName = (text: string): string => {
  const clean = text.replaceAll(/[^a-zA-Z0-9_.-]/g, '-');
  return clean.length <= 48
    ? clean
    : `${clean.slice(0, 39)}-${createHash('sha256').update(clean).digest('hex').slice(0, 8)}`;
};

/** The name of the Docker volume behind a volume of a task; undefined for a path of the host. */
export function volumeName(task: AgentTask, volume: AgentVolume): string | undefined {
  if (volume.host?.sourcePath !== undefined && volume.host.sourcePath !== '') return undefined;
  if (volume.dockerVolumeConfiguration?.scope === 'shared') return volume.name;
  return `ecs-${dockerName(task.family)}-${dockerName(task.version)}-${dockerName(volume.name)}-${dockerName(taskId(task))}`;
}

/** The Docker volumes that are made for a task alone, and go with it. */
export const ownVolumes = (task: AgentTask): string[] =>
  task.volumes
    .filter(({ dockerVolumeConfiguration }) => dockerVolumeConfiguration?.scope !== 'shared')
    .flatMap((volume) => volumeName(task, volume) ?? []);

/**
 * The request that creates a container, built member by member from what is known and checked; nothing of a payload
 * reaches Docker because it happened to be there.
 */
export function createOptions(
  task: AgentTask,
  container: AgentContainer,
  at: Placement,
): Docker.ContainerCreateOptions {
  const config = dockerConfig.parse(JSON.parse(container.dockerConfig.config));
  const host = dockerHostConfig.parse(JSON.parse(container.dockerConfig.hostConfig));
  const overrides =
    commandOverride.exec(container.overrides) === null
      ? {}
      : (JSON.parse(container.overrides) as { command?: string[] });
  const command = overrides.command ?? container.command;
  const network = networkOf(task, container, host.NetworkMode);
  // What belongs to the network namespace is the holder's: the engine takes it from nobody else.
  const joins = network.startsWith('container:');
  const user = userOf(task, container);
  const names = container.name === pauseName && task.networkMode === 'awsvpc' ? namesOf(task, at.dns) : {};
  const bindings = isPublished(network) ? bindingsOf(container.portMappings, at) : {};
  const environment: Record<string, string> = {
    AWS_REGION: at.region,
    AWS_EXECUTION_ENV: task.launchType === 'FARGATE' ? 'AWS_ECS_FARGATE' : 'AWS_ECS_EC2',
    ...container.environment,
    ...at.environment,
  };
  return {
    name: containerName(task, container.name),
    Image: at.image,
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    ...(command === undefined || command.length === 0 ? {} : { Cmd: [...command] }),
    ...(container.entryPoint === undefined ? {} : { Entrypoint: [...container.entryPoint] }),
    Labels: {
      ...withoutOurs(config.Labels),
      [labels.agent]: at.agentId,
      ...given(labels.installation, at.installation),
      [labels.task]: task.arn,
      [labels.name]: container.name,
      [labels.cluster]: at.cluster,
      [labels.family]: task.family,
      [labels.version]: task.version,
    },
    ...given('User', user === undefined ? config.User : `${user.uid}:${user.gid}`),
    ...given('WorkingDir', config.WorkingDir),
    ...given('Hostname', joins ? undefined : (names.Hostname ?? config.Hostname)),
    ...given('Tty', config.Tty),
    ...given('OpenStdin', config.OpenStdin),
    ...given('NetworkDisabled', config.NetworkDisabled),
    // ECS ignores the image's own health check: only the task definition's counts.
    Healthcheck: container.healthCheckType === 'docker' ? healthcheckOf(config.Healthcheck) : { Test: ['NONE'] },
    ExposedPorts: Object.fromEntries(Object.keys(bindings).map((port) => [port, {}])),
    HostConfig: {
      NetworkMode: network,
      PortBindings: bindings,
      Binds: bindsOf(task, container, at.share),
      ...(at.mounts.length === 0 ? {} : { Mounts: [...at.mounts] }),
      ...(user === undefined || user.secondaryGids.length === 0 ? {} : { GroupAdd: user.secondaryGids.map(String) }),
      VolumesFrom: container.volumesFrom.map(
        (from) => `${containerName(task, from.sourceContainer)}${from.readOnly ? ':ro' : ''}`,
      ),
      Links: container.links.map((link) => {
        const [name = '', alias = name] = link.split(':');
        return `${containerName(task, name)}:${alias}`;
      }),
      ...limitsOf(task, container, at),
      ...(at.storage === undefined || isInternal(container)
        ? {}
        : { StorageOpt: { size: String(at.storage * 2 ** 30) } }),
      RestartPolicy: { Name: '' },
      ...given('Runtime', at.runtime),
      ...given('PidMode', host.PidMode ?? pidModeOf(task, container)),
      ...given('IpcMode', host.IpcMode ?? ipcModeOf(task, container)),
      ...given('MemoryReservation', host.MemoryReservation),
      ...given('MemorySwap', host.MemorySwap),
      ...given('MemorySwappiness', host.MemorySwappiness),
      ...given('Privileged', host.Privileged),
      ...given('ReadonlyRootfs', host.ReadonlyRootfs),
      ...given('Init', host.Init),
      ...given('ShmSize', isInternal(container) ? sharedMemoryOf(task) : host.ShmSize),
      ...given('Dns', joins ? undefined : (names.Dns ?? host.Dns)),
      ...given('DnsSearch', joins ? undefined : (names.DnsSearch ?? host.DnsSearch)),
      ...given('ExtraHosts', joins ? undefined : (names.ExtraHosts ?? host.ExtraHosts)),
      ...given('SecurityOpt', isHeldToUser(task, container) ? heldToUser(host.SecurityOpt) : host.SecurityOpt),
      ...given('CapAdd', host.CapAdd),
      ...given('CapDrop', host.CapDrop),
      ...given('Tmpfs', host.Tmpfs),
      ...given('Sysctls', host.Sysctls),
      ...given('Ulimits', host.Ulimits),
      ...given('Devices', host.Devices),
      ...(host.LogConfig ? { LogConfig: { Type: host.LogConfig.Type, Config: host.LogConfig.Config ?? {} } } : {}),
    },
  };
}

const isPublished = (network: string): boolean => network === 'bridge' || network === 'default';

/** The mappings of a container, by their place, that take any port of the host. */
export function dynamicPorts(task: AgentTask, container: AgentContainer): (readonly [index: number, port: Port])[] {
  const host = dockerHostConfig.parse(JSON.parse(container.dockerConfig.hostConfig));
  if (!isPublished(networkOf(task, container, host.NetworkMode))) return [];
  return [...container.portMappings.entries()].filter(([, { hostPort }]) => hostPort === 0);
}

/** Docker's network mode of a container: those of a task with an interface of its own share the namespace that holds it. */
function networkOf(task: AgentTask, container: AgentContainer, given: string | null | undefined): string {
  if (isInternal(container)) return 'none';
  return task.networkMode === 'awsvpc' ? holderOf(task) : given || task.networkMode || 'bridge';
}

/** Whose namespaces the containers of a task share. */
const holderOf = (task: AgentTask): string => `container:${containerName(task, pauseName)}`;

/** Docker's PID mode: of a task whose containers see each other's processes, the holder has a namespace of its own as any container. */
function pidModeOf(task: AgentTask, container: AgentContainer): string | undefined {
  if (isInternal(container)) return undefined;
  return task.pidMode === 'task' ? holderOf(task) : task.pidMode;
}

/** Docker's IPC mode; the engine lets nobody share what is not made for it. */
function ipcModeOf(task: AgentTask, container: AgentContainer): string | undefined {
  if (task.ipcMode === 'task') return isInternal(container) ? 'shareable' : holderOf(task);
  return isInternal(container) ? undefined : task.ipcMode;
}

/** The size of the shared memory that the holder has for all: the largest that one of them asks for. Bytes. */
function sharedMemoryOf(task: AgentTask): number | undefined {
  if (task.ipcMode !== 'task') return undefined;
  const sizes = ownContainers(task).map(
    ({ dockerConfig: { hostConfig } }) => dockerHostConfig.parse(JSON.parse(hostConfig)).ShmSize ?? 0,
  );
  const largest = Math.max(0, ...sizes);
  return largest === 0 ? undefined : largest;
}

/** What the namespace's holder is called and asks for names: what the task's containers ask for, together. */
function namesOf(
  task: AgentTask,
  dns: readonly string[],
): Pick<Docker.HostConfig, 'Dns' | 'DnsSearch' | 'ExtraHosts'> & { Hostname?: string } {
  const asked = ownContainers(task).map(({ dockerConfig: { hostConfig } }) =>
    dockerHostConfig.parse(JSON.parse(hostConfig)),
  );
  const all = (texts: (string[] | null | undefined)[]): string[] => [...new Set(texts.flatMap((list) => list ?? []))];
  const servers = all(asked.map((host) => host.Dns));
  const [own] = task.elasticNetworkInterfaces;
  const address = own?.ipv4Addresses[0]?.privateAddress;
  return {
    ...(address === undefined ? {} : { Hostname: `ip-${address.replaceAll('.', '-')}` }),
    Dns: servers.length > 0 ? servers : [...dns],
    DnsSearch: all(asked.map((host) => host.DnsSearch)),
    ExtraHosts: all(asked.map((host) => host.ExtraHosts)),
  };
}

const commandOverride = /"command"/;

type Port = AgentContainer['portMappings'][number];

function bindingsOf(
  mappings: readonly Port[],
  { bindAddress, hostPorts }: Placement,
): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const [index, mapping] of mappings.entries()) {
    const ports = portsOf(mapping);
    const hostPort = mapping.hostPort > 0 ? mapping.hostPort : hostPorts.get(index);
    if (ports === undefined || hostPort === undefined)
      throw new Error(`no port of the host was found for ${mapping.containerPort ?? mapping.containerPortRange}`);
    for (let number = 0; number < ports.count; number++) {
      const binding = { HostIp: bindAddress, HostPort: String(hostPort + number) };
      (bindings[`${ports.first + number}/${ports.protocol}`] ??= []).push(binding);
    }
  }
  return bindings;
}

/** No program makes a user another one who is held to be this one. */
const heldToUser = (options: readonly string[] | null | undefined): string[] => [
  ...(options ?? []).filter((option) => !option.startsWith('no-new-privileges')),
  'no-new-privileges',
];

function bindsOf(task: AgentTask, container: AgentContainer, share: string | undefined): string[] {
  const volumes = new Map(task.volumes.map((volume) => [volume.name, volume]));
  const whole = container.name === holderName && share !== undefined ? [`${share}:${sharePoint}:ro,nocopy`] : [];
  const own = container.mountPoints.map((mount) => {
    const volume = volumes.get(mount.sourceVolume);
    if (volume === undefined)
      throw new Error(`mount point names volume ${mount.sourceVolume}, which the task does not have`);
    const source = volumeName(task, volume) ?? volume.host?.sourcePath ?? '';
    if (volume.fileSystem === undefined) return `${source}:${mount.containerPath}${mount.readOnly ? ':ro' : ''}`;
    // What an image has at the place is not copied into what others share.
    return `${source}:${mount.containerPath}:${mount.readOnly || volume.fileSystem.readOnly ? 'ro' : 'rw'},nocopy`;
  });
  return [...whole, ...own];
}

const mebibyte = 1024 * 1024;

/**
 * Docker refuses less than 6 MiB; ECS counts CPU in 1024ths of a vCPU and gives at least 2 shares. The sizes of the task are limits
 * of its control group; where it has none, each of its containers has them.
 */
function limitsOf(task: AgentTask, container: AgentContainer, { parent, pidsLimit }: Placement): Docker.HostConfig {
  const shared = parent === undefined ? { memory: task.memory ?? 0, cpu: task.cpu ?? 0 } : { memory: 0, cpu: 0 };
  const memory = container.memory > 0 ? container.memory : shared.memory;
  return {
    PidsLimit: pidsLimit,
    CpuShares: Math.max(2, Math.round(container.cpu)),
    ...(memory > 0 ? { Memory: Math.max(6, memory) * mebibyte } : {}),
    ...(shared.cpu > 0 ? { NanoCpus: Math.round(shared.cpu * 1e9) } : {}),
    ...given('CgroupParent', parent),
  };
}

function healthcheckOf(
  check: ReturnType<typeof dockerConfig.parse>['Healthcheck'],
): NonNullable<Docker.ContainerCreateOptions['Healthcheck']> {
  if (!check) return { Test: ['NONE'] };
  return {
    Test: check.Test,
    ...given('Interval', check.Interval),
    ...given('Timeout', check.Timeout),
    ...given('Retries', check.Retries),
    ...given('StartPeriod', check.StartPeriod),
  };
}

const given = <Name extends string, T>(name: Name, value: T | null | undefined): { [N in Name]?: T } =>
  value === undefined || value === null ? {} : ({ [name]: value } as { [N in Name]?: T });
