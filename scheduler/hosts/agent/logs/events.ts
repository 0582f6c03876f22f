import { logLimits } from '../../wire/index.ts';
import { type LogPart, type LogSource, millisecondsOf } from './engine-log.ts';
import { beginning, type Place } from './place.ts';

/** An event as it goes to its log group, and where the engine's log goes on behind it. */
export interface PlacedEvent {
  /** Milliseconds since the epoch, of the event's first line. */
  readonly timestamp: number;
  readonly message: string;
  readonly place: Place;
}

/** How far into the engine's log a line may look back, seconds: its two sources are not written in the exact order of their times. */
const disorder = 60;
/** Parts that may wait for the end of a line or an event; then it ends where it is. */
const longestWindow = 4096;
/** Times, at least, of which it is known how many parts have them. */
const knownTimes = 512;

interface OpenLine {
  readonly time: string;
  /** What is there of it and not yet part of an event. */
  chunks: Buffer[];
  bytes: number;
  /** How long its parts are, the first one as far as it is not part of an event. */
  lengths: number[];
  /** Whether its beginning is part of an event. */
  continued: boolean;
}

interface SeenPart {
  readonly source: LogSource;
  /** As which one of its source. */
  readonly ordinal: number;
  readonly time: string;
  readonly nth: number;
}

interface OpenEvent {
  readonly timestamp: number;
  readonly time: string;
  text: string;
  bytes: number;
  readonly begun: number;
}

type Sources<T> = Record<LogSource, T>;
const each = <T>(make: () => T): Sources<T> => ({ stdout: make(), stderr: make() });
const copy = (of: Sources<[number, number]>): Sources<[number, number]> => ({
  stdout: [...of.stdout],
  stderr: [...of.stderr],
});

/**
 * Makes events of the parts of an engine's log, in order: parts become lines, lines become events, as Docker's awslogs driver does it. A
 * line is cut at {@link logLimits.messageBytes} of UTF-8, where bytes that are none count as what stands for them; empty lines are none.
 * With `starts`, lines up to the next one that starts an event are one event, each with its end. Holds a line of each source and an
 * event, whatever comes.
 */
export class EventAssembler {
  readonly #starts: ((line: string) => boolean) | undefined;
  readonly #from: Place;
  #seeking: boolean;
  #counts = new Map<string, number>();
  #olderCounts = new Map<string, number>();
  /** Parts behind the anchor. */
  #window: SeenPart[] = [];
  #anchor: { readonly time: string; readonly nth: number };
  /** Of each source: parts seen behind the first anchor, up to the present one, and what lines and events were made of. */
  readonly #seen = each(() => 0);
  readonly #base = each(() => 0);
  readonly #read: Sources<[number, number]>;
  #consumed: Sources<[number, number]>;
  readonly #lines: Sources<OpenLine | undefined> = each(() => undefined);
  #event: OpenEvent | undefined;
  /** What of the log the open event is made of. */
  #held: Sources<[number, number]> = each(() => [0, 0]);
  #ready: PlacedEvent[] = [];

  /** @param from what was made of the log up to there is not made again */
  constructor(from: Place = beginning, starts?: (line: string) => boolean) {
    this.#from = from;
    this.#starts = starts;
    this.#seeking = from.time !== '';
    this.#anchor = { time: from.time, nth: from.nth };
    this.#read = copy(from);
    this.#consumed = copy(from);
  }

  /** Whether the place that it goes on from has not come yet. */
  get seeking(): boolean {
    return this.#seeking;
  }

