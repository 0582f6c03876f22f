import type { Log, Principal } from '@slipway/auth/contract';
import { defaultRetention } from '@slipway/scheduler/control';
import { createCluster, type EcsPorts } from '@slipway/scheduler/cluster';
import { defaultReconcilerOptions } from '@slipway/scheduler/deployments';
import { serverReach } from '@slipway/scheduler/reach';
import { parseImageReference } from '@slipway/scheduler/references';
import { createService, followTag, parseCreate } from '@slipway/scheduler/services';
import {
  accountKeys,
  accountPartition,
  arns,
  clusterKeys,
  clusterPartition,
  type InstanceRecord,
  type ServiceRecord,
  type TaskDefinitionRecord,
  toJson,
} from '@slipway/scheduler/state';
import {
  checkDefinition,
  checkDefinitionRequest,
  normalizeDefinition,
  registerRevision,
  taskDraft,
} from '@slipway/scheduler/tasks';
import { CliError } from '../../cli/errors.ts';
import { zoneAttribute } from '../capacity.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { Chance } from '../world/chance.ts';
import type { EngineWeather } from '../world/engine.ts';
import { History } from '../world/history.ts';
import { dataDir, hosts as hostsPrincipal, SimulatedHost } from '../world/host.ts';
import { type Behaviour, good, SimulatedImages } from '../world/images.ts';
import { Machine } from '../world/machine.ts';
import { Mirror } from '../world/mirror.ts';
import { type NetworkWeather, SimulatedNetwork } from '../world/network.ts';
import { account, cluster, region, SimulatedServer } from '../world/server.ts';
import { type SeenCommit, SimulatedStore } from '../world/store.ts';
import type { Snapshot } from './snapshot.ts';

/** The times that the product itself keeps by default, milliseconds. */
export const { healthyAfterRunning } = defaultReconcilerOptions;
const replaceLostAfter = 5 * 60_000;

const operator: Principal = { type: 'user', account, arn: `arn:aws:iam::${account}:user/operator`, id: 'operator' };
const start = Date.UTC(2024, 0, 1);

type Definition = Snapshot['definitions'][number];

/** An image of the snapshot as the simulated registry has it. */
export interface PlayedImage {
  readonly repository: string;
  readonly tag: string;
}

/** The operator's cluster in simulation: its hosts with real agents, servers, services and tasks where they are. */
export class Installation {
  readonly time = new VirtualClock(start);
  readonly chance: Chance;
  readonly images = new SimulatedImages(account);
  readonly store: SimulatedStore;
  readonly network: SimulatedNetwork;
  readonly servers: readonly SimulatedServer[];
  /** By the id of their container instance. */
  readonly hosts = new Map<string, SimulatedHost>();
  readonly mirror: Mirror;
  /** What cannot be played as the snapshot has it. */
  readonly notes: string[] = [];
  /** Told of each commit of the cluster. */
  onCommit: (commit: SeenCommit) => void = () => {};
  readonly #snapshot: Snapshot;

  constructor(snapshot: Snapshot, options: { readonly servers: number; readonly seed: number }) {
    this.#snapshot = snapshot;
    this.chance = new Chance(options.seed);
    const { time, chance, images } = this;
    const now = (): number => time.now();
    const history = new History(now, false);
    const calm: NetworkWeather = { latency: [0.2, 4], lost: 0, slow: 0 };
    this.mirror = new Mirror(account, cluster, now);
    this.store = new SimulatedStore(
      time,
      chance.fork(),
      { latency: [0.2, 4], feedLag: [0.2, 8], unknownOutcome: 0, crash: 0, eventsLost: false },
      (commit) => {
        this.mirror.apply(commit);
        this.onCommit(commit);
      },
    );
    this.network = new SimulatedNetwork(time, chance.fork(), calm);
    const machine = (name: string): Machine => new Machine(name, time, 0, 1);
    const tuning = { healthyAfterRunning, replaceLostAfter, retention: defaultRetention };
    this.servers = Array.from({ length: options.servers }, (_, index) => {
      const { store } = this;
      return new SimulatedServer({
        machine: machine(`server-${index + 1}`),
        store,
        images,
        chance: chance.fork(),
        log,
        tuning,
      });
    });
    for (const { id, cpu, memory, attributes } of snapshot.instances) {
      const weather: EngineWeather = {
        latency: [0.5, 15],
        error: 0,
        answerLost: 0,
        eventLost: 0,
        lies: 0,
        diskFull: false,
      };
      const { network, servers } = this;
      const zone = attributes[zoneAttribute] ?? `${region}a`;
      const size = { cpus: cpu / 1024, memory };
      const host = new SimulatedHost({
        machine: machine(id),
        time,
        chance: chance.fork(),
        images,
        network,
        servers,
        weather,
        history,
        log: quiet,
        zone,
        size,
        attributes,
        allow: { hostNetwork: true },
      });
      this.hosts.set(id, host);
    }
  }

