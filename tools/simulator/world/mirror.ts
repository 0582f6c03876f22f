import {
  accountKeys,
  accountPartition,
  clusterKeys,
  clusterPartition,
  type InstanceRecord,
  isLive,
  leaderLease,
  type ServiceRecord,
  type TaskDefinitionRecord,
  type TaskRecord,
} from '@slipway/scheduler/state';
import { connectionKeys } from '@slipway/scheduler/hosts/control';
import { fenceKey, type Json, type RecordStore, scan } from '@slipway/storage/records';
import type { SeenCommit } from './store.ts';

/** A value of a record and the true time since which it holds. */
interface Moment<T> {
  readonly since: number;
  readonly value: T | undefined;
}

/**
 * The cluster's records as they truly are at each moment, and as they were: what the invariants are checked against. No projection of
 * the feed: that hears of a commit after it took place, and a check must know of it before anybody can act on it.
 */
export class Mirror {
  readonly tasks = new Map<string, TaskRecord>();
  readonly services = new Map<string, ServiceRecord>();
  readonly instances = new Map<string, InstanceRecord>();
  /** By ARN. */
  readonly definitions = new Map<string, TaskDefinitionRecord>();
  /** Servers that say they hold agents' connections. */
  readonly connections = new Set<string>();
  /** Live tasks by instance. */
  readonly placed = new Map<string, Set<string>>();
  /** When an instance was last seen disconnected, or gone: true time. */
  readonly awayAt = new Map<string, number>();
  /** Since when an instance is disconnected: true time. */
  readonly awaySince = new Map<string, number>();
  /** When instances came back, and for how long they had been away. */
  readonly backAt = new Map<string, { readonly at: number; readonly away: number }>();
  /** When an instance was last drained, activated or deregistered: true time. */
  readonly statusAt = new Map<string, number>();
  /** When a task was told to stop: true time. */
  readonly orderedAt = new Map<string, number>();
  /** When an instance's attributes last changed: true time. */
  readonly attributesAt = new Map<string, number>();
  /** When an instance that was to be taken back was spared: true time. */
  readonly sparedAt = new Map<string, number>();
  /** Rows of room on instances. */
  readonly loads = new Set<string>();
  epoch = 0;
  readonly #partition: string;
  readonly #account: string;
  readonly #now: () => number;
  readonly #past = new Map<string, Moment<ServiceRecord | TaskRecord>[]>();
  /** Tasks by service. */
  readonly #ofService = new Map<string, Map<string, TaskRecord>>();

  constructor(account: string, cluster: string, now: () => number) {
    this.#partition = clusterPartition(account, cluster);
    this.#account = accountPartition(account);
    this.#now = now;
  }

