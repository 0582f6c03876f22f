import type { EngineContainer } from './engine.ts';

const never = '0001-01-01T00:00:00Z';

/** An error as the Docker client throws it. */
export const refused = (statusCode: number, message: string): Error =>
  Object.assign(new Error(`(HTTP code ${statusCode}) ${message}`), { statusCode, json: { message } });

/** What a client is told when nobody listens. */
export const unreachable = (): Error => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

/** What the list of containers says of the state of one. @param wall milliseconds since the epoch, as its machine has it */
export function summaryOf(container: EngineContainer, wall: number): object {
  return { State: container.status, Status: wordsFor(container, wall) };
}

/** The state as `docker ps` words it. */
function wordsFor(container: EngineContainer, wall: number): string {
  if (container.status === 'exited') return `Exited (${container.exitCode}) 1 second ago`;
  if (container.status === 'created') return 'Created';
  if (!container.checked) return 'Up 1 second';
  const health = healthAt(container, wall);
  return `Up 1 second (${health === 'starting' ? 'health: starting' : health})`;
}

/** What `docker inspect` says of a container. @param wall milliseconds since the epoch, as its machine has it */
export function inspectionOf(container: EngineContainer, wall: number): object {
  const { id, name, labels, status, startedAt, finishedAt, exitCode, outOfMemory, pid } = container;
  const time = (at: number): string => (at === 0 ? never : new Date(at).toISOString());
  return {
    Id: id,
    Name: `/${name}`,
    Config: { Labels: labels },
    HostConfig: { CgroupParent: '', PortBindings: publishedBy(container) },
    State: {
      Status: status,
      Running: status === 'running',
      Pid: status === 'running' ? pid : 0,
      ExitCode: exitCode,
      OOMKilled: outOfMemory,
      StartedAt: time(startedAt),
      FinishedAt: time(finishedAt),
      ...(container.checked ? { Health: { Status: healthAt(container, wall) } } : {}),
    },
    RestartCount: 0,
    NetworkSettings: { Ports: status === 'running' ? publishedBy(container) : {}, Networks: {} },
    Mounts: [],
  };
}

/** What the check of a container says. @param wall milliseconds since the epoch, as its machine has it */
export function healthAt(
  { behaviour, status, startedAt }: EngineContainer,
  wall: number,
): 'starting' | 'healthy' | 'unhealthy' {
  const age = wall - startedAt;
  if (status !== 'running') return status === 'created' ? 'starting' : 'unhealthy';
  if (behaviour.healthy === 'never') return age < 5_000 ? 'starting' : 'unhealthy';
  return age < behaviour.healthy ? 'starting' : 'healthy';
}

/** Published ports as the engine's API writes them. */
export type PortBindings = Readonly<Record<string, readonly { readonly HostPort?: string }[] | undefined>>;

/** The host's port of each published one. */
export const portsOf = (bindings: PortBindings = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries(bindings).flatMap(([name, all]) => {
      const port = all?.[0]?.HostPort;
      return port === undefined || port === '' ? [] : [[name, port]];
    }),
  );

const publishedBy = ({ ports }: EngineContainer): object =>
  Object.fromEntries(Object.entries(ports).map(([name, HostPort]) => [name, [{ HostIp: '0.0.0.0', HostPort }]]));

/** Whether a container with these labels is meant. */
export type LabelFilter = (labels: Readonly<Record<string, string>>) => boolean;

/** A filter of the engine's API: `NAME` or `NAME=VALUE`. */
export function labelFilter(wanted: string): LabelFilter {
  const [name = '', value] = wanted.split('=');
  return value === undefined ? (labels) => name in labels : (labels) => labels[name] === value;
}
