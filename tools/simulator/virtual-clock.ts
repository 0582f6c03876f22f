import type { Clock } from '@slipway/storage/clock';

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Time that moves only when it is told to: events run in order of time, then in the order in which they were scheduled. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #start: number;
  #order = 0;
  /** A binary heap: the earliest event first. */
  readonly #events: Event[] = [];

  /** `start` is milliseconds since the epoch. */
  constructor(start = 0) {
    this.#now = start;
    this.#start = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  /** Runs `run` at a time, or now when that is past. */
  at(time: number, run: () => void): void {
    const event = { at: Math.max(time, this.#now), order: this.#order++, run };
    let index = this.#events.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >>> 1;
      if (before(this.#events[parent]!, event)) break;
      this.#events[index] = this.#events[parent]!;
      index = parent;
    }
    this.#events[index] = event;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => reject(signal?.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.at(this.#now + ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  /** Runs the next event; returns false when there is none. */
  step(): boolean {
    const [first] = this.#events;
    const last = this.#events.pop();
    if (first === undefined || last === undefined) return false;
    if (this.#events.length > 0) this.#sink(last);
    this.#now = first.at;
    first.run();
    return true;
  }

  /** Runs everything up to a time, which is then now. */
  runUntil(time: number): void {
    while ((this.#events[0]?.at ?? Infinity) <= time) this.step();
    this.#now = Math.max(this.#now, time);
  }

  #sink(event: Event): void {
    const events = this.#events;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= events.length) break;
      if (child + 1 < events.length && before(events[child + 1]!, events[child]!)) child++;
      if (!before(events[child]!, event)) break;
      events[index] = events[child]!;
      index = child;
    }
    events[index] = event;
  }
}

const before = (left: Event, right: Event): boolean =>
  left.at < right.at || (left.at === right.at && left.order < right.order);
