import { expect, test } from 'vitest';
import { measureScaling, shortened, spareTarget, toRows } from './scaling.ts';
import { loadOf, playEcs, playGone, playOurs } from './scaling/day.ts';

test('the benchmark of scaling runs, and its figures are there', () => {
  const rows = toRows(measureScaling(shortened));
  expect(rows.filter(({ what, ours }) => what === '' || /NaN|not measured|∞/.test(ours))).toEqual([]);
});

test('a day is the same for its seed, has hosts for its tasks, and takes fewer hours of hosts than by the rules of ECS', () => {
  const day = { seed: 3, length: 86_400_000, slots: 4, startsIn: 60_000 };
  const [ours, ecs] = [playOurs(day), playEcs(day)];
  expect(playOurs(day)).toEqual(ours);
  const load = loadOf(day);
  let least = 0;
  for (let at = 0; at < day.length; at += 5_000) least += Math.ceil(load(at) / day.slots) * (5_000 / 3_600_000);
  expect(ours.hostHours).toBeGreaterThan(0.95 * least);
  expect(ours.hostHours).toBeLessThan(ecs.hostHours);
  expect(playOurs(day, spareTarget).waitingHours).toBeLessThan(ecs.waitingHours);
});

test.each([1, 2, 12])(
  'when all load is gone (seed %i) the first host goes after a minute, and by the rules of ECS after fourteen',
  (seed) => {
    const { ours, ecs } = playGone(seed);
    expect(ours).toBeGreaterThanOrEqual(60_000);
    expect(ours).toBeLessThanOrEqual(70_000);
    expect(ecs).toBeGreaterThanOrEqual(840_000);
    expect(ecs).toBeLessThanOrEqual(900_000);
  },
);
