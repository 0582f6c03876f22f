import {
  type InstanceProvider,
  type MachineSpec,
  type ProvidedMachine,
  ProviderError,
} from '@slipway/scheduler/scaling/providers';
import type { VirtualClock } from '../virtual-clock.ts';
import type { Chance } from './chance.ts';
import type { SimulatedHost } from './host.ts';
import type { Process } from './machine.ts';

/** Milliseconds from the request for a machine to its agent's start, at the most, where nothing goes wrong. */
export const startsWithin = 38_000;

export interface MachinesPorts {
  readonly time: VirtualClock;
  readonly chance: Chance;
  /** The hosts of the installation: machines come to them when they start, and leave them when they are ended. */
  readonly hosts: SimulatedHost[];
  /** Whether nothing goes wrong any more. */
  readonly isKind: () => boolean;
  /** Makes the host that a machine is, switched off as yet. */
  readonly host: (number: number, spec: MachineSpec) => SimulatedHost;
  /** Told before a machine goes. */
  readonly ends: (id: string) => void;
}

interface Made {
  readonly spec: MachineSpec;
  readonly host: SimulatedHost;
  stopped: boolean;
  /** Calls off that it starts for the first time. */
  unborn?: () => void;
}

/** What makes machines that become hosts, and ends them: slowly; on bad days it refuses, hangs, and makes some that never join. */
export class SimulatedMachines {
  readonly #ports: MachinesPorts;
  readonly #made = new Map<string, Made>();
  /** How likely each thing goes wrong, for the whole of a day. */
  readonly #refuses: number;
  readonly #hangs: number;
  readonly #mute: number;
  /** Every host that there ever was. */
  readonly all: SimulatedHost[] = [];

  constructor(ports: MachinesPorts) {
    this.#ports = ports;
    const { chance } = ports;
    this.#refuses = chance.pick([0, 0.1, 0.4]);
    this.#hangs = chance.pick([0, 0.1]);
    this.#mute = chance.pick([0, 0.1, 0.3]);
  }

  /** Ids of the machines that there are. */
  get ids(): ReadonlySet<string> {
    return new Set(this.#made.keys());
  }

  /** The machine that a host is; undefined for one that no group has made. */
  idOf(host: SimulatedHost): string | undefined {
    return [...this.#made.values()].find((made) => made.host === host)?.spec.id;
  }

  /** The provider as a process of a server asks it. */
  provider(process: Process): InstanceProvider {
    return {
      name: 'simulated',
      launch: (spec, signal) => this.#ask(process, signal, () => this.#make(spec)),
      rests: ['Stopped'],
      stop: (id, _owner, _rest, signal) => this.#ask(process, signal, () => this.#stop(id)),
      start: (id, _owner, signal) => this.#ask(process, signal, () => this.#start(id)),
      terminate: (id, _owner, signal) => this.#ask(process, signal, () => this.#end(id)),
      list: (owner, signal) =>
        this.#ask(process, signal, () =>
          [...this.#made.values()].flatMap(({ spec }): ProvidedMachine[] =>
            spec.owner === owner ? [{ id: spec.id, owner }] : [],
          ),
        ),
    };
  }

  /** Does what is asked for after a while, whoever still waits for the answer. */
  #ask<T>(process: Process, signal: AbortSignal, work: () => T): Promise<T> {
    const { time, chance } = this.#ports;
    const hangs = this.#happens(this.#hangs);
    const refuses = hangs || this.#happens(this.#refuses);
    // What is refused may have been done.
    const does = !refuses || chance.happens(0.3);
    const takes = hangs ? chance.between(30_000, 180_000) : chance.between(300, 8_000);
    return new Promise((resolve, reject) => {
      time.at(time.now() + takes, () => {
        const done = does ? work() : undefined;
        process.soon(() =>
          refuses ? reject(new ProviderError('there are no more machines of this kind')) : resolve(done as T),
        );
      });
      signal.addEventListener('abort', () => reject(new ProviderError('nobody waits for it any more')), { once: true });
    });
  }

  #happens(probability: number): boolean {
    return !this.#ports.isKind() && this.#ports.chance.happens(probability);
  }

  #make(spec: MachineSpec): void {
    const { time, chance, hosts } = this.#ports;
    if (this.#made.has(spec.id)) return;
    const host = this.#ports.host(this.all.length, spec);
    this.all.push(host);
    const made: Made = { spec, host, stopped: false };
    this.#made.set(spec.id, made);
    if (this.#happens(this.#mute)) return;
    made.unborn = time.at(time.now() + chance.between(2_000, startsWithin - 8_000), () => {
      hosts.push(host);
      host.startAgent();
    });
  }

  #start(id: string): void {
    const made = this.#made.get(id);
    const { hosts } = this.#ports;
    if (made?.stopped !== true) return;
    made.stopped = false;
    hosts.push(made.host);
    made.host.on();
  }

  #stop(id: string): void {
    const made = this.#made.get(id);
    const { hosts } = this.#ports;
    if (made === undefined) return;
    this.#ports.ends(id);
    made.unborn?.();
    made.stopped = true;
    made.host.off();
    if (hosts.includes(made.host)) hosts.splice(hosts.indexOf(made.host), 1);
  }

  #end(id: string): void {
    const made = this.#made.get(id);
    if (made === undefined) return;
    this.#ports.ends(id);
    made.unborn?.();
    this.#made.delete(id);
    made.host.retire();
    const { hosts } = this.#ports;
    if (hosts.includes(made.host)) hosts.splice(hosts.indexOf(made.host), 1);
  }
}
