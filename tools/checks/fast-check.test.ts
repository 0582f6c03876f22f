import * as fc from 'fast-check';
import { expect, test } from 'vitest';

test('properties play the same cases in each usual run, and others at night', () => {
  const isUsual = !['nightly', 'release'].includes(process.env['SLIPWAY_TEST_SIZE'] ?? '');
  expect(fc.readConfigureGlobal()?.seed !== undefined).toBe(isUsual);
  const drawn = (): number[] => {
    const numbers: number[] = [];
    fc.assert(fc.property(fc.integer(), (one) => numbers.push(one) > 0));
    return numbers;
  };
  const [one, other] = [drawn(), drawn()];
  expect(one).toHaveLength(100);
  expect(String(one) === String(other)).toBe(isUsual);
});
