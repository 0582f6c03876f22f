import { isLive, isPending, type ServiceRecord, type TaskRecord } from '@slipway/scheduler/state';
import type { AddressChecks } from './addresses.ts';
import type { SimulatedHost } from './host.ts';
import type { SimulatedImages } from './images.ts';
import type { Mirror } from './mirror.ts';
import { retention, type SimulatedServer } from './server.ts';
import { unsettledSets, unsteadySets } from './set-checks.ts';

export interface QuietPorts {
  readonly mirror: Mirror;
  readonly servers: readonly SimulatedServer[];
  readonly hosts: readonly SimulatedHost[];
  readonly images: SimulatedImages;
  readonly addresses: AddressChecks;
  readonly now: () => number;
  /** By how many milliseconds wall clocks may have been off when something was noted. */
  readonly clockError: number;
  /** Whether tasks may wait for an instance: their group has as many as it may have. */
  readonly isFull: () => boolean;
  /** Whether a host waits in a warm pool. */
  readonly isWarm: (host: SimulatedHost) => boolean;
}

/** Milliseconds between two looks of a leader for what is over, and some for its work. */
const sweepSlack = 60_000;

/** Milliseconds for which a container may take to stop, and some for the order and the report. */
const stopsWithin = 60_000;

/** Milliseconds for which requests may keep a task, those of a server that went away included. */
const drainsWithin = 90_000;

/** What must be so once nothing disturbs the installation any more. */
export class Quiet {
  readonly #ports: QuietPorts;

  constructor(ports: QuietPorts) {
    this.#ports = ports;
  }

