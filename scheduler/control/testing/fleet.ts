import { openLeases } from '@slipway/storage/leases';
import { type Batch, type RecordStore, transact } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';

import { createCluster, type EcsPorts } from '../../cluster/index.ts';
import { serverReach } from '../../reach/index.ts';
import { createService, type ServiceDraft, updateService } from '../../services/index.ts';
import {
  arns,
  clusterKeys,
  clusterPartition,
  type InstanceRecord,
  type ServiceRecord,
  type TaskRecord,
  toJson,
} from '../../state/index.ts';
import { registerRevision } from '../../tasks/index.ts';
import { ClusterViews } from '../../views/index.ts';
import { type ControlPlane, type ControlPlaneOptions, createControlPlane } from '../index.ts';
import { SteppedClock } from './stepped-clock.ts';

const account = '000000000000';
const region = 'us-east-1';
const cluster = 'default';
const ref = { account, cluster };
const partition = clusterPartition(account, cluster);

/** What a piece of the cluster's life cost; the same in every run. */
export interface Work {
  commits: number;
  /** Records of the largest commit. */
  largest: number;
  /** Characters of JSON that the control plane wrote, and what of it by the kind of row. */
  written: number;
  readonly writtenBy: Map<string, number>;
  /** Records that the control plane asked the store for, pages counted row by row. */
  read: number;
}

/**
 * A cluster in memory with one control plane and scripted agents, on a clock that jumps from one thing that happens to the next: what is
 * counted here is the work itself, whatever the machine. Dispose it.
 */
export class Fleet implements AsyncDisposable {
  readonly clock = new SteppedClock();
  readonly ecs: EcsPorts;
  readonly work: Work = { commits: 0, largest: 0, written: 0, writtenBy: new Map(), read: 0 };
  readonly #truth: RecordStore;
  readonly #plane: ControlPlane;
  readonly #stop = new AbortController();
  readonly #orders = new Map<string, { readonly at: number; readonly task: TaskRecord }>();
  #random = 1;
  #agents: Promise<void> = Promise.resolve();

  readonly #agentsTake: number;

