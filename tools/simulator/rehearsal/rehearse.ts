import { lowerBound } from '@slipway/scheduler/deployments';
import {
  clusterKeys,
  type InstanceRecord,
  isLive,
  type ServiceEventRecord,
  type ServiceRecord,
} from '@slipway/scheduler/state';
import { settle } from '../world/settle.ts';
import { healthyAfterRunning, Installation } from './installation.ts';
import type { Scenario } from './scenarios.ts';
import type { Snapshot } from './snapshot.ts';

/** How a cluster stands at a moment. */
export interface Moment {
  /** Milliseconds after the scenario began. */
  readonly at: number;
  /** Tasks that are not over, by what the API says of them; `on lost hosts` are those that no agent speaks for. */
  readonly tasks: Readonly<Record<TaskState, number>>;
  /** Tasks that truly run and are well, by service. */
  readonly healthy: Readonly<Record<string, number>>;
  readonly hosts: Readonly<Record<HostState, number>>;
}

export const taskStates = ['running', 'starting', 'stopping', 'on lost hosts'] as const;
export type TaskState = (typeof taskStates)[number];
export const hostStates = ['active', 'draining', 'away'] as const;
export type HostState = (typeof hostStates)[number];

export interface Line {
  /** Milliseconds after the scenario began. */
  readonly at: number;
  readonly who: string;
  readonly what: string;
}

/** What became of one service. */
export interface ServiceOutcome {
  readonly name: string;
  readonly desired: number;
  /** Healthy tasks that its deployment configuration wants at least. */
  readonly minimum: number;
  /** The fewest healthy tasks at any second. */
  readonly lowest: number;
  /** Milliseconds with fewer than the minimum. */
  readonly below: number;
  /** Milliseconds after which it had all it wants and kept it; undefined: not in the time that was played. */
  readonly wholeAfter?: number;
  /** Why tasks find no instance at the end. */
  readonly unplaceable?: string;
  /** How its newest deployment stands at the end. */
  readonly rollout: string;
}

export interface Rehearsal {
  readonly scenario: string;
  readonly what: string;
  readonly cluster: string;
  readonly instances: number;
  readonly tasks: number;
  readonly notes: readonly string[];
  readonly services: readonly ServiceOutcome[];
  readonly timeline: readonly Line[];
  /** Every second. */
  readonly moments: readonly Moment[];
  /** Whether every service had its minimum at every second. */
  readonly kept: boolean;
}

export interface RehearsalOptions {
  readonly servers: number;
  readonly seed: number;
  /** Milliseconds that are played at most after everything is mended. */
  readonly within: number;
}

const second = 1_000;
/** Milliseconds in which the cluster of the snapshot comes up. */
const comesUpWithin = 10 * 60_000;
/** Milliseconds without change after which nothing more is expected; longer than the longest pace of restarts of a healthy cluster. */
const quietFor = 90 * second;

/**
 * Plays a snapshot through a scenario with the real control plane and agents, in virtual time: the same input gives the same
 * result.
 * @throws CliError when the snapshot holds what the control plane refuses
 */
export async function rehearse(snapshot: Snapshot, scenario: Scenario, options: RehearsalOptions): Promise<Rehearsal> {
  const installation = new Installation(snapshot, options);
  try {
    await installation.begin();
    return await new Play(installation, snapshot, scenario, options).run();
  } finally {
    installation.end();
    await settle();
  }
}

class Play {
  readonly #installation: Installation;
  readonly #snapshot: Snapshot;
  readonly #scenario: Scenario;
  readonly #options: RehearsalOptions;
  readonly #timeline: Line[] = [];
  readonly #moments: Moment[] = [];
  readonly #below = new Map<string, number>();
  readonly #lowest = new Map<string, number>();
  readonly #wholeSince = new Map<string, number>();
  readonly #missing = new Set<string>();
  /** What was last said of each host. */
  readonly #said = new Map<string, string>();
  /** When the scenario began; undefined while the cluster comes up. */
  #began: number | undefined;
  #changedAt = 0;

  constructor(installation: Installation, snapshot: Snapshot, scenario: Scenario, options: RehearsalOptions) {
    this.#installation = installation;
    this.#snapshot = snapshot;
    this.#scenario = scenario;
    this.#options = options;
    installation.onCommit = ({ batch }) => {
      for (const { key, value } of batch.put ?? []) this.#noteRow(key, value);
    };
  }

