import { join } from 'node:path';
import { runInThisContext } from 'node:vm';
import { expect, test } from 'vitest';
import { withCounters } from './index.ts';

const text = `({
  line(n) { let sum = 0; for (let i = 0; i < n; i++) sum += i; return sum; },
  square(n) { let sum = 0; for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) sum += j; return sum; },
})`;
type Made = Record<'line' | 'square', (size: number) => number>;
const made = async (folder: string): Promise<Made> =>
  runInThisContext(text, { filename: join(import.meta.dirname, '..', folder, 'made.ts') }) as Made;

test('loops are counted: four times the work is four times the steps of a line, and sixteen times those of a square', async () => {
  const { code, steps, growth } = await withCounters(() => made('clock'));
  expect(await growth(code.line, 1000)).toBeCloseTo(4, 1);
  expect(await growth(code.square, 100)).toBeCloseTo(16, 0);
  const once = await steps(() => code.square(100));
  expect(once).toBeGreaterThan(10_000);
  expect(await steps(() => code.square(100))).toBe(once);
  expect(await steps(() => undefined)).toBe(0);
  // What helps tests is not counted.
  const { square } = await made('testing');
  expect(await steps(() => square(100))).toBe(0);
});
