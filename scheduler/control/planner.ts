import type { ReconcilerOptions } from '../deployments/index.ts';
import {
  alarmsOf,
  type Blocked,
  blockedKey,
  type HostCondition,
  missingDefinition,
  reconcileService,
  type ServicePlan,
  type ServiceState,
  startedAs,
} from '../deployments/index.ts';
import type { PlacementRequest } from '../placement/index.ts';
import type {
  CapacityProvider,
  DeploymentRecord,
  ServiceRecord,
  TaskDefinitionRecord,
  TaskRecord,
} from '../state/index.ts';
import { interruptedAt, taskDraft, type TaskDraft, taskTags } from '../tasks/index.ts';
import { type ClusterView, placedTask } from '../views/index.ts';

import { gainOf } from './gains.ts';
import { bare, type ServiceRequests, strategiesOf, type Wanted } from './requests.ts';
import { targetPlace } from './target-place.ts';

/** Tasks started for one service in one pass; the rest follow in the next, at once. Keeps commits small and services fair to each other. */
const startsPerPass = 1_000;

/** What a service pass decided, with instances for its starts. */
export interface PlacedPlan {
  readonly plan: ServicePlan;
  readonly placed: readonly { readonly deploymentId: string; readonly task: TaskRecord }[];
  /** How many things were looked at for it, about: tasks, and instances where all of them were asked. */
  readonly looks: number;
}

export interface PlannerPorts {
  readonly view: ClusterView;
  readonly region: string;
  readonly now: number;
  readonly newTaskId: () => string;
  readonly newRunId: () => string;
  readonly options: ReconcilerOptions;
  readonly hostOf: (task: TaskRecord) => HostCondition;
  readonly alarms: ServiceState['alarms'];
  readonly requests: ServiceRequests;
  /** Revisions of the service's deployments, by ARN. */
  readonly definitions: ReadonlyMap<string, TaskDefinitionRecord>;
}

/**
 * One pass over one service against the view: the pure reconciler decides, the placement index finds instances, and what
 * finds none goes back to the reconciler. Leaves the index as it was.
 */
export function planService(ports: PlannerPorts, service: ServiceRecord): PlacedPlan {
  const tasks = ports.view.openTasksOfService(service.name);
  const state = (blocked: ReadonlyMap<string, Blocked>): ServiceState => ({
    service,
    tasks,
    hostOf: ports.hostOf,
    interruptedAt: (task) => {
      const reclaimedAt = ports.view.instances.get(task.instanceId ?? '')?.value.reclaimedAt;
      return reclaimedAt === undefined
        ? undefined
        : interruptedAt(reclaimedAt, ports.definitions.get(task.taskDefinition), (task.targets ?? []).length > 0);
    },
    placeOf: (task, wanted) =>
      targetPlace(
        task,
        wanted,
        ports.view.instances.get(task.instanceId ?? '')?.value,
        ports.definitions.get(task.taskDefinition),
      ),
    blocked,
    shift: ports.view.shifts.get(service.name)?.value,
    shiftLive: ports.view.shiftLives.get(service.name)?.value,
    measured: ports.view.measured.get(service.name)?.value,
    hookResults: ports.view.hookResultsOf(service.name),
    alarms: ports.alarms,
    newRunId: ports.newRunId,
    zoneOf: (task) => zoneOf(ports.view, task.instanceId),
    zones: () => zonesFor(ports, service),
    zonesOfHosts: () => [...ports.view.census.zones.present].filter((zone) => plainZone.test(zone)),
    scaleInOrder: (ids, limit, gone) => ports.view.index.scaleInOrder(ids, strategiesOf(service), limit, gone),
    gainOf: (moved) => gainOf(ports, service, moved),
    ...(service.schedulingStrategy === 'DAEMON' ? daemonHosts(ports, service) : {}),
  });
  const first = reconcileService(state(new Map()), ports.now, ports.options);
  const { placed, blocked } = placeStarts(ports, first);
  const askedAll = blocked.size > 0 || service.schedulingStrategy === 'DAEMON';
  const looks = tasks.length + placed.length + (askedAll ? ports.view.instances.size : 0);
  if (blocked.size === 0) return { plan: first, placed, looks };
  return { plan: reconcileService(state(blocked), ports.now, ports.options), placed, looks };
}

