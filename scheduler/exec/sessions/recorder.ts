import { StringDecoder } from 'node:string_decoder';

import { AwsError } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';

import { LogsThrottled, type NewLogEvent, type Shipment } from '../../signals/logs/index.ts';

/** Keeps what a session writes. */
export interface Recorder {
  /** Takes output in; while {@link isFull} nothing more should come. */
  write(bytes: Buffer): void;
  /** Whether so much waits to be stored that no more output may come. */
  readonly isFull: boolean;
  /** Called when that is over. */
  drained: () => void;
  /** Resolves when nothing more can be stored, with the reason. */
  readonly failure: Promise<string>;
  /** Stores what is left. */
  end(): Promise<void>;
}

/** What waits, at most, as {@link costOf} counts it; characters of an event; events of one shipment. */
const most = { waiting: 1024 * 1024, event: 64 * 1024, events: 1_000 } as const;
/** Characters, and what an event takes besides, however short it is. */
const costOf = ({ message }: NewLogEvent): number => message.length + 64;
/** How often what was written is stored, and how long it is tried again: what stands first, and all else. Milliseconds. */
const timing = { every: 1_000, first: 10_000, patience: 60_000 } as const;

export interface LogRecorderPorts {
  readonly clock: Clock;
  /** Stores events; the same shipment may come twice. */
  readonly ship: (shipment: Shipment) => Promise<unknown>;
}

/** Makes events of what a session writes, a line each, and stores them about once a second. */
export class LogRecorder implements Recorder {
  drained: () => void = () => undefined;
  readonly failure: Promise<string>;
  readonly #fail: (reason: string) => void;
  readonly #ports: LogRecorderPorts;
  readonly #decoder = new StringDecoder('utf8');
  readonly #ended = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #events: NewLogEvent[] = [];
  #line = '';
  #waiting = 0;
  #next = 1;

  private constructor(ports: LogRecorderPorts) {
    this.#ports = ports;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.failure = promise;
    this.#fail = resolve;
  }

  /**
   * Begins a record, and resolves when what it begins with is stored: where that cannot be, nothing that follows could.
   * @throws Error with the reason
   */
  static async begin(ports: LogRecorderPorts, first: string): Promise<LogRecorder> {
    const recorder = new LogRecorder(ports);
    recorder.#event(first);
    const why = await recorder.#flush(timing.first);
    if (why !== undefined) throw new Error(why);
    recorder.#running = recorder.#run();
    return recorder;
  }

  get isFull(): boolean {
    return this.#waiting > most.waiting;
  }

  write(bytes: Buffer): void {
    const lines = (this.#line + this.#decoder.write(bytes)).split('\n');
    this.#line = lines.pop() ?? '';
    for (const line of lines) this.#event(line.replace(/\r$/, ''));
    // A line without an end is not waited for without bound.
    if (this.#line.length < most.event) return;
    this.#event(this.#line);
    this.#line = '';
  }

  async end(): Promise<void> {
    this.#event(this.#line + this.#decoder.end());
    this.#ended.abort();
    await this.#running;
  }

  #event(text: string): void {
    const timestamp = this.#ports.clock.now();
    for (let from = 0; from < text.length; from += most.event) {
      const event: NewLogEvent = { timestamp, message: text.slice(from, from + most.event) };
      this.#events.push(event);
      this.#waiting += costOf(event);
    }
  }

  async #run(): Promise<void> {
    const { clock } = this.#ports;
    const { signal } = this.#ended;
    for (;;) {
      await clock.sleep(timing.every, signal).catch(() => undefined);
      const over = signal.aborted;
      const why = await this.#flush(timing.patience);
      if (why !== undefined) this.#fail(why);
      if (over || why !== undefined) return;
    }
  }

  /** Stores what waits. @returns why it cannot be stored, if it cannot */
  async #flush(patience: number): Promise<string | undefined> {
    while (this.#events.length > 0) {
      const why = await this.#store(this.#events.splice(0, most.events), patience);
      if (why === undefined) continue;
      this.#events = [];
      return why;
    }
    return undefined;
  }

  /** @returns why the events cannot be stored, if they cannot */
  async #store(events: readonly NewLogEvent[], patience: number): Promise<string | undefined> {
    const { clock, ship } = this.#ports;
    const until = clock.monotonic() + patience;
    for (;;) {
      try {
        await ship({ first: this.#next, events, resume: '' });
        break;
      } catch (error) {
        if (error instanceof AwsError && error.status < 500) return error.message;
        if (clock.monotonic() > until) return 'the logs cannot be written';
        await clock.sleep(error instanceof LogsThrottled ? Math.ceil(error.retryAfter) : timing.every);
      }
    }
    this.#next += events.length;
    const wasFull = this.isFull;
    for (const event of events) this.#waiting -= costOf(event);
    if (wasFull && !this.isFull) this.drained();
    return undefined;
  }
}
