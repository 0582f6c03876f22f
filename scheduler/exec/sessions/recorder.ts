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
  /** Called when nothing more can be stored, with the reason. */
  failed: (reason: string) => void;
  /** Stores what is left. */
  end(): Promise<void>;
}

/** Bytes that wait, at most; characters of an event; events of one shipment. */
const most = { waiting: 1024 * 1024, event: 64 * 1024, events: 1_000 } as const;
/** How often what was written is stored, and how long it is tried again. Milliseconds. */
const timing = { every: 1_000, patience: 60_000 } as const;

export interface LogRecorderPorts {
  readonly clock: Clock;
  /** Stores events; the same shipment may come twice. */
  readonly ship: (shipment: Shipment) => Promise<unknown>;
}

/** Makes events of what a session writes, a line each, and stores them about once a second. */
export class LogRecorder implements Recorder {
  drained: () => void = () => undefined;
  failed: (reason: string) => void = () => undefined;
  readonly #ports: LogRecorderPorts;
  readonly #decoder = new StringDecoder('utf8');
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #events: NewLogEvent[] = [];
  #line = '';
  #waiting = 0;
  #next = 1;

  /** @param first what the record begins with */
  constructor(ports: LogRecorderPorts, first: string) {
    this.#ports = ports;
    this.#event(first);
    this.#running = this.#run();
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
      const message = text.slice(from, from + most.event);
      this.#events.push({ timestamp, message });
      this.#waiting += message.length;
    }
  }

  async #run(): Promise<void> {
    const { clock } = this.#ports;
    const { signal } = this.#ended;
    for (;;) {
      await clock.sleep(timing.every, signal).catch(() => undefined);
      const over = signal.aborted;
      while (this.#events.length > 0) {
        const why = await this.#store(this.#events.splice(0, most.events));
        if (why === undefined) continue;
        this.#events = [];
        this.failed(why);
        return;
      }
      if (over) return;
    }
  }

  /** @returns why the events cannot be stored, if they cannot */
  async #store(events: readonly NewLogEvent[]): Promise<string | undefined> {
    const { clock, ship } = this.#ports;
    const until = clock.monotonic() + timing.patience;
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
    for (const { message } of events) this.#waiting -= message.length;
    if (wasFull && !this.isFull) this.drained();
    return undefined;
  }
}
