import type { RecordChange, Stored } from '@slipway/storage/records';

import type { InstanceSpec, PlacedTask, PlacementIndex } from '../placement/index.ts';
import {
  type ClusterRecord,
  clusterKeys,
  type ExecSessionRecord,
  type HookResultRecord,
  type InstanceRecord,
  isOut,
  type ServiceRecord,
  type MeasuredRecord,
  type ShiftLiveRecord,
  type ShiftRecord,
  type TaskRecord,
} from '../state/index.ts';
import { Census } from './census.ts';
import { Groups } from './groups.ts';

/** What a change of the view may make worth another look. */
export interface ViewListener {
  serviceChanged(name: string): void;
  /** Room may have appeared, a task begins to wait for it, or an instance came, went or changed. */
  capacityChanged(): void;
}

/**
 * One cluster as its records say: instances, tasks, services, and the placement index over them. A fold over rows with
 * versions: rows may be applied in any order and more than once, an older version of a row never replaces a newer one.
 * It is a cache: nothing is decided from it that the records do not say, and a commit holds what it was decided on.
 */
export class ClusterView {
  readonly account: string;
  readonly name: string;
  readonly index: PlacementIndex;
  cluster: ClusterRecord | undefined;
  readonly instances = new Map<string, Stored<InstanceRecord>>();
  readonly tasks = new Map<string, Stored<TaskRecord>>();
  readonly services = new Map<string, Stored<ServiceRecord>>();
  /** By service: what its deployment wants of the rules of its load balancers, and what engines have acknowledged of it. */
  readonly shifts = new Map<string, Stored<ShiftRecord>>();
  readonly shiftLives = new Map<string, Stored<ShiftLiveRecord>>();
  readonly measured = new Map<string, Stored<MeasuredRecord>>();
  /** What hooks have answered, by `SERVICE/RUN`. */
  readonly hookResults = new Map<string, Stored<HookResultRecord>>();
  /** Sessions of ECS Exec that have not begun, by id. */
  readonly execs = new Map<string, Stored<ExecSessionRecord>>();
  /** How instances, tasks and services stand, in numbers. */
  readonly census = new Census();
  /** Ids of tasks with a registration at load balancers that is not over. */
  readonly balanced = new Set<string>();
  /** Ids of tasks that wait for room. */
  readonly waiting = new Set<string>();
  /** Version of `load/<instance>`; absent: no row. */
  readonly loads = new Map<string, number>();
  /** Instances in the cluster whose agent is away, and since when this process has known it, on its monotonic clock. */
  readonly disconnected = new Map<string, number>();
  readonly #byService = new Groups<TaskRecord>();
  /** Of those, the ones that a pass over the service has to look at. */
  readonly #open = new Groups<TaskRecord>();
  readonly #live = new Groups<TaskRecord>();
  readonly #answers = new Groups<HookResultRecord>();
  readonly #indexed = new Map<string, 'wanted' | 'retired'>();
  readonly #listeners = new Set<ViewListener>();
  readonly #watchers = new Map<string, Set<() => void>>();
  /** Watched instances that a step which is not over yet has changed, or a task on them. */
  readonly #stirred = new Set<string>();
  readonly #monotonic: () => number;

  /** @param monotonic this process's monotonic clock: how long a host has been away is never told by another machine's */
  constructor(account: string, name: string, index: PlacementIndex, monotonic: () => number) {
    this.account = account;
    this.name = name;
    this.index = index;
    this.#monotonic = monotonic;
  }

