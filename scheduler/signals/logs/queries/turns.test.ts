import { setImmediate as settled } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Turn, Turns } from './turns.ts';

const { signal } = new AbortController();

/** Turns with a clock of the test's own, and who got which, in order. */
function opened() {
  const time = { now: 0 };
  const turns = new Turns(() => time.now, { atOnce: 2, begun: 4, begunOfAccount: 2, length: 1000 });
  const begun: string[] = [];
  const held = new Map<string, Turn>();
  const ask = (name: string, over = signal): void =>
    void turns
      .take(name.charAt(0), over)
      .then((turn) => {
        begun.push(name);
        if (turn !== undefined) held.set(name, turn);
      })
      .catch(() => undefined);
  /** Whether it still has its turn; it waits for the next one otherwise. */
  const passes = async (name: string): Promise<boolean> => {
    let over = false;
    held
      .get(name)!
      .pass()
      .then(() => (over = true))
      .catch(() => undefined);
    await settled();
    return over;
  };
  return { time, begun, held, ask, passes };
}

test('one account has all turns while it is alone, one query after the other', async () => {
  const { ask, begun, held, passes, time } = opened();
  for (const name of ['a1', 'a2', 'a3', 'a4']) ask(name);
  await settled();
  expect(begun).toEqual(['a1', 'a2']);
  time.now = 60_000;
  expect([await passes('a1'), await passes('a2')]).toEqual([true, true]);
  held.get('a2')!.end();
  await settled();
  expect(begun).toEqual(['a1', 'a2', 'a3']);
});

test('another account gets one of two turns at the next pause, and the next of several after a while', async () => {
  const { ask, begun, held, passes, time } = opened();
  for (const name of ['a1', 'a2', 'a3', 'b1', 'c1']) ask(name);
  await settled();
  expect(begun).toEqual(['a1', 'a2']);
  expect(await passes('a1')).toBe(false);
  expect(begun).toEqual(['a1', 'a2', 'b1']);
  // One of each is worked on now: who waits has a turn when theirs are over.
  expect([await passes('a2'), await passes('b1')]).toEqual([true, true]);
  time.now = 1000;
  expect(await passes('b1')).toBe(false);
  expect(begun).toEqual(['a1', 'a2', 'b1', 'c1']);
  // That of `a` which paused goes on when one ends; `a3` is not begun before.
  held.get('c1')!.end();
  await settled();
  expect(begun).toEqual(['a1', 'a2', 'b1', 'c1']);
  held.get('a2')!.end();
  held.get('a1')!.end();
  await settled();
  expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3']);
});

test('no more are begun than may be kept, and who leaves while waiting gets none and is in nobody’s way', async () => {
  const { ask, begun, held, passes } = opened();
  for (const name of ['a1', 'a2']) ask(name);
  await settled();
  const over = new AbortController();
  ask('b1', over.signal);
  over.abort(new Error('stopped'));
  await settled();
  // Without a turn.
  expect(begun).toEqual(['a1', 'a2', 'b1']);
  expect(held.has('b1')).toBe(false);
  expect(await passes('a1')).toBe(true);
  for (const name of ['c1', 'c2', 'd1']) ask(name);
  expect(await passes('a1')).toBe(false);
  expect(await passes('a2')).toBe(true);
  held.get('c1')!.end();
  held.get('a2')!.end();
  held.get('a1')!.end();
  await settled();
  expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'd1', 'c2']);
});

test('a query that is stopped while it pauses says why, and lets others begin', async () => {
  const { ask, begun, held } = opened();
  const over = new AbortController();
  for (const name of ['a1', 'a2']) ask(name, over.signal);
  await settled();
  ask('b1');
  const passing = held.get('a1')!.pass();
  over.abort(new Error('stopped'));
  await expect(passing).rejects.toThrow('stopped');
  held.get('a1')!.end();
  held.get('a2')!.end();
  ask('c1');
  await settled();
  expect(begun).toEqual(['a1', 'a2', 'b1', 'c1']);
});
