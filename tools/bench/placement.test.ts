import { expect, test } from 'vitest';
import { measure, shortened, toRow } from './placement.ts';

test('the placement benchmark runs, and its figures make sense', { timeout: 180_000 }, async () => {
  const measured = await measure(shortened);
  expect(measured.length).toBeGreaterThanOrEqual(18);
  // A shortened row may end within one tick of the thread's CPU clock: its rate is then infinite, but never zero or NaN.
  expect(measured.filter((row) => !(row.ours > 0))).toEqual([]);
  expect(measured.map(toRow).filter((row) => row.what === '' || row.ours === '')).toEqual([]);
  // Ratios do not depend on the machine: exact placement keeps far fewer instances in use than two random choices.
  const placed = measured.find(({ what }) => what.startsWith('churn'))!;
  expect(placed.ours).toBeGreaterThanOrEqual(1);
  expect(placed.ours).toBeLessThan(placed.sampling!['Nomad 2']!);
});
