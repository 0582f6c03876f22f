/** A point in time, which is shown as one: milliseconds since the epoch. */
export class Instant {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

/** An object or a list of JSON. */
export class Structure {
  readonly json: object;
  constructor(json: object) {
    this.json = json;
  }
}

/** What an expression is for a row; undefined: nothing (the field is not there, or the operation makes no sense for it). */
export type Value = string | number | boolean | Instant | Structure | undefined;

/** Texts that are numbers: digits, a point, an exponent. */
const numeric = /^[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,4})?$/;

/** The number that a value is, or reads as; booleans are 1 and 0. Undefined for everything else. */
export function numberOf(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Instant) return value.ms;
  if (typeof value !== 'string' || value === '') return undefined;
  // Most texts are no numbers, and show it at once.
  const first = value.charCodeAt(0);
  if ((first < 0x30 || first > 0x39) && first !== 0x2b && first !== 0x2d && first !== 0x2e) return undefined;
  if (!numeric.test(value)) return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

/** A number if it is one that can be shown and reckoned with. */
export const finite = (number: number): number | undefined => (Number.isFinite(number) ? number : undefined);

/** How a value is shown, compared and searched as text; undefined for nothing. */
export function textOf(value: Value): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  if (typeof value === 'number') return String(Object.is(value, -0) ? 0 : value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (value instanceof Instant) return shownTime(value.ms);
  try {
    return JSON.stringify(value.json);
  } catch {
    // Nested too deeply.
    return undefined;
  }
}

/** About what an object of JSON takes in memory, bytes: some times as many as its text has. */
export const objectBytes = (text: string | undefined): number => 16 + 8 * (text?.length ?? 0);

/** `2026-11-30 09:15:00.000`, in UTC, as answers have times. */
export function shownTime(ms: number): string | undefined {
  if (!(Math.abs(ms) <= 8.64e15)) return undefined;
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
}

/** What a value of JSON is in a query: `null` is nothing. */
export function valueOfJson(json: unknown): Value {
  if (typeof json === 'string' || typeof json === 'number' || typeof json === 'boolean') return json;
  return typeof json === 'object' && json !== null ? new Structure(json) : undefined;
}

/** Whether a filter lets a row through for which its expression is this. */
export function isTrue(value: Value): boolean {
  if (typeof value === 'boolean') return value;
  if (value === undefined || value === '' || value === 'false') return false;
  return numberOf(value) !== 0;
}

/**
 * How two values compare: as numbers where both are or read as numbers, as text otherwise (by code units). Undefined when one is nothing.
 * The words `true` and `false` are what booleans of JSON are compared with.
 */
export function compared(one: Value, other: Value): number | undefined {
  if (one === undefined || other === undefined) return undefined;
  const [first, second] = [numberOf(one), numberOf(other)];
  if (first !== undefined && second !== undefined) return first - second;
  const [left, right] = [wordOf(one, other), wordOf(other, one)];
  if (left === undefined || right === undefined) return undefined;
  return left < right ? -1 : left > right ? 1 : 0;
}

const wordOf = (value: Value, beside: Value): string | undefined =>
  typeof value === 'boolean' && typeof beside === 'string' ? String(value) : textOf(value);

/**
 * The order of `sort` (CloudWatch Logs user guide, "sort"): what is nothing first, then texts, then numbers. Of texts, runs of digits are compared
 * by their length and then by their digits, everything else by its code units.
 */
export function order(one: Value, other: Value): number {
  const [first, second] = [numberOf(one), numberOf(other)];
  if (first !== undefined && second !== undefined) return first - second;
  if (one === undefined || other === undefined) return Number(one !== undefined) - Number(other !== undefined);
  if (first !== undefined || second !== undefined) return first === undefined ? -1 : 1;
  return naturally(textOf(one) ?? '', textOf(other) ?? '');
}

/** As {@link order}, but that what is the same number and is written in several ways has an order as well, by what is written. */
export function totalOrder(one: Value, other: Value): number {
  const difference = order(one, other);
  if (difference !== 0) return difference;
  const [left = '', right = ''] = [textOf(one), textOf(other)];
  return left < right ? -1 : left > right ? 1 : 0;
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

function naturally(one: string, other: string): number {
  let at = 0;
  let from = 0;
  const most = Math.min(one.length, other.length);
  while (at < most && one.charCodeAt(at) === other.charCodeAt(at)) {
    if (!isDigit(one.charCodeAt(at))) from = at + 1;
    at++;
  }
  const [left, right] = [digitsAt(one, from), digitsAt(other, from)];
  // Both are within a run of digits, or begin one: the longer one is the greater one.
  if (left > 0 && right > 0 && left !== right) return left - right;
  if (at === most) return one.length - other.length;
  return one.charCodeAt(at) - other.charCodeAt(at);
}

function digitsAt(text: string, from: number): number {
  let at = from;
  while (at < text.length && isDigit(text.charCodeAt(at))) at++;
  return at - from;
}