  listen(listener: ViewListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tasks of a service that are in the records, ended ones included. */
  tasksOfService(name: string): TaskRecord[] {
    return this.#byService.of(name);
  }

  /** Those of them that can still change anything: not STOPPED, or STOPPED without anybody having drawn the conclusions. */
  openTasksOfService(name: string): TaskRecord[] {
    return this.#open.of(name);
  }

  /** Tasks on an instance that are not STOPPED. */
  liveTasksOn(instanceId: string): TaskRecord[] {
    return this.#live.of(instanceId);
  }

  /** What hooks have answered to the deployments of a service. */
  hookResultsOf(name: string): HookResultRecord[] {
    return this.#answers.of(name);
  }

  /** For how many milliseconds this process has known that no agent is connected for an instance; 0 while one is. */
  awayFor(instanceId: string): number {
    const since = this.disconnected.get(instanceId);
    // An agent may be there without a container runtime: no task goes to such a host, but nobody else acts for it either.
    if (since === undefined || this.instances.get(instanceId)?.value.connectionId !== undefined) return 0;
    return this.#monotonic() - since;
  }

  /**
   * Calls back whenever an instance or a task on it may have changed, until the returned function is called; never in the middle of a
   * step: whoever looked at half a list would take the other half for tasks that are over.
   */
  watch(instanceId: string, changed: () => void): () => void {
    const watchers = this.#watchers.get(instanceId) ?? new Set();
    this.#watchers.set(instanceId, watchers.add(changed));
    return () => {
      watchers.delete(changed);
      if (watchers.size === 0 && this.#watchers.get(instanceId) === watchers) this.#watchers.delete(instanceId);
    };
  }

  /** Takes over changed rows, in one step. */
  apply(changes: Iterable<RecordChange>): void {
    for (const change of changes) {
      if (change.kind === 'put') this.#put(change);
      else this.#remove(change.key, change.version);
    }
    this.#tellWatchers();
  }

  #put({ key, value, version }: Stored): void {
    const [kind, id] = split(key);
    switch (kind) {
      case 'instance':
        if (newer(this.instances, id, version)) this.#putInstance(id, value as unknown as InstanceRecord, version);
        return;
      case 'task':
        if (newer(this.tasks, id, version)) this.#putTask(id, value as unknown as TaskRecord, version);
        return;
      case 'service':
        if (newer(this.services, id, version)) this.#putService(id, value as unknown as ServiceRecord, version);
        return;
      case 'load':
        if ((this.loads.get(id) ?? -1) < version) this.loads.set(id, version);
        return;
      case 'shift':
        if (newer(this.shifts, id, version))
          this.shifts.set(id, { key, value: value as unknown as ShiftRecord, version });
        return;
      case 'shifted':
        if (!newer(this.shiftLives, id, version)) return;
        this.shiftLives.set(id, { key, value: value as unknown as ShiftLiveRecord, version });
        this.#touchService(id);
        return;
      case 'measured':
        if (!newer(this.measured, id, version)) return;
        this.measured.set(id, { key, value: value as unknown as MeasuredRecord, version });
        this.#touchService(id);
        return;
      case 'hook':
        if (newer(this.hookResults, id, version))
          this.#putHookResult(id, value as unknown as HookResultRecord, version);
        return;
      case 'exec':
        if (!newer(this.execs, id, version)) return;
        this.execs.set(id, { key, value: value as unknown as ExecSessionRecord, version });
        this.#stir((value as unknown as ExecSessionRecord).instanceId);
        return;
      case 'cluster':
        this.cluster = value as unknown as ClusterRecord;
        return;
      default:
      // Other rows of the partition (events, tokens, leases) are nobody's business here.
    }
  }

  #remove(key: string, version: number): void {
    const [kind, id] = split(key);
    switch (kind) {
      case 'instance':
        if (newer(this.instances, id, version)) this.#removeInstance(id);
        return;
      case 'task':
        if (newer(this.tasks, id, version)) this.#removeTask(id);
        return;
      case 'service':
        if (newer(this.services, id, version)) this.#removeService(id);
        return;
      case 'load':
        if ((this.loads.get(id) ?? -1) < version) this.loads.delete(id);
        return;
      case 'shift':
        if (newer(this.shifts, id, version)) this.shifts.delete(id);
        return;
      case 'shifted':
        if (newer(this.shiftLives, id, version) && this.shiftLives.delete(id)) this.#touchService(id);
        return;
      case 'measured':
        if (newer(this.measured, id, version)) this.measured.delete(id);
        return;
      case 'hook':
        if (newer(this.hookResults, id, version)) this.#removeHookResult(id);
        return;
      case 'exec':
        if (newer(this.execs, id, version)) this.execs.delete(id);
        return;
      case 'cluster':
        this.cluster = undefined;
        return;
      default:
    }
  }

