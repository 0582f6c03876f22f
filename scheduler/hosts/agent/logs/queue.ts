import { type LogEntry, logLimits } from '../../wire/index.ts';
import type { PlacedEvent } from './events.ts';
import { beginning, type Place, writePlace } from './place.ts';

/** Bytes of memory that an event takes beside its message, roughly. */
const eventWeight = 200;

/** The events of one container that are not durable yet, numbered in the order in which they came; a part of them may be on its way. */
export class LogQueue {
  #events: PlacedEvent[] = [];
  /** The number of the first of them. */
  #first = 1;
  #bytes = 0;
  /** Behind the last event that was acknowledged. */
  #behind: Place = beginning;
  #flying: { readonly dropped: number; readonly gap: boolean } | undefined;
  #dropped = 0;
  #gap = false;

  /** What the events take of memory, bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether nothing waits, neither events nor what is to be said of lost ones. */
  get isEmpty(): boolean {
    return this.#events.length === 0 && this.#dropped === 0 && !this.#gap;
  }

  get length(): number {
    return this.#events.length;
  }

  /** Whether an entry is on its way. */
  get flies(): boolean {
    return this.#flying !== undefined;
  }

  push(event: PlacedEvent): void {
    this.#events.push(event);
    this.#bytes += weightOf(event);
  }

  /** Notes lines that were lost. */
  drop(lines: number): void {
    this.#dropped += lines;
  }

  /** Notes that an unknown number of lines was lost. */
  noteGap(): void {
    this.#gap = true;
  }

  /** Goes on behind what an earlier agent sent; before anything was pushed. */
  goOn(last: number, at: Place): void {
    this.#first = last + 1;
    this.#behind = at;
  }

  /**
   * What is to be sent next, which is then on its way; undefined when nothing is, or something is already, or the first event does not fit.
   * @param bytes as the limits of an entry count them
   * @param most bytes, if the first event alone has more than `bytes`
   */
  take(bytes: number, events: number, most: number): Omit<LogEntry, 'taskArn' | 'containerName'> | undefined {
    if (this.#flying !== undefined || this.isEmpty) return undefined;
    let left = bytes;
    let count = 0;
    for (const { message } of this.#events) {
      const size = Buffer.byteLength(message) + logLimits.eventOverhead;
      if (count === events || (size > left && (count > 0 || size > most))) break;
      left -= size;
      count++;
    }
    if (count === 0 && this.#events.length > 0) return undefined;
    const sent = this.#events.slice(0, count);
    const flying = { dropped: this.#dropped, gap: this.#gap };
    this.#flying = flying;
    return {
      first: this.#first,
      events: sent.map(({ timestamp, message }) => ({ timestamp, message })),
      resume: writePlace(sent.at(-1)?.place ?? this.#behind),
      ...(flying.dropped === 0 ? {} : { dropped: flying.dropped }),
      ...(flying.gap ? { gap: true } : {}),
    };
  }

  /** What was on its way is durable, with every event up to a number. */
  acknowledge(last: number): void {
    const { dropped, gap } = this.#flying ?? { dropped: 0, gap: false };
    this.#dropped -= dropped;
    if (gap) this.#gap = false;
    this.#flying = undefined;
    this.forget(last);
  }

  /** Every event up to a number is durable. */
  forget(last: number): void {
    const count = Math.min(Math.max(0, last + 1 - this.#first), this.#events.length);
    if (count === 0) return;
    const gone = this.#events.slice(0, count);
    this.#events = this.#events.slice(count);
    this.#first += count;
    this.#behind = gone.at(-1)!.place;
    for (const event of gone) this.#bytes -= weightOf(event);
  }

  /** What was on its way is to be sent again. */
  again(): void {
    this.#flying = undefined;
  }
}

const weightOf = ({ message }: PlacedEvent): number => message.length + eventWeight;
