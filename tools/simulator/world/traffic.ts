import {
  addCounts,
  type Applied,
  type Counts,
  latencyClass,
  noCounts,
  type Observation,
  type TrafficEngine,
} from '@slipway/scheduler/balancing/engines';
import type { VirtualClock } from '../virtual-clock.ts';
import type { Chance } from './chance.ts';
import { type Carried, type Quality, slowFrom } from './judge-checks.ts';
import type { Machine, Process } from './machine.ts';

type DesiredState = Parameters<TrafficEngine['apply']>[0];

/** One request, as it leaves an engine for a target. */
export interface Sent {
  readonly registrationId: string;
  readonly address: string;
  readonly port: number;
}

export interface TrafficPorts {
  readonly machine: Machine;
  readonly time: VirtualClock;
  readonly chance: Chance;
  /** A request arrives at its target. */
  readonly sent: (from: SimulatedTraffic, request: Sent) => void;
  /** Where steps are judged: clients in numbers, whose answers are counted; with a chance of its own, so that other days stay as they are. */
  readonly crowd?: {
    readonly chance: Chance;
    readonly answers: (address: string, port: number) => Quality | undefined;
    readonly carried: (request: Carried) => void;
  };
}

/** Requests of a listener's clients at once. */
const crowdSize = 120;

/** A process of the engine that carries connections; one that is leaving knows nothing new. */
interface Worker {
  desired: DesiredState;
  readonly inFlight: Map<string, number>;
  leaving: boolean;
}

/**
 * The traffic engine of one machine in virtual time, with clients that ask it. Its processes outlive the server that tells it what to do.
 * Some states make a new process that serves new connections, and the old one goes on for a while by what it knew, as HAProxy's do.
 */
export class SimulatedTraffic {
  readonly machine: Machine;
  /** When its server last looked at it: true time. */
  seenAt = -Infinity;
  readonly #ports: TrafficPorts;
  readonly #counts = new Map<string, Counts>();
  #workers: Worker[] = [];
  #asking = false;
  /** Whether it carries on and answers nobody who drives it. */
  #silent = false;

  constructor(ports: TrafficPorts) {
    this.machine = ports.machine;
    this.#ports = ports;
  }

  /** How many requests are under way at a target. */
  inFlight(registrationId: string): number {
    return this.#workers.reduce((sum, { inFlight }) => sum + (inFlight.get(registrationId) ?? 0), 0);
  }

  /** Its processes end: what they carried is lost, and they know nothing before they are told anew. */
  end(): void {
    this.#workers = [];
    this.#counts.clear();
  }

  /** It goes on by what it knows and answers nobody who drives it, or does so again. */
  silence(silent: boolean): void {
    this.#silent = silent;
  }

