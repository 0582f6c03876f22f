import type { Condition, Json } from '@slipway/storage/records';

import {
  alarmsOf,
  type Decision,
  eventTexts,
  hasTaskSets,
  type ServicePlan,
  type ServiceState,
} from '../deployments/index.ts';
import { standingsOf } from '../signals/alarms/store/index.ts';
import {
  clusterKeys,
  type DeploymentRecord,
  newEventId,
  newId,
  type ServiceEventRecord,
  type ServiceRecord,
  type TaskDefinitionRecord,
  toJson,
} from '../state/index.ts';
import { placedTask } from '../views/index.ts';

import type { Writes } from './commit.ts';
import { hostCondition, lostAt, type Patience } from './hosts.ts';
import { learnPins, pinImages } from './images.ts';
import type { LeaderPorts } from './leader.ts';
import { mayFailByAlarms, planService, type PlacedPlan } from './planner.ts';
import { ServiceRequests } from './requests.ts';

/**
 * Writes in one commit, about, and things looked at for it: what a piece of work keeps everything else waiting for, a lease's renewal and
 * agents' messages included. One service is always planned whole. The store takes 10,000 writes.
 */
const writesPerCommit = 4_000;
const looksPerCommit = 10_000;

/** One service's share of a commit. */
export interface ServicePart extends Writes {
  readonly service: string;
  readonly decisions: readonly Decision[];
}

/** A service with what the plan needs from elsewhere. */
export interface Prepared {
  readonly name: string;
  readonly version: number;
  readonly definitions: ReadonlyMap<string, TaskDefinitionRecord>;
  /** With its images pinned. */
  readonly service: ServiceRecord;
  /** How the alarms stand that its deployment may fail by; undefined: it is none's concern, or not known. */
  readonly alarms: ServiceState['alarms'];
}

/** What came of looking at one service. */
export interface Looked {
  readonly name: string;
  /** How many things were looked at. */
  readonly looks: number;
  /** The writes it needs now, if any. */
  readonly part?: ServicePart;
  /** When it asks to be looked at again, milliseconds since the epoch. */
  readonly wakeAt?: number;
}

/**
 * Plans services against the view and turns the plans into writes. What must be asked for is asked for first; the plan itself is made in
 * one go, on one state of the view. Commits nothing.
 */
export class ServicePass {
  readonly #ports: LeaderPorts;
  readonly #patience: Patience;
  readonly #requests = new ServiceRequests();

  /** @param ledSince when the leadership began, on the monotonic clock */
  constructor(ports: LeaderPorts, ledSince: number) {
    this.#ports = ports;
    this.#patience = { ...ports, ledSince };
  }

  /** Reads definitions and pins images; services that are gone are left out. */
  async prepare(names: readonly string[]): Promise<readonly Prepared[]> {
    const { view, log } = this.#ports;
    const prepared = await Promise.all(
      names.map(async (name) => {
        try {
          const found = view.services.get(name);
          if (found === undefined) return [];
          const definitions = await this.#definitions(found.value);
          const service = await this.#pin(found.value, definitions);
          const alarms = mayFailByAlarms(service) ? await this.#alarms(service) : undefined;
          return [{ name, version: found.version, definitions, service, alarms }];
        } catch (error) {
          log.error({ cluster: view.name, service: name, err: error }, 'cannot decide about the service');
          return [];
        }
      }),
    );
    return prepared.flat();
  }

