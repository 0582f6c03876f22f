import { seededRandom } from '@slipway/scheduler/placement';

/** Seeded chance with the questions that a simulation asks it. */
export class Chance {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  /** In [0, 1). */
  number(): number {
    return this.#next();
  }

  /** Whether something of this probability happens. */
  happens(probability: number): boolean {
    return this.#next() < probability;
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + this.#next() * (high - low);
  }

  /** A whole number in [low, high]. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.#next() * (high - low + 1));
  }

  /** One of several. @throws RangeError when there are none */
  pick<T>(from: readonly T[]): T {
    const picked = from[Math.floor(this.#next() * from.length)];
    if (from.length === 0) throw new RangeError('nothing to pick from');
    return picked as T;
  }

  bytes(size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    for (let index = 0; index < size; index++) bytes[index] = Math.floor(this.#next() * 256);
    return bytes;
  }

  /** Another generator, so that what one part of the world draws does not move what others draw. */
  fork(): Chance {
    return new Chance(Math.floor(this.#next() * 2 ** 32));
  }
}
