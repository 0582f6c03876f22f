import type { Log } from '@slipway/auth/contract';
import type { TaskRecord } from '@slipway/scheduler/state';
import { VirtualClock } from '../virtual-clock.ts';
import { Chance } from './chance.ts';
import type { EngineContainer, EngineWeather } from './engine.ts';
import { FaultPlayer } from './faults.ts';
import { History } from './history.ts';
import { type HostPorts, listening, SimulatedHost } from './host.ts';
import { good, SimulatedImages } from './images.ts';
import { AddressChecks } from './addresses.ts';
import { AnswerChecks } from './answers.ts';
import { Balancer, simulatedProbe } from './balancer.ts';
import { CommitChecks } from './commit-checks.ts';
import { describe, describeAnswer, describeChange, describeFields, isMistake } from './describe.ts';
import { Receiver } from './receiver.ts';
import { type Invariant, Violation } from './invariants.ts';
import { Machine, type Process } from './machine.ts';
import { SimulatedMachines } from './machines.ts';
import { Mirror } from './mirror.ts';
import { type NetworkWeather, NoAnswer, SimulatedNetwork } from './network.ts';
import type { Plan } from './plan.ts';
import { push } from './push.ts';
import { Quiet } from './quiet.ts';
import { AlarmDays } from './alarm-checks.ts';
import { GroupChecks } from './group-checks.ts';
import { GroupDays } from './group-days.ts';
import { Approvers } from './approvers.ts';
import { StageChecks } from './stage-checks.ts';
import { ReachChecks } from './reach-checks.ts';
import { account, cluster, type ServerTraffic, SimulatedServer } from './server.ts';
import { settle } from './settle.ts';
import { type SeenCommit, SimulatedStore, type StoreWeather } from './store.ts';
import { type Sent, SimulatedTraffic } from './traffic.ts';
import { type Answer, repositories, Users } from './users.ts';

/** How a run ended. */
export interface Outcome {
  readonly plan: Plan;
  readonly violation?: { readonly invariant: Invariant; readonly message: string; readonly at: number };
  /** The same for every run of the same plan. */
  readonly checksum: string;
  /** True milliseconds that were played. */
  readonly played: number;
  readonly counts: Counts;
  readonly history: History;
}

/** What a run did, so that nobody mistakes a run in which nothing happened for a good one. */
export interface Counts {
  commits: number;
  tasksStarted: number;
  containersStarted: number;
  faults: number;
  calls: number;
  refused: number;
  unanswered: number;
  /** Requests that load balancers brought to tasks. */
  requests: number;
  /** Stages that deployments which shift traffic went on to. */
  stages: number;
  /** Machines that the provider of an Auto Scaling group has made. */
  machines: number;
}

/** Milliseconds within which everything must be quiet once nothing goes wrong any more. */
const settleWithin = 25 * 60_000;
const repairWithin = 10 * 60_000;
/** Monday, 1 January 2024: any time will do, as long as it is always the same. */
const epoch = Date.UTC(2024, 0, 1);

/** One installation in one process: servers, hosts, users and faults, from a plan and nothing else. */
export class World {
  readonly plan: Plan;
  readonly time = new VirtualClock(epoch);
  readonly chance: Chance;
  readonly history: History;
  readonly store: SimulatedStore;
  readonly network: SimulatedNetwork;
  readonly images = new SimulatedImages(account);
  readonly servers: readonly SimulatedServer[];
  readonly hosts: SimulatedHost[];
  readonly mirror: Mirror;
  readonly storeWeather: StoreWeather;
  readonly networkWeather: NetworkWeather;
  readonly counts: Counts = {
    commits: 0,
    tasksStarted: 0,
    containersStarted: 0,
    faults: 0,
    calls: 0,
    refused: 0,
    unanswered: 0,
    requests: 0,
    stages: 0,
    machines: 0,
  };
  /** Whether the store ever lost commits: then nothing acknowledged need be there. */
  #rewound = false;
  readonly #checks: CommitChecks;
  readonly #stages: StageChecks;
  readonly #approvers: Approvers;
  readonly #alarms: AlarmDays;
  readonly #groupChecks: GroupChecks;
  readonly #machines: SimulatedMachines;
  readonly #groups: GroupDays;
  readonly #answers: AnswerChecks;
  readonly #addresses: AddressChecks;
  readonly #reach: ReachChecks;
  readonly #balancer: Balancer;
  readonly #quiet: Quiet;
  /** How many tasks users asked for under each client token. */
  readonly #tokens = new Map<string, number>();
  readonly #users: Users;
  readonly #operator: Process;
  /** How often a container of a task was started, by task ARN and name. */
  readonly #starts = new Map<string, number>();
  #violation: { invariant: Invariant; message: string; at: number } | undefined;
  #laggedUntil = 0;
  /** Whether it has ended: what happens afterwards is no part of it. */
  #over = false;
  /** Actions of users that are under way. */
  #acting = 0;

