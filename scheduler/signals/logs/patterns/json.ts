import type { Scanner } from './scanner.ts';
import { type Comparison, holds, readComparison } from './values.ts';

const allProperties = Symbol('all properties');
const allElements = Symbol('all elements');
/** A step into a value: a property by name, an element by place, or all of them. */
type Step = string | number | typeof allProperties | typeof allElements;

/** A field of a JSON line: `$.user.name`, `$.items[0]`. */
interface Selector {
  readonly text: string;
  readonly steps: readonly Step[];
}

type Expression =
  | { readonly kind: 'and' | 'or'; readonly of: readonly Expression[] }
  | { readonly kind: 'compare'; readonly selector: Selector; readonly comparison: Comparison }
  | { readonly kind: 'is'; readonly selector: Selector; readonly value: null | boolean }
  | { readonly kind: 'missing'; readonly selector: Selector };

/** `{ $.level = "error" && $.ms > 500 }`: what is asked of lines that are JSON objects or lists. */
export interface JsonPattern {
  readonly kind: 'json';
  readonly expression: Expression;
  readonly selectors: readonly Selector[];
}

/** Wildcards of selectors in one pattern (CloudWatch Logs user guide, "Filter pattern syntax"). */
const mostWildcards = 3;
const mostDepth = 64;

/** Reads an expression; the brace has been read. @throws PatternError */
export function readJson(scanner: Scanner): JsonPattern {
  const reader = new JsonReader(scanner);
  const expression = reader.any(0);
  if (!scanner.take('}'))
    scanner.fail(`${scanner.shown} stands where && , || or the end is expected. Close the expression with }.`);
  return { kind: 'json', expression, selectors: reader.selectors };
}

class JsonReader {
  readonly selectors: Selector[] = [];
  readonly #scanner: Scanner;
  #wildcards = 0;

  constructor(scanner: Scanner) {
    this.#scanner = scanner;
  }

  any(depth: number): Expression {
    return this.#joined('or', '||', () => this.#joined('and', '&&', () => this.#one(depth)));
  }

  #joined(kind: 'and' | 'or', sign: string, read: () => Expression): Expression {
    const of = [read()];
    this.#scanner.skipSpace();
    while (this.#scanner.take(sign)) {
      of.push(read());
      this.#scanner.skipSpace();
    }
    return of.length === 1 ? (of[0] as Expression) : { kind, of };
  }

  #one(depth: number): Expression {
    const scanner = this.#scanner;
    scanner.skipSpace();
    const start = scanner.at;
    if (scanner.take('(')) {
      if (depth === mostDepth) scanner.fail(`parentheses go ${mostDepth} deep at most.`, start);
      const inner = this.any(depth + 1);
      if (!scanner.take(')')) scanner.fail(`${scanner.shown} stands where && , || or ) is expected.`);
      return inner;
    }
    const selector = this.#selector();
    scanner.skipSpace();
    const at = scanner.at;
    const word = scanner.takeWhile((character) => /[A-Za-z]/.test(character)).toUpperCase();
    if (word === '') return { kind: 'compare', selector, comparison: readComparison(scanner) };
    scanner.skipSpace();
    const second = scanner.takeWhile((character) => /[A-Za-z]/.test(character)).toUpperCase();
    if (word === 'NOT' && second === 'EXISTS') return { kind: 'missing', selector };
    const value = { NULL: null, TRUE: true, FALSE: false }[second];
    if (word === 'IS' && value !== undefined) return { kind: 'is', selector, value };
    return scanner.fail('after a field comes a comparison, IS NULL, IS TRUE, IS FALSE or NOT EXISTS.', at);
  }

  #selector(): Selector {
    const scanner = this.#scanner;
    const from = scanner.at;
    if (!scanner.take('$'))
      return scanner.fail(`${scanner.shown} begins no field. Fields begin with $, as in $.level.`);
    const steps: Step[] = [];
    let wildcards = 0;
    for (;;) {
      const at = scanner.at;
      const step = this.#step();
      if (step === undefined) break;
      if (typeof step === 'symbol') {
        if (++wildcards > 1) scanner.fail('a field has one wildcard at most.', at);
        if (++this.#wildcards > mostWildcards) scanner.fail(`a pattern has ${mostWildcards} wildcards at most.`, at);
      }
      steps.push(step);
    }
    if (steps.length === 0) return scanner.fail('$ alone is the whole line. Name a field of it, as in $.level.', from);
    const selector = { text: scanner.text.slice(from, scanner.at), steps };
    this.selectors.push(selector);
    return selector;
  }

  #step(): Step | undefined {
    const scanner = this.#scanner;
    const from = scanner.at;
    // Names with other characters: $.['user agent'], also without the point.
    const [quoted, name] = /^\.?\['([^']+)'\]/.exec(scanner.text.slice(from)) ?? [];
    if (quoted !== undefined) {
      scanner.at += quoted.length;
      return name as string;
    }
    if (scanner.take('.')) {
      if (scanner.take('*')) return allProperties;
      const name = scanner.takeWhile((character) => /[A-Za-z0-9_-]/.test(character));
      if (name === '')
        return scanner.fail(
          `${scanner.shown} begins no name of a property. Write names with other characters than letters, digits, _ and - as $.['name'].`,
        );
      return name;
    }
    if (!scanner.take('[')) return undefined;
    if (scanner.take('*]')) return allElements;
    const digits = scanner.takeWhile((character) => /\d/.test(character));
    if (digits === '' || digits.length > 9 || !scanner.take(']'))
      return scanner.fail('an element of a list is written [0], all of them [*].', from);
    return Number(digits);
  }
}

