import { expect, test } from 'vitest';
import { LogWindow } from './logs-window.ts';

/** Looks once a second from `from` to `to`, and what each asks for. */
function looks(window: LogWindow, from: number, to: number, isUp: (now: number) => boolean = () => true): number[] {
  const asked: number[] = [];
  for (let now = from; now <= to; now += 1000) {
    asked.push(window.begin(now));
    if (isUp(now)) window.done(now);
    else window.failed();
  }
  return asked;
}

test('lines that come up to a minute late are asked for, and none from before the beginning', () => {
  const window = new LogWindow(100_000);
  expect(looks(window, 101_000, 103_000)).toEqual([100_000, 100_000, 100_000]);
  expect(looks(window, 200_000, 202_000)).toEqual([100_000, 140_000, 141_000]);
  expect(window.oldest).toBe(142_000);
});

test('what was written while no server answered is looked for until hosts have brought it', () => {
  const window = new LogWindow(0);
  looks(window, 1000, 1_000_000);
  const before = window.oldest;
  expect(before).toBe(940_000);
  // Ten minutes without an answer: nothing is passed over.
  const away = looks(window, 1_001_000, 1_600_000, () => false);
  expect(new Set(away)).toEqual(new Set([before]));
  const back = looks(window, 1_601_000, 1_800_000);
  const deep = back.flatMap((from, i) => (from === before ? [1_601_000 + i * 1000] : []));
  expect(deep).toEqual(Array.from({ length: 13 }, (_, i) => 1_601_000 + i * 10_000));
  // In between it is as before: a minute.
  expect(back[1]).toBe(1_541_000);
  expect(window.oldest).toBe(1_740_000);
});

test('a server that goes away again begins it anew, and no line that may come again is forgotten', () => {
  const window = new LogWindow(0);
  looks(window, 1000, 500_000);
  looks(window, 501_000, 502_000, () => false);
  looks(window, 503_000, 600_000);
  looks(window, 601_000, 601_000, () => false);
  expect(window.oldest).toBe(440_000);
  const back = looks(window, 602_000, 722_000);
  expect([back[0], back.at(-1), window.oldest]).toEqual([440_000, 440_000, 662_000]);
});
