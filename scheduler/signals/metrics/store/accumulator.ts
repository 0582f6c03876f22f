import type { Bucket, Sample } from './contract.ts';
import { add, distributionOf, keyOf, type Sketch } from './sketch.ts';

/** Everything that came of a series in one period, as it is added up. */
export class Accumulator {
  count = 0;
  sum = 0;
  min = Infinity;
  max = -Infinity;
  /** Whether a statistic set came that does not tell its distribution. */
  vague = false;
  /** There only once values differ. */
  sketch: Sketch | undefined;

  addValue(value: number, count: number): void {
    this.#place(value, value, count);
    this.count += count;
    this.sum += value * count;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  addMeasured(measured: Sample['measured']): void {
    if (typeof measured === 'number') return this.addValue(measured, 1);
    if ('values' in measured) {
      for (const [index, value] of measured.values.entries()) this.addValue(value, measured.counts?.[index] ?? 1);
      return;
    }
    const { count, sum, min, max } = measured;
    if (min === max) this.#place(min, max, count);
    else this.#loseSketch();
    this.#addSums(count, sum, min, max);
  }

  /** Adds what another one has. */
  merge(other: Accumulator): void {
    if (other.count === 0) return;
    if (other.vague) this.#loseSketch();
    else if (other.sketch === undefined) this.#place(other.min, other.max, other.count);
    else if (!this.vague) {
      this.#openSketch();
      for (const [key, count] of other.sketch) add(this.sketch as Sketch, key, count);
    }
    this.#addSums(other.count, other.sum, other.min, other.max);
  }

  /** @param isWhole whether its distribution belongs to it */
  bucket(time: number, unit: string, isWhole = true): Bucket {
    const { count, sum, min, max, vague, sketch } = this;
    if (vague || !isWhole) return { time, unit, count, sum, min, max };
    const distribution = sketch === undefined ? { values: [min], counts: [count] } : distributionOf(sketch);
    return { time, unit, count, sum, min, max, distribution };
  }

  #addSums(count: number, sum: number, min: number, max: number): void {
    this.count += count;
    this.sum += sum;
    if (min < this.min) this.min = min;
    if (max > this.max) this.max = max;
  }

  /** Counts values that are all the same. */
  #place(min: number, max: number, count: number): void {
    if (this.vague) return;
    if (this.sketch === undefined && (this.count === 0 || (this.min === min && this.max === max))) return;
    this.#openSketch();
    add(this.sketch as Sketch, keyOf(min), count);
  }

  #openSketch(): void {
    if (this.sketch !== undefined) return;
    this.sketch = new Map();
    if (this.count > 0) this.sketch.set(keyOf(this.min), this.count);
  }

  #loseSketch(): void {
    this.vague = true;
    this.sketch = undefined;
  }
}
