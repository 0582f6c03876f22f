import { Accumulator } from './accumulator.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import type { Sketch } from './sketch.ts';

/**
 * A run: the buckets of one series and unit at one resolution, ascending. On disk a bucket is what its time is after the one before, in
 * seconds of the resolution, a byte of flags, and what they say.
 */

/** A series' id and its unit: hexadecimal digits, in whose order runs lie. */
export type RunKey = string;
export const runKey = (id: string, unit: number): RunKey => id + unit.toString(16).padStart(2, '0');
export const idOfRun = (key: RunKey): string => key.slice(0, -2);
export const unitOfRun = (key: RunKey): number => Number.parseInt(key.slice(-2), 16);
/** Bytes of it. */
export const runKeyBytes = 17;

export type Buckets = Map<number, Accumulator>;

const flags = {
  /** One number says all: a value that was seen once. */
  single: 1,
  /** Sums and values are small whole numbers. */
  small: 2,
  /** The count is a whole number. */
  counted: 4,
  vague: 8,
  sketch: 16,
} as const;

const isSmall = (value: number): boolean =>
  Number.isInteger(value) && value < 2 ** 40 && value > -(2 ** 40) && !Object.is(value, -0);

/** Writes buckets as a run without its key. @param seconds of the resolution */
export function writeBuckets(into: ByteWriter, buckets: Buckets, seconds: number): void {
  const times = [...buckets.keys()].sort((one, other) => one - other);
  into.whole(times.length);
  let last = 0;
  for (const time of times) {
    const at = time / (1000 * seconds);
    into.whole(at - last);
    last = at;
    writeBucket(into, buckets.get(time) as Accumulator);
  }
}

function writeBucket(into: ByteWriter, { count, sum, min, max, vague, sketch }: Accumulator): void {
  const single = count === 1 && min === max && sum === min;
  const small = isSmall(sum) && isSmall(min) && isSmall(max);
  const counted = isSmall(count);
  into.byte(
    (single ? flags.single : 0) |
      (small ? flags.small : 0) |
      (counted ? flags.counted : 0) |
      (vague ? flags.vague : 0) |
      (sketch === undefined ? 0 : flags.sketch),
  );
  const value = (number: number): void => (small ? into.signed(number) : into.double(number));
  value(min);
  if (single) return;
  value(max);
  value(sum);
  writeCount(into, count, counted);
  if (sketch !== undefined) writeSketch(into, sketch);
}

const writeCount = (into: ByteWriter, count: number, counted: boolean): void =>
  counted ? into.whole(count) : into.double(count);

function writeSketch(into: ByteWriter, sketch: Sketch): void {
  const keys = [...sketch.keys()].sort((one, other) => one - other);
  const counted = keys.every((key) => isSmall(sketch.get(key) as number));
  into.whole(2 * keys.length + (counted ? 1 : 0));
  let last = 0;
  for (const key of keys) {
    into.signed(key - last);
    last = key;
    writeCount(into, sketch.get(key) as number, counted);
  }
}

/**
 * Reads the buckets of a run, and adds each to what is given for its time.
 * @param into undefined for a bucket that nobody wants
 * @throws RangeError for what is none
 */
export function readBuckets(from: ByteReader, seconds: number, into: (time: number) => Accumulator | undefined): void {
  const length = from.whole();
  const one = new Accumulator();
  let at = 0;
  for (let index = 0; index < length; index++) {
    at += from.whole();
    readBucket(from, one);
    into(at * 1000 * seconds)?.merge(one);
  }
}

/** As {@link readBuckets}, for whoever needs no distributions: what each bucket comes to. */
export function readSums(
  from: ByteReader,
  seconds: number,
  see: (time: number, count: number, sum: number, min: number, max: number) => void,
): void {
  const length = from.whole();
  let at = 0;
  for (let index = 0; index < length; index++) {
    at += from.whole();
    const time = at * 1000 * seconds;
    const has = from.byte();
    const small = (has & flags.small) !== 0;
    const min = small ? from.signed() : from.double();
    if ((has & flags.single) !== 0) {
      see(time, 1, min, min, min);
      continue;
    }
    const max = small ? from.signed() : from.double();
    const sum = small ? from.signed() : from.double();
    const count = (has & flags.counted) !== 0 ? from.whole() : from.double();
    if ((has & flags.sketch) !== 0) skipSketch(from);
    see(time, count, sum, min, max);
  }
}

function readBucket(from: ByteReader, into: Accumulator): void {
  const has = from.byte();
  const small = (has & flags.small) !== 0;
  into.min = small ? from.signed() : from.double();
  into.vague = (has & flags.vague) !== 0;
  into.sketch = undefined;
  if ((has & flags.single) !== 0) {
    into.max = into.min;
    into.sum = into.min;
    into.count = 1;
    return;
  }
  into.max = small ? from.signed() : from.double();
  into.sum = small ? from.signed() : from.double();
  into.count = (has & flags.counted) !== 0 ? from.whole() : from.double();
  if ((has & flags.sketch) !== 0) into.sketch = readSketch(from);
}

function skipSketch(from: ByteReader): void {
  const head = from.whole();
  for (let left = Math.floor(head / 2); left > 0; left--) {
    from.signed();
    if (head % 2 === 1) from.whole();
    else from.double();
  }
}

function readSketch(from: ByteReader): Sketch {
  const sketch: Sketch = new Map();
  const head = from.whole();
  const counted = head % 2 === 1;
  let key = 0;
  for (let left = Math.floor(head / 2); left > 0; left--) {
    key += from.signed();
    sketch.set(key, counted ? from.whole() : from.double());
  }
  return sketch;
}
