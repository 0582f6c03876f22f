/** Milliseconds for which a machine that did not answer is not asked again: doubled each time, up to this many. */
const first = 30_000;
const longest = 300_000;

/** Machines of a pool that do not answer: each is waited for a while before it is asked again, so that a pool of many that are off is looked at as fast as one of few. */
export class Silence {
  readonly #monotonic: () => number;
  /** By what names a machine and the way to it. */
  readonly #known = new Map<string, { readonly times: number; readonly until: number; readonly why: string }>();

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Whether it is not to be asked just now. */
  has(way: string): boolean {
    return this.#monotonic() < (this.#known.get(way)?.until ?? -Infinity);
  }

  /** What it said, or did not say, when it was asked last. */
  whyOf(way: string): string {
    return this.#known.get(way)?.why ?? 'does not answer';
  }

  add(way: string, why: string): void {
    const times = this.#known.get(way)?.times ?? 0;
    this.#known.set(way, { times: times + 1, until: this.#monotonic() + Math.min(first * 2 ** times, longest), why });
  }

  remove(way: string): void {
    this.#known.delete(way);
  }
}
