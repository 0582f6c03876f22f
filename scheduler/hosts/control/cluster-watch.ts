import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { type Json, project, type RecordChange, type RecordStore } from '@slipway/storage/records';

import { scan } from '../../cluster/index.ts';
import { clusterKeys, type InstanceRecord, type TaskRecord } from '../../state/index.ts';

/** What one connection wants to know of its instance. */
export interface Watcher {
  /** The instance or one of its tasks may have changed. */
  changed(): void;
}

/**
 * A live view of one cluster's instances and tasks, by instance, for the connections that this server holds. It is a
 * cache of the records, rebuilt from them whenever the feed has a gap; nothing is decided from it that the records do
 * not say.
 */
export class ClusterWatch {
  readonly #ports: { readonly records: RecordStore; readonly clock: Clock; readonly log: Log };
  readonly #records: RecordStore;
  readonly #partition: string;
  readonly #instances = new Map<string, InstanceRecord>();
  readonly #tasks = new Map<string, Map<string, TaskRecord>>();
  readonly #placeOf = new Map<string, string>();
  readonly #watchers = new Map<string, Set<Watcher>>();
  /** Instances without a connection, the change that made them so, and when this process heard of it, on its monotonic clock. */
  readonly #away = new Map<string, { readonly change: number; readonly since: number }>();

  constructor(ports: { readonly records: RecordStore; readonly clock: Clock; readonly log: Log }, partition: string) {
    this.#ports = ports;
    this.#records = ports.records;
    this.#partition = partition;
  }

  /** Follows the records until the signal aborts, across failures of the store. */
  run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    const projection = {
      load: () => this.#load(),
      apply: (changes: readonly RecordChange[]) => changes.forEach((change) => this.#apply(change)),
      interrupted: (err: unknown) => log.warn({ err }, 'cannot follow the cluster; trying again'),
      retryAfter: 1000,
    };
    return project(this.#records, this.#partition, projection, { clock, signal });
  }

  instance(id: string): InstanceRecord | undefined {
    return this.#instances.get(id);
  }

  /** For how long this process has known that the agent of an instance is away, in milliseconds; 0 while it is not. */
  awayFor(id: string): number {
    const away = this.#away.get(id);
    return away === undefined ? 0 : this.#ports.clock.monotonic() - away.since;
  }

  tasks(instanceId: string): Iterable<TaskRecord> {
    return this.#tasks.get(instanceId)?.values() ?? [];
  }

  /** A live task of an instance. */
  task(instanceId: string, id: string): TaskRecord | undefined {
    return this.#tasks.get(instanceId)?.get(id);
  }

  /** Calls `watcher` on every change of the instance or its tasks, until the returned function is called. */
  watch(instanceId: string, watcher: Watcher): () => void {
    const watchers = this.#watchers.get(instanceId) ?? new Set();
    this.#watchers.set(instanceId, watchers.add(watcher));
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(instanceId) === watchers) this.#watchers.delete(instanceId);
    };
  }

  async #load(): Promise<void> {
    const rows: (readonly [string, Json])[] = [];
    for (const prefix of [clusterKeys.instances, clusterKeys.tasks]) {
      for await (const { key, value } of scan<Json>(this.#records, this.#partition, prefix)) rows.push([key, value]);
    }
    // In one step: a session that looked at half a list would take the other half for tasks that are over.
    this.#instances.clear();
    this.#tasks.clear();
    this.#placeOf.clear();
    for (const [key, value] of rows) this.#set(key, value);
    for (const id of this.#away.keys()) if (!this.#instances.has(id)) this.#away.delete(id);
    for (const watchers of this.#watchers.values()) for (const watcher of watchers) watcher.changed();
  }

  #apply(change: RecordChange): void {
    const instanceIds = change.kind === 'put' ? this.#set(change.key, change.value) : this.#remove(change.key);
    for (const id of instanceIds) for (const watcher of this.#watchers.get(id) ?? []) watcher.changed();
  }

  #set(key: string, value: Json): readonly string[] {
    if (key.startsWith(clusterKeys.instances)) {
      const instance = value as unknown as InstanceRecord;
      this.#instances.set(instance.id, instance);
      const { id, connectionId, connectivityChangedAt: change } = instance;
      if (connectionId !== undefined) this.#away.delete(id);
      else if (this.#away.get(id)?.change !== change)
        this.#away.set(id, { change, since: this.#ports.clock.monotonic() });
      return [id];
    }
    if (!key.startsWith(clusterKeys.tasks)) return [];
    const task = value as unknown as TaskRecord;
    if (task.instanceId === undefined) return [];
    // A stopped task has nothing to send; forgetting it keeps the view as small as what runs.
    if (task.lastStatus === 'STOPPED') return this.#remove(key);
    const tasks = this.#tasks.get(task.instanceId) ?? new Map<string, TaskRecord>();
    this.#tasks.set(task.instanceId, tasks.set(task.id, task));
    this.#placeOf.set(key, task.instanceId);
    return [task.instanceId];
  }

  #remove(key: string): readonly string[] {
    if (key.startsWith(clusterKeys.instances)) {
      const id = key.slice(clusterKeys.instances.length);
      this.#instances.delete(id);
      this.#away.delete(id);
      return [id];
    }
    const instanceId = this.#placeOf.get(key);
    if (instanceId === undefined) return [];
    this.#placeOf.delete(key);
    const tasks = this.#tasks.get(instanceId);
    tasks?.delete(key.slice(clusterKeys.tasks.length));
    if (tasks?.size === 0) this.#tasks.delete(instanceId);
    return [instanceId];
  }
}
