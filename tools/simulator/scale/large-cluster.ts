import { createCluster, type EcsPorts } from '@slipway/scheduler/cluster';
import { defaultRetention } from '@slipway/scheduler/control';
import { serverReach } from '@slipway/scheduler/reach';
import { createService, parseCreate } from '@slipway/scheduler/services';
import {
  arns,
  clusterKeys,
  clusterPartition,
  type DeploymentRecord,
  type InstanceRecord,
  type ServiceRecord,
  type TaskDefinitionRecord,
  type TaskRecord,
  toJson,
} from '@slipway/scheduler/state';
import { normalizeDefinition, registerRevision, taskDraft } from '@slipway/scheduler/tasks';
import { VirtualClock } from '../virtual-clock.ts';
import { Chance } from '../world/chance.ts';
import { good, SimulatedImages } from '../world/images.ts';
import { Machine } from '../world/machine.ts';
import { SimulatedNetwork } from '../world/network.ts';
import { account, cluster, region, SimulatedServer } from '../world/server.ts';
import { settle } from '../world/settle.ts';
import { type SeenCommit, SimulatedStore } from '../world/store.ts';
import { fleetCaller, ScriptedFleet } from './scripted-fleet.ts';

/** How large a cluster is. */
export interface Size {
  readonly instances: number;
  readonly tasks: number;
}

/** Tasks of each service but the first, which has twenty times as many. */
const tasksPerService = 100;
const largeService = 20 * tasksPerService;
const start = Date.UTC(2024, 0, 1);
const silent = (): void => {};

/** A cluster of any size in steady state: the real control plane on a store in memory, and a fleet that only talks. */
export class LargeCluster {
  readonly size: Size;
  readonly time = new VirtualClock(start);
  readonly store: SimulatedStore;
  readonly servers: readonly SimulatedServer[];
  readonly fleet: ScriptedFleet;
  /** Names of the services; the first is the largest. */
  readonly services: readonly string[];
  /** Told of each commit. */
  onCommit: (commit: SeenCommit) => void = silent;
  readonly #chance = new Chance(7);
  readonly #network: SimulatedNetwork;
  readonly #images = new SimulatedImages(account);
  readonly #tasks: { readonly id: string; readonly instanceId: string }[] = [];

  constructor(size: Size) {
    this.size = size;
    const { time } = this;
    const rest = Math.max(0, size.tasks - largeService);
    this.services = ['large', ...Array.from({ length: Math.ceil(rest / tasksPerService) }, (_, index) => `s-${index}`)];
    // Nothing takes time but what the control plane itself waits for: what is measured is work.
    const at = [0, 0] as const;
    this.store = new SimulatedStore(
      time,
      this.#chance.fork(),
      { latency: at, feedLag: at, unknownOutcome: 0, crash: 0, eventsLost: false },
      (commit) => this.onCommit(commit),
    );
    this.#network = new SimulatedNetwork(time, this.#chance.fork(), { latency: at, lost: 0, slow: 0 });
    const log = () => ({ info: silent, warn: silent, error: silent }) as never;
    const tuning = { healthyAfterRunning: 1_000, replaceLostAfter: 300_000, retention: defaultRetention };
    this.servers = [1, 2].map((number) => {
      const machine = new Machine(`server-${number}`, time, 0, 1);
      return new SimulatedServer({
        machine,
        store: this.store,
        images: this.#images,
        chance: this.#chance.fork(),
        log,
        tuning,
      });
    });
    const process = new Machine('fleet', time, 0, 1).boot();
    this.fleet = new ScriptedFleet(this.#network, process, () => this.servers[1]!);
  }

  /** Tasks of the largest service. */
  get largest(): number {
    return Math.min(this.size.tasks, largeService);
  }

  /** Writes a cluster that has been running for long. */
  async seed(): Promise<void> {
    const records = this.store.truth;
    const random = (size: number): Uint8Array => this.#chance.bytes(size);
    const context: EcsPorts = { records, clock: this.time, random, region, reach: serverReach({}) };
    await createCluster(context, { account, cluster }, { tags: {}, settings: [] });
    this.#images.tag('web', 'prod', this.#images.build(good));
    const image = `${this.#images.host}/web:prod`;
    const body = normalizeDefinition({
      family: 'web',
      containerDefinitions: [{ name: 'app', image, cpu: 64, memory: 64 }],
    });
    const definition = await registerRevision(context, account, { family: 'web', body, tags: {} });
    await this.#put(Array.from({ length: this.size.instances }, (_, index) => this.#instance(index)));
    let left = this.size.tasks;
    for (const [index, name] of this.services.entries()) {
      const count = Math.min(left, index === 0 ? largeService : tasksPerService);
      left -= count;
      const rows = await this.#service(context, definition, name, count);
      await this.#put(rows);
    }
  }

  /** Starts both servers, the first one first, so that it leads; then connects every agent to the second one. */
  async begin(): Promise<void> {
    this.servers[0]!.start();
    await this.until(() => this.servers[0]!.leads !== undefined, 60_000);
    this.servers[1]!.start();
    await this.until(() => this.servers[1]!.process !== undefined, 60_000);
    for (let index = 0; index < this.size.instances; index++) {
      this.fleet.connect(instanceId(index), this.servers[1]!);
      // As agents come: not all in one moment.
      if (index % 100 === 99) await this.play(10);
    }
    await this.until(() => this.quiet, 120_000);
  }

  /** Whether every agent is connected and the leader has nothing left to look at. */
  get quiet(): boolean {
    return this.fleet.connected === this.size.instances && this.waiting === 0;
  }

  /** Services that the leader has yet to look at; undefined when nobody leads. */
  get waiting(): number | undefined {
    const leading = this.servers.flatMap((server) => server.clusters.filter(({ epoch }) => epoch !== undefined));
    return leading.length === 0 ? undefined : leading.reduce((sum, { servicesWaiting }) => sum + servicesWaiting, 0);
  }

  /** Plays so many virtual milliseconds. */
  play(ms: number): Promise<void> {
    return this.time.playUntil(this.time.now() + ms, settle);
  }

  /** Plays until something is so. @throws Error when it is not within so many virtual milliseconds */
  async until(so: () => boolean, within: number, step = 100): Promise<void> {
    const end = this.time.now() + within;
    while (!so()) {
      if (this.time.now() >= end)
        throw new Error(`not within ${within} ms: ${this.fleet.failures[0] ?? 'no failure seen'}`);
      await this.play(step);
    }
  }

  /** Ends one of the tasks that have run from the start, as a container that exits does. */
  exitOne(): void {
    const task = this.#tasks.splice(this.#chance.whole(0, this.#tasks.length - 1), 1)[0];
    if (task !== undefined) void this.fleet.exits(task.instanceId, task.id);
  }

  /** Ends every process. */
  end(): void {
    for (const server of this.servers) server.kill();
  }

  #instance(index: number): Put {
    const id = instanceId(index);
    const record: InstanceRecord = {
      id,
      arn: arns.containerInstance(region, account, cluster, id),
      status: 'ACTIVE',
      agentConnected: false,
      connectivityChangedAt: start,
      registeredAt: start,
      cpu: 4096,
      memory: 4096,
      reservedTcpPorts: [],
      reservedUdpPorts: [],
      gpuIds: [],
      attributes: [{ name: 'ecs.availability-zone', value: `zone-${index % 3}` }],
      tags: {},
      ownerArn: `arn:aws:iam::${account}:user/${fleetCaller}`,
      version: 1,
    };
    return { key: clusterKeys.instance(id), value: toJson(record) };
  }

