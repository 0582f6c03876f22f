import { expect, test } from 'vitest';

import { Strangers } from './strangers.ts';

function open() {
  const clock = { at: 0, monotonic: (): number => clock.at };
  const strangers = new Strangers(clock);
  const cut: string[] = [];
  /** @returns gives the place back; undefined for who gets none */
  const enter = (address: string) => strangers.enter(address, () => void cut.push(address));
  return { clock, strangers, cut, enter };
}

test('one network has 16 places, however many addresses it has', () => {
  const { strangers, enter } = open();
  const enterMany = (address: (index: number) => string): number =>
    Array.from({ length: 40 }, (_, index) => enter(address(index))).filter((one) => one !== undefined).length;
  expect(enterMany(() => '192.0.2.1')).toBe(16);
  expect(enterMany((index) => `2001:db8:1:2::${index.toString(16)}`)).toBe(16);
  expect(strangers.admits('2001:db8:1:2:ffff::1')).toBe(false);
  expect(strangers.admits('2001:db8:1:3::1')).toBe(true);
  // Different clients behind one translation.
  expect(enterMany((index) => `::ffff:198.51.100.${index}`)).toBe(40);
});

test('few networks that hold all places keep nobody out: who comes gets one of theirs, and theirs alone', () => {
  const { strangers, cut, enter } = open();
  for (let index = 0; index < 256; index++) enter(`192.0.2.${index % 16}`);
  expect(strangers.size).toBe(256);
  const leave = Array.from({ length: 100 }, (_, index) => enter(`198.51.100.${index}`));
  expect(leave.every((one) => one !== undefined)).toBe(true);
  expect(strangers.size).toBe(256);
  expect(cut).toHaveLength(100);
  expect(cut.every((address) => address.startsWith('192.0.2.'))).toBe(true);
  for (const each of leave) each?.();
  expect(strangers.size).toBe(156);
  // Who was cut off gives no place back that is somebody else's by now.
  leave[0]?.();
  expect(strangers.size).toBe(156);
});

test('many networks keep nobody out by waiting: who has shown no token for a second makes room', () => {
  const { clock, strangers, cut, enter } = open();
  for (let index = 0; index < 256; index++) enter(`198.51.${index}.1`);
  expect([strangers.admits('192.0.2.1'), enter('192.0.2.1'), cut]).toEqual([false, undefined, []]);
  clock.at = 1_000;
  expect(enter('192.0.2.1')).toBeDefined();
  expect([cut, strangers.size]).toEqual([['198.51.0.1'], 256]);
});
