import { afterEach, expect, test, vi } from 'vitest';

import { ClusterView } from '../views/index.ts';
import { Fleet, type Work } from './testing/fleet.ts';

afterEach(() => void vi.restoreAllMocks());

/** Twice the tasks may cost twice the work, and a little for what is rounded. */
const twice = 2.2;

/** How many tasks passes look at while `life` goes on. */
async function looksOf(life: () => Promise<Work>): Promise<Work & { readonly looks: number }> {
  let looks = 0;
  for (const name of ['openTasksOfService', 'tasksOfService', 'liveTasksOn'] as const) {
    const original = ClusterView.prototype[name];
    vi.spyOn(ClusterView.prototype, name).mockImplementation(function (this: ClusterView, of: string) {
      const tasks = original.call(this, of);
      looks += tasks.length;
      return tasks;
    });
  }
  const work = await life();
  vi.restoreAllMocks();
  return { ...work, looks };
}

/** One agent's report each millisecond, however many tasks there are. */
async function rolled(tasks: number): Promise<Work & { readonly looks: number }> {
  await using fleet = new Fleet(tasks);
  await fleet.start(tasks / 2);
  await fleet.service('web', tasks);
  await fleet.steady();
  return await looksOf(() =>
    fleet.count(async () => {
      await fleet.roll('web');
      await fleet.steady();
    }),
  );
}

test('rolling twice the tasks of a service is twice the work, and writes twice as much', async () => {
  const small = await rolled(300);
  const large = await rolled(600);
  for (const what of ['looks', 'written', 'read', 'commits'] as const)
    expect(large[what], what).toBeLessThan(twice * small[what] + 10);
  // About so often each of the tasks, old and new, is looked at until it is replaced.
  expect(large.looks / (2 * 600)).toBeLessThan(60);
  // A task is written when it is placed, found healthy, told to stop, and reviewed: nothing else grows with the tasks.
  expect(large.written / (2 * 600)).toBeLessThan(2_500);
});

test('tasks that are over cost no pass anything', async () => {
  const looks = [];
  await using fleet = new Fleet(200);
  await fleet.start(100);
  await fleet.service('web', 200);
  await fleet.steady();
  for (let round = 0; round < 4; round++)
    looks.push(
      await looksOf(() =>
        fleet.count(async () => {
          await fleet.roll('web');
          await fleet.steady();
          // Until the last old task is over.
          await fleet.pass(1_000);
        }),
      ),
    );
  expect(looks[3]!.looks).toBeLessThan(1.2 * looks[0]!.looks);
});

/** Ten minutes in which nothing happens. */
async function idle(services: number, tasksOfEach: number): Promise<Work & { readonly looks: number }> {
  await using fleet = new Fleet(300);
  await fleet.start((services * tasksOfEach) / 2);
  for (let index = 0; index < services; index++) await fleet.service(`web-${index}`, tasksOfEach);
  await fleet.steady();
  await fleet.pass(60_000);
  return await looksOf(() => fleet.count(() => fleet.pass(600_000)));
}

test('a cluster in which nothing happens reads and writes nothing but its leases, and looks at each task now and then', async () => {
  const few = await idle(10, 20);
  const many = await idle(20, 20);
  expect([...many.writtenBy.keys()]).toEqual(['$lease']);
  expect(many.read).toBeLessThanOrEqual(few.read);
  expect(many.written).toBeLessThanOrEqual(few.written + 100);
  // Twice a minute.
  expect(many.looks / (20 * 20)).toBeLessThanOrEqual(22);
});

test('a change of one task of a large service writes that task, and lines of its own', async () => {
  await using fleet = new Fleet(300);
  await fleet.start(100);
  await fleet.service('web', 400);
  await fleet.steady();
  const more = await fleet.count(async () => {
    await fleet.scale('web', 401);
    await fleet.steady();
  });
  expect(more.written).toBeLessThan(8_000);
});

test('many services of few tasks cost what one service of as many does', async () => {
  const started = async (services: number): Promise<Work & { readonly looks: number }> => {
    await using fleet = new Fleet(300);
    await fleet.start(100);
    return await looksOf(() =>
      fleet.count(async () => {
        for (let index = 0; index < services; index++) await fleet.service(`web-${index}`, 10);
        await fleet.steady();
      }),
    );
  };
  const few = await started(20);
  const many = await started(40);
  for (const what of ['looks', 'written', 'read'] as const)
    expect(many[what], what).toBeLessThan(twice * few[what] + 10);
});
