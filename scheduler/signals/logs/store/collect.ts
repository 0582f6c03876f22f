import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '@slipway/storage/clock';
import { type LogEvent, positionAt } from './contract.ts';
import type { EventBlobs, LentBlock } from './event-blobs.ts';
import type { Block, FileStream, FileTable } from './event-file.ts';
import { gramsWithin } from './grams.ts';
import { Heap } from './heap.ts';
import { eventId, timestampOf } from './ids.ts';
import type { EventsRecord } from './records.ts';
import type { Rows } from './rows.ts';
import { wordsWithin } from './words.ts';

/** What is looked for. */
export interface Wanted {
  readonly isStream: (stream: FileStream) => boolean;
  /** Ids beyond which events lie, on either side; exclusive. */
  readonly after: string;
  readonly before: string;
  /** From the least id on; otherwise from the greatest down. */
  readonly forward: boolean;
  readonly limit: number;
  readonly bytes: number;
  readonly terms: readonly string[];
  readonly matches: ((event: LogEvent) => boolean) | undefined;
  /** Absent: until the page is full. */
  readonly budget?: { readonly bytes: number; readonly milliseconds: number } | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Collected {
  /** From the nearest on. */
  readonly events: readonly LogEvent[];
  /** Where to go on; absent at the end. */
  readonly next: string | undefined;
  readonly scanned: { readonly events: number; readonly bytes: number };
}

/** Of 1 MiB. */
const blocksOfPage = 32;
/** Blocks that are unpacked before they are looked at. */
const ahead = 3;
/** Others have their turn after so long, milliseconds. */
const slice = 8;

/** A file, or a block of one, with the time of its nearest event. */
interface Place {
  readonly nearest: number;
  readonly file: EventsRecord;
  readonly within?: Within;
}

interface Within {
  readonly block: Block;
  readonly table: FileTable;
  readonly isWanted: readonly boolean[];
}

/**
 * Finds the nearest events that match, whichever files they lie in: blocks are read in the order of their nearest events, until what
 * is still unread lies behind a full page. When the budget is over, the page ends where the next block begins; those that began before
 * the page must be read by every page, so a page reads at least as many others, and three times as many while that is little.
 */
export async function collect(
  blobs: EventBlobs,
  clock: Clock,
  files: readonly EventsRecord[],
  wanted: Wanted,
): Promise<Collected> {
  return new Collection(blobs, clock, wanted).run(files);
}

class Collection {
  readonly #blobs: EventBlobs;
  readonly #clock: Clock;
  readonly #wanted: Wanted;
  /** 1, or -1 when the greatest is the nearest. */
  readonly #sign: 1 | -1;
  readonly #places: Heap<Place>;
  readonly #terms: readonly Buffer[];
  readonly #words: readonly number[];
  readonly #grams: readonly number[];
  readonly #kept: Kept;
  readonly #scanned = { events: 0, bytes: 0 };
  /** Blocks that are unpacked before it is their turn. */
  readonly #lent = new Map<Within, Promise<LentBlock>>();

  constructor(blobs: EventBlobs, clock: Clock, wanted: Wanted) {
    this.#blobs = blobs;
    this.#clock = clock;
    this.#wanted = wanted;
    this.#sign = wanted.forward ? 1 : -1;
    this.#places = new Heap(({ nearest }) => this.#sign * nearest);
    // The longest is the rarest, as a rule, and is looked for first.
    this.#terms = wanted.terms.map((term) => Buffer.from(term)).toSorted((one, other) => other.length - one.length);
    this.#words = wanted.terms.flatMap(wordsWithin);
    this.#grams = wanted.terms.flatMap(gramsWithin);
    this.#kept = new Kept(this.#sign, wanted.limit, wanted.bytes);
  }

