import type { Condition, Json } from '@slipway/storage/records';

import { type Decision, eventTexts, type ServicePlan } from '../deployments/index.ts';
import {
  clusterKeys,
  newEventId,
  newId,
  type ServiceEventRecord,
  type ServiceRecord,
  type TaskDefinitionRecord,
  type TaskRecord,
  toJson,
} from '../state/index.ts';

import type { Part } from './commit.ts';
import { hostCondition, lostAt, type Patience } from './hosts.ts';
import { learnPins, pinImages } from './images.ts';
import type { LeaderPorts } from './leader.ts';
import { planService, type PlacedPlan } from './planner.ts';
import { ServiceRequests } from './requests.ts';
import { placedTask } from './view.ts';

/** Writes in one commit, about; the store takes 10,000. */
const writesPerCommit = 4_000;

/** One service's share of a commit. */
export interface ServicePart extends Part {
  readonly service: string;
  readonly decisions: readonly Decision[];
}

interface Planned {
  readonly placed: PlacedPlan['placed'];
  readonly part?: ServicePart;
  readonly wakeAt?: number;
}

/** Plans services against the view and turns the plans into writes. Commits nothing itself. */
export class ServicePass {
  readonly #ports: LeaderPorts;
  readonly #patience: Patience;
  readonly #requests = new ServiceRequests();

  /** @param ledSince when the leadership began, milliseconds since the epoch */
  constructor(ports: LeaderPorts, ledSince: number) {
    this.#ports = ports;
    this.#patience = { ...ports, ledSince };
  }

  /** The writes that the services need now; none for those that need nothing. Calls `wake` for those that asked to be looked at later. */
  async plan(names: readonly string[], wake: (name: string, at: number) => void): Promise<readonly ServicePart[]> {
    const { view, log } = this.#ports;
    const parts: ServicePart[] = [];
    const tentative: TaskRecord[] = [];
    let writes = 0;
    for (const name of names) {
      if (!view.services.has(name)) continue;
      if (writes >= writesPerCommit) {
        wake(name, this.#ports.clock.now());
        continue;
      }
      try {
        const { placed, part, wakeAt } = await this.#planOne(name);
        if (wakeAt !== undefined) wake(name, wakeAt);
        if (part === undefined) continue;
        parts.push(part);
        writes += part.put.length;
        // Services of one commit must not count on the same room.
        for (const { task } of placed) {
          view.index.addTask(placedTask(task, task.instanceId ?? ''));
          tentative.push(task);
        }
      } catch (error) {
        log.error({ cluster: view.name, service: name, err: error }, 'cannot decide about the service');
      }
    }
    for (const task of tentative) view.index.removeTask(task.id);
    return parts;
  }

  async #planOne(name: string): Promise<Planned> {
    const { view, clock, region, random, options } = this.#ports;
    const found = view.services.get(name);
    if (found === undefined) return { placed: [] };
    const definitions = await this.#definitions(found.value);
    const pinnedService = await this.#pin(found.value, definitions);
    // The view may have moved on while the registry was asked: decide on what it says now, or leave it to the next pass.
    const stored = view.services.get(name);
    if (stored === undefined || stored.version !== found.version) return { placed: [], wakeAt: clock.now() };
    const now = clock.now();
    const result = planService(
      {
        view,
        region,
        now,
        options,
        definitions,
        requests: this.#requests,
        newTaskId: () => newId(random),
        hostOf: (task) => hostCondition(view, task, now, this.#patience),
      },
      pinnedService,
    );
    const wakeAt = earliest([result.plan.wakeAt, ...this.#losses(name, now)]);
    const part = this.#part(name, stored.value, stored.version, result, now);
    return {
      placed: result.placed,
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
   * The service with its newest deployment's images resolved, once, before its first task starts; those of other registries
   * when a task has reported its digest.
   */
  async #pin(service: ServiceRecord, definitions: ReadonlyMap<string, TaskDefinitionRecord>): Promise<ServiceRecord> {
    const primary = service.deployments.find(({ status }) => status === 'PRIMARY');
    const definition = definitions.get(primary?.taskDefinition ?? '');
    if (service.status !== 'ACTIVE' || primary === undefined || definition === undefined) return service;
    const { view } = this.#ports;
    const images =
      primary.images === undefined
        ? await pinImages(view.account, definition, this.#ports)
        : learnPins(definition, primary, view.tasksOfService(service.name));
    if (images === primary.images) return service;
    return {
      ...service,
      deployments: service.deployments.map((one) => (one.id === primary.id ? { ...one, images } : one)),
    };
  }

  /** When hosts of the service's tasks that are disconnected now will count as lost. */
  #losses(name: string, now: number): number[] {
    const { view } = this.#ports;
    return view.tasksOfService(name).flatMap((task) => {
      const instance = view.instances.get(task.instanceId ?? '')?.value;
      if (task.lastStatus === 'STOPPED' || instance === undefined) return [];
      const at = lostAt(instance, task, this.#patience);
      return at === undefined || at <= now ? [] : [at];
    });
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
    if (!serviceChanged && plan.tasks.length === 0 && placed.length === 0 && plan.events.length === 0) return undefined;
    const require: Condition[] = [{ key: clusterKeys.service(name), version }];
    const put: { key: string; value: Json }[] = [];
    if (serviceChanged) {
      const next = plan.service.version === before.version ? before.version + 1 : plan.service.version;
      put.push({ key: clusterKeys.service(name), value: toJson({ ...plan.service, version: next }) });
    }
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
    const ids = placed.map(({ task }) => task.id);
    const messages = [...(ids.length === 0 ? [] : [`(service ${name}) ${eventTexts.started(ids)}`]), ...plan.events];
    for (const [place, message] of messages.entries()) {
      const event: ServiceEventRecord = { id: newEventId(random), createdAt: now + place, message };
      put.push({ key: clusterKeys.serviceEvent(name, event.createdAt, event.id), value: toJson(event) });
    }
    return {
      service: name,
      require,
      put,
      instances: [...new Set(placed.flatMap(({ task }) => task.instanceId ?? []))],
      decisions: decisionsOf(plan, placed),
    };
  }
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