  /** A service that is steady, with its tasks spread over the instances. */
  async #service(context: EcsPorts, definition: TaskDefinitionRecord, name: string, count: number): Promise<Put[]> {
    const caller = { type: 'user', account, arn: `arn:aws:iam::${account}:user/operator`, id: 'operator' } as const;
    const draft = parseCreate(
      { serviceName: name, taskDefinition: definition.arn, desiredCount: count },
      definition,
      { launchType: 'EC2', strategy: undefined, network: undefined, loadBalancers: [] },
      caller,
      { home: { account, region }, checkUrl: (url) => new URL(url) },
    );
    const arn = arns.service(region, account, cluster, name);
    const created = await createService(context, { account, cluster, service: name }, draft, { arn });
    const [first] = created.deployments;
    const digest = this.#images.digestOf('web', 'prod') ?? '';
    const images = { app: `${this.#images.host}/web:prod@${digest}` };
    const deployment: DeploymentRecord = {
      ...first!,
      images,
      rolloutState: 'COMPLETED',
      rolloutStateReason: `ECS deployment ${first!.id} completed.`,
      everRunning: true,
      completedAt: start,
    };
    const service: ServiceRecord = { ...created, deployments: [deployment], steady: true };
    const tasks = Array.from({ length: count }, (): Put => {
      const id = Buffer.from(this.#chance.bytes(16)).toString('hex');
      const draft = taskDraft(definition, {
        region,
        account,
        cluster,
        id,
        now: start,
        group: `service:${name}`,
        startedBy: deployment.id,
        service: { name, deploymentId: deployment.id },
        tags: {},
        launchType: 'EC2',
      });
      const instance = instanceId(this.#tasks.length % this.size.instances);
      this.#tasks.push({ id, instanceId: instance });
      this.fleet.has(instance, id);
      const task: TaskRecord = {
        ...draft,
        instanceId: instance,
        lastStatus: 'RUNNING',
        startedAt: start - 60_000,
        createdAt: start - 61_000,
        healthySince: start - 50_000,
        containers: draft.containers.map((one) => ({
          ...one,
          image: images.app,
          imageDigest: digest,
          lastStatus: 'RUNNING',
          runtimeId: id,
        })),
      };
      return { key: clusterKeys.task(id), value: toJson(task) };
    });
    return [{ key: clusterKeys.service(name), value: toJson(service) }, ...tasks];
  }

  async #put(rows: readonly Put[]): Promise<void> {
    for (let from = 0; from < rows.length; from += 5_000)
      await this.store.truth.commit(clusterPartition(account, cluster), { put: rows.slice(from, from + 5_000) });
  }
}

interface Put {
  readonly key: string;
  readonly value: ReturnType<typeof toJson>;
}

const instanceId = (index: number): string => index.toString(16).padStart(32, '0');
