import type { AgentContainer } from '../wire/index.ts';

import { pauseName } from './pause.ts';

/** What is known of one container: what Docker says, and what the agent remembers. */
export interface ContainerView {
  readonly phase: 'absent' | 'created' | 'running' | 'stopped';
  /** The image is there. */
  readonly pulled: boolean;
  /** Whether what belongs to its start is still missing although it runs: nothing may rely on it, and it is started again. */
  readonly unfinished?: boolean;
  /** An action on it is under way: nothing else is to be done with it now. */
  readonly busy: boolean;
  readonly exitCode?: number;
  /** Milliseconds since the epoch; of the last start. */
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly health?: 'starting' | 'healthy' | 'unhealthy';
  /** Why it will never run (again): pulling, creating or starting it failed, or it is gone. */
  readonly failure?: string;
}

export interface Action {
  readonly kind: 'pull' | 'create' | 'start' | 'restart' | 'stop';
  readonly container: string;
}

export interface Plan {
  readonly actions: readonly Action[];
  /** Containers that can never start because of another one, and why. */
  readonly failures: readonly { readonly container: string; readonly reason: string }[];
  readonly status: 'PENDING' | 'RUNNING' | 'STOPPED';
  /** Why the task stops on its own before it ran; undefined when an essential container simply exited. */
  readonly reason?: string;
  /** Look again at this time, milliseconds since the epoch, even if nothing changes. */
  readonly wakeAt?: number;
}

/**
 * What to do next for a task. Pure: the same input gives the same plan, and carrying a plan out brings another one until
 * nothing is left to do. Rules: ECS developer guide, container dependency, essential, restart policies; the order of
 * stopping is the reverse of the order of starting.
 */
export function plan(
  containers: readonly AgentContainer[],
  views: ReadonlyMap<string, ContainerView>,
  desired: 'RUNNING' | 'STOPPED',
  now: number,
): Plan {
  const seen = containers.map((container) => ({ container, view: views.get(container.name) ?? absent }));
  const over = seen.find(({ container, view }) => container.essential && isOver(container, view));
  return desired === 'STOPPED' || over !== undefined ? stopAll(seen, over) : goOn(seen, views, now);
}

const absent: ContainerView = { phase: 'absent', pulled: false, busy: false };

interface Seen {
  readonly container: AgentContainer;
  readonly view: ContainerView;
}

function stopAll(seen: readonly Seen[], over: Seen | undefined): Plan {
  const alive = new Set(seen.filter(({ view }) => isAlive(view)).map(({ container }) => container.name));
  const needed = new Set<string>();
  for (const { container, view } of seen) {
    if (isAlive(view)) for (const { containerName } of conditionsOf(container)) needed.add(containerName);
  }
  const actions = seen
    .filter(({ container, view }) => view.phase === 'running' && !view.busy && !needed.has(container.name))
    .map(({ container }): Action => ({ kind: 'stop', container: container.name }));
  return {
    actions,
    failures: [],
    status: alive.size === 0 ? 'STOPPED' : seen.every(hasRun) ? 'RUNNING' : 'PENDING',
    ...(over?.view.failure === undefined ? {} : { reason: over.view.failure }),
  };
}

function goOn(seen: readonly Seen[], views: ReadonlyMap<string, ContainerView>, now: number): Plan {
  const actions: Action[] = [];
  const failures: { container: string; reason: string }[] = [];
  const wakes: number[] = [];
  const definitions = new Map(seen.map(({ container }) => [container.name, container]));
  for (const { container, view } of seen) {
    if (view.busy) continue;
    const act = (kind: Action['kind']): void => void actions.push({ kind, container: container.name });
    if (view.failure !== undefined) {
      // The engine started it after all, later than anybody waited for, or otherwise than it is to run.
      if (view.phase === 'running') act('stop');
      continue;
    }
    if (view.phase === 'running') {
      if (view.unfinished === true) act('start');
      continue;
    }
    if (view.phase === 'stopped') {
      if (mayRestart(container, view)) act('restart');
      continue;
    }
    if (view.phase === 'absent' && !view.pulled) {
      act('pull');
      continue;
    }
    const conditions = conditionsOf(container);
    const waits = conditions.map((condition) =>
      readiness(condition, definitions.get(condition.containerName), views.get(condition.containerName) ?? absent, now),
    );
    const never = waits.find((wait) => wait.kind === 'never');
    if (never !== undefined) failures.push({ container: container.name, reason: never.reason });
    else if (waits.every((wait) => wait.kind === 'ready')) act(view.phase === 'absent' ? 'create' : 'start');
    else if (
      view.phase === 'absent' &&
      waits.every((wait, at) => wait.kind === 'ready' || isMade(conditions[at], views))
    )
      // Its namespaces are named by the container that will hold them: that one may start meanwhile.
      act('create');
    else for (const wait of waits) if (wait.kind === 'wait' && wait.until !== undefined) wakes.push(wait.until);
  }
  return {
    actions,
    failures,
    status: seen.length > 0 && seen.every(hasStarted) ? 'RUNNING' : 'PENDING',
    ...(wakes.length === 0 ? {} : { wakeAt: Math.min(...wakes) }),
  };
}