  /**
   * Looks at services until the work is enough for one commit.
   * @returns what came of it, and the services that are still to be looked at: those the view has moved on from meanwhile, and those for
   * which there was no time
   */
  plan(services: readonly Prepared[]): { readonly looked: readonly Looked[]; readonly left: readonly string[] } {
    const { view, log } = this.#ports;
    const looked: Looked[] = [];
    const left: string[] = [];
    let writes = 0;
    let looks = 0;
    view.index.tentatively(() => {
      for (const prepared of services) {
        const { name, version } = prepared;
        const stored = view.services.get(name);
        if (stored === undefined) continue;
        if (stored.version !== version || writes >= writesPerCommit || looks >= looksPerCommit) {
          left.push(name);
          continue;
        }
        try {
          const { placed, ...found } = this.#planOne(prepared, stored.value);
          looked.push(found);
          looks += found.looks;
          if (found.part === undefined) continue;
          writes += found.part.put.length;
          // Services of one commit must not count on the same room.
          for (const { task } of placed) view.index.addTask(placedTask(task, task.instanceId ?? ''));
        } catch (error) {
          log.error({ cluster: view.name, service: name, err: error }, 'cannot decide about the service');
        }
      }
    });
    return { looked, left };
  }

  #planOne(
    { name, version, definitions, service, alarms }: Prepared,
    before: ServiceRecord,
  ): Looked & { readonly placed: PlacedPlan['placed'] } {
    const { view, clock, region, random, options } = this.#ports;
    const now = clock.now();
    const monotonic = clock.monotonic();
    const result = planService(
      {
        view,
        region,
        now,
        options,
        definitions,
        requests: this.#requests,
        newTaskId: () => newId(random),
        newRunId: () => newEventId(random),
        alarms,
        hostOf: (task) => hostCondition(view, task, monotonic, this.#patience),
      },
      service,
    );
    const { looks, placed } = result;
    const wakeAt = earliest([result.plan.wakeAt, ...this.#losses(name, monotonic).map((after) => now + after)]);
    const part = this.#part(name, before, version, result, now);
    return {
      name,
      looks,
      placed,
      ...(part === undefined ? {} : { part }),
      ...(wakeAt === undefined ? {} : { wakeAt }),
    };
  }

  async #definitions(service: ServiceRecord): Promise<ReadonlyMap<string, TaskDefinitionRecord>> {
    const { definitions, view } = this.#ports;
    const found = new Map<string, TaskDefinitionRecord>();
    for (const { taskDefinition } of service.deployments) {
      const definition = await definitions.find(view.account, taskDefinition);
      if (definition !== undefined) found.set(taskDefinition, definition);
    }
    return found;
  }

  /**
   * The service with the images of its newest deployment, or of each task set, resolved, once, before the first task starts; those of
   * other registries when a task has reported its digest.
   */
  async #pin(service: ServiceRecord, definitions: ReadonlyMap<string, TaskDefinitionRecord>): Promise<ServiceRecord> {
    if (service.status !== 'ACTIVE') return service;
    const { view } = this.#ports;
    let isNew = false;
    const pin = async (deployment: DeploymentRecord): Promise<DeploymentRecord> => {
      const definition = definitions.get(deployment.taskDefinition);
      if (definition === undefined || !(deployment.status === 'PRIMARY' || deployment.taskSet !== undefined))
        return deployment;
      const images =
        deployment.images === undefined
          ? await pinImages(view.account, definition, this.#ports)
          : learnPins(definition, deployment, () => view.openTasksOfService(service.name));
      if (images === deployment.images) return deployment;
      isNew = true;
      return { ...deployment, images };
    };
    const deployments = await Promise.all(service.deployments.map(pin));
    return isNew ? { ...service, deployments } : service;
  }

  /** As they are in the store: nothing is called done by what this server remembers of them. */
  async #alarms(service: ServiceRecord): Promise<ServiceState['alarms']> {
    const { records, view, log } = this.#ports;
    try {
      return await standingsOf(records, view.account, alarmsOf(service)?.alarmNames ?? []);
    } catch (err) {
      log.warn({ cluster: view.name, service: service.name, err }, 'cannot read the alarms of a deployment now');
      return undefined;
    }
  }

  /** After how many milliseconds hosts of the service's tasks that are disconnected now will count as lost. */
  #losses(name: string, monotonic: number): number[] {
    const { view } = this.#ports;
    if (view.disconnected.size === 0) return [];
    return view.openTasksOfService(name).flatMap((task) => {
      if (task.lastStatus === 'STOPPED') return [];
      const at = lostAt(view, task, this.#patience);
      return at === undefined || at <= monotonic ? [] : [at - monotonic];
    });
  }

  /** Rows that nobody needs any more: what rules were told and what came of it, and answers of hooks. */
  #ended(name: string, { endsShift, endedRuns }: ServicePlan): string[] {
    const { view } = this.#ports;
    const shift = [view.shifts, view.shiftLives, view.measured].flatMap((rows) => rows.get(name)?.key ?? []);
    return [...(endsShift ? shift : []), ...endedRuns.map((run) => clusterKeys.hookResult(name, run))];
  }

  #part(
    name: string,
    before: ServiceRecord,
    version: number,
    { plan, placed }: PlacedPlan,
    now: number,
  ): ServicePart | undefined {
    const { view, random } = this.#ports;
    const serviceChanged = plan.service !== before;
    const remove = this.#ended(name, plan);
    const isQuiet = plan.tasks.length + placed.length + plan.events.length + remove.length === 0;
    if (!serviceChanged && isQuiet && plan.shift === undefined) return undefined;
    const require: Condition[] = [{ key: clusterKeys.service(name), version }];
    const put: { key: string; value: Json }[] = [];
    if (serviceChanged) {
      const next = plan.service.version === before.version ? before.version + 1 : plan.service.version;
      put.push({ key: clusterKeys.service(name), value: toJson({ ...plan.service, version: next }) });
    }
    if (plan.shift !== undefined) put.push({ key: clusterKeys.shift(name), value: toJson(plan.shift) });
    for (const task of plan.tasks) {
      const key = clusterKeys.task(task.id);
      require.push({ key, version: view.tasks.get(task.id)?.version ?? 0 });
      put.push({ key, value: toJson(task) });
    }
    for (const { task } of placed) {
      const key = clusterKeys.task(task.id);
      require.push({ key, exists: false });
      put.push({ key, value: toJson(task) });
    }
    const messages = [...startedEvents(name, plan.service, placed), ...plan.events];
    for (const [place, message] of messages.entries()) {
      const event: ServiceEventRecord = { id: newEventId(random), createdAt: now + place, message };
      put.push({ key: clusterKeys.serviceEvent(name, event.createdAt, event.id), value: toJson(event) });
    }
    return {
      service: name,
      require,
      put,
      remove,
      instances: [...new Set(placed.flatMap(({ task }) => task.instanceId ?? []))],
      decisions: decisionsOf(plan, placed),
    };
  }
}