  async run(): Promise<Rehearsal> {
    const { time } = this.#installation;
    const up = time.now() + comesUpWithin;
    do await this.#second();
    while (time.now() < up && this.#restless() !== undefined);
    const early = this.#restless();
    const notes = [...this.#installation.notes, ...(early === undefined ? [] : [`before anything happened, ${early}`])];
    this.#began = time.now();
    this.#changedAt = time.now();
    this.#observe();
    await this.#play();
    const { cluster, instances, tasks } = this.#snapshot;
    const services = this.#outcomes();
    return {
      scenario: this.#scenario.name,
      what: this.#scenario.what,
      cluster,
      instances: instances.length,
      tasks: tasks.length,
      notes,
      services,
      timeline: this.#timeline,
      moments: this.#moments,
      kept: services.every(({ below }) => below === 0),
    };
  }

  async #play(): Promise<void> {
    const { time } = this.#installation;
    const { lasts, what } = this.#scenario;
    this.#say('scenario', what);
    // What is asked of a server is answered in virtual time, which goes on meanwhile.
    let problem: unknown;
    this.#scenario.begin(this.#installation).catch((error: unknown) => (problem = error));
    const mended = time.now() + lasts;
    while (time.now() < mended) await this.#second();
    if (lasts > 0) {
      this.#say('scenario', 'what was lost is back');
      this.#scenario.end(this.#installation);
      this.#changedAt = time.now();
    }
    const end = time.now() + this.#options.within;
    while (time.now() < end) {
      await this.#second();
      if (problem !== undefined) throw problem as Error;
      if (time.now() - this.#changedAt >= quietFor && this.#restless() === undefined) return;
    }
    this.#say('scenario', `the time that was to be played is over, and ${this.#restless() ?? 'all is quiet'}`);
  }

  async #second(): Promise<void> {
    const { time } = this.#installation;
    await time.playUntil(time.now() + second, settle);
    if (this.#began !== undefined) this.#observe();
  }

  /** What still goes on; undefined when every service is as it will stay. */
  #restless(): string | undefined {
    const { mirror } = this.#installation;
    for (const service of mirror.services.values()) {
      const primary = service.deployments.find(({ status }) => status === 'PRIMARY');
      if (primary === undefined || primary.unplaceable !== undefined || primary.rolloutState === 'FAILED') continue;
      if (primary.rolloutState !== 'COMPLETED') return `${service.name} is still rolling out`;
      if (!service.steady) return `${service.name} is not steady`;
    }
    for (const task of mirror.tasks.values())
      if (task.desiredStatus === 'STOPPED' && isLive(task)) return `task ${task.id} still stops`;
    return undefined;
  }

  #observe(): void {
    const { mirror } = this.#installation;
    const at = this.#installation.time.now() - (this.#began ?? 0);
    const healthy = this.#healthy();
    for (const service of mirror.services.values()) this.#judge(service, healthy[service.name] ?? 0, at);
    const tasks: Record<TaskState, number> = { running: 0, starting: 0, stopping: 0, 'on lost hosts': 0 };
    for (const task of mirror.tasks.values()) {
      if (!isLive(task)) continue;
      const away = mirror.instances.get(task.instanceId ?? '')?.agentConnected !== true;
      const known =
        task.desiredStatus === 'STOPPED' ? 'stopping' : task.lastStatus === 'RUNNING' ? 'running' : 'starting';
      tasks[away ? 'on lost hosts' : known] += 1;
    }
    const hosts: Record<HostState, number> = { active: 0, draining: 0, away: 0 };
    for (const { status, agentConnected } of mirror.instances.values())
      if (status !== 'INACTIVE') hosts[!agentConnected ? 'away' : status === 'ACTIVE' ? 'active' : 'draining'] += 1;
    this.#moments.push({ at, tasks, healthy, hosts });
  }