/** Whether it matters to the service now how alarms stand. */
export const mayFailByAlarms = (service: ServiceRecord): boolean =>
  alarmsOf(service) !== undefined &&
  service.deployments.some(({ status, rolloutState }) => status === 'PRIMARY' && rolloutState === 'IN_PROGRESS');

/** Finds instances for the starts of a plan, each given those before it. */
function placeStarts(
  ports: PlannerPorts,
  plan: ServicePlan,
): { placed: PlacedPlan['placed']; blocked: Map<string, Blocked> } {
  const { view } = ports;
  const placed: { deploymentId: string; task: TaskRecord }[] = [];
  const blocked = new Map<string, Blocked>();
  if (plan.starts.length === 0) return { placed, blocked };
  view.index.tentatively(() => {
    for (const id of plan.leaving) view.index.setLeaving(id, true);
    for (const start of plan.starts) {
      const deployment = plan.service.deployments.find(({ id }) => id === start.deploymentId);
      const definition = ports.definitions.get(deployment?.taskDefinition ?? '');
      if (deployment === undefined || definition === undefined) {
        blocked.set(blockedKey(start), { ...noDefinition(deployment), relief: [] });
        continue;
      }
      const service = startedAs(plan.service, deployment);
      const requests = new Map<CapacityProvider | undefined, Wanted>();
      /** Those that have no room left: what others have is used all the same. */
      const full = new Set<CapacityProvider | undefined>();
      for (let count = 0; count < start.count && placed.length < startsPerPass; count++) {
        const provider = start.providers?.[count];
        if (full.has(provider)) continue;
        const wanted = requests.get(provider) ?? ports.requests.of(service, definition, provider, start.zone);
        const { request, rather } = wanted;
        const target = start.instances?.[count];
        const preferred = rather === undefined || target !== undefined ? undefined : view.index.place(rather);
        const fits = preferred !== undefined && !('unplaceable' in preferred);
        // Where there is no room left there is none for the next one either.
        requests.set(provider, fits ? wanted : { request });
        const found = fits
          ? preferred
          : target === undefined
            ? view.index.place(request)
            : placeOn(ports, target, request);
        if ('unplaceable' in found) {
          const { code, message } = found.unplaceable;
          const helps = target === undefined && start.zone === undefined;
          const relief = helps ? findRelief(ports, plan, deployment, request) : [];
          blocked.set(blockedKey(start), { code, message, relief });
          if (target === undefined) full.add(provider);
          continue;
        }
        const draft = draftFor(ports, service, deployment, definition, provider);
        view.index.addTask(placedTask(draft, found.instanceId));
        placed.push({ deploymentId: start.deploymentId, task: { ...draft, instanceId: found.instanceId } });
      }
    }
  });
  return { placed, blocked };
}

function placeOn(
  { view }: PlannerPorts,
  instanceId: string,
  request: PlacementRequest,
): ReturnType<ClusterView['index']['place']> {
  const reason = view.index.whyNot(instanceId, request);
  return reason === undefined ? { instanceId } : { unplaceable: reason };
}

/**
 * The fewest older tasks of the service whose end would make room on one instance: what stop-first may end when no
 * instance has room. Tries instances in order of how many tasks would have to go; changes nothing.
 */
function findRelief(
  { view }: PlannerPorts,
  plan: ServicePlan,
  deployment: DeploymentRecord,
  request: PlacementRequest,
): readonly string[] {
  const { index } = view;
  const going = view
    .openTasksOfService(plan.service.name)
    .filter(
      ({ lastStatus, desiredStatus, service }) =>
        lastStatus !== 'STOPPED' && desiredStatus !== 'STOPPED' && service?.deploymentId !== deployment.id,
    );
  let best: readonly string[] = [];
  for (const [host, tasks] of Map.groupBy(going, ({ instanceId }) => instanceId)) {
    if (host === undefined) continue;
    index.tentatively(() => {
      const removed: string[] = [];
      for (const { id } of tasks) {
        if (best.length > 0 && removed.length + 1 >= best.length) return;
        index.removeTask(id);
        removed.push(id);
        if (index.whyNot(host, request) !== undefined) continue;
        best = removed;
        return;
      }
    });
    if (best.length === 1) break;
  }
  return best;
}

