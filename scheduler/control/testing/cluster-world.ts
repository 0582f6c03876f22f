import { serverReach } from '../../reach/index.ts';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { AccessRequest, Principal } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import { openStorage, type Storage } from '@slipway/storage/engine';
import { type Leases, openLeases } from '@slipway/storage/leases';
import { type RecordStore, StoreUnavailable, transact } from '@slipway/storage/records';

import { createCluster, type EcsPorts } from '../../cluster/index.ts';
import { createService, type ServiceDraft } from '../../services/index.ts';
import {
  arns,
  clusterKeys,
  clusterPartition,
  type ContainerRecord,
  type Delegate,
  type InstanceRecord,
  type ServiceEventRecord,
  type ServiceRecord,
  type TaskDefinitionRecord,
  type TaskRecord,
  toJson,
} from '../../state/index.ts';
import { registerRevision, type TaskDefinitionBody } from '../../tasks/index.ts';
import type { TriggersOptions } from '../../triggers/index.ts';
import { ClusterViews } from '../../views/index.ts';
import { type ControlPlane, type ControlPlaneOptions, createControlPlane } from '../index.ts';

const account = '000000000000';
const region = 'us-east-1';
const cluster = 'default';
const registry = `registry/${account}`;
export const partition = clusterPartition(account, cluster);
export const ref = { account, cluster };
/** Who sets rules in these tests. */
export const setter: Delegate = { type: 'user', account, arn: `arn:aws:iam::${account}:user/setter`, id: 'AIDASETTER' };
/** This installation's own registry. */
const ownHost = (host: string): boolean => host === '127.0.0.1:7500';
const silent = (): void => {};

/** What a scripted agent does with a task of an image: how long until it runs, and how it ends. */
export interface Behaviour {
  /** Milliseconds from PENDING to RUNNING. */
  readonly startsIn: number;
  /** Milliseconds after which it exits by itself; 0: instead of running. */
  readonly exitsAfter?: number;
  /** Of every end; by default 1. */
  readonly exitCode?: number;
  /** Milliseconds from the order to stop to STOPPED. */
  readonly stopsIn: number;
}

/** A cluster in a real SQLite store in a folder of its own, with scripted agents. Dispose it. */
export class ClusterWorld implements AsyncDisposable {
  readonly storage: Storage;
  readonly ecs: EcsPorts;
  readonly behaviours = new Map<string, Behaviour>();
  readonly lines: { readonly fields: Record<string, unknown>; readonly message: string }[] = [];
  readonly #folder: string;
  readonly #stop = new AbortController();
  readonly #planes = new Set<ControlPlane>();
  readonly #agents: Promise<void>[] = [];
  readonly #handled = new Set<string>();
  /** What the authorizer was asked, e.g. `arn:…:user/dev ecs:UpdateService arn:…`, and why it refuses an action, when it does. */
  readonly asked: string[] = [];
  readonly refusals = new Map<string, string>();
  /** Agents of these instances do nothing: their hosts are cut off. */
  readonly cutOff = new Set<string>();

  private constructor(folder: string, storage: Storage) {
    this.#folder = folder;
    this.storage = storage;
    this.ecs = {
      records: storage.records,
      clock: systemClock,
      random: randomBytes,
      region,
      reach: serverReach({ ownHost }),
    };
  }

  static async open(): Promise<ClusterWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-control-'));
    const storage = await openStorage(
      {
        records: { type: 'sqlite', file: join(folder, 'records.db') },
        blobs: { type: 'filesystem', root: join(folder, 'blobs') },
      },
      systemClock,
    );
    const world = new ClusterWorld(folder, storage);
    await createCluster(world.ecs, ref, { tags: {}, settings: [] });
    world.#agents.push(world.#runAgents());
    return world;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const plane of this.#planes) await plane.stop();
    this.#stop.abort();
    await Promise.all(this.#agents);
    await this.storage.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** What the control plane and the triggers of this installation have in common. */
  #ports() {
    const note = (fields: object, message: string): void => {
      this.lines.push({ fields: fields as Record<string, unknown>, message });
    };
    return {
      ...this.ecs,
      leases: this.storage.leases,
      log: { info: note, warn: note, error: note },
      images: {
        resolve: async (_account: string, repository: string, tag: string) =>
          (await this.storage.records.get<string>(registry, `tag|${repository}|${tag}`))?.value,
      },
      ownHost,
      authorizer: {
        authorize: async (principal: Principal, { action, resources }: AccessRequest) => {
          this.asked.push(`${principal.arn} ${action} ${resources[0]?.arn ?? '*'}`);
          const reason = this.refusals.get(action);
          return reason === undefined ? { allowed: true, reason: 'the test allows it' } : { allowed: false, reason };
        },
      },
    };
  }

