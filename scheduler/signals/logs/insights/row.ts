import type { LogEvent } from '../store/contract.ts';

import { QueryTooHeavy } from './errors.ts';
import { Instant, objectBytes, Structure, textOf, type Value, valueOfJson } from './values.ts';

/** An event, and the group that it is from. */
export interface FoundEvent extends LogEvent {
  /** `account:group`. */
  readonly log: string;
  /** What GetLogRecord finds it by. */
  readonly pointer: string;
}

/** How much text the expressions of a query may go over for one row: characters, those of regular expressions weighed. */
const mostWork = 32 * 1024 * 1024;
/** Bytes that one line of an answer may take in memory: it is written and read as a whole. */
const mostOfLine = 16 * 1024 * 1024;

/** What a query sees of an event, or of a line of `stats`. */
export class Row {
  readonly event: FoundEvent | undefined;
  readonly own = new Map<string, Value>();
  /** The values that `sort` goes by. */
  order: readonly Value[] = [];
  /** Where it stands among rows that a command has put in order; undefined for events as they are read. */
  place: number | undefined;
  /** What `stats` grouped by. */
  by: readonly Value[] = [];
  #json: unknown;
  #isRead = false;
  #work = 0;

  constructor(event?: FoundEvent) {
    this.event = event;
  }

  /** Counts what an expression goes over. @throws QueryTooHeavy when it is more than one row is given */
  spend(characters: number): void {
    this.#work += characters;
    if (this.#work > mostWork) throw new QueryTooHeavy('the expressions of the query take too long for one event');
  }

  /** Counts looking for one text in another: at its worst the whole of the one is compared at many places of the other. */
  search(text: string, part: string): void {
    this.spend(text.length * (1 + Math.min(part.length, text.length) / 8));
  }

  /** Lets go of what can be read again. */
  forget(): void {
    this.#isRead = false;
    this.#json = undefined;
  }

  /** About what it takes in memory, bytes. */
  get size(): number {
    let size = 300 + 2 * (this.event?.message.length ?? 0);
    // Answers name the fields of each row.
    for (const name of this.own.keys()) size += 2 * name.length;
    for (const value of [...this.own.values(), ...this.order])
      size +=
        typeof value === 'string' ? 2 * value.length : value instanceof Structure ? objectBytes(textOf(value)) : 16;
    return size;
  }

  /**
   * The same with nothing but these fields, as texts: what the answer shows, without the message that they are parts of.
   * @throws QueryTooHeavy when they are too long for one line of it
   */
  reduced(fields: readonly { readonly name: string; readonly of: (row: Row) => Value }[]): Row {
    const row = new Row(this.event && { ...this.event, message: '' });
    for (const { name, of } of fields) row.own.set(name, detached(textOf(of(this))));
    row.order = this.order.map((value) => (typeof value === 'string' ? detached(value) : value));
    row.by = this.by;
    row.place = this.place;
    if (row.size > mostOfLine)
      throw new QueryTooHeavy('one line of the answer is too long: show fewer fields, or parts of them');
    return row;
  }

  /** The message as JSON: an object, or undefined. */
  get json(): unknown {
    if (!this.#isRead) {
      this.#isRead = true;
      this.#json = objectIn(this.event?.message ?? '');
    }
    return this.#json;
  }
}

/** The object that a text is, as JSON. */
export function objectIn(text: string): object | undefined {
  let at = 0;
  while (at < text.length && text.charCodeAt(at) <= 0x20) at++;
  if (text.charCodeAt(at) !== 0x7b) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}

/** A text that keeps no longer one in memory, which it is a part of. */
const detached = (text: string | undefined): string | undefined => text && Buffer.from(text).toString();

const known: Readonly<Record<string, (event: FoundEvent) => Value>> = {
  __proto__: null as never,
  '@timestamp': ({ timestamp }) => new Instant(timestamp),
  '@ingestionTime': ({ ingestionTime }) => new Instant(ingestionTime),
  '@message': ({ message }) => message,
  '@logStream': ({ stream }) => stream,
  '@log': ({ log }) => log,
  '@ptr': ({ pointer }) => pointer,
};

/** Reads a field of rows by the parts of its name: what the query made, what every event has, or a field of its JSON. */
export function fieldReader(name: string, parts: readonly string[]): (row: Row) => Value {
  const special = known[name];
  const [first = '', ...others] = parts;
  return (row) => {
    if (row.own.size > 0) {
      if (row.own.has(name)) return row.own.get(name);
      const above = others.length > 0 ? row.own.get(first) : undefined;
      if (above instanceof Structure) return valueOfJson(within(above.json, others));
    }
    if (row.event === undefined) return undefined;
    if (special !== undefined) return special(row.event);
    return valueOfJson(within(row.json, parts));
  };
}

/** What lies at a path: at each step under the rest of it as one name, if there is such a member, or one step further. */
function within(json: unknown, path: readonly string[]): unknown {
  let value = json;
  for (let at = 0; at < path.length; at++) {
    if (typeof value !== 'object' || value === null) return undefined;
    if (at + 1 < path.length && !Array.isArray(value)) {
      const rest = path.slice(at).join('.');
      if (Object.hasOwn(value, rest)) return (value as Record<string, unknown>)[rest];
    }
    const step = path[at] as string;
    if (!Object.hasOwn(value, step) || (Array.isArray(value) && !/^\d{1,9}$/.test(step))) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}
