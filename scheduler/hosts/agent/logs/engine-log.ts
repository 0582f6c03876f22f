/** What the engine holds of a container's output: a line, or up to 16 KiB of a longer one. */
export interface LogPart {
  readonly source: LogSource;
  /** When the engine read it, RFC 3339 with nanoseconds; all parts of a line have the time of the first. */
  readonly time: string;
  /** Without the line's end. */
  readonly text: Buffer;
  /** Whether the line goes on in the next part of the same source. */
  readonly partial: boolean;
}

export type LogSource = 'stdout' | 'stderr';

/** The engine's log is not in the form that the Engine API has for it. */
export class EngineLogGarbled extends Error {
  override readonly name = 'EngineLogGarbled';
}

/** Bytes of a line at which Docker makes a part of it (its `copier`). */
const partBytes = 16 * 1024;
/** A part with its time is far below this. */
const longestFrame = 1024 * 1024;
const longestTime = 64;
const lineEnd = 0x0a;
const blank = 0x20;
const headerBytes = 8;

/**
 * Reads what `GET /containers/ID/logs?timestamps=1` answers, however it is cut into chunks: frames of one part each, or, of a container with
 * a terminal, text (Engine API, "Get container logs", stream format). Holds one part at most.
 */
export class EngineLogReader {
  readonly #terminal: boolean;
  #rest: Buffer = Buffer.alloc(0);

  constructor(terminal: boolean) {
    this.#terminal = terminal;
  }

  /** The parts that a chunk completes. @throws EngineLogGarbled */
  push(chunk: Buffer): LogPart[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const parts: LogPart[] = [];
    for (;;) {
      const part = this.#terminal ? this.#ofTerminal() : this.#ofFrame();
      if (part === undefined) break;
      parts.push(part);
    }
    // What stays must not hold the whole chunk in memory.
    if (this.#rest.length > 0) this.#rest = Buffer.from(this.#rest);
    return parts;
  }

  #ofFrame(): LogPart | undefined {
    if (this.#rest.length < headerBytes) return undefined;
    const [kind] = this.#rest;
    const length = this.#rest.readUInt32BE(4);
    if (kind === undefined || kind > 2 || length > longestFrame)
      throw new EngineLogGarbled('the engine sends frames of its log in a form that is not known');
    if (this.#rest.length < headerBytes + length) return undefined;
    const frame = this.#rest.subarray(headerBytes, headerBytes + length);
    this.#rest = this.#rest.subarray(headerBytes + length);
    const at = timeEnd(frame);
    if (at === undefined) throw new EngineLogGarbled('the engine sends a line of its log without a time');
    const partial = frame.at(-1) !== lineEnd;
    return {
      source: kind === 2 ? 'stderr' : 'stdout',
      time: frame.toString('latin1', 0, at),
      text: frame.subarray(at + 1, partial ? frame.length : -1),
      partial,
    };
  }

  /** `TIME text\n`; a long line is `TIME part`, `TIME part`, … without anything between them. */
  #ofTerminal(): LogPart | undefined {
    const at = timeEnd(this.#rest);
    if (at === undefined) {
      if (this.#rest.length > longestTime)
        throw new EngineLogGarbled('the engine sends a line of its log without a time');
      return undefined;
    }
    const from = at + 1;
    const end = this.#rest.indexOf(lineEnd, from);
    const whole = end >= 0 && end - from < partBytes;
    const to = whole ? end : from + partBytes;
    if (this.#rest.length < to) return undefined;
    const time = this.#rest.toString('latin1', 0, at);
    const text = this.#rest.subarray(from, to);
    this.#rest = this.#rest.subarray(whole ? to + 1 : to);
    return { source: 'stdout', time, text, partial: !whole };
  }
}

/** Where the blank behind the time is. */
function timeEnd(text: Buffer): number | undefined {
  const at = text.subarray(0, longestTime).indexOf(blank);
  return at < 0 ? undefined : at;
}

/** The second that was asked for last: lines of one second come together. */
let known = { second: '', milliseconds: 0 };

/** Milliseconds since the epoch of a part's time. @throws EngineLogGarbled */
export function millisecondsOf(time: string): number {
  const docker = time.length === 30 && time.endsWith('Z');
  if (!docker) return parsed(time);
  const second = time.slice(0, 19);
  if (known.second !== second) known = { second, milliseconds: parsed(`${second}Z`) };
  return known.milliseconds + Number(time.slice(20, 23));
}

function parsed(time: string): number {
  const milliseconds = Date.parse(time);
  if (!Number.isFinite(milliseconds))
    throw new EngineLogGarbled(`the engine's log has the time ${JSON.stringify(time)}`);
  return Math.max(0, milliseconds);
}