  /** Writes the snapshot into the store and starts everything. @throws CliError when the control plane would refuse a part of it */
  async begin(): Promise<void> {
    const records = this.store.truth;
    const random = (size: number): Uint8Array => this.chance.bytes(size);
    const context: EcsPorts = { records, clock: this.time, random, region, reach: serverReach({}) };
    await createCluster(context, { account, cluster }, { tags: {}, settings: [] });
    const definitions = new Map<string, TaskDefinitionRecord>();
    for (const definition of this.#snapshot.definitions) {
      definitions.set(definition.name, await accepted(definition.name, () => this.#define(context, definition)));
    }
    const services = new Map<string, ServiceRecord>();
    for (const service of this.#snapshot.services) {
      const definition = definitions.get(service.definition)!;
      services.set(service.name, await accepted(service.name, () => this.#serve(context, service, definition)));
    }
    const put = [...this.#instances(), ...this.#tasks(definitions, services)];
    // One commit may not be as large as a large cluster.
    for (let from = 0; from < put.length; from += 1_000)
      await records.commit(clusterPartition(account, cluster), { put: put.slice(from, from + 1_000) });
    await this.mirror.reload(records);
    for (const server of this.servers) server.start();
    for (const [id, host] of this.hosts) {
      if (this.#snapshot.instances.find((instance) => instance.id === id)?.agentConnected === true)
        this.time.at(start + this.chance.between(0, 1_000), () => host.startAgent());
      else host.off();
    }
  }

  /** Ends every process of it. */
  end(): void {
    for (const server of this.servers) server.kill();
    for (const host of this.hosts.values()) host.killAgent();
  }

  /** The image of a container as it is played. */
  imageOf(reference: string): PlayedImage {
    const parsed = parseImageReference(reference);
    const tag = parsed?.tag ?? (parsed?.digest === undefined ? 'latest' : `digest-${parsed.digest.slice(7, 19)}`);
    return { repository: parsed?.repository ?? 'unreadable', tag };
  }

  /** One call of the ECS API by the operator, at the first server that answers. */
  call(operation: string, input: object): Promise<unknown> {
    const server = this.servers.find(({ process }) => process !== undefined) ?? this.servers[0]!;
    return server.call(operation, { cluster, ...input }, 'operator');
  }

  async #define(context: EcsPorts, definition: Definition): Promise<TaskDefinitionRecord> {
    const { name, networkMode, cpu, memory, constraints, containers, requires } = definition;
    const [family = ''] = name.split(':');
    const jobs = new Set(
      containers.flatMap(({ dependsOn }) =>
        dependsOn.flatMap((one) => (one.condition === 'SUCCESS' || one.condition === 'COMPLETE' ? one.container : [])),
      ),
    );
    const input = {
      family,
      ...(networkMode === undefined ? {} : { networkMode }),
      ...(cpu === undefined ? {} : { cpu }),
      ...(memory === undefined ? {} : { memory }),
      placementConstraints: constraints as { type: 'memberOf'; expression?: string }[],
      containerDefinitions: containers.map(({ image, ports, healthCheck, dependsOn, ...container }) => ({
        ...container,
        image: this.#play(image, jobs.has(container.name) ? { ...good, ends: { after: 1_000, code: 0 } } : good),
        portMappings: ports,
        dependsOn: dependsOn.map((one) => ({ containerName: one.container, condition: one.condition })),
        ...(healthCheck === undefined ? {} : { healthCheck: { command: ['CMD', 'check'], ...healthCheck } }),
      })),
    };
    checkDefinitionRequest(input);
    const body = normalizeDefinition(input);
    checkDefinition(body);
    const record = await registerRevision(context, account, { family, body, tags: {}, registeredBy: operator.arn });
    // What log drivers, volumes and roles need of an instance is kept, though they are not played.
    const demanding = { ...record, requiresAttributes: requires };
    const key = accountKeys.taskDefinition(record.family, record.revision);
    await context.records.commit(accountPartition(account), { put: [{ key, value: toJson(demanding) }] });
    return demanding;
  }

  /** Has an image built for a reference, once. @returns the reference as it is played */
  #play(reference: string, behaviour: Behaviour): string {
    const { repository, tag } = this.imageOf(reference);
    if (this.images.digestOf(repository, tag) === undefined)
      this.images.tag(repository, tag, this.images.build(behaviour));
    return `${this.images.host}/${repository}:${tag}`;
  }

  #serve(
    context: EcsPorts,
    service: Snapshot['services'][number],
    definition: TaskDefinitionRecord,
  ): Promise<ServiceRecord> {
    const { circuitBreaker: breaker, follow, graceSeconds } = service;
    const daemon = service.strategy === 'DAEMON';
    const draft = parseCreate(
      {
        serviceName: service.name,
        taskDefinition: definition.arn,
        schedulingStrategy: service.strategy,
        ...(daemon ? {} : { desiredCount: service.desiredCount }),
        deploymentConfiguration: {
          minimumHealthyPercent: service.minimumHealthyPercent,
          maximumPercent: service.maximumPercent,
          deploymentCircuitBreaker:
            breaker === undefined
              ? { enable: false, rollback: false }
              : {
                  enable: true,
                  rollback: breaker.rollback,
                  ...(breaker.resetOnHealthyTask === undefined
                    ? {}
                    : { resetOnHealthyTask: breaker.resetOnHealthyTask }),
                  ...(breaker.threshold === undefined ? {} : { thresholdConfiguration: breaker.threshold as never }),
                },
        },
        availabilityZoneRebalancing: service.evensZones === true ? 'ENABLED' : 'DISABLED',
        placementConstraints: service.constraints as never,
        ...(daemon ? {} : { placementStrategy: service.placement as never }),
        ...(graceSeconds === undefined ? {} : { healthCheckGracePeriodSeconds: graceSeconds }),
        ...(follow === undefined ? {} : { tags: [{ key: followTag, value: follow }] }),
      },
      definition,
      { launchType: 'EC2', strategy: undefined, network: undefined, loadBalancers: [] },
      operator,
      { home: { account, region }, checkUrl: (url) => new URL(url) },
    );
    const arn = arns.service(region, account, cluster, service.name);
    return createService(context, { account, cluster, service: service.name }, draft, { arn });
  }

  /** Instance rows, and on each host's disk the agent that registered it. */
  #instances(): Put[] {
    const put: Put[] = [];
    for (const { id, status, cpu, memory, attributes } of this.#snapshot.instances) {
      const arn = arns.containerInstance(region, account, cluster, id);
      const record: InstanceRecord = {
        id,
        arn,
        status,
        cpu,
        memory,
        agentConnected: false,
        connectivityChangedAt: start,
        registeredAt: start,
        reservedTcpPorts: [],
        reservedUdpPorts: [],
        gpuIds: [],
        attributes: Object.entries(attributes).map(([name, value]) => ({ name, value })),
        tags: {},
        ownerArn: `arn:aws:iam::${account}:user/${hostsPrincipal}`,
        version: 1,
      };
      put.push({ key: clusterKeys.instance(id), value: toJson(record) });
      const secret = Buffer.from(this.chance.bytes(32)).toString('hex');
      const registration = { containerInstanceArn: arn, cpu, memory };
      const known = { agentId: id, secret, registration, seenSequence: 0 };
      this.hosts.get(id)?.disk.write(`${dataDir}/agent.json`, JSON.stringify(known));
    }
    return put;
  }

  /** Tasks as placement has just committed them, each on its instance; agents start them. */
  #tasks(definitions: ReadonlyMap<string, TaskDefinitionRecord>, services: ReadonlyMap<string, ServiceRecord>): Put[] {
    const away = new Set(this.#snapshot.instances.flatMap(({ id, agentConnected }) => (agentConnected ? [] : id)));
    const moving = new Set<string>();
    const put: Put[] = [];
    for (const { id, instance, definition, service } of this.#snapshot.tasks) {
      if (away.has(instance)) continue;
      const record = services.get(service ?? '');
      const [deployment] = record?.deployments ?? [];
      const own = definitions.get(definition)!;
      if (record !== undefined && own.arn !== record.taskDefinition) moving.add(record.name);
      const revision =
        record === undefined ? own : [...definitions.values()].find(({ arn }) => arn === record.taskDefinition);
      const draft = taskDraft(revision ?? own, {
        region,
        account,
        cluster,
        id,
        now: start,
        tags: {},
        launchType: 'EC2',
        group: record === undefined ? `family:${own.family}` : `service:${record.name}`,
        ...(record === undefined || deployment === undefined
          ? {}
          : { startedBy: deployment.id, service: { name: record.name, deploymentId: deployment.id } }),
      });
      put.push({ key: clusterKeys.task(id), value: toJson({ ...draft, instanceId: instance }) });
    }
    if (away.size > 0)
      this.notes.push(`${away.size} instances have no agent that answers: they and their tasks are left out`);
    for (const service of moving)
      this.notes.push(`${service} was in the middle of a rollout: it is played as if the rollout were complete`);
    return put;
  }
}

interface Put {
  readonly key: string;
  readonly value: ReturnType<typeof toJson>;
}

const silent = (): void => {};
const quiet = (): Log => ({ info: silent, warn: silent, error: silent }) as Log;
const log = quiet;

async function accepted<T>(of: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === undefined) throw error;
    throw new CliError(`the snapshot's ${of} would be refused: ${message}`, 2);
  }
}
