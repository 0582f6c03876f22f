import { createHash } from 'node:crypto';

import { sameKey } from './functions.ts';
import type { Value } from './values.ts';

/** Up to so many values of a group are all kept, so that counts and percentiles are exact. */
export const exactly = 4096;
/** What each of these takes before it knows a value. */
const emptyBytes = 250;

/** A short text of a longer one, in whose place it stands. */
export function shortKey(text: string): string {
  if (text.length <= 128) return Buffer.from(text).toString();
  return `\0${createHash('sha256').update(text).digest('base64')}`;
}

/** 2^11 registers: 2.3 % off as a rule. */
const registers = 2048;
const registerBits = 11;

/** How many different values there are: exactly, and of many to within some percent (HyperLogLog). */
export class DistinctValues {
  #exact: Set<string | number> | undefined = new Set();
  #most: Uint8Array | undefined;
  readonly #spend: (bytes: number) => void;

  constructor(spend: (bytes: number) => void) {
    this.#spend = spend;
    spend(emptyBytes);
  }

  add(value: Value): void {
    const key = sameKey(value);
    if (key === undefined) return;
    const short = typeof key === 'number' ? key : shortKey(key);
    if (this.#exact === undefined) return this.#rank(short);
    const { size } = this.#exact;
    this.#exact.add(short);
    if (this.#exact.size === size) return;
    this.#spend(48 + 2 * String(short).length);
    if (size < exactly) return;
    this.#spend(registers);
    for (const one of this.#exact) this.#rank(one);
    this.#exact = undefined;
  }

  get count(): number {
    if (this.#exact !== undefined) return this.#exact.size;
    const all = this.#most!;
    let sum = 0;
    let empty = 0;
    for (const rank of all) {
      sum += 2 ** -rank;
      empty += rank === 0 ? 1 : 0;
    }
    const raw = ((0.7213 / (1 + 1.079 / registers)) * registers * registers) / sum;
    const few = raw <= 2.5 * registers && empty > 0;
    return Math.round(few ? registers * Math.log(registers / empty) : raw);
  }

  #rank(key: string | number): void {
    this.#most ??= new Uint8Array(registers);
    const hash = createHash('sha256').update(String(key)).digest();
    const register = hash.readUInt16BE(0) >> (16 - registerBits);
    const rank = Math.clz32(hash.readUInt32BE(2)) + 1;
    if (rank > this.#most[register]!) this.#most[register] = rank;
  }
}

/** Neighbouring buckets differ by 1 %. */
const step = Math.log(1.01);

/** Percentiles: exact ones, and of many values to within half a percent (buckets that grow with what is in them). */
export class Percentile {
  #exact: number[] | undefined = [];
  readonly #buckets = new Map<number, number>();
  #count = 0;
  readonly #spend: (bytes: number) => void;

  constructor(spend: (bytes: number) => void) {
    this.#spend = spend;
    spend(emptyBytes);
  }

  add(value: number): void {
    this.#count++;
    if (this.#exact === undefined) return this.#bucket(value);
    this.#spend(8);
    this.#exact.push(value);
    if (this.#exact.length <= exactly) return;
    for (const one of this.#exact) this.#bucket(one);
    this.#exact = undefined;
  }

  /** The least value that so many percent of all are at or below (nearest rank); undefined without values. */
  at(percent: number): number | undefined {
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#count));
    if (this.#exact !== undefined) return this.#exact.toSorted((one, other) => one - other)[rank - 1];
    let seen = 0;
    const sorted = [...this.#buckets].toSorted(([one], [other]) => one - other);
    for (const [bucket, count] of sorted) {
      seen += count;
      if (seen >= rank) return middleOf(bucket);
    }
    return undefined;
  }

  #bucket(value: number): void {
    const bucket = bucketOf(value);
    const count = this.#buckets.get(bucket);
    if (count === undefined) this.#spend(48);
    this.#buckets.set(bucket, (count ?? 0) + 1);
  }
}

/** What is smaller counts as 0. Buckets of negative numbers are negative. */
const smallest = 1e-9;
const offset = Math.ceil(-Math.log(smallest) / step) + 1;

function bucketOf(value: number): number {
  const size = Math.abs(value);
  return size < smallest ? 0 : Math.sign(value) * (Math.floor(Math.log(size) / step) + offset);
}

function middleOf(bucket: number): number {
  if (bucket === 0) return 0;
  return Math.sign(bucket) * Math.exp((Math.abs(bucket) - offset + 0.5) * step);
}
