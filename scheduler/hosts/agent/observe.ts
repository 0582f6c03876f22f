import type Docker from 'dockerode';

import type { AgentContainer } from '../wire/index.ts';

import { ownContainers } from './pause.ts';
import { type ContainerView, mayRestart } from './plan.ts';
import { portsOf } from './port-ranges.ts';
import type { ContainerReport, TaskReport } from './report.ts';
import type { SavedTask } from './saved-task.ts';

/** What Docker says of a container together with what the agent remembers, in the planner's words. */
export function viewOf(
  info: Docker.ContainerInspectInfo | undefined,
  known: {
    readonly pulled: boolean;
    readonly busy: boolean;
    readonly failure: string | undefined;
    readonly unfinished?: boolean;
  },
): ContainerView {
  const failure = known.failure === undefined ? {} : { failure: known.failure };
  if (info === undefined) return { phase: 'absent', pulled: known.pulled, busy: known.busy, ...failure };
  const { State: state } = info;
  // `restarting`, `paused` and `removing` still hold a process or its remains: for a plan they run.
  const phase =
    state.Status === 'created'
      ? 'created'
      : state.Status === 'exited' || state.Status === 'dead'
        ? 'stopped'
        : 'running';
  const startedAt = timeOf(state.StartedAt);
  const finishedAt = timeOf(state.FinishedAt);
  const health = state.Health?.Status;
  return {
    phase,
    pulled: true,
    busy: known.busy,
    ...(known.unfinished === true ? { unfinished: true } : {}),
    ...(phase === 'stopped' ? { exitCode: state.ExitCode } : {}),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(health === 'starting' || health === 'healthy' || health === 'unhealthy' ? { health } : {}),
    ...failure,
  };
}

/** What a container's check says of it. Docker calls one that has ended unhealthy; what ended it is another matter, which is told as its end. */
export function healthOf(info: Docker.ContainerInspectInfo | undefined): 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN' {
  if (info?.State.Status !== 'running') return 'UNKNOWN';
  const health = info.State.Health?.Status;
  return health === 'healthy' ? 'HEALTHY' : health === 'unhealthy' ? 'UNHEALTHY' : 'UNKNOWN';
}

/** Docker writes year 1 for what has not happened. */
function timeOf(text: string): number | undefined {
  const time = Date.parse(text);
  return time > 0 ? time : undefined;
}

/** How a task stands, for the control plane. */
export function reportOf(
  saved: SavedTask,
  status: TaskReport['status'],
  inspected: ReadonlyMap<string, Docker.ContainerInspectInfo>,
  views: ReadonlyMap<string, ContainerView>,
): TaskReport {
  return {
    arn: saved.task.arn,
    status,
    ...(saved.reason === undefined ? {} : { reason: saved.reason }),
    containers: ownContainers(saved.task).map((container) =>
      containerReport(container, status, saved, inspected.get(container.name), views.get(container.name)),
    ),
    ...(saved.pullStartedAt === undefined ? {} : { pullStartedAt: saved.pullStartedAt }),
    ...(saved.pullStoppedAt === undefined ? {} : { pullStoppedAt: saved.pullStoppedAt }),
    ...(saved.stoppedAt === undefined ? {} : { executionStoppedAt: saved.stoppedAt }),
  };
}

function containerReport(
  definition: AgentContainer,
  task: TaskReport['status'],
  saved: SavedTask,
  info: Docker.ContainerInspectInfo | undefined,
  view: ContainerView | undefined,
): ContainerReport {
  const { name } = definition;
  const digest = saved.images[name]?.digest;
  const restarts = saved.restarts?.[name];
  const comesBack = view?.phase === 'stopped' && mayRestart(definition, view);
  const over = task === 'STOPPED' || view?.failure !== undefined || (view?.phase === 'stopped' && !comesBack);
  const exitCode = view?.exitCode ?? restarts?.exitCode;
  // Of what its restart policy brings back nothing is the end.
  const reason = view?.failure ?? (over && diedOfMemory(info, view, saved) ? outOfMemory : undefined);
  return {
    name,
    status: over ? 'STOPPED' : view?.phase === 'running' || comesBack ? 'RUNNING' : 'PENDING',
    ...(digest === undefined ? {} : { imageDigest: digest }),
    ...(info === undefined ? {} : { runtimeId: info.Id }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(reason === undefined ? {} : { reason }),
    networkBindings: info === undefined ? [] : bindingsOf(info, definition),
  };
}

const outOfMemory = 'OutOfMemoryError: Container killed due to memory usage';

/**
 * Whether its memory limit is what ended a container. Docker's flag alone says that some process in it was killed, from
 * which the container may have recovered; and what was told to stop ended for that.
 */
function diedOfMemory(
  info: Docker.ContainerInspectInfo | undefined,
  view: ContainerView | undefined,
  { stopOrderedAt = Number.POSITIVE_INFINITY }: SavedTask,
): boolean {
  if (info?.State.OOMKilled !== true || view?.phase !== 'stopped' || view.exitCode !== 137) return false;
  return (view.finishedAt ?? 0) < stopOrderedAt;
}

/** Where a container's ports are on the host: each by itself, those of a range together. */
function bindingsOf(
  info: Docker.ContainerInspectInfo,
  { portMappings }: AgentContainer,
): ContainerReport['networkBindings'] {
  const singles = Object.entries(info.NetworkSettings.Ports ?? {}).flatMap(([key, bound]) => {
    const [port, protocol] = key.split('/');
    return (bound ?? []).map(({ HostIp, HostPort }: { HostIp: string; HostPort: string }) => ({
      bindIP: HostIp,
      containerPort: Number(port),
      hostPort: Number(HostPort),
      protocol: protocol === 'udp' ? ('udp' as const) : ('tcp' as const),
    }));
  });
  const ranges = portMappings.flatMap((mapping) => {
    const ports = mapping.containerPortRange === undefined ? undefined : portsOf(mapping);
    return ports === undefined ? [] : [{ ...ports, text: mapping.containerPortRange ?? '' }];
  });
  type Range = (typeof ranges)[number];
  const isOf = ({ first, count, protocol }: Range, single: (typeof singles)[number]): boolean =>
    single.protocol === protocol && single.containerPort >= first && single.containerPort < first + count;
  return [
    ...singles.filter((single) => !ranges.some((range) => isOf(range, single))),
    ...ranges.flatMap((range) =>
      singles
        .filter((single) => single.containerPort === range.first && isOf(range, single))
        .map(({ bindIP, hostPort, protocol }) => ({
          bindIP,
          containerPortRange: range.text,
          hostPortRange: `${hostPort}-${hostPort + range.count - 1}`,
          protocol,
        })),
    ),
  ];
}
