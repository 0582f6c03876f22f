import {
  type DeploymentRecord,
  outgoingStatus,
  sameRecord,
  type ServiceRecord,
  type ShiftRecord,
  type StopCode,
  type TaskRecord,
} from '../state/index.ts';

import { takeCensus, type Census } from './census.ts';
import { Voice } from './events.ts';
import type { ReconcilerOptions } from './options.ts';
import { tellLeaving } from './targets.ts';
import type { Decision, ServicePlan, ServiceState, Start } from './types.ts';

/** The working copy of one pass: collects what is decided and hands back a plan. Holds no rules of its own. */
export class Pass {
  readonly state: ServiceState;
  readonly now: number;
  readonly options: ReconcilerOptions;
  readonly voice: Voice;
  readonly decisions: Decision[] = [];
  readonly starts: Start[] = [];
  leaving: readonly string[] = [];
  shift: ShiftRecord | undefined;
  endsShift = false;
  service: ServiceRecord;
  readonly #deployments: Map<string, DeploymentRecord>;
  readonly #tasks: Map<string, TaskRecord>;
  /** The values of both as they are now, once somebody has asked: they are asked for again and again between two changes. */
  #listed: { deployments?: readonly DeploymentRecord[] | undefined; tasks?: readonly TaskRecord[] | undefined } = {};
  readonly #changed = new Set<string>();
  readonly #stops: string[] = [];
  #wakeAt: number | undefined;
  #census: Census | undefined;

  constructor(state: ServiceState, now: number, options: ReconcilerOptions) {
    this.state = state;
    this.now = now;
    this.options = options;
    this.service = state.service;
    this.voice = new Voice(state.service, now, options.repeatEventsAfter);
    this.#deployments = new Map(state.service.deployments.map((deployment) => [deployment.id, deployment]));
    this.#tasks = new Map(state.tasks.map((task) => [task.id, task]));
  }

  /** The service as the pass has made it so far. */
  current(): ServiceRecord {
    return { ...this.service, deployments: this.deployments() };
  }

  /** In the order of the record: PRIMARY first. */
  deployments(): readonly DeploymentRecord[] {
    return (this.#listed.deployments ??= [...this.#deployments.values()]);
  }

  deployment(id: string): DeploymentRecord | undefined {
    return this.#deployments.get(id);
  }

  primary(): DeploymentRecord | undefined {
    return this.deployments().find((deployment) => deployment.status === 'PRIMARY');
  }

  /** Changes a deployment; members given as undefined are removed. */
  change(id: string, patch: { readonly [K in keyof DeploymentRecord]?: DeploymentRecord[K] | undefined }): void {
    const before = this.#deployments.get(id);
    if (before === undefined) return;
    if (Object.entries(patch).every(([name, value]) => before[name as keyof DeploymentRecord] === value)) return;
    if (patch.status !== undefined) this.#census = undefined;
    const { unplaceable: _same, ...visible } = patch;
    const updatedAt = Object.keys(visible).length === 0 ? before.updatedAt : this.now;
    this.#listed.deployments = undefined;
    this.#deployments.set(id, defined({ ...before, ...patch, updatedAt }) as unknown as DeploymentRecord);
  }

  /** Puts the deployments into this order, dropping those that are not named. */
  keepDeployments(ids: readonly string[]): void {
    const kept = ids.flatMap((id) => this.#deployments.get(id) ?? []);
    this.#deployments.clear();
    this.#listed.deployments = undefined;
    this.#census = undefined;
    for (const deployment of kept) this.#deployments.set(deployment.id, deployment);
  }

  tasks(): readonly TaskRecord[] {
    return (this.#listed.tasks ??= [...this.#tasks.values()]);
  }

  changeTask(id: string, patch: Partial<TaskRecord>): void {
    const before = this.#tasks.get(id);
    if (before === undefined) return;
    this.#census = undefined;
    this.#listed.tasks = undefined;
    const version = this.#changed.has(id) ? before.version : before.version + 1;
    this.#tasks.set(id, { ...before, ...patch, version });
    this.#changed.add(id);
  }

  /** The live tasks as they stand with what has been decided so far; taken anew only when that changed one. */
  census(): Census {
    return (this.#census ??= takeCensus(this, this.primary()));
  }

  /** Tells tasks to stop, all for one reason. */
  stop(tasks: readonly TaskRecord[], reason: string, code: StopCode = 'ServiceSchedulerInitiated'): void {
    if (tasks.length === 0) return;
    for (const task of tasks) {
      this.changeTask(task.id, {
        desiredStatus: 'STOPPED',
        lastStatus: outgoingStatus(task),
        stopCode: code,
        stoppedReason: reason,
        stoppingAt: this.now,
      });
      this.#stops.push(task.id);
    }
    tellLeaving(this, tasks);
    this.decisions.push({ what: 'stop', tasks: tasks.map((task) => task.id), why: reason });
  }

  start(start: Start, why: string): void {
    if (start.count <= 0) return;
    this.starts.push(start);
    this.decisions.push({ what: 'start', deploymentId: start.deploymentId, count: start.count, why });
  }

  /** Asks for another pass at this time, if it lies ahead. */
  wake(at: number | undefined): void {
    if (at === undefined || at <= this.now) return;
    this.#wakeAt = this.#wakeAt === undefined ? at : Math.min(this.#wakeAt, at);
  }

  plan(): ServicePlan {
    return {
      service: this.#finished(),
      tasks: [...this.#changed].flatMap((id) => this.#tasks.get(id) ?? []),
      starts: this.starts,
      stops: this.#stops,
      ...(this.shift === undefined ? {} : { shift: this.shift }),
      endsShift: this.endsShift,
      endedRuns: this.#endedRuns(),
      leaving: this.leaving,
      events: this.voice.messages,
      ...(this.#wakeAt === undefined ? {} : { wakeAt: this.#wakeAt }),
      decisions: this.decisions,
    };
  }

  /** Results of hooks go with their deployment. */
  #endedRuns(): string[] {
    const isOver = this.service.status === 'INACTIVE';
    return this.state.hookResults.flatMap(({ id, deploymentId }) =>
      isOver || !this.#deployments.has(deploymentId) ? [id] : [],
    );
  }

  #finished(): ServiceRecord {
    const before = this.state.service;
    const next: ServiceRecord = { ...this.current(), said: this.voice.said() };
    return sameRecord({ ...before, said: before.said ?? {} }, { ...next, said: next.said ?? {} })
      ? before
      : { ...next, version: before.version + 1 };
  }
}

/** Without the members that are undefined. */
const defined = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
