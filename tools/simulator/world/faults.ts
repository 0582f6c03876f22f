import { reclaimNotice } from '@slipway/scheduler/tasks';
import { Chance } from './chance.ts';
import type { Edge } from './edge.ts';
import type { SimulatedHost } from './host.ts';
import type { Fault } from './plan.ts';
import type { SimulatedServer } from './server.ts';
import type { World } from './world.ts';

/** From and to, milliseconds. */
type Range = readonly [number, number];

/** Carries out the faults of a plan and mends each after its time. */
export class FaultPlayer {
  readonly #world: World;
  readonly #pending = new Set<() => void>();
  /** Instances whose agents lost their data: they never come back. */
  readonly #gone = new Set<string>();
  /** ARNs of instances that an operator deregistered though their hosts were well. */
  readonly #deregistered = new Set<string>();
  /** What a range of a weather was at first, and what faults that last have made of it. */
  readonly #spells = new Map<string, Range[]>();
  #over = false;

  constructor(world: World) {
    this.#world = world;
  }

  play(fault: Fault): void {
    if (this.#over) return;
    const { history, counts, time } = this.#world;
    const mend = this.#begin(fault);
    if (mend === undefined) return;
    counts.faults += 1;
    history.note('fault', () => `${fault.kind} of ${this.#target(fault)} for ${(fault.lasts / 1000).toFixed(1)} s`);
    const end = (): void => {
      if (!this.#pending.delete(end)) return;
      history.note('fault', () => `${fault.kind} of ${this.#target(fault)} is over`);
      mend();
    };
    this.#pending.add(end);
    time.at(time.now() + fault.lasts, end);
  }

  /** Mends everything: from now on nothing goes wrong. */
  endAll(): void {
    this.#over = true;
    for (const end of this.#pending) end();
    const { servers, hosts, storeWeather, networkWeather } = this.#world;
    Object.assign(storeWeather, { unknownOutcome: 0, crash: 0, eventsLost: false });
    Object.assign(networkWeather, { lost: 0, slow: 0 });
    for (const host of hosts)
      Object.assign(host.engine.weather, { error: 0, answerLost: 0, eventLost: 0, lies: 0, diskFull: false });
    for (const server of servers) server.start();
    for (const host of hosts) host.on();
    for (const edge of this.#world.edges) edge.start();
    // Once more, for what the store may have lost since.
    this.#world.time.at(this.#world.time.now() + 5_000, () => this.#deregister(...this.#gone, ...this.#backAgain()));
  }

  /** What the operator deregistered, whose host has joined anew since, and that a store which lost commits has again. */
  #backAgain(): string[] {
    const { hosts, checks } = this.#world;
    const current = new Set(hosts.map(({ registered }) => registered));
    return [...this.#deregistered].filter((arn) => {
      const status = checks.mirror.instances.get(arn.slice(arn.lastIndexOf('/') + 1))?.status;
      return !current.has(arn) && status !== undefined && status !== 'INACTIVE';
    });
  }

  #server({ target }: Fault): SimulatedServer {
    const { servers } = this.#world;
    return servers[target % servers.length]!;
  }

  #host({ target }: Fault): SimulatedHost {
    const { hosts } = this.#world;
    return hosts[target % hosts.length]!;
  }