  /** The events that a part completes. @param now milliseconds, monotonic. @throws EngineLogGarbled */
  push(part: LogPart, now: number): PlacedEvent[] {
    const nth = this.#count(part.time);
    if (this.#seeking) {
      this.#seeking = part.time !== this.#from.time || nth !== this.#from.nth;
      return [];
    }
    const { source, time } = part;
    const ordinal = ++this.#seen[source];
    this.#window.push({ source, ordinal, time, nth });
    const [parts, bytes] = this.#from[source];
    if (ordinal > parts) this.#append(part, ordinal === parts + 1 ? part.text.subarray(bytes) : part.text, now);
    if (this.#window.length > longestWindow) this.#pass();
    if (this.#window.length > longestWindow) {
      this.#endAll(now);
      this.#pass();
    }
    return this.#take();
  }

  /** What waits for more lines for longer than `patience` milliseconds. */
  flush(now: number, patience: number): PlacedEvent[] {
    if (this.#event !== undefined && now - this.#event.begun >= patience) this.#endEvent();
    return this.#take();
  }

  /** Parts that it remembers: of lines and events that are not at their end, or that began after those. */
  get remembered(): number {
    return this.#window.length;
  }

  /** What there is: the log is over. */
  end(now: number): PlacedEvent[] {
    this.#endAll(now);
    return this.#take();
  }

  /** As which one of its time a part stands in the log. */
  #count(time: string): number {
    const nth = (this.#counts.get(time) ?? this.#olderCounts.get(time) ?? 0) + 1;
    this.#counts.set(time, nth);
    if (this.#counts.size > knownTimes) {
      this.#olderCounts = this.#counts;
      this.#counts = new Map();
    }
    return nth;
  }

  #append({ source, time, partial }: LogPart, text: Buffer, now: number): void {
    const line = (this.#lines[source] ??= { time, chunks: [], bytes: 0, lengths: [], continued: false });
    line.chunks.push(text);
    line.lengths.push(text.length);
    line.bytes += text.length;
    while (this.#cut(source, line, logLimits.messageBytes, now));
    if (!partial) this.#endLine(source, now);
  }

  /** Makes an event of what is too long to be one with the rest of its line; looks only at lines of more than `least` bytes. */
  #cut(source: LogSource, line: OpenLine, least: number, now: number): boolean {
    if (line.bytes <= least) return false;
    const whole = Buffer.concat(line.chunks);
    line.chunks = [whole];
    const at = cutOf(whole);
    if (at === whole.length) return false;
    this.#advance(source, line, at);
    line.chunks = [whole.subarray(at)];
    this.#line(whole.toString('utf8', 0, at), line, false, now);
    line.continued = true;
    return true;
  }

  #endLine(source: LogSource, now: number): void {
    const line = this.#lines[source];
    if (line === undefined) return;
    // Three bytes stand for one that is no UTF-8.
    while (this.#cut(source, line, logLimits.messageBytes / 3, now));
    this.#lines[source] = undefined;
    this.#advance(source, line, line.bytes);
    this.#line(Buffer.concat(line.chunks).toString('utf8'), line, true, now);
  }

  /** Notes that bytes of an open line are read. */
  #advance(source: LogSource, line: OpenLine, bytes: number): void {
    const read = this.#read[source];
    line.bytes -= bytes;
    while (line.lengths.length > 0 && bytes >= line.lengths[0]!) {
      bytes -= line.lengths.shift()!;
      read[0]++;
      read[1] = 0;
    }
    if (line.lengths.length > 0 && bytes > 0) {
      line.lengths[0]! -= bytes;
      read[1] += bytes;
    }
  }

  /** A line, or a piece of a long one. */
  #line(text: string, { time, continued }: OpenLine, ended: boolean, now: number): void {
    if (this.#starts === undefined) {
      this.#consumed = copy(this.#read);
      if (text !== '') this.#emit(millisecondsOf(time), text);
      return;
    }
    const length = Buffer.byteLength(text);
    // A line that fills an event has no room for its end, and with it nobody would take it.
    const ends = ended && length < logLimits.messageBytes;
    const glued = ends ? `${text}\n` : text;
    const bytes = ends ? length + 1 : length;
    if (
      this.#event !== undefined &&
      (this.#event.bytes + bytes > logLimits.messageBytes || (!continued && this.#starts(text)))
    )
      this.#endEvent();
    this.#event ??= { timestamp: millisecondsOf(time), time, text: '', bytes: 0, begun: now };
    this.#event.text += glued;
    this.#event.bytes += bytes;
    this.#held = copy(this.#read);
  }

  #endEvent(): void {
    const event = this.#event;
    if (event === undefined) return;
    this.#event = undefined;
    this.#consumed = this.#held;
    this.#emit(event.timestamp, event.text);
  }

  #endAll(now: number): void {
    this.#endLine('stdout', now);
    this.#endLine('stderr', now);
    this.#endEvent();
  }

  #emit(timestamp: number, message: string): void {
    this.#ready.push({ timestamp, message, place: this.#place() });
  }

  /** Leaves behind what nothing is wanted of any more. */
  #pass(): void {
    let passed = 0;
    let last: SeenPart | undefined;
    for (const part of this.#window) {
      if (part.ordinal > this.#consumed[part.source][0]) break;
      this.#base[part.source] = part.ordinal;
      last = part;
      passed++;
    }
    if (last !== undefined) this.#anchor = last;
    if (passed === this.#window.length) this.#window.length = 0;
    else if (passed > 0) this.#window.splice(0, passed);
  }

  #place(): Place {
    this.#pass();
    const { time, nth } = this.#anchor;
    const { stdout, stderr } = this.#consumed;
    return {
      time,
      nth,
      since: this.#since(),
      stdout: [Math.max(0, stdout[0] - this.#base.stdout), stdout[1]],
      stderr: [Math.max(0, stderr[0] - this.#base.stderr), stderr[1]],
    };
  }

  #since(): number {
    const { time } = this.#anchor;
    if (time === '') return 0;
    let oldest = millisecondsOf(time);
    const { stdout, stderr } = this.#lines;
    for (const open of [stdout, stderr, this.#event, this.#window[0]])
      if (open !== undefined) oldest = Math.min(oldest, millisecondsOf(open.time));
    return Math.max(0, Math.floor(oldest / 1000) - disorder);
  }

  #take(): PlacedEvent[] {
    const ready = this.#ready;
    if (ready.length > 0) this.#ready = [];
    return ready;
  }
}

/** How many bytes of a line are one event. */
function cutOf(line: Buffer): number {
  const most = logLimits.messageBytes;
  if (line.length <= most && Buffer.byteLength(line.toString('utf8')) <= most) return line.length;
  const at = boundary(line, most);
  return Buffer.byteLength(line.toString('utf8', 0, at)) <= most ? at : boundary(line, Math.floor(most / 3));
}

/** The last beginning of a character at or before a byte. */
function boundary(text: Buffer, at: number): number {
  if (text.length <= at) return text.length;
  for (let back = at; back > at - 4; back--) if ((text[back]! & 0xc0) !== 0x80) return back;
  return at;
}