/** What a service says of the tasks that it starts, of task sets set by set. */
function startedEvents(name: string, service: ServiceRecord, placed: PlacedPlan['placed']): string[] {
  const say = (who: string, of: PlacedPlan['placed']): string =>
    `(${who}) ${eventTexts.started(of.map(({ task }) => task.id))}`;
  if (placed.length === 0) return [];
  if (!hasTaskSets(service)) return [say(`service ${name}`, placed)];
  const sets = Map.groupBy(placed, ({ deploymentId }) => deploymentId);
  return [...sets].map(([id, own]) => say(`service ${name}, taskSet ${id}`, own));
}

/** The decisions as they came true: starts with the tasks and instances they got. */
function decisionsOf(plan: ServicePlan, placed: PlacedPlan['placed']): Decision[] {
  return plan.decisions.flatMap((decision): Decision[] => {
    if (decision.what !== 'start') return [decision];
    const tasks = placed.filter(({ deploymentId }) => deploymentId === decision.deploymentId);
    return tasks.length === 0
      ? []
      : [
          {
            ...decision,
            count: tasks.length,
            tasks: tasks.map(({ task }) => `${task.id}@${task.instanceId ?? ''}`),
          },
        ];
  });
}

const earliest = (times: readonly (number | undefined)[]): number | undefined => {
  const known = times.filter((time): time is number => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
};