  triggerOptions(options: Partial<TriggersOptions> = {}): TriggersOptions {
    return { ...this.#ports(), events: this.storage.events, ...options };
  }

  /** Pushes as the registry does: the tag and the event in one commit. */
  async push(repository: string, tag: string | undefined, digest: string): Promise<void> {
    await this.#write(tag === undefined ? [] : [[`tag|${repository}|${tag}`, digest]], { repository, tag, digest });
  }

  /** Moves a tag, and the event is lost. */
  async tag(repository: string, tag: string, digest: string): Promise<void> {
    await this.#write([[`tag|${repository}|${tag}`, digest]]);
  }

  /** An event that comes late, or again. */
  async announce(repository: string, tag: string, digest: string): Promise<void> {
    await this.#write([], { repository, tag, digest });
  }

  async #write(
    rows: readonly (readonly [string, string])[],
    pushed?: { readonly repository: string; readonly tag: string | undefined; readonly digest: string },
  ): Promise<void> {
    const actor = 'arn:aws:iam::000000000000:user/dev';
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const data = { ...pushed, account, tag: pushed?.tag ?? null, previous: null, mediaType, actor };
    await this.storage.records.commit(registry, {
      put: rows.map(([key, value]) => ({ key, value })),
      announce: pushed === undefined ? [] : [{ topic: 'registry', type: 'image.pushed', data }],
    });
  }

