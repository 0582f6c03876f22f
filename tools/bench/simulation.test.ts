import { expect, test } from 'vitest';
import { measureSimulation } from '../simulator/index.ts';
import { shortened, toRows } from './simulation.ts';

test('the benchmark of the simulation runs, and its figures make sense', { timeout: 180_000 }, async () => {
  const figures = await measureSimulation(shortened);
  const rows = toRows(figures);
  expect(rows.length).toBe(3 + 9 * shortened.clusters.length);
  expect(rows.filter(({ what, ours }) => what === '' || /NaN|not measured|∞/.test(ours))).toEqual([]);
  // A task that is replaced is written at least when it is placed, when it runs and when the one before it ended.
  for (const { written, memory } of figures.clusters) {
    expect(written.rows).toBeGreaterThanOrEqual(3);
    expect(written.bytes).toBeGreaterThan(1_000);
    expect(memory).toBeGreaterThan(0);
  }
});
