import { array, assert, constantFrom, integer, property, record, stringMatching } from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  assignable,
  capacityOf,
  type Cidr,
  contains,
  formatAddress,
  formatCidr,
  freeAddress,
  freeSlice,
  holds,
  lastOf,
  overlaps,
  parseAddress,
  parseCidr,
  sizeOf,
  usable,
} from './index.ts';

const address = integer({ min: 0, max: 2 ** 32 - 1 });
/** Ranges close to each other, so that they meet often. */
const range = record({ base: integer({ min: 0, max: 1023 }), length: integer({ min: 20, max: 32 }) }).map(
  ({ base, length }) => parseCidr(`${formatAddress(0x0a_00_00_00 + base)}/${length}`) as Cidr,
);

describe('ranges', () => {
  test('addresses and ranges read as they were written', () => {
    assert(
      property(address, range, (number, cidr) => {
        expect(parseAddress(formatAddress(number))).toBe(number);
        expect(parseCidr(formatCidr(cidr))).toEqual(cidr);
      }),
    );
  });

  test('host bits are cleared', () => {
    expect(formatCidr(parseCidr('10.1.2.3/8') as Cidr)).toBe('10.0.0.0/8');
    expect(formatCidr(parseCidr('255.255.255.255/0') as Cidr)).toBe('0.0.0.0/0');
  });

  test.each([
    '',
    '10.0.0.0',
    '10.0.0/8',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '010.0.0.0/8',
    '256.0.0.0/8',
    '10.0.0.0/8/8',
    '::/0',
  ])('%j is no range', (text) => expect(parseCidr(text)).toBeUndefined());

  test('no text is read as a range without being one', () => {
    assert(
      property(stringMatching(/^[0-9./ ]{0,20}$/), (text) => {
        const read = parseCidr(text);
        expect(read === undefined || text.split('/')[1] === String(read.length)).toBe(true);
      }),
    );
  });

  test('ranges overlap exactly where they share an address', () => {
    assert(
      property(range, range, (a, b) => {
        const shared = Math.max(a.base, b.base) <= Math.min(lastOf(a), lastOf(b));
        expect(overlaps(a, b)).toBe(shared);
        expect(contains(a, b)).toBe(holds(a, b.base) && holds(a, lastOf(b)));
      }),
    );
  });

  test.each(['127.0.0.0/16', '169.254.0.0/16', '224.0.0.0/16', '0.0.0.0/16', '255.255.0.0/16'])(
    'no host has an address of %s',
    (text) => expect(usable(parseCidr(text) as Cidr)).toBe(false),
  );
});

describe('addresses of a subnet', () => {
  test('every address is given once, none that is reserved, until none is left', () => {
    assert(
      property(integer({ min: 24, max: 28 }), (length) => {
        const subnet = parseCidr(`10.0.4.0/${length}`) as Cidr;
        const given = new Set<number>();
        for (let next = freeAddress(subnet, subnet, (at) => given.has(at)); next !== undefined;) {
          expect(assignable(subnet, next)).toBe(true);
          given.add(next);
          next = freeAddress(subnet, subnet, (at) => given.has(at));
        }
        expect(given.size).toBe(capacityOf(subnet));
        expect(given.size).toBe(sizeOf(subnet) - 5);
      }),
    );
  });

  test('slices of hosts never meet, whatever subnets they are of, and each has an address to give', () => {
    const subnets = ['10.0.0.0/22', '10.0.4.0/24', '10.0.0.0/24', '10.0.1.0/28'].map((text) => parseCidr(text) as Cidr);
    assert(
      property(
        array(record({ subnet: constantFrom(...subnets), length: integer({ min: 24, max: 28 }) }), { maxLength: 40 }),
        (wanted) => {
          const leased: Cidr[] = [];
          for (const { subnet, length } of wanted) {
            const slice = freeSlice(subnet, length, leased);
            if (slice === undefined) continue;
            expect(contains(subnet, slice)).toBe(true);
            expect(leased.filter((other) => overlaps(other, slice))).toEqual([]);
            expect(freeAddress(subnet, slice, () => false)).toBeDefined();
            leased.push(slice);
          }
        },
      ),
    );
  });

  test('a subnet is leased out when its slices are, and a slice that came back is given again', () => {
    const subnet = parseCidr('10.0.0.0/22') as Cidr;
    const leased: Cidr[] = [];
    for (let slice = freeSlice(subnet, 24, leased); slice !== undefined; slice = freeSlice(subnet, 24, leased))
      leased.push(slice);
    expect(leased.map(formatCidr)).toEqual(['10.0.0.0/24', '10.0.1.0/24', '10.0.2.0/24', '10.0.3.0/24']);
    expect(freeSlice(subnet, 24, leased.toSpliced(2, 1))).toEqual(leased[2]);
    // A /28 begins with four reserved addresses and has eleven to give; a slice of a /30 at its start would have none.
    expect(formatCidr(freeSlice(parseCidr('10.0.0.0/28') as Cidr, 30, []) as Cidr)).toBe('10.0.0.4/30');
  });
});
