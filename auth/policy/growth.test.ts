import { withCounters } from '@slipway/storage/testing';
import { expect, test } from 'vitest';

const { code, growth } = await withCounters(() => import('./pattern.ts'));

test('P9 a thousand stars take steps that grow as the text does, or not at all', async () => {
  const hostile: readonly (readonly [string, string])[] = [
    // Of few stars first, so that the steps of a matcher that goes back come to an end.
    ['a*a*a*b', ''],
    ['*?a*?a*b', ''],
    ['*a'.repeat(1000), 'b'],
    ['a*'.repeat(1000) + 'b', ''],
    ['*'.repeat(5000) + 'b', ''],
    [`*${'a?'.repeat(500)}b*`, ''],
    ['*?a'.repeat(600) + 'b', ''],
  ];
  for (const [pattern, end] of hostile) {
    const matches = code.textGlob(pattern);
    const work = (size: number): void => expect(matches('a'.repeat(size) + end)).toBe(false);
    expect(await growth(work, 64), pattern.slice(0, 20)).toBeLessThan(5);
    expect(await growth(work, 4096), pattern.slice(0, 20)).toBeLessThan(5);
  }
});
