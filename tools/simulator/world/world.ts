import type { Log } from '@slipway/auth/contract';
import { VirtualClock } from '../virtual-clock.ts';
import { Approvers } from './approvers.ts';
import { Balancer, simulatedProbe } from './balancer.ts';
import { Callers } from './callers.ts';
import { Chance } from './chance.ts';
import { Checks } from './checks.ts';
import { describe, describeFields, isMistake } from './describe.ts';
import type { EngineWeather } from './engine.ts';
import { FaultPlayer } from './faults.ts';
import { GroupDays } from './group-days.ts';
import { History } from './history.ts';
import { type HostPorts, SimulatedHost } from './host.ts';
import { good, SimulatedImages } from './images.ts';
import { type Invariant, Violation } from './invariants.ts';
import { Machine, type Process } from './machine.ts';
import { SimulatedMachines } from './machines.ts';
import { type NetworkWeather, SimulatedNetwork } from './network.ts';
import type { Counts, Outcome } from './outcome.ts';
import type { Plan } from './plan.ts';
import { push } from './push.ts';
import { Quiet } from './quiet.ts';
import { Receiver } from './receiver.ts';
import { account, type ServerTraffic, SimulatedServer } from './server.ts';
import { settle } from './settle.ts';
import { endingSignals } from './signals.ts';
import { SimulatedStore, type StoreWeather } from './store.ts';
import { Edge } from './edge.ts';
import { SimulatedTraffic } from './traffic.ts';
import { type Answer, repositories, Users } from './users.ts';

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
  /** Traffic engines, one of each server's machine, on days with load balancers. */
  readonly traffic: SimulatedTraffic[] = [];
  /** Hosts of engines, on days whose traffic those carry. */
  readonly edges: readonly Edge[];
  readonly hosts: SimulatedHost[];
  readonly checks: Checks;
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
    verdicts: 0,
  };
  readonly #approvers: Approvers;
  readonly #machines: SimulatedMachines;
  readonly #groups: GroupDays;
  readonly #balancer: Balancer;
  readonly #quiet: Quiet;
  readonly #callers: Callers;
  readonly #users: Users;
  readonly #operator: Process;
  #violation: { invariant: Invariant; message: string; at: number } | undefined;
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
    this.store = new SimulatedStore(this.time, this.chance.fork(), this.storeWeather, (commit) =>
      this.checks.seen(commit),
    );
    this.network = new SimulatedNetwork(this.time, this.chance.fork(), this.networkWeather);
    const receiver = new Receiver(new Chance(plan.seed ^ 0x5e9d), () => this.#isKind());
    const log = (who: string): Log => this.#log(who);
    // Of its own, so that days without load balancers stay as they are.
    const clients = new Chance(plan.seed ^ 0x7aff1c);
    const engines = this.traffic;
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
    this.edges = Array.from({ length: plan.edges ? 2 : 0 }, (_, index) => {
      const machine = this.#machine(`edge-${index + 1}`);
      const traffic = this.#engine(machine, clients.fork(), engines);
      const { network, servers } = this;
      return new Edge({ traffic, network, servers, chance: clients.fork(), log: this.#log(machine.name) });
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
      ends: (id) => this.checks.ends(id),
    });
    const { time, servers, hosts, images, history, counts } = this;
    const violated = (violation: Violation): void => this.violated(violation);
    const jumps = plan.faults.some(({ kind }) => kind.startsWith('clock-jump'));
    const clockError = (jumps ? 120_000 : 0) + 2 * plan.troubles.skew;
    const { truth } = this.store;
    this.checks = new Checks({
      plan,
      time,
      truth,
      servers,
      hosts,
      engines,
      receiver,
      history,
      counts,
      clockError,
      violated,
    });
    const { checks, network, chance } = this;
    const { mirror, addresses, groups } = checks;
    this.#quiet = new Quiet({
      mirror,
      servers,
      hosts,
      images,
      addresses,
      now,
      clockError,
      isFull: () => groups.isFull,
      isWarm: (host) => groups.isWarm(this.#machines.idOf(host)),
    });
    this.#callers = new Callers({ network, servers, chance, now, history, counts, checks, violated });
    const process = this.#machine('user').boot();
    this.#operator = process;
    const api = <T>(operation: string, input: object): Promise<Answer<T>> =>
      this.#callers.call(process, operation, input);
    this.#balancer = new Balancer(api, () => process.clock.sleep(2_000), plan.shifts);
    this.#groups = new GroupDays({
      api,
      wait: () => process.clock.sleep(2_000),
      chance: new Chance(plan.seed ^ 0x9e7),
      warm: new Chance(plan.seed ^ 0x3a11),
      isKind: () => this.#isKind(),
      mirror,
      checks: groups,
      machines: this.#machines,
      imageHost: images.host,
      becomes: (...given) => this.#becomes(...given),
      meanwhile: (work) => this.#meanwhile('the operator', work),
    });
    this.#approvers = new Approvers({
      mirror,
      chance: new Chance(plan.seed ^ 0xb1ce),
      stopsRolling: plan.alarms,
      api,
    });
    this.#users = new Users({
      shifts: plan.shifts,
      judged: plan.judged,
      sets: plan.sets,
      zones: plan.zones,
      alarms: plan.alarms,
      provider: plan.groups ? () => this.#groups.provider : undefined,
      addressed: new Set(plan.addressed),
      imageHost: images.host,
      api,
      push: (repository, tag, behaviour, announced) => this.#push(repository, tag, images.build(behaviour), announced),
      note: (what) => history.note('user', what),
      breakImage: (repository, tag) => {
        const digest = images.digestOf(repository, tag);
        history.note('user', () => `broke ${repository}:${tag} ${digest?.slice(-4)}`);
        if (digest !== undefined) images.break(digest);
      },
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
    const endSignals = endingSignals();
    try {
      await this.#days();
    } finally {
      this.#over = true;
      const all = [...this.servers, ...this.edges, ...new Set([...this.hosts, ...this.#machines.all])];
      for (const one of all) one.end();
      await settle();
      endSignals();
      await settle();
      for (const { machine } of all) machine.end();
      process.off('unhandledRejection', onRejection);
    }
    const { plan, history } = this;
    const counts = {
      ...this.counts,
      requests: this.checks.reach.arrived,
      stages: this.checks.stages.left,
      machines: this.#machines.all.length,
      verdicts: this.checks.judge.given,
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

  /** An operator's call, made until it is answered. */
  administer(operation: string, input: object): void {
    this.#meanwhile('the operator', async () => {
      const { kind } = await this.#callers.call(this.#operator, operation, input);
      if (kind === 'unknown') this.time.at(this.time.now() + 5_000, () => this.administer(operation, input));
    });
  }

  /** Whether nothing goes wrong any more, and nobody stands in the way of a deployment. */
  #isKind(): boolean {
    return this.time.now() > epoch + this.plan.duration;
  }

  /** People look every few seconds what waits for them. */
  #approve(): void {
    this.#meanwhile('a person', () => this.#approvers.look(this.#isKind()));
    this.time.at(this.time.now() + 7_000, () => this.#approve());
  }

  /** Alarms go on and off every few seconds, until nothing goes wrong any more. */
  #flip(): void {
    const isKind = this.#isKind();
    this.#meanwhile('an alarm', () => this.checks.alarms.flip(isKind));
    if (!isKind) this.time.at(this.time.now() + 5_000, () => this.#flip());
  }

  async #days(): Promise<void> {
    if (this.plan.alarms) {
      await this.checks.alarms.make();
      this.#flip();
    }
    for (const repository of repositories) {
      await this.#push(repository, 'prod', this.images.build(good), false);
      this.images.tag(repository, 'next', this.images.build(good));
    }
    this.images.tag('web', 'base', this.images.build(good));
    this.images.tag('job', 'once', this.images.build({ ...good, ends: { after: 5_000, code: 0 } }));
    for (const server of this.servers) server.start();
    for (const edge of this.edges) edge.start();
    if (this.plan.balanced) this.#meanwhile('the operator', () => this.#balancer.make());
    if (this.plan.groups) this.#meanwhile('the operator', () => this.#groups.make());
    for (const host of this.hosts)
      this.time.at(this.time.now() + this.chance.between(0, 2_000), () => host.startAgent());
    if (this.plan.shifts || this.plan.alarms) this.#approve();
    const faults = new FaultPlayer(this);
    for (const fault of this.plan.faults) this.time.at(epoch + fault.at, () => faults.play(fault));
    for (const action of this.plan.users) {
      this.time.at(epoch + action.at, () => {
        this.#acting += 1;
        this.#meanwhile("a user's action", () => this.#users.act(action).finally(() => (this.#acting -= 1)));
      });
    }
    if (!(await this.#until(epoch + this.plan.duration, () => false))) faults.endAll();
    if (this.#violation !== undefined) return;
    this.history.note('check', 'nothing goes wrong any more');
    const becomes = (invariant: Invariant, why: () => string | undefined): Promise<boolean> =>
      this.#becomes(invariant, settleWithin, why);
    if (!(await becomes('rejoined', () => this.#quiet.outside()))) return;
    if (!(await becomes('interrupted', () => this.#quiet.uninterrupted()))) return;
    const unready = (): string | undefined => this.checks.groups.unready(this.#machines.ids);
    if (this.plan.groups && !(await becomes('group-grows', unready))) return;
    // What a user has begun may still change a service: nobody repairs it before that is over.
    if (!(await becomes('settled', () => this.#quiet.unsettled() ?? this.#underWay()))) return;
    this.history.note('check', 'what users broke is repaired');
    this.checks.judge.repair();
    const services = [...this.checks.mirror.services.values()].filter(({ status }) => status === 'ACTIVE');
    const names = services.map(({ name, schedulingStrategy, controller }) => ({
      name,
      daemon: schedulingStrategy === 'DAEMON',
      external: controller === 'EXTERNAL',
    }));
    const chance = this.chance.fork();
    this.#meanwhile('the operator', () => this.#users.repair(chance, names));
    await this.#until(this.time.now() + 20_000, () => false);
    const within = (this.plan.shifts ? 4 : 1) * repairWithin;
    if (!(await this.#becomes('repaired', within, () => this.#quiet.unrepaired()))) return;
    if (this.plan.groups) await this.#groups.prove();
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

  /** What carries requests on a server's machine, and how it looks at targets. */
  #traffic(machine: Machine, chance: Chance, engines: SimulatedTraffic[]): ServerTraffic {
    const { network } = this;
    const probe: ServerTraffic['probe'] = (process) => simulatedProbe(process, chance, network, this.hosts);
    return this.plan.edges ? { probe } : { engine: this.#engine(machine, chance, engines), probe };
  }

  #engine(machine: Machine, chance: Chance, engines: SimulatedTraffic[]): SimulatedTraffic {
    const engine = new SimulatedTraffic({
      machine,
      time: this.time,
      chance: chance.fork(),
      sent: (from, request) => this.checks.sent(from, request),
      ...(this.plan.judged
        ? {
            crowd: {
              chance: new Chance(this.plan.seed ^ 0x10d6e ^ engines.length),
              answers: (address, port) => this.checks.judge.answers(address, port),
              carried: (request) => this.checks.judge.carried(request),
            },
          }
        : {}),
    });
    engines.push(engine);
    return engine;
  }

  #underWay(): string | undefined {
    return this.#acting === 0 ? undefined : `${this.#acting} users wait for answers`;
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
    host.linked = (id, address) => this.checks.linked(host, id, address);
    host.engine.started = (container) => this.checks.started(host, container);
    host.engine.told = (container) => this.checks.told(container);
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