export function matchesJson({ expression }: JsonPattern, line: string): boolean {
  const root = parseLine(line);
  return root !== undefined && isTrue(expression, root);
}

/** What the fields that a pattern names are in a line that matches; those that are no single text or number are left out. */
export function jsonFields({ selectors }: JsonPattern, line: string): ReadonlyMap<string, string> {
  const root = parseLine(line) ?? {};
  return new Map(
    selectors.flatMap(({ text, steps }) => {
      const values = selected(root, steps);
      const [value] = values;
      if (values.length !== 1 || value === null || typeof value === 'object') return [];
      return [[text, String(value as string | number | boolean)] as const];
    }),
  );
}

function parseLine(line: string): object | undefined {
  if (!/^\s*[{[]/.test(line)) return undefined;
  try {
    return JSON.parse(line) as object;
  } catch {
    return undefined;
  }
}

function isTrue(expression: Expression, root: object): boolean {
  switch (expression.kind) {
    case 'and':
      return expression.of.every((one) => isTrue(one, root));
    case 'or':
      return expression.of.some((one) => isTrue(one, root));
    case 'missing':
      return selected(root, expression.selector.steps).length === 0;
    case 'is':
      return selected(root, expression.selector.steps).includes(expression.value);
    case 'compare':
      return selected(root, expression.selector.steps).some(
        (value) => isCompared(value) && holds(expression.comparison, textual(value)),
      );
  }
}

/** Objects, lists and null are compared with nothing. */
const isCompared = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
const textual = (value: string | number | boolean): string | number =>
  typeof value === 'boolean' ? String(value) : value;

/** The values that a field is in a line: none, one, or with a wildcard several. */
function selected(root: unknown, steps: readonly Step[]): unknown[] {
  let values = [root];
  for (const step of steps) values = values.flatMap((value) => stepInto(value, step));
  return values;
}

function stepInto(value: unknown, step: Step): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) {
    if (step === allElements) return value;
    return typeof step === 'number' && step < value.length ? [value[step]] : [];
  }
  if (step === allProperties) return Object.values(value);
  if (typeof step !== 'string') return [];
  return Object.hasOwn(value, step) ? [(value as Readonly<Record<string, unknown>>)[step]] : [];
}
