import type { Log } from '@slipway/auth/contract';
import { joinBalancing } from '@slipway/scheduler/balancing/remote';
import type { Chance } from './chance.ts';
import { dialed } from './dial.ts';
import type { Machine, Process } from './machine.ts';
import type { SimulatedNetwork, SimulatedSocket } from './network.ts';
import { region, type SimulatedServer } from './server.ts';
import type { SimulatedTraffic } from './traffic.ts';

/** What is no answer of an engine, or one to nothing that was asked. */
const lies = [
  'no JSON',
  '{"id":1}',
  '{"leave":"yes"}',
  '{"id":1000000,"answer":null}',
  '{"id":1,"answer":{"generation":-1}}',
];

export interface EdgePorts {
  readonly traffic: SimulatedTraffic;
  readonly network: SimulatedNetwork;
  readonly servers: readonly SimulatedServer[];
  readonly chance: Chance;
  readonly log: Log;
}

/** A host that carries the traffic of load balancers: an engine, and the real `slipway balancer` in a process that can die. */
export class Edge {
  readonly #ports: EdgePorts;
  #process: Process | undefined;
  #socket: SimulatedSocket | undefined;
  readonly #runs: AbortController[] = [];

  constructor(ports: EdgePorts) {
    this.#ports = ports;
  }

  get machine(): Machine {
    return this.#ports.traffic.machine;
  }

  start(): void {
    if (this.#process?.alive === true) return;
    const { traffic, network, servers, chance, log } = this.#ports;
    const process = this.machine.boot();
    this.#process = process;
    const over = new AbortController();
    this.#runs.push(over);
    const joined = joinBalancing(
      {
        server: 'http://slipway.test:7500',
        region,
        credentials: () => Promise.resolve({ accessKeyId: 'AKIA', secretAccessKey: 'simulated' }),
        name: this.machine.name,
        kind: 'embedded',
        open: () => Promise.resolve(traffic.open(process)),
        clock: process.clock,
        log,
        dial: async ({ name, kind }, signal) => {
          const server = chance.pick(servers);
          const socket = await dialed({
            network,
            from: process,
            server,
            signal,
            serve: (theirs, opened) => server.connectBalancer(new URLSearchParams({ name, kind }), theirs, opened),
            refused: (error) => error as Error,
          });
          socket.pause();
          this.#socket = socket;
          return socket as never;
        },
      },
      over.signal,
    );
    joined.catch((error: unknown) => log.error({ err: error }, 'the balancer ended'));
  }

  /** SIGKILL of what drives the engine; that carries on by what it knows. */
  kill(): void {
    this.#process?.kill();
  }

  /** Says to its server what it was not asked. */
  lie(): void {
    this.#socket?.send(this.#ports.chance.pick(lies));
  }

  /** See {@link SimulatedServer.end}. */
  end(): void {
    this.kill();
    for (const over of this.#runs) over.abort();
  }
}
