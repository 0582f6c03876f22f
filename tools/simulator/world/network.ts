import { EventEmitter } from 'node:events';
import type { VirtualClock } from '../virtual-clock.ts';
import type { Chance } from './chance.ts';
import type { Machine, Process } from './machine.ts';

/** How messages between machines travel; probabilities are per call, times in milliseconds. */
export interface NetworkWeather {
  latency: readonly [number, number];
  /** A call whose request or answer gets lost: the caller waits until its patience ends. */
  lost: number;
  /** A call that takes seconds. */
  slow: number;
}

/** Milliseconds after which a caller gives up on an answer. */
const patience = 15_000;
/** Milliseconds after which a connection attempt to a machine that is silent fails. */
const connectPatience = 5_000;

/** Nobody answered, or not in time: whether it happened is unknown. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** The network between machines: calls with an answer, and sockets. Each direction between two machines can be cut. */
export class SimulatedNetwork {
  readonly weather: NetworkWeather;
  readonly #time: VirtualClock;
  readonly #chance: Chance;
  readonly #cuts = new Set<string>();
  readonly #held: { readonly from: Machine; readonly to: Machine; readonly deliver: () => void }[] = [];

  constructor(time: VirtualClock, chance: Chance, weather: NetworkWeather) {
    this.#time = time;
    this.#chance = chance;
    this.weather = weather;
  }

  /** Nothing gets from one machine to the other; the way back is another cut. */
  cut(from: Machine, to: Machine): void {
    this.#cuts.add(`${from.name}>${to.name}`);
  }

  /** What was sent on a connection meanwhile arrives now. */
  join(from: Machine, to: Machine): void {
    if (!this.#cuts.delete(`${from.name}>${to.name}`)) return;
    const waiting = this.#held.filter((held) => held.from === from && held.to === to);
    for (const held of waiting) {
      this.#held.splice(this.#held.indexOf(held), 1);
      held.deliver();
    }
  }

  reaches(from: Machine, to: Machine): boolean {
    return this.#cuts.size === 0 || !this.#cuts.has(`${from.name}>${to.name}`);
  }

  /**
   * A request of one process that another one serves.
   * @param to the process that listens there when the request arrives; undefined: the connection is refused
   * @throws NoAnswer, or what `serve` throws
   */
  call<T>(
    from: Process,
    to: { readonly machine: Machine; readonly now: () => Process | undefined },
    serve: (process: Process) => Promise<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (ms: number, why: string): void => void from.after(ms, () => reject(new NoAnswer(why)));
      if (!this.reaches(from.machine, to.machine)) return fail(connectPatience, 'the connection timed out');
      const lost = this.#chance.happens(this.weather.lost);
      if (lost && this.#chance.happens(0.5)) return fail(patience, 'the request timed out');
      const extra = this.#chance.happens(this.weather.slow) ? this.#chance.between(500, 20_000) : 0;
      to.machine.at(this.#time.now() + this.#latency() + extra, () => {
        const process = to.now();
        // What comes so late still takes place; whoever asked has given up by then.
        if (extra > patience) fail(0, 'the request timed out');
        if (process === undefined) return fail(this.#latency(), 'the connection was refused');
        // A server that dies in the middle closes its connections; its callers hear that it is gone.
        const forget = process.whenDead(() => {
          if (this.reaches(to.machine, from.machine)) fail(this.#latency(), 'the connection was reset');
          else fail(patience, 'the request timed out');
        });
        const answer = (tell: () => void): void => {
          if (!process.alive) return;
          forget();
          if (lost || !this.reaches(to.machine, from.machine)) return fail(patience, 'the answer was lost');
          from.after(this.#latency(), tell);
        };
        serve(process).then(
          (value) => answer(() => resolve(value)),
          (error: unknown) => answer(() => reject(error as Error)),
        );
        return undefined;
      });
      return undefined;
    });
  }

  /** Two ends of a connection that stands; it is for the caller to find out whether it can. */
  sockets(a: Process, b: Process): readonly [SimulatedSocket, SimulatedSocket] {
    const one = new SimulatedSocket(this, a);
    const two = new SimulatedSocket(this, b);
    one.join(two, b);
    two.join(one, a);
    return [one, two];
  }

  /** Delivers something on a connection: in order, late, and held up while the way is cut. */
  carry(from: Machine, to: Machine, notBefore: number, deliver: () => void): number {
    const at = Math.max(notBefore, this.#time.now() + this.#latency());
    this.#time.at(at, () => {
      if (this.reaches(from, to)) deliver();
      else this.#held.push({ from, to, deliver });
    });
    return at;
  }

  #latency(): number {
    return this.#chance.between(...this.weather.latency);
  }
}

/** One end of a simulated WebSocket, with what the control plane and the agent use of `ws`. */
export class SimulatedSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState: 1 | 2 | 3 = 1;
  readonly #network: SimulatedNetwork;
  readonly #process: Process;
  #other: { readonly socket: SimulatedSocket; readonly process: Process } | undefined;
  /** What came while nobody listened; undefined while somebody does. */
  #waiting: (() => void)[] | undefined;
  #lastArrival = 0;

  constructor(network: SimulatedNetwork, process: Process) {
    super();
    this.#network = network;
    this.#process = process;
  }

  /** Says where the other end is; nothing is sent before that. */
  join(peer: SimulatedSocket, process: Process): void {
    this.#other = { socket: peer, process };
    // The kernel of a machine whose process died says so to the other end.
    this.#process.whenDead(() => {
      if (this.readyState === 3) return;
      this.readyState = 3;
      this.#carry((far) => far.#closed(1006));
    });
  }

  pause(): void {
    this.#waiting ??= [];
  }

  resume(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const tell of waiting) tell();
  }

  send(text: string): void {
    if (!this.#process.alive || this.readyState !== 1) return;
    this.#carry((far) => void far.#take('message', Buffer.from(text), false));
  }

  ping(): void {
    if (!this.#process.alive || this.readyState !== 1) return;
    this.#carry((far) => {
      if (far.#take('ping')) far.#carry(() => void this.#take('pong'));
    });
  }

  close(code = 1000): void {
    if (!this.#process.alive || this.readyState !== 1) return;
    this.readyState = 2;
    this.#carry((far) => {
      far.#closed(code);
      far.#carry(() => this.#closed(code));
    });
  }

  terminate(): void {
    if (!this.#process.alive || this.readyState === 3) return;
    this.#carry((far) => far.#closed(1006));
    this.#closed(1006);
  }

  #carry(deliver: (far: SimulatedSocket) => void): void {
    if (this.#other === undefined) return;
    const { socket, process } = this.#other;
    const { machine } = this.#process;
    this.#lastArrival = this.#network.carry(machine, process.machine, this.#lastArrival, () => deliver(socket));
  }

  #take(event: 'message' | 'ping' | 'pong', ...given: unknown[]): boolean {
    if (!this.#process.alive || this.readyState === 3) return false;
    this.#process.soon(() => this.#tell(event, ...given));
    return true;
  }

  #tell(event: string, ...given: unknown[]): void {
    const tell = (): void => void this.emit(event, ...given);
    if (this.#waiting === undefined) tell();
    else this.#waiting.push(tell);
  }

  #closed(code: number): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#process.soon(() => void this.emit('close', code, Buffer.alloc(0)));
  }
}
