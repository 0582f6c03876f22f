import type { EngineLogs, LogRange } from '../engine.ts';

interface Kept {
  readonly source: 'stdout' | 'stderr';
  readonly time: string;
  readonly milliseconds: number;
  /** As the engine keeps it, with the line's end if it has one. */
  readonly text: Buffer;
}

/** Docker cuts lines into parts of so many bytes. */
const partBytes = 16 * 1024;

/** One container and its log, in the form in which Docker's Engine API tells it. */
export class FakeContainerLog {
  running = true;
  readonly terminal: boolean;
  /** Bytes that the engine keeps; it gives up the oldest beyond. */
  keeps = Infinity;
  #kept: Kept[] = [];
  /** How many it gave up. */
  #gone = 0;
  #bytes = 0;
  #time = Date.parse('2026-01-02T03:04:05Z');
  #nanos = 0;
  #news = Promise.withResolvers<void>();

  constructor(terminal = false) {
    this.terminal = terminal;
  }

  /** The container writes a line. @param step nanoseconds since the line before; 0 for one of the same time */
  write(source: 'stdout' | 'stderr', line: string | Buffer, step = 1000): void {
    this.writeBeside([[source, line]], step);
  }

  /** The container writes a line to each of its outputs at once: their parts stand between each other. */
  writeBeside(lines: readonly (readonly ['stdout' | 'stderr', string | Buffer])[], step = 1000): void {
    const parted = lines.map(([source, line]) => {
      const at = this.#passed(step);
      return partsOf(line).map((text) => ({ source, ...at, text }));
    });
    const longest = Math.max(...parted.map(({ length }) => length));
    for (let place = 0; place < longest; place++)
      for (const parts of parted) for (const part of parts.slice(place, place + 1)) this.#keep(part);
    this.changed();
  }

  #passed(step: number): Pick<Kept, 'time' | 'milliseconds'> {
    this.#nanos += step;
    const milliseconds = this.#time + Math.floor(this.#nanos / 1e6);
    const fraction = String(this.#nanos % 1e9).padStart(9, '0');
    return { milliseconds, time: `${new Date(milliseconds).toISOString().slice(0, 19)}.${fraction}Z` };
  }

  #keep(part: Kept): void {
    this.#kept.push(part);
    this.#bytes += part.text.length;
    while (this.#bytes > this.keeps) {
      this.#bytes -= this.#kept.shift()!.text.length;
      this.#gone++;
    }
  }

  /** Whoever follows looks again. */
  changed(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  async *read({ since, until, follow }: LogRange, signal: AbortSignal): AsyncGenerator<Buffer> {
    for (let next = 0; !signal.aborted;) {
      next = Math.max(next, this.#gone);
      const news = this.#news.promise;
      const part = this.#kept[next - this.#gone];
      if (part === undefined) {
        if (!follow || !this.running) return;
        await Promise.race([news, aborted(signal)]);
        continue;
      }
      next++;
      if (part.milliseconds < since * 1000) continue;
      if (until !== undefined && part.milliseconds > until * 1000) return;
      const text = Buffer.concat([Buffer.from(`${part.time} `), part.text]);
      const header = Buffer.from([part.source === 'stderr' ? 2 : 1, 0, 0, 0, 0, 0, 0, 0]);
      header.writeUInt32BE(text.length, 4);
      yield this.terminal ? text : Buffer.concat([header, text]);
    }
  }
}

/** What fills a part goes at once, before anybody knows whether the line ends there. */
function partsOf(line: string | Buffer): Buffer[] {
  const bytes = Buffer.concat([Buffer.from(line), Buffer.from('\n')]);
  const count = Math.ceil(bytes.length / partBytes);
  return Array.from({ length: count }, (_, place) => bytes.subarray(place * partBytes, (place + 1) * partBytes));
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
  );

/** An engine whose containers write what a test makes them, and whose answers come in chunks of any size. */
export class FakeEngineLogs implements EngineLogs {
  readonly containers = new Map<string, FakeContainerLog>();
  /** In [0, 1): where chunks are cut. */
  random: () => number = () => 0.999;
  opened = 0;

  async open(container: string, range: LogRange, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
    this.opened++;
    const found = this.containers.get(container);
    if (found === undefined) throw new Error(`no such container: ${container}`);
    return this.#cut(found.read(range, signal));
  }

  async inspect(container: string): Promise<{ readonly running: boolean; readonly terminal: boolean } | undefined> {
    return this.containers.get(container);
  }

  async *#cut(whole: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of whole) {
      const at = Math.ceil(this.random() * chunk.length);
      if (at > 0) yield chunk.subarray(0, at);
      if (at < chunk.length) yield chunk.subarray(at);
    }
  }
}
