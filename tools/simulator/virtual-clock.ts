import type { Clock } from '@slipway/storage/clock';

/** What is to happen at a time. */
export interface Event {
  at: number;
  order: number;
  /** Undefined once it was called off. */
  run: (() => void) | undefined;
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

  /** Runs `run` at a time, or now when that is past. @returns calls it off */
  at(time: number, run: () => void): () => void {
    const event = this.schedule(time, run);
    return () => {
      event.run = undefined;
    };
  }

  /** The same as {@link at}. @returns what is called off by taking away what it runs */
  schedule(time: number, run: () => void): Event {
    const event: Event = { at: time, order: 0, run };
    this.put(event, time);
    return event;
  }

  /** Has an event that has just run happen again, at a later time. */
  put(event: Event, time: number): void {
    event.at = Math.max(time, this.#now);
    event.order = this.#order++;
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
      const onAbort = (): void => {
        callOff();
        reject(signal?.reason as Error);
      };
      const callOff = this.at(this.#now + ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** When the next event is due; undefined when there is none. */
  get next(): number | undefined {
    while (this.#events.length > 0 && this.#events[0]!.run === undefined) this.#take();
    return this.#events[0]?.at;
  }

  /** Runs the next event; returns false when there is none. */
  step(): boolean {
    if (this.next === undefined) return false;
    const { at, run } = this.#take();
    this.#now = at;
    run!();
    return true;
  }

  /** Runs everything up to a time, which is then now. */
  runUntil(time: number): void {
    while ((this.next ?? Infinity) <= time) this.step();
    this.#now = Math.max(this.#now, time);
  }

  /** Like {@link runUntil}, for code with promises: after the events of each moment everything that waited for them goes on first. */
  async playUntil(time: number, settle: () => Promise<void>): Promise<void> {
    for (let moment = this.next; moment !== undefined && moment <= time; moment = this.next) {
      while (this.next === moment) this.step();
      await settle();
    }
    this.#now = Math.max(this.#now, time);
  }

  #take(): Event {
    const first = this.#events[0]!;
    const last = this.#events.pop()!;
    if (this.#events.length > 0) this.#sink(last);
    return first;
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
