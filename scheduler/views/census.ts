import type { DeploymentRecord, InstanceRecord, ServiceRecord, TaskRecord, TaskStatus } from '../state/index.ts';

/** Counts rows by how they stand; a row that comes, changes or goes is moved, so that telling costs the same however many there are. */
export class Tally<Standing extends string> {
  readonly #counts = new Map<Standing, number>();

  /** @param from how the row stood, undefined when it was not counted; `to` how it stands, undefined when it counts no more */
  move(from: Standing | undefined, to: Standing | undefined): void {
    if (from === to) return;
    if (from !== undefined) this.#lessen(from);
    if (to !== undefined) this.#counts.set(to, this.of(to) + 1);
  }

  of(standing: Standing): number {
    return this.#counts.get(standing) ?? 0;
  }

  /** What any row stands at. */
  get present(): Iterable<Standing> {
    return this.#counts.keys();
  }

  #lessen(standing: Standing): void {
    const left = this.of(standing) - 1;
    if (left === 0) this.#counts.delete(standing);
    else this.#counts.set(standing, left);
  }
}

/** How the rows of a cluster stand, in numbers. */
export class Census {
  /** By `lastStatus`; STOPPED ones as long as they are kept. */
  readonly tasks = new Tally<TaskStatus>();
  /** Container instances that are not deregistered, by their agent. */
  readonly agents = new Tally<'connected' | 'disconnected'>();
  /** The same by availability zone; those without one are not counted. */
  readonly zones = new Tally<string>();
  /** Active services by the rollout of their newest deployment. */
  readonly rollouts = new Tally<DeploymentRecord['rolloutState']>();
  /** Services with a deployment whose next task fits nowhere. */
  readonly unplaceable = new Tally<'service'>();

  task(before: TaskRecord | undefined, after: TaskRecord | undefined): void {
    this.tasks.move(before?.lastStatus, after?.lastStatus);
  }

  instance(before: InstanceRecord | undefined, after: InstanceRecord | undefined): void {
    this.agents.move(agent(before), agent(after));
    this.zones.move(zone(before), zone(after));
  }

  service(before: ServiceRecord | undefined, after: ServiceRecord | undefined): void {
    this.rollouts.move(rollout(before), rollout(after));
    this.unplaceable.move(misfit(before), misfit(after));
  }
}

function agent(instance: InstanceRecord | undefined): 'connected' | 'disconnected' | undefined {
  if (instance === undefined || instance.status === 'INACTIVE') return undefined;
  return instance.agentConnected ? 'connected' : 'disconnected';
}

function zone(instance: InstanceRecord | undefined): string | undefined {
  if (instance === undefined || instance.status === 'INACTIVE') return undefined;
  return instance.attributes.find(({ name }) => name === 'ecs.availability-zone')?.value;
}

function rollout(service: ServiceRecord | undefined): DeploymentRecord['rolloutState'] | undefined {
  if (service?.status !== 'ACTIVE' || service.controller === 'EXTERNAL') return undefined;
  return service.deployments.find(({ status }) => status === 'PRIMARY')?.rolloutState;
}

const misfit = (service: ServiceRecord | undefined): 'service' | undefined =>
  service?.deployments.some(({ unplaceable }) => unplaceable !== undefined) === true ? 'service' : undefined;
