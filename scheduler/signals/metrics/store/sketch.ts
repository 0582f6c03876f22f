import type { Distribution } from './contract.ts';
import { mostValue, relativeError } from './contract.ts';

/**
 * Counts of values by the logarithm of their distance from 0 (DDSketch: Masson, Rim, Lee, "a fast and fully-mergeable quantile sketch
 * with relative-error guarantees", VLDB 2019), by whole-numbered keys in the order of the values: 0 is 0, negative keys are of negative values.
 */
export type Sketch = Map<number, number>;

const gamma = (1 + relativeError) / (1 - relativeError);
const perLog = 1 / Math.log(gamma);
/** The distance of the smallest value that is not taken for 0, 2^-360, so that keys of positive values are positive. */
const offset = Math.ceil(Math.log(mostValue) * perLog) + 1;
const smallest = 1 / mostValue;

/** Steps that one sketch has at most, and with how many it is cut back to that: its lowest ones then become one. */
const mostKeys = 512;
const untidyKeys = 768;

export function keyOf(value: number): number {
  const distance = Math.abs(value);
  if (distance < smallest) return 0;
  const key = Math.ceil(Math.log(distance) * perLog) + offset;
  return value < 0 ? -key : key;
}

/** The value that stands for all of a key. */
export function valueOf(key: number): number {
  if (key === 0) return 0;
  const distance = (2 * gamma ** (Math.abs(key) - offset)) / (1 + gamma);
  return key < 0 ? -distance : distance;
}

export function add(sketch: Sketch, key: number, count: number): void {
  sketch.set(key, (sketch.get(key) ?? 0) + count);
  if (sketch.size > untidyKeys) cut(sketch);
}

/** Makes one of the lowest keys where there are too many; upper percentiles stay as exact as they are. */
function cut(sketch: Sketch): void {
  const keys = [...sketch.keys()].sort((one, other) => one - other);
  const lowest = keys.slice(0, keys.length - mostKeys + 1);
  const into = lowest.at(-1) as number;
  let count = 0;
  for (const key of lowest) {
    count += sketch.get(key) as number;
    sketch.delete(key);
  }
  sketch.set(into, count);
}

export function distributionOf(sketch: Sketch): Distribution {
  const keys = [...sketch.keys()].sort((one, other) => one - other);
  return { values: keys.map(valueOf), counts: keys.map((key) => sketch.get(key) as number) };
}
