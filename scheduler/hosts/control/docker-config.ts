import type { ContainerDefinition, LinuxParameters } from '@aws-sdk/client-ecs';
import type { TaskDefinitionBody } from '../../tasks/index.ts';

/**
 * The parts of a container definition that travel as Docker Engine API JSON (`dockerConfig.config` and `.hostConfig`
 * of the ACS task). CPU, memory, environment, ports and binds are not among them: the agent adds those itself.
 */
export function dockerConfigOf(
  container: ContainerDefinition,
  body: TaskDefinitionBody,
  taskId: string,
): { version: string; config: string; hostConfig: string } {
  return {
    version: '1.18',
    config: JSON.stringify(configOf(container)),
    hostConfig: JSON.stringify(hostConfigOf(container, body, taskId)),
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

function hostConfigOf(container: ContainerDefinition, body: TaskDefinitionBody, taskId: string): object {
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
    LogConfig: logConfigOf(container, taskId),
    ...linuxOf(container.linuxParameters, container.memory),
  };
}

/** How much of a container's output its host keeps where logs were meant for CloudWatch Logs, which are nobody's to rotate. */
const kept = { 'max-size': '10m', 'max-file': '5' };

/**
 * Docker's log driver and its options. Output for CloudWatch Logs stays on the host, where `docker logs` reads it, unless the definition
 * names an endpoint that takes it. `awslogs-stream-prefix` is ECS's own and no option of Docker's: it names the stream
 * `prefix/container/task`.
 */
function logConfigOf({ name = '', logConfiguration: log }: ContainerDefinition, taskId: string): object | undefined {
  if (log?.logDriver !== 'awslogs') return log && { Type: log.logDriver, Config: log.options ?? {} };
  const { 'awslogs-stream-prefix': prefix, ...options } = log.options ?? {};
  if (options['awslogs-endpoint'] === undefined) {
    const buffers = Object.entries(options).filter(([option]) => option === 'mode' || option === 'max-buffer-size');
    return { Type: 'json-file', Config: { ...Object.fromEntries(buffers), ...kept } };
  }
  const stream = prefix === undefined ? {} : { 'awslogs-stream': `${prefix}/${name}/${taskId}` };
  return { Type: 'awslogs', Config: { ...options, ...stream } };
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