  constructor(plan: Plan, keepHistory: boolean) {
    this.plan = plan;
    this.chance = new Chance(plan.seed ^ 0x5eed);
    const now = (): number => this.time.now();
    this.history = new History(now, keepHistory);
    const { troubles } = plan;
    this.storeWeather = {
      latency: [0.2, 4],
      feedLag: [0.2, 8],
      unknownOutcome: troubles.unknownOutcome,
      crash: troubles.crashAtCommit,
      eventsLost: troubles.eventsLost,
    };
    this.networkWeather = { latency: [0.2, 4], lost: troubles.lostCalls, slow: troubles.slowCalls };
    this.store = new SimulatedStore(this.time, this.chance.fork(), this.storeWeather, (commit) => this.#seen(commit));
    this.network = new SimulatedNetwork(this.time, this.chance.fork(), this.networkWeather);
    this.mirror = new Mirror(account, cluster, now);
    this.#checks = new CommitChecks({
      mirror: this.mirror,
      now,
      lag: () => (now() < this.#laggedUntil ? 40_000 : 3_000),
      leavesAfter: troubles.deregisterLostAfter,
      asked: (token) => this.#tokens.get(token),
    });
    const receiver = new Receiver(new Chance(plan.seed ^ 0x5e9d), () => this.#isKind());
    this.#stages = new StageChecks({
      mirror: this.mirror,
      hasAgreed: (execution) => receiver.hasAgreed(execution),
      lag: () => (now() < this.#laggedUntil ? 40_000 : 3_000),
      now,
    });
    this.#alarms = new AlarmDays({
      truth: this.store.truth,
      chance: new Chance(plan.seed ^ 0xa1a6),
      clock: this.time,
      lag: () => (now() < this.#laggedUntil ? 40_000 : 3_000),
    });
    const lag = (): number => (now() < this.#laggedUntil ? 40_000 : 3_000);
    this.#groupChecks = new GroupChecks({ mirror: this.mirror, now, lag });
    this.#answers = new AnswerChecks(this.mirror);
    const log = (who: string): Log => this.#log(who);
    // Of its own, so that days without load balancers stay as they are.
    const clients = new Chance(plan.seed ^ 0x7aff1c);
    const engines: SimulatedTraffic[] = [];
    this.servers = Array.from({ length: plan.servers }, (_, index) => {
      const machine = this.#machine(`server-${index + 1}`);
      const { store, images } = this;
      const own = { deregisterLostAfter: troubles.deregisterLostAfter };
      return new SimulatedServer({
        machine,
        store,
        images,
        chance: this.chance.fork(),
        receiver,
        log,
        tuning: own,
        ...(plan.balanced ? { traffic: this.#traffic(machine, clients.fork(), engines) } : {}),
        ...(plan.groups ? { machines: (from: Process) => this.#machines.provider(from) } : {}),
      });
    });
    this.hosts = Array.from({ length: plan.hosts }, (_, index) =>
      this.#host(`host-${index + 1}`, {
        zone: `zone-${(index % 3) + 1}`,
        spot: plan.faults.some(({ kind, target }) => kind === 'host-reclaimed' && target % plan.hosts === index),
        networked: !plan.groups,
      }),
    );
    this.#machines = new SimulatedMachines({
      time: this.time,
      chance: new Chance(plan.seed ^ 0x6e0d),
      hosts: this.hosts,
      isKind: () => this.#isKind(),
      host: (number, { zone, settings: { ECS_INSTANCE_ATTRIBUTES = '{}', SLIPWAY_JOIN = '' } }) => {
        const attributes = JSON.parse(ECS_INSTANCE_ATTRIBUTES) as Record<string, string>;
        delete attributes['ecs.availability-zone'];
        return this.#host(`host-${plan.hosts + number + 1}`, { zone, attributes, joins: SLIPWAY_JOIN });
      },
      ends: (id) => {
        this.history.note('provider', () => `ends ${id}`);
        this.#checked(() => this.#groupChecks.ends(id));
      },
    });
    this.#reach = new ReachChecks({ mirror: this.mirror, hosts: this.hosts, engines, now });
    const { mirror, servers, hosts, images } = this;
    const jumps = plan.faults.some(({ kind }) => kind.startsWith('clock-jump'));
    const clockError = (jumps ? 120_000 : 0) + 2 * plan.troubles.skew;
    this.#addresses = new AddressChecks({ account, mirror, hosts, now, clockError });
    const addresses = this.#addresses;
    this.#quiet = new Quiet({
      mirror,
      servers,
      hosts,
      images,
      addresses,
      now,
      clockError,
      isFull: () => this.#groupChecks.isFull,
    });
    const process = this.#machine('user').boot();
    this.#operator = process;
    this.#balancer = new Balancer(
      (operation, input) => this.#api(process, operation, input),
      () => process.clock.sleep(2_000),
      plan.shifts,
    );
    this.#groups = new GroupDays({
      api: (operation, input) => this.#api(process, operation, input),
      wait: () => process.clock.sleep(2_000),
      chance: new Chance(plan.seed ^ 0x9e7),
      mirror,
      checks: this.#groupChecks,
      machines: this.#machines,
      imageHost: this.images.host,
      becomes: (...given) => this.#becomes(...given),
      meanwhile: (work) => this.#meanwhile('the operator', work),
    });
    this.#approvers = new Approvers({
      mirror: this.mirror,
      chance: new Chance(plan.seed ^ 0xb1ce),
      stopsRolling: plan.alarms,
      api: (operation, input) => this.#api(process, operation, input),
    });
    this.#users = new Users({
      shifts: plan.shifts,
      sets: plan.sets,
      zones: plan.zones,
      alarms: plan.alarms,
      provider: plan.groups ? () => this.#groups.provider : undefined,
      addressed: new Set(plan.addressed),
      imageHost: this.images.host,
      api: (operation, input) => this.#api(process, operation, input),
      push: (repository, tag, behaviour, announced) =>
        this.#push(repository, tag, this.images.build(behaviour), announced),
      note: (what) => this.history.note('user', what),
      balanced: plan.balanced,
      wait: () => process.clock.sleep(5_000),
      targetGroup: async (service) =>
        plan.balanced && !plan.addressed.includes(service) ? this.#balancer.group(service) : undefined,
    });
  }

  /** Plays the plan to its end, or to the first violation. */
  async play(): Promise<Outcome> {
    const onRejection = (reason: unknown): void => {
      this.violated(new Violation('no-accident', `a promise was rejected and nobody handled it: ${describe(reason)}`));
    };
    process.on('unhandledRejection', onRejection);
    try {
      await this.#days();
    } finally {
      this.#over = true;
      const all = [...this.servers, ...new Set([...this.hosts, ...this.#machines.all])];
      for (const one of all) one.end();
      await settle();
      for (const { machine } of all) machine.end();
      process.off('unhandledRejection', onRejection);
    }
    const { plan, history } = this;
    const counts = {
      ...this.counts,
      requests: this.#reach.arrived,
      stages: this.#stages.left,
      machines: this.#machines.all.length,
    };
    const played = this.time.now() - epoch;
    const outcome = { plan, checksum: history.checksum, played, counts, history };
    return this.#violation === undefined ? outcome : { ...outcome, violation: this.#violation };
  }

  /** Something that must hold did not; the first one ends the run. */
  violated(violation: Violation): void {
    if (this.#violation !== undefined || this.#over) return;
    const { invariant, message } = violation;
    this.#violation = { invariant, message, at: this.time.now() - epoch };
    this.history.note('check', message);
  }

  /** The store lost commits. */
  async rewound(): Promise<void> {
    this.#rewound = true;
    this.#checks.rewound();
    this.#stages.rewound();
    this.#reach.rewound();
    await this.mirror.reload(this.store.truth);
    if (this.plan.alarms) await this.#alarms.rewound();
    await this.#addresses.rewound(this.store.truth);
  }

  /** Servers hear of changes late for a while. */
  lagUntil(time: number): void {
    this.#laggedUntil = Math.max(this.#laggedUntil, time + 10_000);
  }

  /** An operator's call, made until it is answered. */
  administer(operation: string, input: object): void {
    const call = async (): Promise<void> => {
      const { kind } = await this.#api(this.#operator, operation, input);
      if (kind === 'unknown') this.time.at(this.time.now() + 5_000, () => this.administer(operation, input));
    };
    call().catch((error: unknown) => this.violated(new Violation('no-accident', describe(error))));
  }

  /** Whether nothing goes wrong any more, and nobody stands in the way of a deployment. */
  #isKind(): boolean {
    return this.time.now() > epoch + this.plan.duration;
  }

  /** People look every few seconds what waits for them. */
  #approve(): void {
    this.#approvers
      .look(this.#isKind())
      .catch((error: unknown) => this.violated(new Violation('no-accident', `a person: ${describe(error)}`)));
    this.time.at(this.time.now() + 7_000, () => this.#approve());
  }

  /** Alarms go on and off every few seconds, until nothing goes wrong any more. */
  #flip(): void {
    const isKind = this.#isKind();
    this.#alarms
      .flip(isKind)
      .catch((error: unknown) => this.violated(new Violation('no-accident', `an alarm: ${describe(error)}`)));
    if (!isKind) this.time.at(this.time.now() + 5_000, () => this.#flip());
  }

  async #days(): Promise<void> {
    if (this.plan.alarms) {
      await this.#alarms.make();
      this.#flip();
    }
    for (const repository of repositories) {
      await this.#push(repository, 'prod', this.images.build(good), false);
      this.images.tag(repository, 'next', this.images.build(good));
    }
    this.images.tag('web', 'base', this.images.build(good));
    this.images.tag('job', 'once', this.images.build({ ...good, ends: { after: 5_000, code: 0 } }));
    for (const server of this.servers) server.start();
    if (this.plan.balanced)
      this.#balancer
        .make()
        .catch((error: unknown) => this.violated(new Violation('no-accident', `the operator: ${describe(error)}`)));
    if (this.plan.groups) this.#meanwhile('the operator', () => this.#groups.make());
    for (const host of this.hosts)
      this.time.at(this.time.now() + this.chance.between(0, 2_000), () => host.startAgent());
    if (this.plan.shifts || this.plan.alarms) this.#approve();
    const faults = new FaultPlayer(this);
    for (const fault of this.plan.faults) this.time.at(epoch + fault.at, () => faults.play(fault));
    for (const action of this.plan.users) {
      this.time.at(epoch + action.at, () => {
        this.#acting += 1;
        this.#users
          .act(action)
          .catch((error: unknown) => this.violated(new Violation('no-accident', `a user's action: ${describe(error)}`)))
          .finally(() => (this.#acting -= 1));
      });
    }
    if (!(await this.#until(epoch + this.plan.duration, () => false))) faults.endAll();
    if (this.#violation !== undefined) return;
    this.history.note('check', 'nothing goes wrong any more');
    // What a user has begun may still change a service: nobody repairs it before that is over.
    await this.#becomes('rejoined', settleWithin, () => this.#quiet.outside());
    if (this.#violation !== undefined) return;
    await this.#becomes('interrupted', settleWithin, () => this.#quiet.uninterrupted());
    if (this.#violation !== undefined) return;
    if (this.plan.groups)
      await this.#becomes('group-grows', settleWithin, () => this.#groupChecks.unready(this.#machines.ids));
    if (this.#violation !== undefined) return;
    await this.#becomes('settled', settleWithin, () => this.#quiet.unsettled() ?? this.#underWay());
    if (this.#violation !== undefined) return;
    this.history.note('check', 'what users broke is repaired');
    const services = [...this.mirror.services.values()].filter(({ status }) => status === 'ACTIVE');
    const names = services.map(({ name, schedulingStrategy, controller }) => ({
      name,
      daemon: schedulingStrategy === 'DAEMON',
      external: controller === 'EXTERNAL',
    }));
    this.#users
      .repair(this.chance.fork(), names)
      .catch((error: unknown) => this.violated(new Violation('no-accident', describe(error))));
    await this.#until(this.time.now() + 20_000, () => false);
    await this.#becomes('repaired', (this.plan.shifts ? 4 : 1) * repairWithin, () => this.#quiet.unrepaired());
    if (this.plan.groups && this.#violation === undefined) await this.#groups.prove();
  }

  /** Has somebody do something while the world goes on. */
  #meanwhile(who: string, work: () => Promise<void>): void {
    work().catch((error: unknown) => this.violated(new Violation('no-accident', `${who}: ${describe(error)}`)));
  }

  /** Plays until something is so, or a time has come. @returns whether it became so, or something was violated */
  async #until(time: number, so: () => boolean): Promise<boolean> {
    while (this.time.now() < time && this.#violation === undefined) {
      if (so()) return true;
      await this.time.playUntil(Math.min(time, this.time.now() + 2_000), settle);
    }
    return this.#violation !== undefined || so();
  }

  /** @returns whether it became so, and nothing was violated */
  async #becomes(invariant: Invariant, within: number, why: () => string | undefined): Promise<boolean> {
    const done = await this.#until(this.time.now() + within, () => why() === undefined);
    if (!done) this.violated(new Violation(invariant, `${why() ?? ''} (after ${within / 60_000} quiet minutes)`));
    return this.#violation === undefined;
  }

  #seen(commit: SeenCommit): void {
    this.counts.commits += 1;
    this.#oneHolder(commit);
    this.#checked(() => {
      for (const what of this.#addresses.check(commit)) this.history.note(commit.process.name, what);
    });
    if (this.plan.groups) this.#checked(() => this.#groupChecks.check(commit));
    const changed = this.mirror.apply(commit);
    if (changed === undefined) return;
    for (const change of changed) {
      if (change.kind === 'task' && change.before === undefined) this.counts.tasksStarted += 1;
      this.history.note(commit.process.name, () => describeChange(change));
    }
    this.#reach.note(changed);
    this.#checked(() => this.#checks.check(commit, changed));
    this.#checked(() => this.#stages.check(commit, changed));
    this.#checked(() => this.#alarms.check(commit, changed));
  }

  /** What carries requests on a server's machine, and how it looks at targets. */
  #traffic(machine: Machine, chance: Chance, engines: SimulatedTraffic[]): ServerTraffic {
    const { time, network } = this;
    const sent = (from: SimulatedTraffic, request: Sent): void => this.#checked(() => this.#reach.sent(from, request));
    const engine = new SimulatedTraffic({ machine, time, chance: chance.fork(), sent });
    engines.push(engine);
    return { engine, probe: (process) => simulatedProbe(process, chance, network, this.hosts) };
  }

  #underWay(): string | undefined {
    return this.#acting === 0 ? undefined : `${this.#acting} users wait for answers`;
  }

  #oneHolder({ process, partition, batch }: SeenCommit): void {
    if (this.#rewound) return;
    for (const { key } of batch.put ?? []) {
      const taken = /^\$lease\/(.+)\/epoch$/.exec(key)?.[1];
      if (taken === undefined || batch.put?.some((row) => row.key === `$lease/${taken}/holder`) !== true) continue;
      const others = this.servers.filter(({ machine }) => machine !== process.machine && !machine.paused);
      const other = others.find((server) => server.holds(partition, taken));
      if (other !== undefined)
        this.violated(new Violation('one-holder', `${process.name} took ${taken} while ${other.name} held it`));
    }
  }

  #checked(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.violated(error);
    }
  }

  #started(host: SimulatedHost, container: EngineContainer): void {
    this.counts.containersStarted += 1;
    const arn = container.labels['com.amazonaws.ecs.task-arn'] ?? '';
    const name = container.labels['com.amazonaws.ecs.container-name'] ?? '';
    const key = `${arn} ${name}`;
    const starts = (this.#starts.get(key) ?? 0) + 1;
    this.#starts.set(key, starts);
    this.history.note(host.name, () => `started ${container.name} (${container.digest.slice(-4)})`);
    if (starts > 1) this.violated(new Violation('started-once', `${name} of ${arn} was started ${starts} times`));
    this.#pinned(arn, name, container.digest);
    this.#rejoined(host, container);
  }

  /** A host that joined anew has ended all that it ran before; what another agent left whose data was lost is ended by the servers' leave. */
  #rejoined(host: SimulatedHost, started: EngineContainer): void {
    const instanceOf = ({ labels }: EngineContainer): string | undefined =>
      this.mirror.tasks.get((labels['com.amazonaws.ecs.task-arn'] ?? '').split('/').at(-1) ?? '')?.instanceId;
    const now = instanceOf(started);
    if (now === undefined || this.#rewound) return;
    for (const other of host.engine.containers.values()) {
      const then = instanceOf(other);
      const same = other.labels['dev.slipway.agent'] === started.labels['dev.slipway.agent'];
      if (other.status !== 'running' || !same || then === undefined || then === now) continue;
      const detail = `${host.name} started ${started.name} as ${now} while ${other.name} ran, which it began as ${then}`;
      this.violated(new Violation('rejoined', detail));
    }
  }

  #linked(host: SimulatedHost, id: string, address: string): void {
    this.history.note(host.name, () => `linked ${id} (${address})`);
    this.#checked(() => this.#addresses.linked(host, id, address));
  }

  #pinned(arn: string, name: string, digest: string): void {
    const task: TaskRecord | undefined = this.mirror.tasks.get(arn.slice(arn.lastIndexOf('/') + 1));
    const service = this.mirror.services.get(task?.service?.name ?? '');
    const deployment = service?.deployments.find(({ id }) => id === task?.service?.deploymentId);
    const pin = deployment?.images?.[name]?.split('@')[1];
    if (pin === undefined || pin === digest) return;
    this.violated(
      new Violation('pinned', `${name} of ${arn} runs ${digest.slice(-6)}, its deployment pinned ${pin.slice(-6)}`),
    );
  }

  async #push(repository: string, tag: string, digest: string, announced: boolean): Promise<string> {
    this.images.tag(repository, tag, digest);
    this.history.note(
      'user',
      () => `pushed ${repository}:${tag} ${digest.slice(-4)} ${JSON.stringify(this.images.behaviour(digest))}`,
    );
    await push(this.store.truth, { account, repository, tag, digest, announced });
    return digest;
  }

  async #api<T>(from: Process, operation: string, input: object): Promise<Answer<T>> {
    this.counts.calls += 1;
    const asked = this.time.now();
    const { clientToken, count = 1 } = input as { clientToken?: string; count?: number };
    if (clientToken !== undefined) this.#tokens.set(clientToken, count);
    const ready = this.servers.filter((server) => server.process !== undefined);
    const server = this.chance.pick(ready.length > 0 ? ready : this.servers);
    const answer = await this.network
      .call(from, listening(server), () => server.call(operation, input, 'admin'))
      .then(
        (value): Answer<T> => ({ kind: 'done', value: value as T }),
        (error: unknown): Answer<T> => this.#notDone(operation, error),
      );
    this.history.note('user', () => `${operation} ${JSON.stringify(input).slice(0, 300)} ${describeAnswer(answer)}`);
    if (answer.kind === 'done' && !this.#rewound)
      this.#checked(() => this.#answers.check({ operation, input, value: answer.value, asked }));
    if (answer.kind === 'refused') this.counts.refused += 1;
    if (answer.kind === 'unknown') this.counts.unanswered += 1;
    return answer;
  }

  #notDone(operation: string, error: unknown): Answer<never> {
    const { name, message, code } = error as { name: string; message: string; code?: string };
    if (error instanceof NoAnswer || name === 'StoreUnavailable' || name === 'ConditionFailed') {
      return { kind: 'unknown', why: message };
    }
    if (typeof code === 'string') return { kind: 'refused', code, message };
    this.violated(new Violation('no-accident', `${operation} failed with ${describe(error)}`));
    return { kind: 'unknown', why: message };
  }

  /** A host, with an agent that does not run yet. */
  #host(name: string, more: Pick<HostPorts, 'zone' | 'spot' | 'networked' | 'attributes' | 'joins'>): SimulatedHost {
    const { time, images, network, servers, history } = this;
    const { engineEventsLost, engineLies } = this.plan.troubles;
    const weather: EngineWeather = {
      latency: [0.5, 15],
      error: 0,
      answerLost: 0,
      eventLost: this.#isKind() ? 0 : engineEventsLost,
      lies: this.#isKind() ? 0 : engineLies,
      diskFull: false,
    };
    const machine = this.#machine(name);
    const chance = this.chance.fork();
    const log = (who: string): Log => this.#log(who);
    const host = new SimulatedHost({ machine, time, chance, images, network, servers, weather, log, history, ...more });
    host.linked = (id, address) => this.#linked(host, id, address);
    host.engine.started = (container) => this.#started(host, container);
    host.engine.told = (container) => this.#checked(() => this.#reach.told(container));
    return host;
  }

  #machine(name: string): Machine {
    const { skew, drift } = this.plan.troubles;
    const offset = this.chance.between(-1, 1) * Math.max(500, skew);
    return new Machine(name, this.time, offset, 1 + this.chance.between(-1, 1) * Math.max(1e-4, drift));
  }

  #log(who: string): Log {
    const note = (level: string) => (fields: object, message: string) => {
      if (this.#over) return;
      this.history.note(who, () => `${level} ${message} ${describeFields(fields)}`);
      const mistake = Object.values(fields).find((value) => isMistake(value));
      if (mistake !== undefined)
        this.violated(new Violation('no-accident', `${who} says: ${message}: ${describe(mistake)}`));
    };
    return { info: note('info'), warn: note('warn'), error: note('error') } as Log;
  }
}