  plane(options: Partial<ControlPlaneOptions> = {}): ControlPlane {
    const ports = { ...this.#ports(), ...options };
    const plane = createControlPlane({
      ...ports,
      views: new ClusterViews({ ...ports, placement: { seed: 1 } }),
      accounts: [account],
      reconciler: { healthyAfterRunning: 50 },
      ...options,
    });
    this.#planes.add(plane);
    return plane;
  }

  /** A store, and leases over it, whose connection can be cut: from then on nothing is read, written or heard through them. */
  severable(): { readonly records: RecordStore; readonly leases: Leases; readonly sever: () => void } {
    const { records } = this.storage;
    const cut = new AbortController();
    const alive = <T>(work: () => Promise<T>): Promise<T> =>
      cut.signal.aborted ? Promise.reject(new StoreUnavailable('cut off', 'not-committed')) : work();
    const severed: RecordStore = {
      get: (...call) => alive(() => records.get(...call)),
      getMany: (...call) => alive(() => records.getMany(...call)),
      list: (...call) => alive(() => records.list(...call)),
      count: (...call) => alive(() => records.count(...call)),
      commit: (...call) => alive(() => records.commit(...call)),
      version: (...call) => alive(() => records.version(...call)),
      partitions: (...call) => alive(() => records.partitions(...call)),
      follow: (partition, options) =>
        records.follow(partition, { ...options, signal: AbortSignal.any([options.signal, cut.signal]) }),
      close: () => Promise.resolve(),
    };
    return {
      records: severed,
      leases: openLeases(severed, systemClock, Math.random),
      sever: () => cut.abort(),
    };
  }

  async stop(plane: ControlPlane): Promise<void> {
    this.#planes.delete(plane);
    await plane.stop();
  }

  async instance(id: string, patch: Partial<InstanceRecord> = {}): Promise<void> {
    const instance: InstanceRecord = {
      id,
      arn: arns.containerInstance(region, account, cluster, id),
      status: 'ACTIVE',
      agentConnected: true,
      connectivityChangedAt: Date.now(),
      registeredAt: Date.now(),
      cpu: 2048,
      memory: 2048,
      reservedTcpPorts: [],
      reservedUdpPorts: [],
      gpuIds: [],
      attributes: [],
      tags: {},
      ownerArn: 'arn:aws:iam::000000000000:user/test',
      version: 1,
      ...patch,
    };
    await this.storage.records.commit(partition, { put: [{ key: clusterKeys.instance(id), value: toJson(instance) }] });
  }

  async changeInstance(id: string, patch: Partial<InstanceRecord>): Promise<void> {
    await transact(this.storage.records, partition, async (tx) => {
      const before = await tx.get<InstanceRecord>(clusterKeys.instance(id));
      if (before !== undefined)
        tx.put(
          clusterKeys.instance(id),
          toJson({ ...before, connectivityChangedAt: Date.now(), ...patch, version: before.version + 1 }),
        );
    });
  }

  revision(image: string, patch: Partial<TaskDefinitionBody> = {}, memory = 64): Promise<TaskDefinitionRecord> {
    return registerRevision(this.ecs, account, {
      family: 'web',
      body: {
        family: 'web',
        networkMode: 'bridge',
        containerDefinitions: [{ name: 'app', image, essential: true, cpu: 10, memory }],
        ...patch,
      },
      tags: {},
    });
  }

  service(taskDefinition: string, patch: Partial<ServiceDraft> = {}, name = 'web'): Promise<ServiceRecord> {
    const draft: ServiceDraft = {
      schedulingStrategy: 'REPLICA',
      desiredCount: 1,
      taskDefinition,
      deploymentConfiguration: {
        maximumPercent: 200,
        minimumHealthyPercent: 100,
        circuitBreaker: {
          enable: true,
          rollback: true,
          resetOnHealthyTask: true,
          threshold: { type: 'BOUNDED_PERCENT', value: 50 },
        },
      },
      placementConstraints: [],
      placementStrategy: [],
      launchType: 'EC2',
      tags: {},
      propagateTags: 'NONE',
      enableECSManagedTags: false,
      enableExecuteCommand: false,
      availabilityZoneRebalancing: 'DISABLED',
      ...patch,
    };
    return createService(this.ecs, { ...ref, service: name }, draft, {
      arn: arns.service(region, account, cluster, name),
    });
  }

  async read(name = 'web'): Promise<ServiceRecord> {
    const stored = await this.storage.records.get<ServiceRecord>(partition, clusterKeys.service(name));
    if (stored === undefined) throw new Error(`no service ${name}`);
    return stored.value;
  }

  async tasks(): Promise<TaskRecord[]> {
    const page = await this.storage.records.list<TaskRecord>(partition, { prefix: clusterKeys.tasks, limit: 10_000 });
    return page.records.map(({ value }) => value);
  }

  async running(): Promise<TaskRecord[]> {
    return (await this.tasks()).filter((task) => task.lastStatus === 'RUNNING' && task.desiredStatus === 'RUNNING');
  }

  async events(name = 'web'): Promise<string[]> {
    const page = await this.storage.records.list<ServiceEventRecord>(partition, {
      prefix: clusterKeys.serviceEvents(name),
    });
    return page.records.map(({ value }) => value.message);
  }

  /** Waits until the condition holds; fails with what it saw last. */
  async until<T>(read: () => Promise<T>, holds: (value: T) => boolean, ms = 180_000): Promise<T> {
    const deadline = Date.now() + ms;
    for (;;) {
      const value = await read();
      if (holds(value)) return value;
      if (Date.now() > deadline) throw new Error(`never became so: ${JSON.stringify(value, null, 1).slice(0, 4000)}`);
      await systemClock.sleep(5);
    }
  }

  steady(name = 'web'): Promise<ServiceRecord> {
    return this.until(
      () => this.read(name),
      (service) => service.steady,
    );
  }

  async report(id: string, patch: (task: TaskRecord) => Partial<TaskRecord> | undefined): Promise<void> {
    await transact(this.storage.records, partition, async (tx) => {
      const task = await tx.get<TaskRecord>(clusterKeys.task(id));
      const changed = task === undefined ? undefined : patch(task);
      if (task === undefined || changed === undefined || task.lastStatus === 'STOPPED') return;
      tx.put(clusterKeys.task(id), toJson({ ...task, ...changed, version: task.version + 1 }));
    });
  }

  async #runAgents(): Promise<void> {
    const follow = this.storage.records.follow(partition, { after: 0, signal: this.#stop.signal });
    for await (const changes of follow)
      for (const change of changes)
        if (change.kind === 'put' && change.key.startsWith(clusterKeys.tasks))
          this.#agents.push(this.#handle(change.value as unknown as TaskRecord).catch(silent));
  }

  async #handle(task: TaskRecord): Promise<void> {
    if (this.cutOff.has(task.instanceId ?? '') || task.lastStatus === 'STOPPED') return;
    const image = task.containers[0]?.image ?? '';
    const found = [...this.behaviours].find(([part]) => image.includes(part));
    const behaviour: Behaviour = found?.[1] ?? { startsIn: 1, stopsIn: 1 };
    const step = `${task.id} ${task.desiredStatus} ${task.lastStatus}`;
    if (this.#handled.has(step)) return;
    this.#handled.add(step);
    const wait = (ms: number): Promise<void> => systemClock.sleep(ms, this.#stop.signal);
    const end = (code: TaskRecord['stopCode'], reason: string) => (current: TaskRecord) => ({
      lastStatus: 'STOPPED' as const,
      desiredStatus: 'STOPPED' as const,
      stoppedAt: Date.now(),
      executionStoppedAt: Date.now(),
      stopCode: current.stopCode ?? code ?? 'EssentialContainerExited',
      stoppedReason: current.stoppedReason ?? reason,
      containers: current.containers.map((one): ContainerRecord => ({
        ...one,
        lastStatus: 'STOPPED',
        exitCode: behaviour.exitCode ?? 1,
      })),
    });
    if (task.desiredStatus === 'STOPPED') {
      await wait(behaviour.stopsIn);
      await this.report(task.id, end('ServiceSchedulerInitiated', 'stopped'));
    } else if (task.lastStatus === 'PENDING') {
      await wait(behaviour.startsIn);
      if (behaviour.exitsAfter === 0) {
        await this.report(task.id, end('TaskFailedToStart', 'CannotPullContainerError: no such image'));
        return;
      }
      await this.report(task.id, (current) =>
        current.desiredStatus === 'STOPPED' ? undefined : { lastStatus: 'RUNNING', startedAt: Date.now() },
      );
      if (behaviour.exitsAfter === undefined) return;
      await wait(behaviour.exitsAfter);
      await this.report(task.id, end('EssentialContainerExited', 'Essential container in task exited'));
    }
  }
}
