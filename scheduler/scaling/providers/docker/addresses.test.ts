import { expect, test } from 'vitest';

import { parseCidr } from '../../../network/addresses/index.ts';
import { freeAddress, gatewayOf, overlap, roomOf, unfit } from './addresses.ts';

const range = (text: string) => parseCidr(text) ?? { base: 0, length: 0 };
const small = range('198.19.0.0/29');

test('machines get the addresses of a range one after another, but for the first two and the last', () => {
  expect([gatewayOf(small), roomOf(small)]).toEqual(['198.19.0.1', 5]);
  expect(freeAddress(small, [], [])).toBe('198.19.0.2');
  // What another installation of this computer has given away, by its routes.
  const others = [
    { dst: '198.19.0.2', dev: 'swm0123456789ab' },
    { dst: 'default', dev: 'eth0' },
  ];
  expect(freeAddress(small, ['198.19.0.3', ''], others)).toBe('198.19.0.4');
  const all = [2, 3, 4, 5, 6].map((last) => `198.19.0.${last}`);
  expect(() => freeAddress(small, all, [])).toThrow('every address of 198.19.0.0/29 is a machine');
});

test.each([
  ['10.0.0.0/8', /route to 10\.0\.0\.0\/8 \(tun0\)/],
  ['198.19.0.7', /route to 198\.19\.0\.7 \(tun0\)/],
  ['198.19.0.0/16', /198\.19\.0\.0\/16 \(tun0\).*docker range=/],
])('a range that overlaps with %s, to which there is a route, is refused', (dst, why) => {
  const asked = dst.startsWith('10.') ? range('10.4.0.0/24') : small;
  expect(
    overlap(asked, [
      { dst: 'default', dev: 'eth0' },
      { dst, dev: 'tun0' },
    ]),
  ).toMatch(why);
});

test('routes to machines, elsewhere and to everybody leave a range as it is', () => {
  const found = [
    { dst: 'default' },
    { dst: '0.0.0.0/0' },
    { dst: '0.0.0.0/1', dev: 'tun0' },
    { dst: '128.0.0.0/1', dev: 'tun0' },
    { dst: '198.19.0.2', dev: 'swm1' },
    { dst: '198.18.0.0/16' },
  ];
  expect(overlap(small, found)).toBeUndefined();
});

test('a range has room for the machines that there may be', () => {
  expect(unfit(small, 5)).toBeUndefined();
  expect(unfit(small, 6)).toMatch(/has room for 5 machines, not for 6/);
  expect(unfit(range('169.254.3.0/24'), 5)).toMatch(/no machine can have an address of 169\.254\.3\.0\/24/);
});
