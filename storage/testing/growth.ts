import { Session } from 'node:inspector/promises';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
/** Tests and what helps them are not what is counted. */
const others = /node_modules|\/testing\/|\.test\.ts/;

/** Code whose work is counted, see {@link withCounters}. */
export interface Counted<T> {
  readonly code: T;
  /** How often the blocks of the code run while something is done. */
  readonly steps: (work: () => unknown) => Promise<number>;
  /** How many times as many steps work takes when it is four times as large: at most 4 where it is linear, 16 where it is the square. */
  readonly growth: (work: (size: number) => unknown, size: number) => Promise<number>;
}

/**
 * Loads code and counts its steps, which are the same on every machine, however busy. What functions of the language do inside is
 * not counted: regular expressions are looked at by tools/checks/regular-expressions.test.ts.
 * @param load imports the code, for the first time in this process: what ran before has no counters
 */
export async function withCounters<T>(load: () => Promise<T>): Promise<Counted<T>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const code = await load();
  /** Since it was asked last. */
  const counted = async (): Promise<number> => {
    const { result } = await session.post('Profiler.takePreciseCoverage');
    return result
      .filter(({ url }) => url.includes(root) && !others.test(url))
      .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges.map(({ count }) => count)))
      .reduce((sum, count) => sum + count, 0);
  };
  const steps = async (work: () => unknown): Promise<number> => {
    await counted();
    await work();
    return counted();
  };
  return {
    code,
    steps,
    growth: async (work, size) => {
      // What is kept for later calls is made by one that does not count.
      await work(size);
      const small = await steps(() => work(size));
      return (await steps(() => work(4 * size))) / small;
    },
  };
}