  /** The newest version of any row that is here; a store whose partition is behind it has lost commits. */
  get newest(): number {
    let newest = -1;
    for (const { version } of this.#stored()) newest = Math.max(newest, version);
    return newest;
  }

  /**
   * Takes over a fresh list of every row, in one step. What is here in a newer version stays as it is, since the list may be older
   * than our own last commits.
   * @param version the partition's before it was listed
   * @param lost the store has lost commits that were seen here: then only the list counts
   */
  replace(rows: ReadonlyMap<string, Stored>, version: number, lost: boolean): void {
    for (const { key, version: held, value } of this.#stored()) {
      const listed = rows.get(key);
      if (held > version && !lost) continue;
      // Versions are given out again after a loss: one that is equal may stand for something else.
      const same = listed?.version === held && (value === undefined || stable(value) === stable(listed.value));
      const older = listed !== undefined && listed.version < held;
      if (listed === undefined || older || (listed.version === held && !same)) this.#forget(key);
    }
    for (const row of rows.values()) this.#put(row);
    if (!rows.has(clusterKeys.cluster)) this.cluster = undefined;
    this.#tellWatchers();
  }

  *#stored(): Generator<{ readonly key: string; readonly version: number; readonly value?: unknown }> {
    const { instances, tasks, services, shifts, shiftLives, measured, hookResults, execs } = this;
    for (const rows of [instances, tasks, services, shifts, shiftLives, measured, hookResults, execs])
      yield* rows.values();
    for (const [id, version] of this.loads) yield { key: clusterKeys.load(id), version };
  }

  #forget(key: string): void {
    this.#remove(key, Infinity);
  }

  #putInstance(id: string, instance: InstanceRecord, version: number): void {
    const before = this.instances.get(id)?.value;
    this.instances.set(id, { key: clusterKeys.instance(id), value: instance, version });
    this.census.instance(before, instance);
    if (instance.status === 'INACTIVE' || instance.agentConnected) this.disconnected.delete(id);
    else if (!this.disconnected.has(id) || before === undefined || comesOrGoes(before, instance))
      this.disconnected.set(id, this.#monotonic());
    if (instance.status === 'INACTIVE') {
      if (before !== undefined && before.status !== 'INACTIVE') this.#dropFromIndex(id);
    } else {
      this.index.upsertInstance(instanceSpec(instance));
      if (before === undefined || before.status === 'INACTIVE')
        for (const task of this.liveTasksOn(id)) this.#indexTask(task);
    }
    if (before === undefined || matters(before, instance)) this.#touchInstance(id);
    this.#stir(id);
  }

  #removeInstance(id: string): void {
    const before = this.instances.get(id)?.value;
    if (before === undefined) return;
    this.instances.delete(id);
    this.census.instance(before, undefined);
    this.disconnected.delete(id);
    if (before.status !== 'INACTIVE') this.#dropFromIndex(id);
    this.#touchInstance(id);
    this.#stir(id);
  }

  #dropFromIndex(id: string): void {
    for (const task of this.liveTasksOn(id)) this.#unindex(task.id);
    this.index.removeInstance(id);
  }

  #touchInstance(id: string): void {
    for (const listener of this.#listeners) {
      for (const task of this.liveTasksOn(id))
        if (task.service !== undefined) listener.serviceChanged(task.service.name);
      listener.capacityChanged();
    }
  }

  #putTask(id: string, task: TaskRecord, version: number): void {
    const before = this.tasks.get(id)?.value;
    this.tasks.set(id, { key: clusterKeys.task(id), value: task, version });
    this.census.task(before, task);
    if (before?.instanceId !== undefined && before.instanceId !== task.instanceId) {
      this.#live.remove(before.instanceId, id);
      this.#unindex(id);
      this.#stir(before.instanceId);
    }
    if (task.waits === undefined) this.waiting.delete(id);
    else this.waiting.add(id);
    if (isOut(task)) this.balanced.delete(id);
    else this.balanced.add(id);
    const ended = task.lastStatus === 'STOPPED';
    this.#byService.put(task.service?.name, task);
    if (ended && task.reviewed === true) this.#open.remove(task.service?.name, id);
    else this.#open.put(task.service?.name, task);
    if (ended) this.#live.remove(task.instanceId, id);
    else this.#live.put(task.instanceId, task);
    this.#indexTask(task);
    this.#stir(task.instanceId);
    const beginsToWait = task.waits !== undefined && before?.waits === undefined;
    this.#touchTask(task, beginsToWait || (before?.lastStatus !== 'STOPPED' && task.lastStatus === 'STOPPED'));
  }

  #removeTask(id: string): void {
    const before = this.tasks.get(id)?.value;
    if (before === undefined) return;
    this.tasks.delete(id);
    this.census.task(before, undefined);
    this.balanced.delete(id);
    this.waiting.delete(id);
    this.#unindex(id);
    this.#byService.remove(before.service?.name, id);
    this.#open.remove(before.service?.name, id);
    this.#live.remove(before.instanceId, id);
    this.#stir(before.instanceId);
    this.#touchTask(before, before.lastStatus !== 'STOPPED');
  }

  #touchTask(task: TaskRecord, frees: boolean): void {
    for (const listener of this.#listeners) {
      if (task.service !== undefined) listener.serviceChanged(task.service.name);
      if (frees) listener.capacityChanged();
    }
  }

  #stir(instanceId: string | undefined): void {
    if (instanceId !== undefined && this.#watchers.has(instanceId)) this.#stirred.add(instanceId);
  }

  #tellWatchers(): void {
    const stirred = [...this.#stirred];
    this.#stirred.clear();
    for (const id of stirred) for (const changed of this.#watchers.get(id) ?? []) changed();
  }

  #putService(id: string, service: ServiceRecord, version: number): void {
    this.census.service(this.services.get(id)?.value, service);
    this.services.set(id, { key: clusterKeys.service(id), value: service, version });
    this.#touchService(id);
  }

  #putHookResult(id: string, result: HookResultRecord, version: number): void {
    const [service, run] = split(id);
    this.hookResults.set(id, { key: clusterKeys.hookResult(service, run), value: result, version });
    this.#answers.put(service, result);
    this.#touchService(service);
  }

  #removeHookResult(id: string): void {
    const [service, run] = split(id);
    if (!this.hookResults.delete(id)) return;
    this.#answers.remove(service, run);
    this.#touchService(service);
  }

  #touchService(name: string): void {
    for (const listener of this.#listeners) listener.serviceChanged(name);
  }

  #removeService(id: string): void {
    this.census.service(this.services.get(id)?.value, undefined);
    this.services.delete(id);
  }

  #indexTask(task: TaskRecord): void {
    if (task.instanceId === undefined) return;
    const host = this.instances.get(task.instanceId)?.value;
    if (task.lastStatus === 'STOPPED' || host === undefined || host.status === 'INACTIVE') {
      this.#unindex(task.id);
      return;
    }
    const state = this.#indexed.get(task.id);
    if (state === undefined) this.index.addTask(placedTask(task, task.instanceId));
    const retired = task.desiredStatus === 'STOPPED';
    if (retired && state !== 'retired') this.index.retireTask(task.id);
    this.#indexed.set(task.id, retired ? 'retired' : 'wanted');
  }

  #unindex(id: string): void {
    if (this.#indexed.delete(id)) this.index.removeTask(id);
  }
}