  /** @param agentsTake milliseconds within which the agents report, spread evenly, what they were told */
  constructor(agentsTake: number, options: Partial<ControlPlaneOptions> = {}) {
    const { clock } = this;
    this.#agentsTake = agentsTake;
    this.#truth = memoryRecords(clock);
    const records = this.#counted();
    const random = (size: number): Uint8Array => Uint8Array.from({ length: size }, () => this.#number() * 256);
    this.ecs = { records: this.#truth, clock, random, region, reach: serverReach({}) };
    const silent = (): void => {};
    const log = { info: silent, warn: silent, error: silent };
    this.#plane = createControlPlane({
      ...this.ecs,
      records,
      leases: openLeases(records, clock, () => this.#number()),
      log,
      accounts: [account],
      images: { resolve: () => Promise.resolve(undefined) },
      ownHost: () => false,
      views: new ClusterViews({ records, clock, log, placement: { seed: 1 } }),
      reconciler: { healthyAfterRunning: 1_000 },
      ...options,
    });
  }

  async start(instances: number): Promise<void> {
    await createCluster(this.ecs, ref, { tags: {}, settings: [] });
    for (let from = 0; from < instances; from += 1_000) {
      const put = Array.from({ length: Math.min(1_000, instances - from) }, (_, index) => {
        const instance = this.#instance(`i${from + index}`);
        return { key: clusterKeys.instance(instance.id), value: toJson(instance) };
      });
      await this.#truth.commit(partition, { put });
    }
    this.#agents = this.#followOrders();
    const started = this.#plane.start();
    await this.pass(1_000);
    await started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    let over = false;
    const stopped = this.#plane.stop().then(() => (over = true));
    while (!over) {
      this.clock.step(Infinity);
      await this.#settle();
    }
    await stopped;
    await this.#agents;
  }

  async service(name: string, desiredCount: number): Promise<void> {
    const draft: ServiceDraft = {
      schedulingStrategy: 'REPLICA',
      desiredCount,
      taskDefinition: await this.#revision(name),
      deploymentConfiguration: { maximumPercent: 200, minimumHealthyPercent: 100 },
      placementConstraints: [],
      placementStrategy: [],
      launchType: 'EC2',
      tags: {},
      propagateTags: 'NONE',
      enableECSManagedTags: false,
      enableExecuteCommand: false,
      availabilityZoneRebalancing: 'DISABLED',
    };
    const arn = arns.service(region, account, cluster, name);
    await createService(this.ecs, { ...ref, service: name }, draft, { arn });
  }

  async roll(name: string): Promise<void> {
    const taskDefinition = await this.#revision(name);
    await updateService(this.ecs, { ...ref, service: name }, () => ({ taskDefinition }));
  }

  async scale(name: string, desiredCount: number): Promise<void> {
    await updateService(this.ecs, { ...ref, service: name }, () => ({ desiredCount }));
  }

  /** Lets so many milliseconds pass. */
  async pass(ms: number): Promise<void> {
    for (const end = this.clock.monotonic() + ms; this.clock.monotonic() < end;) {
      await this.#report();
      await this.#settle();
      this.clock.step(Math.min(end, ...[...this.#orders.values()].map(({ at }) => at)));
      await this.#settle();
    }
  }

  /** Lets time pass until every service is steady. */
  async steady(atMost = 600_000): Promise<void> {
    for (const end = this.clock.monotonic() + atMost; this.clock.monotonic() < end;) {
      await this.pass(100);
      const page = await this.#truth.list<ServiceRecord>(partition, { prefix: clusterKeys.services });
      if (page.records.every(({ value }) => value.steady && value.deployments.length === 1)) return;
    }
    throw new Error('the services do not become steady');
  }

  /** What is done meanwhile, counted from nothing. */
  async count(life: () => Promise<void>): Promise<Work> {
    Object.assign(this.work, { commits: 0, largest: 0, written: 0, read: 0 });
    this.work.writtenBy.clear();
    await life();
    return { ...this.work, writtenBy: new Map(this.work.writtenBy) };
  }

  #number(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#random / 2 ** 32;
  }

  async #settle(): Promise<void> {
    // Each turn of the loop lets everything go on that can; some work gives the loop back in between.
    for (let turn = 0; turn < 8; turn++) {
      await new Promise((resolve) => void setImmediate(resolve));
    }
  }

  #counted(): RecordStore {
    const { work } = this;
    const truth = this.#truth;
    const note = (batch: Batch): void => {
      work.commits++;
      work.largest = Math.max(work.largest, batch.put?.length ?? 0);
      for (const { key, value } of batch.put ?? []) {
        const kind = key.slice(0, key.indexOf('/'));
        const size = key.length + JSON.stringify(value).length;
        work.written += size;
        work.writtenBy.set(kind, (work.writtenBy.get(kind) ?? 0) + size);
      }
    };
    return {
      get: (...call) => {
        work.read++;
        return truth.get(...call);
      },
      getMany: (name, keys) => {
        work.read += keys.length;
        return truth.getMany(name, keys);
      },
      count: (...call) => truth.count(...call),
      list: async (...call) => {
        const page = await truth.list(...call);
        work.read += page.records.length;
        return page as never;
      },
      commit: (name, batch) => {
        note(batch);
        return truth.commit(name, batch);
      },
      version: (name) => truth.version(name),
      partitions: (...call) => truth.partitions(...call),
      follow: (...call) => truth.follow(...call),
      close: () => truth.close(),
    };
  }

  #instance(id: string): InstanceRecord {
    const now = this.clock.now();
    return {
      id,
      arn: arns.containerInstance(region, account, cluster, id),
      status: 'ACTIVE',
      agentConnected: true,
      connectivityChangedAt: now,
      registeredAt: now,
      cpu: 4096,
      memory: 4096,
      reservedTcpPorts: [],
      reservedUdpPorts: [],
      gpuIds: [],
      attributes: [{ name: 'ecs.availability-zone', value: `zone-${Number(id.slice(1)) % 3}` }],
      tags: {},
      ownerArn: 'arn:aws:iam::000000000000:user/test',
      version: 1,
    };
  }

  async #revision(family: string): Promise<string> {
    const body = {
      family,
      containerDefinitions: [{ name: 'app', image: 'app:1', essential: true, cpu: 10, memory: 64 }],
    };
    return (await registerRevision(this.ecs, account, { family, body, tags: {} })).arn;
  }

  async #followOrders(): Promise<void> {
    for await (const changes of this.#truth.follow(partition, { after: 0, signal: this.#stop.signal }))
      for (const change of changes) {
        if (change.kind !== 'put' || !change.key.startsWith(clusterKeys.tasks)) continue;
        const task = change.value as unknown as TaskRecord;
        const open = task.desiredStatus === 'STOPPED' ? task.lastStatus !== 'STOPPED' : task.lastStatus === 'PENDING';
        const at = this.clock.monotonic() + 100 + Math.floor(this.#number() * this.#agentsTake);
        if (!open) this.#orders.delete(task.id);
        else if (this.#orders.get(task.id)?.task.desiredStatus !== task.desiredStatus)
          this.#orders.set(task.id, { at, task });
      }
  }

  /** Each report is a commit of its own, as agents make them. */
  async #report(): Promise<void> {
    const now = this.clock.now();
    for (const [id, { at }] of this.#orders) {
      if (at > this.clock.monotonic()) continue;
      this.#orders.delete(id);
      await transact(this.#truth, partition, async (tx) => {
        const task = await tx.get<TaskRecord>(clusterKeys.task(id));
        if (task === undefined || task.lastStatus === 'STOPPED') return;
        const stopped = { lastStatus: 'STOPPED', stoppedAt: now, executionStoppedAt: now } as const;
        const next = task.desiredStatus === 'STOPPED' ? stopped : ({ lastStatus: 'RUNNING', startedAt: now } as const);
        const containers = task.containers.map((one) => ({ ...one, imageDigest: `sha256:${'a'.repeat(64)}` }));
        tx.put(clusterKeys.task(id), toJson({ ...task, ...next, containers, version: task.version + 1 }));
      });
    }
  }
}
