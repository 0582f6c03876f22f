import { expect, test } from 'vitest';
import { FollowedGroups, LogWindow } from './logs-window.ts';

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

test('a group that comes late is shown with all that was kept for it, and the others go on as they do', () => {
  const groups = new FollowedGroups(0);
  const asked = (now: number, names: readonly string[], missing: readonly string[] = []): readonly unknown[] => {
    const from = groups.begin(names, now);
    groups.done(now, new Set(missing));
    return names.map((name) => from.get(name));
  };
  const line = (group: string, timestamp: number) => ({ id: String(timestamp), timestamp, source: { group } });
  for (let now = 1000; now <= 600_000; now += 1000) asked(now, ['web', 'late'], ['late']);
  expect(groups.isNew(line('web', 599_000))).toBe(true);
  // It is there now, and is brought what hosts have kept for it.
  expect(asked(601_000, ['web', 'late'])).toEqual([540_000, 0]);
  expect([groups.isNew(line('late', 5000)), groups.isNew(line('web', 599_000))]).toEqual([true, false]);
  expect(asked(602_000, ['web', 'late'])).toEqual([541_000, 541_000]);
  expect(asked(611_000, ['web', 'late'])).toEqual([542_000, 0]);
  expect(groups.isNew(line('late', 5000))).toBe(false);
  for (let now = 612_000; now <= 721_000; now += 1000) asked(now, ['web', 'late']);
  // One of another revision begins where the others are, and one that was left for a while where it was.
  expect(asked(722_000, ['web', 'next'])).toEqual([661_000, 661_000]);
  expect(asked(782_000, ['web', 'late'])).toEqual([662_000, 661_000]);
});

test('a look that failed has seen nothing of any group', () => {
  const groups = new FollowedGroups(0);
  groups.begin(['a', 'b'], 100_000);
  groups.done(100_000, new Set());
  groups.begin(['a', 'b'], 200_000);
  groups.failed();
  expect([...groups.begin(['a', 'b', 'c'], 300_000)]).toEqual([
    ['a', 40_000],
    ['b', 40_000],
    ['c', 40_000],
  ]);
});