function split(key: string): readonly [string, string] {
  const slash = key.indexOf('/');
  return slash < 0 ? [key, ''] : [key.slice(0, slash), key.slice(slash + 1)];
}

const stable = (value: unknown): string => JSON.stringify(value);

const newer = (rows: ReadonlyMap<string, Stored<unknown>>, id: string, version: number): boolean =>
  (rows.get(id)?.version ?? -1) < version;

/** The task as the index counts it. */
export const placedTask = (task: Pick<TaskRecord, 'id' | 'group' | 'reservation'>, instanceId: string): PlacedTask => ({
  id: task.id,
  instanceId,
  group: task.group,
  shape: { ...task.reservation, requires: [] },
});

/** An instance as the index needs it: takes new tasks while it is ACTIVE and its agent is connected. */
export function instanceSpec(instance: InstanceRecord): InstanceSpec {
  return {
    id: instance.id,
    cpu: instance.cpu,
    memory: instance.memory,
    gpus: instance.gpuIds.length,
    attributes: new Map(instance.attributes.map(({ name, value }) => [name, value ?? ''])),
    reservedTcpPorts: instance.reservedTcpPorts,
    reservedUdpPorts: instance.reservedUdpPorts,
    placeable: instance.status === 'ACTIVE' && instance.agentConnected,
    agentConnected: instance.agentConnected,
  };
}

/** Whether a connection of the agent began or ended between two states of a record. */
const comesOrGoes = (before: InstanceRecord, after: InstanceRecord): boolean =>
  before.connectionId !== after.connectionId || before.connectivityChangedAt !== after.connectivityChangedAt;

/** Whether the change of an instance can change any decision. */
function matters(before: InstanceRecord, after: InstanceRecord): boolean {
  return (
    before.status !== after.status ||
    before.reclaimedAt !== after.reclaimedAt ||
    before.agentConnected !== after.agentConnected ||
    before.cpu !== after.cpu ||
    before.memory !== after.memory ||
    JSON.stringify([before.attributes, before.gpuIds, before.reservedTcpPorts, before.reservedUdpPorts]) !==
      JSON.stringify([after.attributes, after.gpuIds, after.reservedTcpPorts, after.reservedUdpPorts])
  );
}
