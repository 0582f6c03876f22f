import type { ECSClient } from '@aws-sdk/client-ecs';
import { expect, test } from 'vitest';
import { ServerClock } from './server-clock.ts';

test("the server's clock is what its last answer said, and goes on from there", async () => {
  const added: ((next: () => Promise<object>) => (given: object) => Promise<object>)[] = [];
  const client = { middlewareStack: { add: (one: never) => added.push(one) } } as unknown as ECSClient;
  const clock = new ServerClock(client);
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(60_000);
  const answer = (date: string): Promise<object> =>
    added[0]!(() => Promise.resolve({ response: { headers: { date } } }))({});
  await answer('Mon, 30 Nov 2020 12:00:00 GMT');
  const then = Date.UTC(2020, 10, 30, 12);
  expect(clock.now()).toBeGreaterThanOrEqual(then);
  expect(clock.now()).toBeLessThan(then + 600_000);
  // Servers take whole milliseconds only.
  expect(Array.from({ length: 100 }, () => clock.now()).every(Number.isInteger)).toBe(true);
  await answer('nonsense');
  expect(clock.now()).toBeLessThan(then + 600_000);
});