  async run(files: readonly EventsRecord[]): Promise<Collected> {
    try {
      return await this.#run(files);
    } finally {
      // The next page begins with them.
      for (const lent of this.#lent.values())
        lent.then(
          ({ keep }) => keep(),
          () => undefined,
        );
    }
  }

  async #run(files: readonly EventsRecord[]): Promise<Collected> {
    const { budget, signal, forward, after, before } = this.#wanted;
    const started = this.#clock.monotonic();
    const floor = timestampOf(forward ? after : before);
    let begunBefore = 0;
    let begunWithin = 0;
    for (const file of files) this.#places.push({ nearest: this.#nearest(file), file });
    for (let place = this.#places.peek(); place !== undefined; place = this.#places.peek()) {
      signal?.throwIfAborted();
      if (this.#kept.full && this.#isBeyond(place.nearest, timestampOf(this.#kept.last))) break;
      const within = this.#isBeyond(place.nearest, floor);
      const spent =
        budget !== undefined &&
        (this.#scanned.bytes >= budget.bytes || this.#clock.monotonic() - started >= budget.milliseconds);
      const enough = Math.max(begunBefore, Math.min(3 * begunBefore, blocksOfPage));
      if (spent && within && begunWithin >= enough) return this.#endedAt(place.nearest);
      if (within) begunWithin += 1;
      else begunBefore += 1;
      this.#places.pop();
      await this.#look(place);
    }
    const { events, over } = this.#kept.page();
    return { events, next: over ? events.at(-1)?.id : undefined, scanned: this.#scanned };
  }

  /** The budget is over, and nothing before the time is unread. */
  #endedAt(timestamp: number): Collected {
    const { events, over } = this.#kept.page((id) => this.#isBeyond(timestamp, timestampOf(id)));
    // Going backward, what lies at that very time is still to come.
    const next = over ? events.at(-1)!.id : positionAt(this.#wanted.forward ? timestamp : timestamp + 1);
    return { events, next, scanned: this.#scanned };
  }

  async #look({ file, within }: Place): Promise<void> {
    if (within === undefined) {
      const table = await this.#blobs.table(file);
      const isWanted = table.streams.map(this.#wanted.isStream);
      for (const block of table.blocks) {
        if (this.#mayHave(block, isWanted) && !this.#isKnownWithout(file, block))
          this.#places.push({ nearest: this.#nearest(block), file, within: { block, table, isWanted } });
      }
      return;
    }
    const { block, table, isWanted } = within;
    const unpacking = this.#unpacked(file, within);
    this.#lent.delete(within);
    // The next blocks are unpacked on other threads while this one is looked at.
    for (const { file: of, within: next } of this.#places.near(ahead))
      if (next !== undefined && this.#lent.size < 2 * ahead) this.#unpacked(of, next).catch(() => undefined);
    const lent = await unpacking;
    const [rarest] = this.#terms;
    if (await this.#rows(this.#blobs.rowsOf(file, block, lent), table.streams, isWanted)) lent.keep();
    else {
      lent.drop();
      if (rarest !== undefined) this.#blobs.rememberAbsent(file, block, rarest.toString('latin1'));
    }
    this.#kept.settle();
    this.#scanned.events += block.events;
    this.#scanned.bytes += block.raw;
  }

  #unpacked(file: EventsRecord, within: Within): Promise<LentBlock> {
    const known = this.#lent.get(within);
    if (known !== undefined) return known;
    const lent = this.#blobs.lent(file, within.block);
    this.#lent.set(within, lent);
    return lent;
  }

  #mayHave(
    { minTimestamp, maxTimestamp, firstStream, lastStream, words, grams }: Block,
    isWanted: readonly boolean[],
  ): boolean {
    const { after, before } = this.#wanted;
    if (maxTimestamp < timestampOf(after) || minTimestamp > timestampOf(before)) return false;
    const at = isWanted.indexOf(true, firstStream);
    if (at === -1 || at > lastStream) return false;
    return (
      this.#grams.every((gram) => grams?.mayHave(gram) !== false) && this.#words.every((word) => words.mayHave(word))
    );
  }

  #isKnownWithout(file: EventsRecord, block: Block): boolean {
    const [rarest] = this.#terms;
    return rarest !== undefined && this.#blobs.lacks(file, block, rarest.toString('latin1'));
  }

  /** @returns false when the messages are known to lack a term, of any stream and time */
  async #rows(rows: Rows, streams: readonly FileStream[], isWanted: readonly boolean[]): Promise<boolean> {
    const [first, ...others] = this.#terms;
    let hit = first === undefined ? 0 : rows.bytes.indexOf(first, rows.messagesFrom);
    if (hit === -1) return false;
    const low = timestampOf(this.#wanted.after);
    const high = timestampOf(this.#wanted.before);
    let since = this.#clock.monotonic();
    while (rows.next()) {
      if (first !== undefined) {
        // What was found may lie in what is between messages, or reach from one into the next.
        while (hit !== -1 && hit < rows.messageStart) hit = rows.bytes.indexOf(first, rows.messageStart);
        if (hit === -1) return true;
        if (hit + first.length > rows.messageEnd) continue;
      }
      if (rows.timestamp < low || rows.timestamp > high || isWanted[rows.stream] !== true) continue;
      if (this.#kept.full && this.#isBeyond(rows.timestamp, timestampOf(this.#kept.last))) continue;
      if (others.some((term) => !rows.message.includes(term))) continue;
      this.#event(rows, streams[rows.stream]!.name);
      if (this.#clock.monotonic() - since < slice) continue;
      await turn();
      since = this.#clock.monotonic();
    }
    return true;
  }

  #event(rows: Rows, stream: string): void {
    const { after, before, matches } = this.#wanted;
    const { timestamp, ingestionTime } = rows;
    const id = eventId(timestamp, ingestionTime, rows.writer, rows.sequence);
    if (id <= after || id >= before) return;
    const event: LogEvent = { id, stream, timestamp, ingestionTime, message: rows.text };
    if (matches?.(event) === false) return;
    this.#kept.add(event, rows.messageEnd - rows.messageStart);
  }

  #nearest({ minTimestamp, maxTimestamp }: Pick<EventsRecord, 'minTimestamp' | 'maxTimestamp'>): number {
    return this.#wanted.forward ? minTimestamp : maxTimestamp;
  }

  #isBeyond(one: number, other: number): boolean {
    return this.#sign * (one - other) > 0;
  }
}

interface Found {
  readonly event: LogEvent;
  readonly size: number;
}

/** The nearest events of those that were found: a page, and one more. */
class Kept {
  readonly #sign: 1 | -1;
  readonly #limit: number;
  readonly #bytes: number;
  #events: Found[] = [];
  #size = 0;
  /** Whether a page is full and one more was found. */
  full = false;
  /** The id of the one more. */
  last = '';

  constructor(sign: 1 | -1, limit: number, bytes: number) {
    this.#sign = sign;
    this.#limit = limit;
    this.#bytes = bytes;
  }

  add(event: LogEvent, size: number): void {
    this.#events.push({ event, size });
    this.#size += size;
    if (this.#events.length > 2 * this.#limit + 100 || this.#size > 2 * this.#bytes + 1024 * 1024) this.#cut();
  }

  /** Drops what cannot be part of the page. */
  settle(): void {
    if (this.#events.length > this.#limit || this.#size > this.#bytes) this.#cut();
  }

  /** @param isInside further than which nothing belongs to the page */
  page(isInside: (id: string) => boolean = () => true): {
    readonly events: readonly LogEvent[];
    readonly over: boolean;
  } {
    this.#events = this.#events.filter(({ event }) => isInside(event.id));
    this.full = false;
    this.#cut();
    const events = this.#events.map(({ event }) => event);
    return this.full ? { events: events.slice(0, -1), over: true } : { events, over: false };
  }

  #cut(): void {
    const order = this.#sign;
    this.#events.sort(({ event: one }, { event: other }) =>
      one.id < other.id ? -order : one.id > other.id ? order : 0,
    );
    const kept: Found[] = [];
    let size = 0;
    for (const entry of this.#events) {
      // From a chunk and from the segment that it became meanwhile.
      if (kept.at(-1)?.event.id === entry.event.id) continue;
      size += entry.size;
      kept.push(entry);
      if (kept.length > this.#limit || (kept.length > 1 && size > this.#bytes)) {
        this.full = true;
        this.last = entry.event.id;
        break;
      }
    }
    this.#events = kept;
    this.#size = size;
  }
}