  /** Tasks whose essential containers run and are well, by service, as the engines know it. */
  #healthy(): Record<string, number> {
    const { mirror, hosts } = this.#installation;
    const healthy: Record<string, number> = Object.fromEntries([...mirror.services.keys()].map((name) => [name, 0]));
    for (const { engine } of hosts.values()) {
      const well = new Map<string, number>();
      for (const container of engine.containers.values()) {
        const arn = container.labels['com.amazonaws.ecs.task-arn'] ?? '';
        const id = arn.slice(arn.lastIndexOf('/') + 1);
        const name = container.labels['com.amazonaws.ecs.container-name'] ?? '';
        const since = engine.wellFor(container);
        const essential = mirror.tasks.get(id)?.containers.find((one) => one.name === name)?.essential;
        // What nothing checks counts, as on ECS, once it has run for a while.
        if (essential === true && since !== undefined && (container.checked || since >= healthyAfterRunning))
          well.set(id, (well.get(id) ?? 0) + 1);
      }
      for (const [id, count] of well) {
        const task = mirror.tasks.get(id);
        const wanted = task?.containers.filter(({ essential }) => essential).length;
        if (task?.service !== undefined && count === wanted)
          healthy[task.service.name] = (healthy[task.service.name] ?? 0) + 1;
      }
    }
    return healthy;
  }

  #judge(service: ServiceRecord, healthy: number, at: number): void {
    const { name } = service;
    const { desired, minimum } = this.#bounds(service);
    this.#lowest.set(name, Math.min(this.#lowest.get(name) ?? Infinity, healthy));
    if (healthy < minimum) this.#below.set(name, (this.#below.get(name) ?? 0) + second);
    if (healthy < minimum !== this.#missing.has(name)) {
      if (healthy < minimum) this.#missing.add(name);
      else this.#missing.delete(name);
      const words = healthy < minimum ? 'falls below its minimum' : 'has its minimum again';
      this.#say(name, `${words}: ${healthy} of ${desired} healthy, at least ${minimum} wanted`);
    }
    if (healthy < desired) this.#wholeSince.delete(name);
    else if (!this.#wholeSince.has(name)) this.#wholeSince.set(name, at);
  }

  /** A daemon is wanted on hosts that have power alone. */
  #bounds(service: ServiceRecord): { desired: number; minimum: number } {
    const powered = [...this.#installation.hosts.values()].filter((host) => host.powered).length;
    const most = service.schedulingStrategy === 'DAEMON' ? powered : Infinity;
    const desired = Math.min(service.desiredCount, most);
    return { desired, minimum: lowerBound(desired, service.deploymentConfiguration) };
  }

  #outcomes(): ServiceOutcome[] {
    return Array.from(this.#installation.mirror.services.values(), (service) => {
      const { name } = service;
      const primary = service.deployments.find(({ status }) => status === 'PRIMARY');
      const unplaceable = primary?.unplaceable?.message;
      const wholeAfter = this.#wholeSince.get(name);
      const rolledBack = primary?.cause.kind === 'rollback' ? ', rolled back' : '';
      return {
        name,
        ...this.#bounds(service),
        lowest: this.#lowest.get(name) ?? 0,
        below: this.#below.get(name) ?? 0,
        ...(wholeAfter === undefined ? {} : { wholeAfter }),
        ...(unplaceable === undefined ? {} : { unplaceable }),
        rollout: `${primary?.rolloutState ?? 'none'}${rolledBack}`,
      };
    });
  }

  #noteRow(key: string, value: unknown): void {
    const { time } = this.#installation;
    if (key.startsWith(clusterKeys.tasks) || key.startsWith(clusterKeys.services)) this.#changedAt = time.now();
    if (key.startsWith(clusterKeys.events)) {
      const { message } = value as ServiceEventRecord;
      const service = key.slice(clusterKeys.events.length).split('/')[0] ?? '';
      this.#say(service, message.replace(/^\(service [^)]*\) ?/, '').replace(/:( \(task [\w-]+\))+/, ''));
    }
    if (key.startsWith(clusterKeys.instances)) this.#noteInstance(value as InstanceRecord);
  }

  #noteInstance({ id, agentConnected, status }: InstanceRecord): void {
    const words = agentConnected ? (status === 'ACTIVE' ? 'connected' : status) : 'its agent is disconnected';
    if (this.#said.get(id) === words) return;
    this.#said.set(id, words);
    this.#say(`host ${id}`, words);
  }

  #say(who: string, what: string): void {
    if (this.#began !== undefined) this.#timeline.push({ at: this.#installation.time.now() - this.#began, who, what });
  }
}
