import { type Clock, waitAtMost } from '@slipway/storage/clock';

/** Milliseconds that changes are collected before services are looked at. */
const gather = 2;

/**
 * Milliseconds for which a service rests after a pass, for each thing that the pass looked at. What a pass costs grows with the service;
 * this keeps its share of a processor the same, so that a rollout of twice the tasks costs twice, not four times. A small service is
 * looked at again at once, one of a thousand tasks ten times a second.
 */
const restPerLook = 0.1;

/** When to look at which service. Everything in it is a hint: what is forgotten comes again with the next look at all services. */
export class Agenda {
  readonly #clock: Clock;
  readonly #dirty = new Set<string>();
  /** Services that something happened to while they rest, and until when, on the monotonic clock. */
  readonly #resting = new Map<string, number>();
  /** The services' own times, milliseconds since the epoch. */
  readonly #wakeAt = new Map<string, number>();
  #ring: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Services that wait to be looked at. */
  get size(): number {
    return this.#dirty.size;
  }

  /** Something happened to the service. */
  touch(name: string): void {
    this.#dirty.add(name);
    if (!this.#resting.has(name)) this.#ring();
  }

  /** The service asks to be looked at, at this time. */
  wake(name: string, at: number): void {
    this.#wakeAt.set(name, at);
  }

  /** The service has been looked at, at so many things: what happens to it next can wait a little. */
  rest(name: string, looks: number): void {
    this.#resting.set(name, this.#clock.monotonic() + Math.ceil(looks * restPerLook));
  }

  clear(): void {
    for (const names of [this.#dirty, this.#resting, this.#wakeAt]) names.clear();
  }

  /** Takes up to so many services whose time has come. */
  take(atMost: number): string[] {
    const now = this.#clock.now();
    for (const [name, at] of this.#wakeAt) {
      if (at > now) continue;
      this.#wakeAt.delete(name);
      this.#dirty.add(name);
    }
    const monotonic = this.#clock.monotonic();
    for (const [name, until] of this.#resting) if (until <= monotonic) this.#resting.delete(name);
    const names: string[] = [];
    for (const name of this.#dirty) {
      if (names.length === atMost) break;
      if (!this.#resting.has(name)) names.push(name);
    }
    for (const name of names) {
      this.#dirty.delete(name);
      this.#wakeAt.delete(name);
    }
    return names;
  }

  /** Waits until a service's time comes, something happens, or so many milliseconds are over. */
  async wait(atMost: number, signal: AbortSignal): Promise<void> {
    let rang = false;
    const listen = (wake: () => void): void => {
      this.#ring = () => {
        rang = true;
        wake();
      };
    };
    // Whole milliseconds: of a fraction too small to be slept there would be no end.
    const ms = Math.ceil(Math.max(0, Math.min(atMost, this.#untilNext())));
    await waitAtMost(ms, listen, this.#clock, signal);
    this.#ring = () => {};
    if (rang && !signal.aborted) await this.#clock.sleep(gather, signal).catch(() => {});
  }

  #untilNext(): number {
    let next = Infinity;
    for (const at of this.#wakeAt.values()) next = Math.min(next, at - this.#clock.now());
    // What a resting service is touched for rings no bell: it is looked at when the rest is over.
    for (const until of this.#resting.values()) next = Math.min(next, until - this.#clock.monotonic());
    for (const name of this.#dirty) if (!this.#resting.has(name)) return 0;
    return next;
  }
}
