import type { ContainerDefinition, LinuxParameters } from '@aws-sdk/client-ecs';
import type { TaskDefinitionBody } from '../../tasks/index.ts';
import type { SentTask } from '../wire/index.ts';

type SentLogs = NonNullable<NonNullable<SentTask['containers']>[number]['logs']>;

/** How what containers with `awslogs` write gets into their log groups. */
export interface LogWay {
  /** Whether the agent ships it, as ours does; else it is Docker's driver that sends it here. */
  readonly shipsLogs: boolean;
  /** Where this installation is reached from the host. */
  readonly endpoint: string;
  readonly region: string;
}

/**
 * The parts of a container definition that travel as Docker Engine API JSON (`dockerConfig.config` and `.hostConfig`
 * of the ACS task). CPU, memory, environment, ports and binds are not among them: the agent adds those itself.
 */
export function dockerConfigOf(
  container: ContainerDefinition,
  body: TaskDefinitionBody,
  taskId: string,
  way: LogWay,
): { version: string; config: string; hostConfig: string } {
  return {
    version: '1.18',
    config: JSON.stringify(configOf(container)),
    hostConfig: JSON.stringify(hostConfigOf(container, body, taskId, way)),
  };
}

const nanoseconds = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : seconds * 1_000_000_000;

function configOf(container: ContainerDefinition): object {
  const check = container.healthCheck;
  return {
    Labels: container.dockerLabels,
    User: container.user,
    WorkingDir: container.workingDirectory,
    Hostname: container.hostname,
    Tty: container.pseudoTerminal,
    OpenStdin: container.interactive,
    NetworkDisabled: container.disableNetworking,
    ...(check === undefined
      ? {}
      : {
          Healthcheck: {
            // A command without its kind is exec form, as ECS reads it.
            Test: ['CMD', 'CMD-SHELL'].includes(check.command?.[0] ?? '')
              ? check.command
              : ['CMD', ...(check.command ?? [])],
            Interval: nanoseconds(check.interval ?? 30),
            Timeout: nanoseconds(check.timeout ?? 5),
            Retries: check.retries ?? 3,
            StartPeriod: nanoseconds(check.startPeriod),
          },
        }),
  };
}

function hostConfigOf(container: ContainerDefinition, body: TaskDefinitionBody, taskId: string, way: LogWay): object {
  return {
    NetworkMode: body.networkMode ?? 'bridge',
    // Which namespaces the containers of a task share, the agent sees from the task.
    PidMode: body.pidMode === 'host' ? 'host' : undefined,
    IpcMode: body.ipcMode === 'host' || body.ipcMode === 'none' ? body.ipcMode : undefined,
    MemoryReservation: mebibytes(container.memoryReservation),
    Privileged: container.privileged,
    ReadonlyRootfs: container.readonlyRootFilesystem,
    Dns: container.dnsServers,
    DnsSearch: container.dnsSearchDomains,
    ExtraHosts: container.extraHosts?.map((host) => `${host.hostname}:${host.ipAddress}`),
    SecurityOpt: container.dockerSecurityOptions,
    Ulimits: container.ulimits?.map((limit) => ({ Name: limit.name, Soft: limit.softLimit, Hard: limit.hardLimit })),
    Sysctls:
      container.systemControls === undefined
        ? undefined
        : Object.fromEntries(container.systemControls.map(({ namespace, value }) => [namespace, value])),
    LogConfig: logConfigOf(container, taskId, way),
    ...linuxOf(container.linuxParameters, container.memory),
  };
}

/** How much of a container's output its engine keeps where the agent ships it: `docker logs`, and what a store that is away does not take. */
const kept = { 'max-size': '10m', 'max-file': '5' };

/**
 * Docker's log driver and its options. Output for CloudWatch Logs is written to files of the engine, from which our agent ships it; on hosts of
 * other agents Docker's own driver sends it here. A definition may name another endpoint that takes it. `awslogs-stream-prefix` is ECS's own and no option of Docker's: it names the stream
 * `prefix/container/task`.
 */
function logConfigOf(
  { name = '', logConfiguration: log }: ContainerDefinition,
  taskId: string,
  { shipsLogs, endpoint, region }: LogWay,
): object | undefined {
  if (log?.logDriver !== 'awslogs') return log && { Type: log.logDriver, Config: log.options ?? {} };
  const { 'awslogs-stream-prefix': prefix, ...options } = log.options ?? {};
  const here = options['awslogs-endpoint'] === undefined;
  // What its mode means is the agent's to do: the engine writes to its own disk.
  if (here && shipsLogs) return { Type: 'json-file', Config: kept };
  const sent = here ? { 'awslogs-endpoint': endpoint, 'awslogs-region': region } : {};
  const stream = prefix === undefined ? {} : { 'awslogs-stream': `${prefix}/${name}/${taskId}` };
  return { Type: 'awslogs', Config: { ...options, ...sent, ...stream } };
}

function linuxOf(linux: LinuxParameters | undefined, memory: number | undefined): object {
  if (linux === undefined) return {};
  return {
    CapAdd: linux.capabilities?.add,
    CapDrop: linux.capabilities?.drop,
    Init: linux.initProcessEnabled,
    ShmSize: mebibytes(linux.sharedMemorySize),
    Tmpfs:
      linux.tmpfs === undefined
        ? undefined
        : Object.fromEntries(
            linux.tmpfs.map((mount) => [
              mount.containerPath,
              // The last one counts: an option that says a size of its own must not.
              [...(mount.mountOptions ?? []), `size=${mount.size}m`].join(','),
            ]),
          ),
    // Docker counts memory and swap together; ECS's maxSwap is swap alone.
    MemorySwap: linux.maxSwap === undefined ? undefined : mebibytes((memory ?? 0) + linux.maxSwap),
    // "If a value is not specified for maxSwap then this parameter is ignored."
    MemorySwappiness: linux.maxSwap === undefined ? undefined : linux.swappiness,
    Devices: linux.devices?.map((device) => ({
      PathOnHost: device.hostPath,
      PathInContainer: device.containerPath ?? device.hostPath,
      CgroupPermissions: permissions(device.permissions),
    })),
  };
}

const permissions = (given: readonly string[] | undefined): string =>
  (given ?? ['read', 'write', 'mknod']).map((word) => word.charAt(0)).join('');

const mebibytes = (count: number | undefined): number | undefined =>
  count === undefined ? undefined : count * 1024 * 1024;

/** How the agent makes events of what a container writes; undefined where it does not ship it. */
export function shippedLogsOf({ logConfiguration: log }: ContainerDefinition): SentLogs | undefined {
  const options = log?.options ?? {};
  if (log?.logDriver !== 'awslogs' || options['awslogs-endpoint'] !== undefined) return undefined;
  const size = bytesOf(options['max-buffer-size'] ?? '10m');
  const datetimeFormat = options['awslogs-datetime-format'];
  const multilinePattern = options['awslogs-multiline-pattern'];
  return {
    mode: options['mode'] === 'non-blocking' ? 'non-blocking' : 'blocking',
    ...(size === undefined ? {} : { maxBufferSize: size }),
    ...(datetimeFormat ? { datetimeFormat } : multilinePattern ? { multilinePattern } : {}),
  };
}

const units: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Docker's sizes, as far as definitions may have them: `25m`, `4096`. */
function bytesOf(text: string): number | undefined {
  const [, number, unit = ''] = /^([1-9]\d{0,8})([bkmg]?)$/i.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * (units[unit.toLowerCase()] ?? 1);
}
