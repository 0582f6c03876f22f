import { expect, test } from 'vitest';
import { Bell } from '../records/index.ts';
import { type Clock, type Nap, settling, waitAtMost } from './index.ts';

/** A clock whose sleeps end when they are told to. */
function sleeper(): { readonly clock: Clock; readonly asleep: Map<number, () => void> } {
  const asleep = new Map<number, () => void>();
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      asleep.set(ms, resolve);
      signal?.addEventListener('abort', () => {
        asleep.delete(ms);
        reject(signal.reason as Error);
      });
      return undefined;
    });
  return { clock: { now: () => 0, monotonic: () => 0, sleep }, asleep };
}

/** The same, which naps too. */
function napper(): ReturnType<typeof sleeper> {
  const { clock, asleep } = sleeper();
  const nap = (ms: number): Nap => {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    asleep.set(ms, resolve);
    const wake = (): void => {
      asleep.delete(ms);
      resolve();
    };
    return { over, wake };
  };
  return { clock: { ...clock, nap }, asleep };
}

test.each([
  ['wake', sleeper],
  ['time', sleeper],
  ['abort', sleeper],
  ['wake', napper],
  ['time', napper],
  ['abort', napper],
] as const)('a wait that ends by %s leaves nobody asleep and nobody listening', async (how, opened) => {
  const { clock, asleep } = opened();
  const listening = new Set<() => void>();
  const over = new AbortController();
  const waiting = waitAtMost(
    500,
    (wake) => {
      listening.add(wake);
      return () => listening.delete(wake);
    },
    clock,
    over.signal,
  );
  expect([asleep.size, listening.size]).toEqual([1, 1]);
  if (how === 'wake') for (const wake of listening) wake();
  else if (how === 'time') asleep.get(500)?.();
  else over.abort();
  await waiting;
  expect(listening.size).toBe(0);
  expect(asleep.size).toBe(how === 'time' ? 1 : 0);
  over.abort();
});

test.each([sleeper, napper])('what happens while it begins to listen ends the wait', async (opened) => {
  const { clock, asleep } = opened();
  await waitAtMost(500, (wake) => wake(), clock);
  await waitAtMost(500, settling(Promise.resolve()), clock);
  await waitAtMost(500, settling(Promise.reject(new Error('no'))), clock);
  await waitAtMost(Infinity, (wake) => wake(), clock);
  expect(asleep.size).toBe(0);
});

test('a wait without end sleeps for no time, and ends when it is woken or aborted', async () => {
  const { clock, asleep } = sleeper();
  let wake = (): void => {};
  const woken = waitAtMost(Infinity, (told) => void (wake = told), clock);
  wake();
  await woken;
  const over = new AbortController();
  const aborted = waitAtMost(Infinity, () => {}, clock, over.signal);
  over.abort();
  await aborted;
  await waitAtMost(Infinity, () => {}, clock, over.signal);
  expect(asleep.size).toBe(0);
});

test('a bell wakes who listens, also for a ring between the look and the wait, and keeps nobody whose time is over', async () => {
  const { clock, asleep } = sleeper();
  const bell = new Bell();
  const { rings } = bell;
  const listen = (wake: () => void): (() => void) => bell.listen(rings, wake);
  const late = waitAtMost(500, listen, clock);
  expect(bell.awaited).toBe(true);
  asleep.get(500)?.();
  await late;
  expect(bell.awaited).toBe(false);
  const first = waitAtMost(500, listen, clock);
  const second = waitAtMost(700, listen, clock);
  bell.ring();
  await Promise.all([first, second]);
  await waitAtMost(500, listen, clock);
  expect(bell.awaited).toBe(false);
});