/** Whether a condition waits for the container of the shared namespaces, which the engine has. */
const isMade = (condition: Dependency | undefined, views: ReadonlyMap<string, ContainerView>): boolean =>
  condition?.containerName === pauseName && ['created', 'running'].includes(views.get(pauseName)?.phase ?? 'absent');

/** Docker may still run it, or an action that may start it is under way. Pulling starts nothing. */
const isAlive = (view: ContainerView): boolean =>
  view.phase === 'running' || (view.busy && (view.phase === 'created' || view.pulled));

const hasStarted = ({ view }: Seen): boolean =>
  view.failure !== undefined || view.phase === 'running' || view.phase === 'stopped';

/** What ends because an essential container could not be made or started never ran, however many others did. */
const hasRun = (one: Seen): boolean => hasStarted(one) && !(one.container.essential && one.view.failure !== undefined);

/** Whether it has ended for good. */
function isOver(container: AgentContainer, view: ContainerView): boolean {
  if (view.failure !== undefined) return !view.busy;
  return view.phase === 'stopped' && !view.busy && !mayRestart(container, view);
}

/** Whether its restart policy starts a container that has ended again (ECS developer guide, container restart policies). */
export function mayRestart(container: AgentContainer, view: ContainerView): boolean {
  const policy = container.restartPolicy;
  if (policy?.enabled !== true || view.exitCode === undefined || view.failure !== undefined) return false;
  if (policy.ignoredExitCodes.includes(view.exitCode)) return false;
  return (view.finishedAt ?? 0) - (view.startedAt ?? 0) >= policy.restartAttemptPeriod * 1000;
}

type Dependency = AgentContainer['dependsOn'][number];

/** What must hold before a container starts; links and volumesFrom mean START. */
function conditionsOf(container: AgentContainer): Dependency[] {
  const implied = [
    ...container.links.map((link) => link.split(':')[0] ?? ''),
    ...container.volumesFrom.map((from) => from.sourceContainer),
  ];
  return [
    ...container.dependsOn,
    ...implied.map((containerName): Dependency => ({ containerName, condition: 'START' })),
  ];
}

type Readiness =
  | { readonly kind: 'ready' }
  | { readonly kind: 'wait'; readonly until?: number }
  | { readonly kind: 'never'; readonly reason: string };

function readiness(
  { containerName, condition }: Dependency,
  definition: AgentContainer | undefined,
  view: ContainerView,
  now: number,
): Readiness {
  const never = (why: string): Readiness => ({
    kind: 'never',
    reason: `TaskFailedToStart: dependency ${containerName} ${why}`,
  });
  if (definition === undefined) return never('is not a container of the task');
  if (view.failure !== undefined) return never(`failed: ${view.failure}`);
  const stopped = view.phase === 'stopped' && !view.busy && !mayRestart(definition, view);
  const begun = view.phase === 'stopped' || (view.phase === 'running' && view.unfinished !== true);
  if (condition === 'START' && begun) return { kind: 'ready' };
  if (condition === 'COMPLETE' && stopped) return { kind: 'ready' };
  if (condition === 'SUCCESS' && stopped) {
    return view.exitCode === 0 ? { kind: 'ready' } : never(`exited with code ${view.exitCode ?? 'unknown'}`);
  }
  if (condition === 'HEALTHY') {
    if (view.health === 'healthy') return { kind: 'ready' };
    if (stopped) return never('exited before it was healthy');
  }
  if (condition === 'START' || definition.startTimeout === undefined || view.startedAt === undefined) {
    return { kind: 'wait' };
  }
  const until = view.startedAt + definition.startTimeout * 1000;
  return now >= until
    ? never(`did not reach ${condition} within ${definition.startTimeout} s`)
    : { kind: 'wait', until };
}
