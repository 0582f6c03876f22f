import { expect, test } from 'vitest';

import { Agenda } from './agenda.ts';
import { SteppedClock } from './testing/stepped-clock.ts';

const forever = new AbortController().signal;

async function waitFor(agenda: Agenda, clock: SteppedClock): Promise<void> {
  const waited = agenda.wait(60_000, forever);
  clock.step(60_000);
  await waited;
}

test('what something happened to is taken once, in order, and no more than were asked for', () => {
  const agenda = new Agenda(new SteppedClock());
  for (const name of ['a', 'b', 'a', 'c']) agenda.touch(name);
  expect(agenda.take(2)).toEqual(['a', 'b']);
  expect(agenda.take(2)).toEqual(['c']);
  expect(agenda.take(2)).toEqual([]);
});

test('a service that was looked at rests for as long as it is large, and is looked at then although nothing rings', async () => {
  const clock = new SteppedClock();
  const agenda = new Agenda(clock);
  agenda.rest('large', 1_000);
  agenda.touch('large');
  agenda.touch('small');
  expect(agenda.take(9)).toEqual(['small']);
  expect(agenda.size).toBe(1);
  await waitFor(agenda, clock);
  expect(clock.monotonic()).toBe(100);
  expect(agenda.take(9)).toEqual(['large']);
});

test('what a resting service is touched for while everybody waits is not forgotten', async () => {
  const clock = new SteppedClock();
  const agenda = new Agenda(clock);
  agenda.rest('large', 1_000);
  const waited = agenda.wait(60_000, forever);
  agenda.touch('large');
  clock.step(60_000);
  await waited;
  expect(clock.monotonic()).toBe(100);
  expect(agenda.take(9)).toEqual(['large']);
});

test("a service's own time wakes it, also while it rests, and does not keep anybody awake", async () => {
  const clock = new SteppedClock();
  const agenda = new Agenda(clock);
  agenda.wake('a', clock.now() + 40);
  agenda.rest('a', 2_000);
  let turns = 0;
  for (; agenda.take(9).length === 0; turns++) await waitFor(agenda, clock);
  expect(clock.monotonic()).toBe(200);
  expect(turns).toBe(2);
});

test('a change rings while nothing is due, and those that come right behind it are taken with it', async () => {
  const clock = new SteppedClock();
  const agenda = new Agenda(clock);
  const waited = agenda.wait(60_000, forever);
  agenda.touch('a');
  await Promise.resolve();
  agenda.touch('b');
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  clock.step(60_000);
  await waited;
  expect(clock.monotonic()).toBeLessThan(10);
  expect(agenda.take(9)).toEqual(['a', 'b']);
});