  #edge({ target }: Fault): Edge | undefined {
    const { edges } = this.#world;
    return edges[target % edges.length];
  }

  #target(fault: Fault): string {
    return `${this.#server(fault).name} or ${this.#host(fault).name}`;
  }

  /** @returns what mends it; undefined when there is nothing to do */
  #begin(fault: Fault): (() => void) | undefined {
    const world = this.#world;
    const server = this.#server(fault);
    const host = this.#host(fault);
    const chance = new Chance(fault.seed);
    const machines = world.servers.map(({ machine }) => machine);
    switch (fault.kind) {
      case 'server-crash':
      case 'server-restart':
        server.kill();
        return () => server.start();
      case 'agent-crash':
        host.killAgent();
        return () => host.startAgent();
      case 'host-off':
      case 'host-reboot':
        host.off();
        return () => host.on();
      case 'pause-server':
        server.machine.pause(fault.lasts);
        return () => {};
      case 'pause-host':
        host.machine.pause(fault.lasts);
        return () => {};
      case 'clock-jump-server':
        return this.#jump(server.machine, chance);
      case 'clock-jump-host':
        return this.#jump(host.machine, chance);
      case 'partition':
        world.network.cut(server.machine, host.machine);
        world.network.cut(host.machine, server.machine);
        return () => {
          world.network.join(server.machine, host.machine);
          world.network.join(host.machine, server.machine);
        };
      case 'partition-one-way': {
        const [from, to] = chance.happens(0.5) ? [server.machine, host.machine] : [host.machine, server.machine];
        world.network.cut(from, to);
        return () => world.network.join(from, to);
      }
      case 'store-cut':
        world.store.cut(server.machine);
        return () => world.store.join(server.machine);
      case 'store-answers-lost':
        world.store.silence(server.machine);
        return () => world.store.join(server.machine);
      case 'stale-server':
        world.store.delay(server.machine, [chance.between(1_000, 5_000), chance.between(5_000, 25_000)]);
        world.checks.lagUntil(world.time.now() + fault.lasts);
        return () => world.store.delay(server.machine, undefined);
      case 'store-down':
        world.store.stop(machines);
        return () => world.store.start(machines);
      case 'store-rewind': {
        const restore = world.store.checkpoint();
        world.time.at(world.time.now() + Math.min(fault.lasts, 1_500), () => {
          restore();
          void world.checks.rewound();
        });
        return () => {};
      }
      case 'feed-lag':
        world.checks.lagUntil(world.time.now() + fault.lasts);
        return this.#spell(world.storeWeather, 'feedLag', [chance.between(50, 500), chance.between(500, 8_000)]);
      case 'slow-network':
        return this.#spell(world.networkWeather, 'latency', [chance.between(5, 50), chance.between(50, 1_500)]);
      case 'engine-down':
      case 'engine-restart':
        host.engine.stop(fault.kind === 'engine-down');
        return () => host.engine.start();
      case 'engine-errors': {
        const { weather } = host.engine;
        Object.assign(weather, { error: chance.between(0.01, 0.3), answerLost: chance.between(0, 0.2) });
        return () => Object.assign(weather, { error: 0, answerLost: 0 });
      }
      case 'engine-forgets': {
        const ids = [...host.engine.containers.keys()];
        if (ids.length === 0) return undefined;
        const id = chance.pick(ids);
        this.#world.checks.reach.broken(host.engine.containers.get(id)!);
        host.engine.forget(id);
        return () => {};
      }
      case 'agent-data-lost': {
        const arn = host.loseData();
        host.startAgent();
        if (arn === undefined) return () => {};
        this.#gone.add(arn);
        // What the host list and slipway doctor tell the operator to do.
        return () => this.#deregister(arn);
      }
      case 'host-deregistered': {
        const { registered } = host;
        if (registered === undefined) return undefined;
        this.#deregistered.add(registered);
        this.#deregister(registered);
        if (chance.happens(0.4)) return () => {};
        for (const { machine } of world.servers) {
          world.network.cut(machine, host.machine);
          world.network.cut(host.machine, machine);
        }
        return () => {
          for (const { machine } of world.servers) {
            world.network.join(machine, host.machine);
            world.network.join(host.machine, machine);
          }
        };
      }
      case 'host-reclaimed': {
        // Only those that were there from the start may be taken back.
        const spot = world.hosts[fault.target % world.plan.hosts]!;
        const { registered } = spot;
        if (registered === undefined) return undefined;
        const [, cluster = '', id = ''] = registered.split('/');
        world.administer(`/slipway/hosts/${cluster}/${id}/reclaim`, {});
        let stays = false;
        world.time.at(world.time.now() + reclaimNotice, () => {
          if (!stays) spot.off();
        });
        return () => {
          stays = true;
          spot.on();
        };
      }
      case 'traffic-ends':
      case 'traffic-silent': {
        const engine = world.traffic[fault.target % world.traffic.length];
        if (engine === undefined) return undefined;
        if (fault.kind === 'traffic-ends') {
          engine.end();
          return () => {};
        }
        engine.silence(true);
        return () => engine.silence(false);
      }
      case 'edge-crash': {
        const edge = this.#edge(fault);
        edge?.kill();
        return edge && (() => edge.start());
      }
      case 'edge-cut': {
        const edge = this.#edge(fault);
        if (edge === undefined) return undefined;
        const [hears, says] = chance.pick([
          [true, true],
          [true, false],
          [false, true],
        ] as const);
        for (const machine of machines) {
          if (hears) world.network.cut(machine, edge.machine);
          if (says) world.network.cut(edge.machine, machine);
        }
        return () => {
          for (const machine of machines) {
            if (hears) world.network.join(machine, edge.machine);
            if (says) world.network.join(edge.machine, machine);
          }
        };
      }
      case 'edge-lies': {
        const edge = this.#edge(fault);
        edge?.lie();
        return edge && (() => edge.lie());
      }
      case 'disk-full':
        host.disk.full = true;
        host.engine.weather.diskFull = true;
        return () => {
          host.disk.full = false;
          host.engine.weather.diskFull = false;
        };
    }
  }

  /** Sets a range of a weather. Of several faults that overlap the newest counts; after the last one the weather is as it was. */
  #spell<Name extends string>(weather: Record<Name, Range>, name: Name, range: Range): () => void {
    const spells = this.#spells.get(name) ?? [weather[name]];
    this.#spells.set(name, spells);
    spells.push(range);
    weather[name] = range;
    return () => {
      spells.splice(spells.indexOf(range), 1);
      weather[name] = spells.at(-1)!;
    };
  }

  #deregister(...arns: readonly string[]): void {
    for (const containerInstance of arns)
      this.#world.administer('DeregisterContainerInstance', { containerInstance, force: true });
  }

  #jump(machine: { jump(ms: number): void }, chance: Chance): () => void {
    const ms = chance.between(-120_000, 120_000);
    machine.jump(ms);
    return () => machine.jump(-ms);
  }
}
