import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Clock } from '../clock/index.ts';
import { memoryRecords } from '../records/testing/memory-records.ts';
import { openLeases } from './index.ts';

/** A clock of sleepers who wake one after the other, each when everybody before has gone on. */
function sleepers(): Clock & { next(): Promise<void> } {
  let now = 0;
  const asleep: { readonly at: number; readonly wake: () => void }[] = [];
  return {
    now: () => now,
    monotonic: () => now,
    sleep: (ms) => new Promise((wake) => asleep.push({ at: now + ms, wake })),
    next: async () => {
      asleep.sort((one, other) => one.at - other.at);
      const first = asleep.shift();
      if (first === undefined) return;
      now = first.at;
      first.wake();
      await turn();
    },
  };
}

test('a candidate looks about once for each renewal, and takes over within its time-out and a look when they end', async () => {
  const clock = sleepers();
  const records = memoryRecords(clock);
  let looks = 0;
  const counting = { ...records, commit: records.commit.bind(records) } as typeof records;
  counting.getMany = (...given) => {
    looks += 1;
    return records.getMany(...given);
  };
  const ttl = 6_000;
  const signal = new AbortController().signal;
  let renews = true;
  const holding = { ...clock, sleep: (ms: number) => (renews ? clock.sleep(ms) : new Promise<void>(() => {})) };
  await openLeases(records, holding, () => 0.5).acquire('p', 'work', { ttl, signal });
  let took: number | undefined;
  const waiting = openLeases(counting, clock, () => 0.5).acquire('p', 'work', { ttl, signal });
  void waiting.then(() => (took = clock.monotonic()));
  const renewals = 50;
  while (clock.monotonic() < (renewals * ttl) / 3) await clock.next();
  expect(took).toBeUndefined();
  expect(looks).toBeGreaterThanOrEqual(renewals - 1);
  expect(looks).toBeLessThan(1.6 * renewals);

  renews = false;
  const ended = clock.monotonic();
  while (took === undefined && clock.monotonic() < ended + 10 * ttl) await clock.next();
  expect(took).toBeGreaterThan(ended + (ttl * 2) / 3);
  // The last renewal may still have been under way, and it is seen at the next look, as is that its time is over.
  expect(took).toBeLessThan(ended + ttl / 3 + ttl + 2 * (ttl / 12));
});
