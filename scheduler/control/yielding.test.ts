import { afterEach, expect, test, vi } from 'vitest';

import { ClusterView } from '../views/index.ts';
import { Fleet } from './testing/fleet.ts';
import type { SteppedClock } from './testing/stepped-clock.ts';

afterEach(() => void vi.restoreAllMocks());

const [first, services] = [15, 24];
const tasksOfEach = 500;

/** How many tasks are looked at in `life`, and how many at most before the leader lets others of its process go on. */
async function stretches(
  clock: SteppedClock,
  life: () => Promise<void>,
): Promise<{ readonly most: number; readonly total: number }> {
  let [since, most, total] = [0, 0, 0];
  for (const name of ['openTasksOfService', 'tasksOfService', 'liveTasksOn'] as const) {
    const original = ClusterView.prototype[name];
    vi.spyOn(ClusterView.prototype, name).mockImplementation(function (this: ClusterView, of: string) {
      const tasks = original.call(this, of);
      since += tasks.length;
      total += tasks.length;
      most = Math.max(most, since);
      return tasks;
    });
  }
  const sleep = clock.sleep.bind(clock);
  vi.spyOn(clock, 'sleep').mockImplementation((ms, signal) => {
    if (ms === 0) since = 0;
    return sleep(ms, signal);
  });
  await life();
  vi.restoreAllMocks();
  return { most, total };
}

test('a look at many tasks is made in stretches, between which leases are renewed and agents are answered', async () => {
  await using fleet = new Fleet(1);
  await fleet.start(250);
  const { largest } = await fleet.count(async () => {
    for (let index = 0; index < first; index++) await fleet.service(`web-${index}`, tasksOfEach);
    await fleet.steady();
  });
  for (let index = first; index < services; index++) await fleet.service(`web-${index}`, tasksOfEach);
  await fleet.steady();
  // A service is planned whole: its tasks, its record, and lines of its own.
  expect(largest).toBeLessThan(4_000 + tasksOfEach + 100);
  const { most, total } = await stretches(fleet.clock, () => fleet.pass(60_000));
  expect(total).toBeGreaterThanOrEqual(2 * services * tasksOfEach);
  expect(most).toBeLessThan(10_000 + tasksOfEach);
});
