import type { Clock, Nap } from '@slipway/storage/clock';
import type { VirtualClock } from '../virtual-clock.ts';

/** A machine of the simulated installation: its own clocks, and processes that come and go on it. */
export class Machine {
  readonly name: string;
  readonly #time: VirtualClock;
  readonly #rate: number;
  #offset: number;
  #resumesAt = 0;
  #jumpedAt = -Infinity;
  readonly #booted: Process[] = [];

  /**
   * @param offset milliseconds by which its wall clock is ahead of true time
   * @param rate how fast its monotonic clock goes, about 1
   */
  constructor(name: string, time: VirtualClock, offset: number, rate: number) {
    this.name = name;
    this.#time = time;
    this.#offset = offset;
    this.#rate = rate;
  }

  /** Moves the wall clock, as an administrator or a time server does. */
  jump(ms: number): void {
    this.#offset += ms;
    this.#jumpedAt = this.#time.now();
  }

  /** Whether the wall clock was moved within the last true milliseconds. */
  jumpedSince(ms: number): boolean {
    return this.#time.now() - this.#jumpedAt < ms;
  }

  /** Nothing on this machine runs for a while: a stopped virtual machine, a swap storm, a long garbage collection. */
  pause(ms: number): void {
    this.#resumesAt = Math.max(this.#resumesAt, this.#time.now() + ms);
  }

  boot(): Process {
    const process = new Process(this, `${this.name}#${this.#booted.length + 1}`, this.#time);
    this.#booted.push(process);
    return process;
  }

  /** The world has ended: nobody who sleeps here hears any signal again. */
  end(): void {
    for (const process of this.#booted) process.end();
  }

  /** In whole milliseconds, as `Date.now()`. */
  wall(): number {
    return Math.floor(this.#time.now() + this.#offset);
  }

  monotonic(): number {
    return this.#time.monotonic() * this.#rate;
  }

  /** True milliseconds for what this machine believes to be `ms`; no timer is shorter than one, as in Node. */
  trueMs(ms: number): number {
    return Math.max(1, ms) / this.#rate;
  }

  /** Whether what arrives now must wait until the machine goes on. */
  get paused(): boolean {
    return this.#time.now() < this.#resumesAt;
  }

  /**
   * Runs something here at a true time, or as soon as the machine goes on after that.
   * @param process in which it runs, unless that is dead by then
   * @returns calls it off
   */
  at(time: number, run: () => void, process?: Process): () => void {
    const event = this.#time.schedule(time, () => {
      if (this.paused) this.#time.put(event, this.#resumesAt);
      else if (process?.alive !== false) run();
    });
    return () => {
      event.run = undefined;
    };
  }
}

/**
 * One run of a program on a machine. Everything that reaches it from outside comes through {@link at}: once it is killed, nothing
 * does any more, and what it waits for never comes. So a crash happens exactly between two steps of its code.
 */
export class Process {
  readonly name: string;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly #time: VirtualClock;
  #alive = true;
  /** The world has ended: nobody is woken any more. */
  #over = false;
  readonly #onDeath = new Set<() => void>();
  /** Takes those who sleep off the signals that would wake them. */
  readonly #deafen = new Set<() => void>();

  constructor(machine: Machine, name: string, time: VirtualClock) {
    this.machine = machine;
    this.name = name;
    this.#time = time;
    this.clock = {
      now: () => machine.wall(),
      monotonic: () => machine.monotonic(),
      sleep: (ms, signal) => this.#sleep(ms, signal),
      nap: (ms) => this.#nap(ms),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Ends it as SIGKILL does. */
  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    const all = [...this.#onDeath];
    this.#onDeath.clear();
    for (const tell of all) tell();
  }

  /** See {@link Machine.end}. */
  end(): void {
    this.kill();
    this.#over = true;
    for (const deafen of this.#deafen) deafen();
    this.#deafen.clear();
  }

  /**
   * What the world outside does when this process is gone: close its connections.
   * @returns forgets it: what is over must not wait in memory for a death that may never come
   */
  whenDead(tell: () => void): () => void {
    if (this.#alive) this.#onDeath.add(tell);
    else tell();
    return () => void this.#onDeath.delete(tell);
  }

  /** Runs something in this process at a true time, unless it is dead by then. @returns calls it off */
  at(time: number, run: () => void): () => void {
    return this.machine.at(time, run, this);
  }

  /** Runs something in this process as soon as the machine goes on, which mostly is now. */
  soon(run: () => void): void {
    if (this.machine.paused) this.after(0, run);
    else if (this.#alive) run();
  }

  /** Runs something in this process after true milliseconds. */
  after(ms: number, run: () => void): () => void {
    return this.at(this.#time.now() + ms, run);
  }

  #nap(ms: number): Nap {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const callOff = this.after(this.machine.trueMs(ms), resolve);
    return {
      over,
      wake: () => {
        if (this.#over) return;
        callOff();
        resolve();
      },
    };
  }

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => {
        this.#deafen.delete(deafen);
        callOff();
        reject(signal?.reason as Error);
      };
      const deafen = (): void => signal?.removeEventListener('abort', onAbort);
      const callOff = this.after(this.machine.trueMs(ms), () => {
        this.#deafen.delete(deafen);
        deafen();
        resolve();
      });
      if (signal === undefined) return;
      this.#deafen.add(deafen);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