  /** The engine as a server's process reaches it. */
  open(process: Process): TrafficEngine {
    const { chance } = this.#ports;
    const answer = async <T>(work: () => T): Promise<T> => {
      if (this.#silent) throw new Error('no answer');
      return work();
    };
    const call = <T>(work: () => T): Promise<T> =>
      new Promise((resolve) => process.after(chance.between(1, 60), () => resolve(answer(work))));
    return {
      kind: 'embedded',
      apply: (desired) => call(() => this.#apply(desired)),
      observe: () => call(() => this.#observe()),
      close: () => Promise.resolve(),
      stop: () =>
        call(() => {
          this.#workers = [];
        }),
    };
  }

  #apply(desired: DesiredState): Applied {
    const { chance, time } = this.#ports;
    const newest = this.#newest();
    if (newest === undefined || newest.desired.generation < desired.generation) {
      if (newest !== undefined && chance.happens(0.7)) newest.desired = desired;
      else {
        const worker: Worker = { desired, inFlight: new Map(), leaving: false };
        this.#workers.push(worker);
        // Now and then it begins to count anew, as a process that was ended and started does.
        if (this.#ports.crowd?.chance.happens(0.2) === true) this.#counts.clear();
        if (newest !== undefined) {
          newest.leaving = true;
          // It takes no new clients, and those that it has are gone after a while; what it still carries ends before.
          this.machine.at(time.now() + chance.between(100, 6_000), () => this.#leave(newest));
        }
      }
    }
    this.#ask();
    const { generation, listeners } = this.#newest()?.desired ?? desired;
    return { generation, listeners: new Map(listeners.map(({ id }) => [id, { bound: true }])) };
  }

  #leave(worker: Worker): void {
    const carries = [...worker.inFlight.values()].some((count) => count > 0);
    if (carries) this.machine.at(this.#ports.time.now() + 100, () => this.#leave(worker));
    else this.#workers = this.#workers.filter((one) => one !== worker);
  }

  #observe(): Observation {
    const { time } = this.#ports;
    this.seenAt = time.now();
    const newest = this.#newest();
    if (newest === undefined) throw new Error('it was told nothing yet');
    const { generation, listeners, targetGroups } = newest.desired;
    const ids = new Set([...this.#workers.flatMap(({ inFlight }) => [...inFlight.keys()]), ...this.#counts.keys()]);
    const groupOf = (id: string): string =>
      targetGroups.find(({ targets }) => targets.some(({ registrationId }) => registrationId === id))?.id ?? '';
    return {
      generation,
      oldestServing: Math.min(...this.#workers.map(({ desired }) => desired.generation)),
      targets: [...ids].map((registrationId) => ({
        targetGroupId: groupOf(registrationId),
        registrationId,
        inFlight: this.inFlight(registrationId),
        counts: this.#counts.get(registrationId) ?? noCounts,
      })),
      listeners: listeners.map(({ id }) => ({
        id,
        result: { bound: true },
        activeConnections: 0,
        newConnections: 0,
        requests: 0,
      })),
      loadBalancers: [],
    };
  }

  #newest(): Worker | undefined {
    return this.#workers.findLast(({ leaving }) => !leaving);
  }

  /** Clients ask for as long as there is anything to ask. */
  #ask(): void {
    if (this.#asking) return;
    this.#asking = true;
    const { chance, time } = this.#ports;
    const next = (): void => {
      for (const worker of this.#workers)
        if (!worker.leaving || chance.happens(0.5))
          for (const { id } of worker.desired.targetGroups) this.#request(worker, id);
      for (const worker of this.#workers) if (!worker.leaving) this.#carry(worker);
      if (this.#workers.length === 0) this.#asking = false;
      else this.machine.at(time.now() + chance.between(150, 900), next);
    };
    this.machine.at(time.now() + chance.between(0, 300), next);
  }

  /** What clients in numbers get, by the weights that a process knows. */
  #carry({ desired }: Worker): void {
    const { crowd } = this.#ports;
    if (crowd === undefined) return;
    const { chance } = crowd;
    for (const { defaultAction } of desired.listeners) {
      if (defaultAction.kind !== 'forward') continue;
      const all = defaultAction.targetGroups.reduce((sum, { weight }) => sum + weight, 0);
      for (let request = 0; request < crowdSize && all > 0; request++) {
        let left = chance.number() * all;
        const to = defaultAction.targetGroups.find(({ weight }) => (left -= weight) < 0);
        const up = desired.targetGroups.find(({ id }) => id === to?.id)?.targets.filter(({ state }) => state === 'up');
        if (to === undefined || up === undefined || up.length === 0) continue;
        const { registrationId, address, port } = chance.pick(up);
        const quality = crowd.answers(address, port);
        // A host that went away is nothing that its revision did: other invariants are about that.
        if (quality === undefined) continue;
        const failed = quality === 'failing' && chance.happens(0.4);
        const seconds = quality === 'slow' && chance.happens(0.6) ? 2 * slowFrom : 0.02;
        this.#count(registrationId, failed, seconds);
        crowd.carried({ groupId: to.id, percent: (to.weight * 100) / all });
      }
    }
  }

  #count(registrationId: string, failed: boolean, seconds: number): void {
    const classes = noCounts.latency.classes.map((_, place) => (place === latencyClass(seconds) ? 1 : 0));
    this.#counts.set(
      registrationId,
      addCounts(this.#counts.get(registrationId) ?? noCounts, {
        ...noCounts,
        requests: 1,
        codes: failed ? [0, 0, 0, 1] : [1, 0, 0, 0],
        latency: { classes, seconds },
      }),
    );
  }

  #request(worker: Worker, groupId: string): void {
    const { chance, time, sent } = this.#ports;
    const group = worker.desired.targetGroups.find(({ id }) => id === groupId);
    const up = group?.targets.filter(({ state }) => state === 'up') ?? [];
    if (up.length === 0) return;
    const { registrationId, address, port } = chance.pick(up);
    const lasts = chance.happens(0.8) ? chance.between(2, 80) : chance.between(80, 4_000);
    worker.inFlight.set(registrationId, (worker.inFlight.get(registrationId) ?? 0) + 1);
    sent(this, { registrationId, address, port });
    this.machine.at(time.now() + lasts, () => {
      const left = (worker.inFlight.get(registrationId) ?? 1) - 1;
      if (left > 0) worker.inFlight.set(registrationId, left);
      else worker.inFlight.delete(registrationId);
    });
  }
}
