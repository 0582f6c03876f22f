// Well kept and already what AppSpecs are read with: positions of every value, which no other parser here gives.
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type Document } from 'yaml';
import type { Problems } from './problems.ts';

/** Largest file that is read, in bytes, and values that are looked at in one: aliases may stand for very many. */
const largest = 1024 * 1024;
const mostValues = 20_000;

interface Reading {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly problems: Problems;
  readonly text: (raw: string, refuse: (why: string) => void) => string;
  values: number;
}

/** A value of a YAML file with its place, as its reader asks for it. What is not as asked becomes a problem, and undefined. */
export class Field {
  readonly path: string;
  readonly #reading: Reading;
  readonly #node: Node | null;
  readonly #line: number;

  /** @param line of its name: a value that is missing has no place of its own */
  constructor(reading: Reading, path: string, node: unknown, line: number) {
    reading.values += 1;
    this.path = path;
    this.#reading = reading;
    this.#node = resolved(reading, node);
    this.#line = line;
  }

  /** Line of the file, from 1. */
  get line(): number {
    return this.#line;
  }

  get kind(): 'nothing' | 'map' | 'list' | 'scalar' {
    if (isMap(this.#node)) return 'map';
    if (isSeq(this.#node)) return 'list';
    return isScalar(this.#node) && this.#node.value !== null ? 'scalar' : 'nothing';
  }

  /** Says what is wrong with this value. */
  refuse(why: string): undefined {
    this.#reading.problems.add(this.#line, this.path === '' ? why : `${this.path}: ${why}`);
    return undefined;
  }

  /** The members of a map by name, with those that `<<` merges; none when it is not one, which is a problem. */
  members(depth = 0): ReadonlyMap<string, Field> {
    const found = new Map<string, Field>();
    if (this.kind === 'nothing') return found;
    if (!isMap(this.#node)) {
      this.refuse('is a map of names to values');
      return found;
    }
    if (this.#reading.values > mostValues) {
      this.refuse(`is beyond the ${mostValues} values that a file may have, aliases followed`);
      return found;
    }
    const merged: Field[] = [];
    for (const { key, value } of this.#node.items) {
      const name = isScalar(key) ? String(key.value) : '';
      const line = lineOf(this.#reading, key) || this.#line;
      const field = new Field(this.#reading, this.path === '' ? name : `${this.path}.${name}`, value, line);
      if (found.has(name)) field.refuse('is there twice');
      if (name === '<<') merged.push(...(field.kind === 'list' ? field.items() : [field]));
      else found.set(name, field);
    }
    // A map may merge one that merges another; one that merges itself never ends.
    if (depth > 8) this.refuse('merges maps that merge maps more than eight deep');
    else
      for (const field of merged)
        for (const [name, member] of field.members(depth + 1)) if (!found.has(name)) found.set(name, member);
    return found;
  }

  /** The elements of a list; none when it is not one, which is a problem. */
  items(): readonly Field[] {
    if (this.kind === 'nothing') return [];
    if (!isSeq(this.#node)) {
      this.refuse('is a list');
      return [];
    }
    if (this.#reading.values > mostValues) {
      this.refuse(`is beyond the ${mostValues} values that a file may have, aliases followed`);
      return [];
    }
    return this.#node.items.map(
      (node, i) => new Field(this.#reading, `${this.path}[${i}]`, node, lineOf(this.#reading, node) || this.#line),
    );
  }

  /** A text with its variables put in; numbers and truth values count as what was typed. */
  text(): string | undefined {
    if (!isScalar(this.#node) || this.#node.value === null) return this.refuse('is a text');
    const raw =
      typeof this.#node.value === 'string' ? this.#node.value : (this.#node.source ?? JSON.stringify(this.#node.value));
    return this.#reading.text(raw, (why) => this.refuse(why));
  }

  /** A whole number of at least `least` and at most `most`. */
  integer(least: number, most: number): number | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    const value = Number(text);
    return /^\d{1,9}$/.test(text) && value >= least && value <= most
      ? value
      : this.refuse(`is a whole number from ${least} to ${most}, not '${text}'`);
  }

  truth(): boolean | undefined {
    const text = this.text();
    if (text === undefined || text === 'true') return text === undefined ? undefined : true;
    return text === 'false' ? false : this.refuse(`is true or false, not '${text}'`);
  }

  /** Texts of a list, or of one text alone. */
  texts(): readonly string[] {
    const fields = this.kind === 'scalar' ? [this] : this.items();
    return fields.flatMap((field) => field.text() ?? []);
  }
}

const lineOf = ({ lines }: Reading, node: unknown): number => {
  const range = (node as Node | null)?.range;
  return range === undefined || range === null ? 0 : lines.linePos(range[0]).line;
};

function resolved({ document }: Reading, node: unknown): Node | null {
  return isAlias(node) ? ((node.resolve(document) as Node | undefined) ?? null) : (node as Node | null);
}

/**
 * The root of a YAML file. What is no YAML is a problem of its line, and its root is nothing.
 * @param text puts variables into what is typed; `refuse` says why that cannot be done
 */
export function readYaml(source: string, problems: Problems, text: Reading['text'] = (raw) => raw): Field {
  const lines = new LineCounter();
  const reading = (document: Document): Reading => ({ document, lines, problems, text, values: 0 });
  if (Buffer.byteLength(source) > largest) {
    problems.add(0, `is larger than ${largest / 1024} KiB`);
    return new Field(reading(parseDocument('')), '', null, 0);
  }
  // Keys that are there twice are found by those who read a map, in less than quadratic time.
  const document = parseDocument(source, { lineCounter: lines, merge: false, uniqueKeys: false, prettyErrors: false });
  for (const { message, pos } of document.errors) problems.add(lines.linePos(pos[0]).line, message);
  return new Field(reading(document as Document), '', document.errors.length > 0 ? null : document.contents, 1);
}