  /** Takes a commit in. @returns what it changed, before and after; undefined when it is of neither the cluster nor its account */
  apply({ partition, batch }: SeenCommit): readonly Changed[] | undefined {
    if (partition === this.#account) return (batch.put ?? []).flatMap(({ key, value }) => this.#define(key, value));
    if (partition !== this.#partition) return undefined;
    const changed: Changed[] = [];
    for (const { key, value } of batch.put ?? []) this.#set(key, value, changed);
    for (const key of batch.remove ?? []) this.#set(key, undefined, changed);
    return changed;
  }

  /** Reads everything anew: the store lost commits. */
  async reload(records: RecordStore): Promise<void> {
    for (const map of [this.tasks, this.services, this.instances, this.placed, this.#ofService]) map.clear();
    for (const set of [this.connections, this.loads]) set.clear();
    this.definitions.clear();
    this.epoch = 0;
    for await (const { key, value } of scan(records, this.#partition)) this.#set(key, value, []);
    const prefix = accountKeys.allTaskDefinitions;
    for await (const { key, value } of scan(records, this.#account, { prefix })) this.#define(key, value);
  }

  /** Every state in which a service was at some moment of a time, the present one included. */
  serviceDuring(name: string, from: number): readonly (ServiceRecord | undefined)[] {
    return this.#during(clusterKeys.service(name), from) as readonly (ServiceRecord | undefined)[];
  }

  /** The same of a task. */
  taskDuring(id: string, from: number): readonly (TaskRecord | undefined)[] {
    return this.#during(clusterKeys.task(id), from) as readonly (TaskRecord | undefined)[];
  }

  #during(key: string, from: number): readonly (ServiceRecord | TaskRecord | undefined)[] {
    const past = this.#past.get(key) ?? [];
    const first = past.findLastIndex(({ since }) => since <= from);
    const states = past.slice(Math.max(0, first)).map(({ value }) => value);
    return first < 0 ? [undefined, ...states] : states;
  }

  #remember(key: string, value: ServiceRecord | TaskRecord | undefined): void {
    const past = this.#past.get(key) ?? [];
    past.push({ since: this.#now(), value });
    this.#past.set(key, past.length > 400 ? past.slice(-200) : past);
  }

  #define(key: string, value: Json): Changed[] {
    if (!key.startsWith(accountKeys.allTaskDefinitions)) return [];
    const after = value as unknown as TaskDefinitionRecord;
    const before = this.definitions.get(after.arn);
    this.definitions.set(after.arn, after);
    return [{ kind: 'definition', id: after.arn, before, after }];
  }

  tasksOf(service: string): TaskRecord[] {
    return [...(this.#ofService.get(service)?.values() ?? [])];
  }

  #member(id: string, before: TaskRecord | undefined, after: TaskRecord | undefined): void {
    const { name } = after?.service ?? before?.service ?? {};
    if (name === undefined) return;
    let tasks = this.#ofService.get(name);
    if (tasks === undefined) this.#ofService.set(name, (tasks = new Map()));
    if (after === undefined) tasks.delete(id);
    else tasks.set(id, after);
  }

  #set(key: string, value: Json | undefined, changed: Changed[]): void {
    const now = this.#now();
    if (key.startsWith(clusterKeys.tasks)) {
      const id = key.slice(clusterKeys.tasks.length);
      const before = this.tasks.get(id);
      const after = value as unknown as TaskRecord | undefined;
      if (before?.instanceId !== undefined) this.placed.get(before.instanceId)?.delete(id);
      if (after === undefined) this.tasks.delete(id);
      else this.tasks.set(id, after);
      this.#member(id, before, after);
      if (after === undefined) this.orderedAt.delete(id);
      else if (after.desiredStatus === 'STOPPED' && !this.orderedAt.has(id)) this.orderedAt.set(id, now);
      if (after !== undefined) {
        if (after.instanceId !== undefined && isLive(after)) {
          let there = this.placed.get(after.instanceId);
          if (there === undefined) this.placed.set(after.instanceId, (there = new Set()));
          there.add(id);
        }
      }
      this.#remember(key, after);
      changed.push({ kind: 'task', id, before, after });
    } else if (key.startsWith(clusterKeys.services)) {
      const id = key.slice(clusterKeys.services.length);
      const before = this.services.get(id);
      const after = value as unknown as ServiceRecord | undefined;
      if (after === undefined) this.services.delete(id);
      else this.services.set(id, after);
      this.#remember(key, after);
      changed.push({ kind: 'service', id, before, after });
    } else if (key.startsWith(clusterKeys.instances)) {
      const id = key.slice(clusterKeys.instances.length);
      const before = this.instances.get(id);
      const after = value as unknown as InstanceRecord | undefined;
      if (before !== undefined && !before.agentConnected) this.awayAt.set(id, now);
      if (after === undefined || !after.agentConnected) this.awayAt.set(id, now);
      if (before?.reclaimedAt !== undefined && after?.reclaimedAt === undefined) this.sparedAt.set(id, now);
      const since = this.awaySince.get(id);
      if (since !== undefined && after?.agentConnected === true) this.backAt.set(id, { at: now, away: now - since });
      if (after === undefined || after.agentConnected) this.awaySince.delete(id);
      else if (!this.awaySince.has(id)) this.awaySince.set(id, now);
      if (before?.status !== after?.status) this.statusAt.set(id, now);
      if (JSON.stringify(before?.attributes) !== JSON.stringify(after?.attributes)) this.attributesAt.set(id, now);
      if (after === undefined) this.instances.delete(id);
      else this.instances.set(id, after);
      changed.push({ kind: 'instance', id, before, after });
    } else if (key.startsWith(connectionKeys.servers)) {
      if (value === undefined) this.connections.delete(key);
      else this.connections.add(key);
    } else if (key.startsWith(clusterKeys.loads)) {
      if (value === undefined) this.loads.delete(key);
      else this.loads.add(key);
    } else if (key === fenceKey(leaderLease)) this.epoch = Number(value ?? 0);
  }
}

interface Change<Kind extends string, T> {
  readonly kind: Kind;
  readonly id: string;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

export type Changed =
  | Change<'task', TaskRecord>
  | Change<'service', ServiceRecord>
  | Change<'instance', InstanceRecord>
  | Change<'definition', TaskDefinitionRecord>;