  /** Which host is not in the cluster though nothing keeps it out; undefined when all are. */
  outside(): string | undefined {
    for (const host of this.#ports.hosts) {
      const { name, registered } = host;
      if (this.#ports.isWarm(host)) continue;
      const instance = this.#ports.mirror.instances.get(registered?.split('/').at(-1) ?? '');
      if (instance?.agentConnected !== true) return `${name} is ${registered ?? 'nobody'}, which is not connected`;
    }
    return undefined;
  }

  /** A task that is wanted on a host that is taken back; undefined when there is none. */
  uninterrupted(): string | undefined {
    const { tasks, instances } = this.#ports.mirror;
    for (const { id, instanceId = '', desiredStatus } of tasks.values())
      if (desiredStatus === 'RUNNING' && instances.get(instanceId)?.reclaimedAt !== undefined)
        return `task ${id} is wanted on ${instanceId}, which is taken back`;
    return undefined;
  }

  /** Why the installation is not at rest though nothing disturbs it; undefined when it is. */
  unsettled(): string | undefined {
    if (this.#ports.servers.filter(({ leads }) => leads === this.#ports.mirror.epoch).length !== 1)
      return 'nobody leads the cluster';
    for (const service of this.#ports.mirror.services.values()) {
      const why = this.#unsettledService(service);
      if (why !== undefined) return why;
    }
    for (const task of this.#ports.mirror.tasks.values()) {
      const told = this.#ports.now() - (this.#ports.mirror.orderedAt.get(task.id) ?? 0);
      const within = stopsWithin + (task.targets === undefined ? 0 : drainsWithin);
      if (task.desiredStatus === 'STOPPED' && isLive(task) && told > within)
        return `task ${task.id} was told to stop and has not`;
      if (task.service === undefined && isPending(task) && !(task.waits !== undefined && this.#ports.isFull()))
        return `task ${task.id} of RunTask is still ${task.lastStatus}`;
    }
    return this.#orphan();
  }

  #unsettledService(service: ServiceRecord): string | undefined {
    const { name, status, desiredCount } = service;
    const live = this.#ports.mirror.tasksOf(name).filter((task) => isLive(task));
    if (status !== 'ACTIVE') return live.length === 0 ? undefined : `${name} is ${status} and has ${live.length} tasks`;
    if (service.controller === 'EXTERNAL') return unsettledSets(this.#ports.mirror, service);
    const primary = service.deployments.find((one) => one.status === 'PRIMARY');
    if (primary === undefined) return `${name} has no PRIMARY deployment`;
    const running = live.filter((task) => task.lastStatus === 'RUNNING' && task.service?.deploymentId === primary.id);
    const isFailing = primary.lastFailure !== undefined && (primary.failedTasks > 0 || (primary.crashes ?? 0) > 0);
    // What traffic is left with, as it could not go back, is kept up.
    const isLeft = primary.rolloutState === 'FAILED' && primary.shifting?.rollback?.impossible !== undefined;
    if (isLeft && running.length < desiredCount && !isFailing && primary.unplaceable === undefined)
      return `${name} has ${running.length} of ${desiredCount} tasks of what traffic is left with`;
    if (primary.rolloutState === 'FAILED') return undefined;
    if (service.deployments.some(({ unplaceable }) => unplaceable !== undefined)) return undefined;
    // An image that keeps failing without a circuit breaker is tried for ever; the record says why. What is gone back to gets a verdict,
    // and may fail after that like any other.
    if ((primary.cause.kind !== 'rollback' || primary.rolloutState === 'COMPLETED') && isFailing) return undefined;
    // A daemon is the last to leave an instance that is drained, in whatever revision it runs there.
    const lingers = live.some(
      ({ instanceId = '' }) => this.#ports.mirror.instances.get(instanceId)?.status === 'DRAINING',
    );
    if (service.schedulingStrategy === 'DAEMON' && lingers) return undefined;
    const whole = running.length === desiredCount && live.length === desiredCount;
    if (primary.rolloutState === 'COMPLETED' && whole) return undefined;
    if (service.rebalancing?.move !== undefined) return `${name} is evened out all the time`;
    if (service.moving !== undefined) return `tasks of ${name} are moved all the time`;
    if (service.said !== undefined && 'deadlock' in service.said) return undefined;
    return `${name} is ${primary.rolloutState} with ${running.length} of ${desiredCount} tasks and says nothing of a failure`;
  }

  /** Why the repaired installation is not as wanted yet; undefined when it is. */
  unrepaired(): string | undefined {
    return this.unsettled() ?? this.#unsteady() ?? this.#unfollowed() ?? this.#leftOver();
  }

  #unsteady(): string | undefined {
    for (const service of this.#ports.mirror.services.values()) {
      if (service.status !== 'ACTIVE') continue;
      if (service.controller === 'EXTERNAL') {
        const why = unsteadySets(this.#ports.mirror, service);
        if (why !== undefined) return why;
        continue;
      }
      const primary = service.deployments.find((one) => one.status === 'PRIMARY');
      const running = this.#ports.mirror
        .tasksOf(service.name)
        .filter((task) => isLive(task) && task.lastStatus === 'RUNNING');
      if (primary?.rolloutState !== 'COMPLETED' || running.length !== service.desiredCount) {
        const state = `${primary?.rolloutState ?? 'nothing'}, ${running.length} of ${service.desiredCount}`;
        return `${service.name} is not steady: ${state}; ${primary?.unplaceable?.message ?? primary?.lastFailure ?? ''}`;
      }
      const uneven = this.#uneven(service, running);
      if (uneven !== undefined) return uneven;
    }
    return undefined;
  }

  /** A service whose zones should be evened out, and are not. Where tasks have addresses or constraints it depends on those. */
  #uneven(service: ServiceRecord, running: readonly TaskRecord[]): string | undefined {
    const { instances } = this.#ports.mirror;
    if (service.availabilityZoneRebalancing !== 'ENABLED' || service.network !== undefined) return undefined;
    if (service.placementConstraints.length > 0 || service.said?.['zones'] !== undefined) return undefined;
    const zoneOf = (id = ''): string | undefined =>
      instances.get(id)?.attributes.find(({ name }) => name === 'ecs.availability-zone')?.value;
    const open = [...instances.values()].filter(({ status, agentConnected }) => status === 'ACTIVE' && agentConnected);
    const zones = new Set(open.flatMap(({ id }) => zoneOf(id) ?? []));
    const counts = [...zones].map((zone) => running.filter(({ instanceId }) => zoneOf(instanceId) === zone).length);
    if (Math.max(0, ...counts) - Math.min(Infinity, ...counts) < 2) return undefined;
    return `${service.name} has ${counts.join(', ')} tasks in its zones`;
  }

  /** A service that follows a tag and runs something else. */
  #unfollowed(): string | undefined {
    const { mirror, images } = this.#ports;
    for (const service of mirror.services.values()) {
      const primary = service.deployments.find((one) => one.status === 'PRIMARY');
      if (service.status !== 'ACTIVE' || service.follow?.mode !== 'tags' || primary?.images === undefined) continue;
      const { containerDefinitions = [] } = (mirror.definitions.get(primary.taskDefinition)?.definition ?? {}) as {
        containerDefinitions?: { name?: string; image?: string }[];
      };
      for (const { name = '', image = '' } of containerDefinitions) {
        const [reference = ''] = image.split('@');
        const named = images.resolve(reference);
        const runs = (primary.images[name] ?? image).split('@')[1];
        if (named !== undefined && runs !== named)
          return `${service.name} follows ${reference} and runs ${runs?.slice(-4)}, the tag names ${named.slice(-4)}`;
      }
    }
    return undefined;
  }

  /** Rows that nobody needs any more. */
  #leftOver(): string | undefined {
    const { mirror, servers, now, clockError, addresses } = this.#ports;
    const running = servers.filter(({ process }) => process !== undefined).length;
    const { size } = mirror.connections;
    if (size > running) return `${size} servers say that they hold connections, ${running} run`;
    for (const key of mirror.loads) {
      if (!mirror.instances.has(key.slice(key.indexOf('/') + 1))) return `${key} is of no instance`;
    }
    const overdue = now() - retention.ended - clockError - sweepSlack;
    const groups = Map.groupBy(
      [...mirror.tasks.values()].filter(({ lastStatus }) => lastStatus === 'STOPPED'),
      ({ group }) => group,
    );
    for (const [group, tasks] of groups) {
      const old = tasks.filter(({ stoppedAt, createdAt }) => (stoppedAt ?? createdAt) < overdue);
      const most = retention.newestCount;
      if (old.length > most) return `${old.length} tasks of ${group} are over for long, the newest ${most} stay`;
    }
    return addresses.leftOver();
  }

  /** A container without a task, or a task without its containers. */
  #orphan(): string | undefined {
    const running = new Set<string>();
    for (const { name, engine } of this.#ports.hosts) {
      for (const container of engine.containers.values()) {
        const arn = container.labels['com.amazonaws.ecs.task-arn'] ?? '';
        const task = this.#ports.mirror.tasks.get(arn.slice(arn.lastIndexOf('/') + 1));
        if (container.status !== 'running') continue;
        if (task === undefined || !isLive(task)) return `${name} runs ${container.name} of a task that is over`;
        running.add(task.id);
      }
    }
    for (const task of this.#ports.mirror.tasks.values()) {
      if (task.lastStatus === 'RUNNING' && task.desiredStatus === 'RUNNING' && !running.has(task.id)) {
        return `task ${task.id} is RUNNING and no container of it is`;
      }
    }
    return undefined;
  }
}
