import { realpathSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';

import { z } from 'zod';

import { AddressRule } from '@slipway/auth/outbound';

import { type LogRule, refuseLogOptions, RegistryRule } from '../../reach/index.ts';

import type { AgentTask } from '../wire/index.ts';
import { refuseUser } from './file-systems/index.ts';
import { portsOf } from './port-ranges.ts';

/** What tasks may have on this host that could let them out of their container. Everything is denied unless named. */
export interface AllowedEscapes {
  readonly privileged?: boolean;
  /** Linux capabilities that may be added, e.g. `NET_BIND_SERVICE`; `ALL` allows every one. */
  readonly capabilities?: readonly string[];
  /** Host directories or files that may be mounted, with everything below them. */
  readonly hostPaths?: readonly string[];
  /** Host devices by path, e.g. `/dev/fuse`. */
  readonly devices?: readonly string[];
  readonly hostNetwork?: boolean;
  /** The instance metadata service of a cloud (169.254.169.254), which hands out the host's own rights. */
  readonly instanceMetadata?: boolean;
  readonly hostPid?: boolean;
  readonly hostIpc?: boolean;
  /** `dockerSecurityOptions` as they stand in the task definition. `no-new-privileges` is always allowed. */
  readonly securityOptions?: readonly string[];
  /** Options of Docker volume drivers: with the local driver they can mount anything of the host. */
  readonly volumeDriverOptions?: boolean;
  /** Drivers of Docker volumes that tasks may use beside `local`. */
  readonly volumeDrivers?: readonly string[];
  /** Docker volumes by name that tasks may share although they were not made for tasks of this cluster. */
  readonly volumes?: readonly string[];
  /**
   * The folder of this host that file systems of EFS lie in, the same on every host whose tasks are to see the same files. Without one,
   * no task comes that has one.
   */
  readonly fileSystems?: string | undefined;
  /** Private addresses and CIDR ranges that log drivers may send to; the engine dials them from the host. */
  readonly logAddresses?: readonly string[];
  /** Private addresses and CIDR ranges that registries may be at, beside the control plane's own. */
  readonly registryAddresses?: readonly string[];
}

/** What this host's engine may be told to connect to for tasks. */
export interface AgentReach {
  readonly logs: LogRule;
  readonly registries: RegistryRule;
  /** Whether a registry (`host[:port]`, in lower case) is the control plane's own, under a name that this agent was given. */
  readonly ownHost: (host: string) => boolean;
  readonly resolve: (host: string) => Promise<readonly string[]>;
}

/** What an agent's options open. */
export const agentReach = (options: {
  readonly allow: AllowedEscapes;
  readonly registries?: readonly string[] | undefined;
  readonly ownRegistries: readonly string[];
  readonly endpoint: string;
  readonly resolve: AgentReach['resolve'];
}): AgentReach => ({
  logs: {
    addresses: new AddressRule(options.allow.logAddresses ?? []),
    remedy: "The operator can open its range with the agent's option allow.logAddresses.",
  },
  registries: new RegistryRule({
    registries: options.registries,
    addresses: new AddressRule(options.allow.registryAddresses ?? []),
    remedies: {
      unnamed: "The operator can name it in the agent's option registries.",
      closed: "The operator can open its range with the agent's option allow.registryAddresses.",
    },
  }),
  ownHost: (host) => host === new URL(options.endpoint).host || options.ownRegistries.includes(host),
  resolve: options.resolve,
});

const text = z.string();
const texts = z.array(z.string()).nullish();

/** The members of Docker's Config that a payload may set; everything else in it is dropped. */
export const dockerConfig = z.object({
  Labels: z.record(text, text).nullish(),
  User: text.nullish(),
  WorkingDir: text.nullish(),
  Hostname: text.nullish(),
  Tty: z.boolean().nullish(),
  OpenStdin: z.boolean().nullish(),
  NetworkDisabled: z.boolean().nullish(),
  Healthcheck: z
    .object({
      Test: z.array(z.string()),
      Interval: z.number().nullish(),
      Timeout: z.number().nullish(),
      Retries: z.number().nullish(),
      StartPeriod: z.number().nullish(),
    })
    .nullish(),
});

/** The members of Docker's HostConfig that a payload may set; everything else in it is dropped. */
export const dockerHostConfig = z.object({
  NetworkMode: text.nullish(),
  PidMode: text.nullish(),
  IpcMode: text.nullish(),
  MemoryReservation: z.number().nullish(),
  MemorySwap: z.number().nullish(),
  MemorySwappiness: z.number().nullish(),
  Privileged: z.boolean().nullish(),
  ReadonlyRootfs: z.boolean().nullish(),
  Init: z.boolean().nullish(),
  ShmSize: z.number().nullish(),
  Dns: texts,
  DnsSearch: texts,
  ExtraHosts: texts,
  SecurityOpt: texts,
  CapAdd: texts,
  CapDrop: texts,
  Tmpfs: z.record(text, text).nullish(),
  Sysctls: z.record(text, text).nullish(),
  Ulimits: z.array(z.object({ Name: text, Soft: z.number(), Hard: z.number() })).nullish(),
  Devices: z.array(z.object({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text })).nullish(),
  LogConfig: z.object({ Type: text, Config: z.record(text, text).nullish() }).nullish(),
});

export type DockerConfig = z.infer<typeof dockerConfig>;
export type DockerHostConfig = z.infer<typeof dockerHostConfig>;

/**
 * Why this host must not run a task, or undefined. Names the field and what the operator can do; checks independently of
 * the control plane. Also refuses what this agent cannot do, so that nothing is silently left out.
 */
export function refusal(
  task: AgentTask,
  allow: AllowedEscapes,
  guarded: readonly string[],
  reach: AgentReach,
): string | undefined {
  for (const container of task.containers) {
    const why = refuseContainer(task, container, allow) ?? refuseReach(container, reach);
    if (why !== undefined) return `container ${container.name}: ${why}`;
  }
  // What tasks have of file systems they have by name: a path of the host would lead past access points, and into those of others.
  const closed = allow.fileSystems === undefined ? guarded : [...guarded, allow.fileSystems];
  for (const volume of task.volumes) {
    const why = refuseVolume(volume, allow, closed);
    if (why !== undefined) return `volume ${volume.name}: ${why}`;
  }
  const { pidMode = '', ipcMode = '' } = task;
  if (!['', 'host', 'task'].includes(pidMode)) return `pidMode ${pidMode} is not supported.`;
  if (!['', 'host', 'task', 'none'].includes(ipcMode)) return `ipcMode ${ipcMode} is not supported.`;
  if (pidMode === 'host' && allow.hostPid !== true) return denied('pidMode host', 'hostPid');
  if (ipcMode === 'host' && allow.hostIpc !== true) return denied('ipcMode host', 'hostIpc');
  return undefined;
}

const denied = (what: string, option: string): string =>
  `${what} is denied on this container instance; its operator can allow it with the agent's option allow.${option}.`;

function refuseContainer(
  task: AgentTask,
  container: AgentTask['containers'][number],
  allow: AllowedEscapes,
): string | undefined {
  const host = dockerHostConfig.parse(JSON.parse(container.dockerConfig.hostConfig));
  const network = host.NetworkMode ?? task.networkMode;
  if (network === 'host' && allow.hostNetwork !== true) return denied('networkMode host', 'hostNetwork');
  const own = task.networkMode === 'awsvpc' && (host.NetworkMode ?? 'awsvpc') === 'awsvpc';
  if (!own && !['bridge', 'default', 'host', 'none', ''].includes(network))
    return `networkMode ${network} is not supported.`;
  if (host.Privileged === true && allow.privileged !== true) return denied('privileged', 'privileged');
  if ((host.PidMode ?? '') !== '' && allow.hostPid !== true) return denied('pidMode', 'hostPid');
  if (!['', 'none'].includes(host.IpcMode ?? '') && allow.hostIpc !== true) return denied('ipcMode', 'hostIpc');
  // What may look into other processes looks into those of its own task.
  const within = task.pidMode !== 'host' && (host.PidMode ?? '') === '' ? ['SYS_PTRACE'] : [];
  const capability = host.CapAdd?.find(
    (name) => !covers([...within, ...(allow.capabilities ?? [])], name) && !covers(allow.capabilities, 'ALL'),
  );
  if (capability !== undefined) return denied(`capability ${capability}`, 'capabilities');
  const device = host.Devices?.find(({ PathOnHost }) => !covers(allow.devices, PathOnHost));
  if (device !== undefined) return denied(`device ${device.PathOnHost}`, 'devices');
  const option = host.SecurityOpt?.find(
    (name) => !name.startsWith('no-new-privileges') && !covers(allow.securityOptions, name),
  );
  if (option !== undefined) return denied(`security option ${option}`, 'securityOptions');
  const given = dockerConfig.parse(JSON.parse(container.dockerConfig.config)).User ?? undefined;
  const user = refuseUser(task, container, { given, privileged: host.Privileged === true });
  if (user !== undefined) return user;
  const range = container.portMappings.find((mapping) => portsOf(mapping) === undefined);
  if (range !== undefined) return `'${range.containerPortRange ?? ''}' is no range of ports.`;
  const type = container.registryAuthentication?.type;
  if (type !== undefined && type !== 'ecr' && type !== 'asm')
    return `registry authentication of type ${type} is not supported.`;
  return undefined;
}

/** Why an image of the task may not be pulled, or undefined. Names are resolved when it is pulled. */
export function imageRefusal(task: AgentTask, reach: AgentReach): string | undefined {
  for (const container of task.containers) {
    const why = reach.registries.refuse(container.image, isOwn(container, reach));
    if (why !== undefined) return `container ${container.name}: ${why}`;
  }
  return undefined;
}

/** Whether a registry is the control plane's own, for the container: that of an image that it gives a login of its own for is. */
export const isOwn =
  ({ registryAuthentication }: AgentTask['containers'][number], { ownHost }: AgentReach) =>
  (registry: string): boolean =>
    registryAuthentication?.type === 'ecr' || ownHost(registry);

/** Log addresses that are names are resolved when the container is created. */
function refuseReach(container: AgentTask['containers'][number], reach: AgentReach): string | undefined {
  const log = dockerHostConfig.parse(JSON.parse(container.dockerConfig.hostConfig)).LogConfig;
  // No driver of Docker's: `routingRefusal` says what is wrong with it, and the engine only ever gets another in its place.
  if (!log || log.Type === 'awsfirelens') return undefined;
  return refuseLogOptions(log.Type, log.Config ?? {}, reach.logs);
}

const covers = (allowed: readonly string[] | undefined, name: string): boolean =>
  allowed?.some((entry) => entry.replace(/^CAP_/, '') === name.replace(/^CAP_/, '')) ?? false;

function refuseVolume(
  volume: AgentTask['volumes'][number],
  allow: AllowedEscapes,
  guarded: readonly string[],
): string | undefined {
  const source = volume.host?.sourcePath;
  if (source !== undefined && source !== '') {
    return hostPathAllowed(source, allow.hostPaths ?? [], guarded)
      ? undefined
      : denied(`host path ${source}`, 'hostPaths');
  }
  const docker = volume.dockerVolumeConfiguration;
  // Docker takes a name that begins with a slash for a path of the host.
  if (!volumeNames.test(volume.name)) return 'a name consists of letters, digits, hyphens and underscores.';
  if (docker !== undefined) {
    if (docker.driver !== 'local' && allow.volumeDrivers?.includes(docker.driver) !== true)
      return denied(`the volume driver ${docker.driver}`, 'volumeDrivers');
    const why = refuseDriverOptions(docker, allow, guarded);
    if (why !== undefined) return why;
  }
  if (volume.type === 'efs') {
    if (volume.fileSystem === undefined) return 'the control plane does not say where its file system is.';
    return allow.fileSystems === undefined ? denied('a file system of EFS', 'fileSystems') : undefined;
  }
  if (volume.fileSystem !== undefined) return `a file system is of type efs, not ${volume.type ?? ''}.`;
  if (!['host', 'docker', undefined].includes(volume.type)) return `volumes of type ${volume.type} are not supported.`;
  return undefined;
}

/**
 * Why the options of a volume's driver are denied, or undefined. Those of the local driver mount whatever root can mount; one that binds a
 * folder of the host is held to the rule of folders of the host, and may say nothing else.
 */
function refuseDriverOptions(
  { driver, driverOpts }: NonNullable<AgentTask['volumes'][number]['dockerVolumeConfiguration']>,
  allow: AllowedEscapes,
  guarded: readonly string[],
): string | undefined {
  if (Object.keys(driverOpts).length === 0 || allow.volumeDriverOptions === true) return undefined;
  const { type, o, device = '', ...more } = driverOpts;
  const binds = driver === 'local' && type === 'none' && (o === 'bind' || o === 'bind,ro');
  if (!binds || Object.keys(more).length > 0) return denied('driverOpts', 'volumeDriverOptions');
  return hostPathAllowed(device, allow.hostPaths ?? [], guarded)
    ? undefined
    : denied(`driverOpts of host path ${device}`, 'hostPaths');
}

/** As ECS has them. */
const volumeNames = /^[A-Za-z0-9_-]{1,255}$/;

/**
 * Whether a host path lies at or below an allowed one, with symbolic links resolved. A guarded path (the Docker socket,
 * the agent's own data) must be allowed by its own name: allowing a directory above it does not reach it.
 */
export function hostPathAllowed(source: string, allowed: readonly string[], guarded: readonly string[]): boolean {
  if (!source.startsWith('/')) return false;
  const real = resolved(source);
  if (!allowed.some((entry) => contains(resolved(entry), real))) return false;
  const listed = new Set(allowed.map(resolved));
  return guarded
    .map(resolved)
    .every((secret) => listed.has(secret) || !(contains(real, secret) || contains(secret, real)));
}

const contains = (outer: string, inner: string): boolean =>
  outer === inner || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);

/** The real path; of what does not exist yet, the real path of its nearest existing parent and the rest. */
function resolved(path: string): string {
  const clean = normalize(path).replace(/(?<=.)\/+$/, '');
  try {
    return realpathSync(clean);
  } catch {
    const parent = dirname(clean);
    return parent === clean ? clean : join(resolved(parent), clean.slice(parent === sep ? 1 : parent.length + 1));
  }
}

/**
 * Why an order to stop a task is not carried out; undefined when it is. One that clients' requests may still reach is stopped only by an
 * order which says that none can any more, or that it is meant all the same: a server that forgot to wait loses no request here.
 */
export const stopRefusal = (
  task: Pick<AgentTask, 'loadBalanced'>,
  { drained = false, forced = false }: Pick<AgentTask, 'drained' | 'forced'>,
): string | undefined =>
  task.loadBalanced === true && !drained && !forced
    ? 'load balancers send it requests, and the order does not say that they have stopped'
    : undefined;