function draftFor(
  ports: PlannerPorts,
  service: ServiceRecord,
  deployment: DeploymentRecord,
  definition: TaskDefinitionRecord,
  provider: CapacityProvider | undefined,
): TaskDraft {
  const propagated =
    service.propagateTags === 'SERVICE'
      ? service.tags
      : service.propagateTags === 'TASK_DEFINITION'
        ? definition.tags
        : undefined;
  const draft = taskDraft(definition, {
    region: ports.region,
    account: ports.view.account,
    cluster: ports.view.name,
    id: ports.newTaskId(),
    now: ports.now,
    group: `service:${service.name}`,
    startedBy: deployment.id,
    service: { name: service.name, deploymentId: deployment.id },
    tags: taskTags({
      ...(propagated === undefined ? {} : { propagated }),
      ...(service.enableECSManagedTags ? { managed: { cluster: ports.view.name, service: service.name } } : {}),
    }),
    launchType: service.launchType,
    ...(provider === undefined ? {} : { capacityProvider: provider }),
    ...(service.network === undefined ? {} : { network: service.network }),
  });
  return {
    ...draft,
    // None yet: it says that load balancers are to send it requests once it runs.
    ...(deployment.loadBalancers === undefined ? {} : { targets: [] }),
    enableExecuteCommand: service.enableExecuteCommand,
    containers: draft.containers.map((container) => ({
      ...container,
      image: deployment.images?.[container.name] ?? container.image,
    })),
  };
}

const noDefinition = (deployment: DeploymentRecord | undefined): { code: string; message: string } => ({
  code: missingDefinition,
  message: `The task definition ${deployment?.taskDefinition ?? ''} does not exist any more.`,
});

/** DAEMON: the instances that should run one task now, and the draining ones that still have tasks of others than daemons. */
function daemonHosts(
  ports: PlannerPorts,
  service: ServiceRecord,
): { readonly eligible: readonly string[]; readonly lingering: readonly string[] } {
  const definition = ports.definitions.get(service.taskDefinition);
  const request = definition === undefined ? undefined : bare(ports.requests.of(service, definition).request);
  const isMine = (task: TaskRecord): boolean => task.service?.name === service.name;
  const isOfDaemon = (task: TaskRecord): boolean =>
    ports.view.services.get(task.service?.name ?? '')?.value.schedulingStrategy === 'DAEMON';
  const eligible: string[] = [];
  const lingering: string[] = [];
  for (const { value: instance } of ports.view.instances.values()) {
    const tasks = ports.view.liveTasksOn(instance.id);
    // Daemons do not wait for each other.
    if (instance.status === 'DRAINING' && !tasks.every(isOfDaemon)) lingering.push(instance.id);
    if (instance.status !== 'ACTIVE' || request === undefined) continue;
    const reason = ports.view.index.whyNot(instance.id, request);
    // A daemon that runs keeps its place while its agent is away.
    const runs = (): boolean => tasks.some((task) => isMine(task) && task.desiredStatus === 'RUNNING');
    if (reason === undefined || (reason.code === 'AGENT' && runs())) eligible.push(instance.id);
  }
  return { eligible: eligible.sort(), lingering: lingering.sort() };
}

const zoneAttribute = 'ecs.availability-zone';

/** Zones whose names can stand in an expression; hosts without one are in none. */
const plainZone = /^[A-Za-z0-9][\w.-]*$/;

function zoneOf(view: ClusterView, instanceId = ''): string | undefined {
  const attributes = view.instances.get(instanceId)?.value.attributes;
  const zone = attributes?.find(({ name }) => name === zoneAttribute)?.value;
  return zone === undefined || !plainZone.test(zone) ? undefined : zone;
}

/** The zones with hosts that could take a task of the service's newest revision, however full they are. */
function zonesFor(ports: PlannerPorts, service: ServiceRecord): readonly string[] {
  const primary = service.deployments.find(({ status }) => status === 'PRIMARY');
  const definition = ports.definitions.get(primary?.taskDefinition ?? '');
  if (primary === undefined || definition === undefined) return [];
  const launched = startedAs(service, primary);
  return [...ports.view.census.zones.present].filter(
    (zone) =>
      plainZone.test(zone) &&
      !('unplaceable' in ports.view.index.place(ports.requests.bareOf(launched, definition, zone))),
  );
}
