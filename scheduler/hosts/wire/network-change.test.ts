import fc from 'fast-check';
import { expect, test } from 'vitest';

import { changeBetween, networkChange, withChange } from './network-change.ts';
import { networkState, type NetworkState } from './network.ts';

const few = (prefix: string) => fc.integer({ min: 1, max: 4 }).map((number) => `${prefix}${number}`);
const addresses = fc.uniqueArray(few('192.0.2.'), { maxLength: 4 });
const end = fc.constantFrom(undefined, `${'a'.repeat(43)}:51820`, `${'b'.repeat(43)}:51821`);
const tunnel = end.map((told) => (told === undefined ? {} : { tunnel: told }));
const rules = fc.array(
  fc.record({
    protocol: fc.constantFrom('tcp' as const, '-1' as const, 47),
    peer: fc.oneof(fc.record({ group: few('sg-') }), fc.record({ cidr: fc.constantFrom('0.0.0.0/0', '192.0.2.0/24') })),
  }),
  { maxLength: 3 },
);
const named = <T>(items: fc.Arbitrary<T>, name: (one: T) => string) =>
  fc.uniqueArray(items, { selector: name, maxLength: 4 });

const states: fc.Arbitrary<NetworkState> = fc
  .tuple(
    fc.record({
      address: few('198.51.100.'),
      blocks: named(
        fc.record({ cidr: few('10.0.0.').map((base) => `${base}/32`), vpc: few('vpc-') }),
        ({ cidr }) => cidr,
      ),
      groups: named(fc.record({ id: few('sg-'), ingress: rules, egress: rules }), ({ id }) => id),
      members: fc.dictionary(few('sg-'), addresses, { noNullPrototype: true }),
      peers: named(
        fc
          .tuple(fc.record({ address: few('203.0.113.'), blocks: addresses }), tunnel)
          .map(([peer, told]) => ({ ...peer, ...told })),
        ({ address }) => address,
      ),
    }),
    tunnel,
  )
  .map(([state, told]) => ({ ...state, ...told }));

const sorted = (record: object): string[] =>
  Object.entries(record)
    .map((entry) => JSON.stringify(entry))
    .toSorted();

/** One text of a state, whatever the order of what has none. */
const textOf = ({ blocks, groups, members, peers, ...rest }: NetworkState): string =>
  JSON.stringify([
    sorted(rest),
    blocks.map((one) => JSON.stringify(one)).toSorted(),
    groups.map((one) => JSON.stringify(one)).toSorted(),
    sorted(Object.fromEntries(Object.entries(members).map(([group, them]) => [group, them.toSorted()]))),
    peers.map((one) => JSON.stringify(sorted(one))).toSorted(),
  ]);

const overTheWire = <T>(schema: { parse(value: unknown): T }, value: unknown): T =>
  schema.parse(JSON.parse(JSON.stringify(value)));

test('a change, as it comes over the wire, makes the new state of the old one, and nothing of what is the same', () => {
  fc.assert(
    fc.property(states, states, (before, after) => {
      const told = overTheWire(networkState, before);
      const change = changeBetween(before, after);
      expect(change === undefined).toBe(textOf(before) === textOf(after));
      const parsed = overTheWire(networkChange, change ?? {});
      const now = withChange(told, parsed);
      expect(textOf(now)).toBe(textOf(after));
      // Once more changes nothing: a message may come twice.
      expect(textOf(withChange(now, parsed))).toBe(textOf(after));
      expect(changeBetween(before, structuredClone(before))).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});

test('one member that comes to a group of thousands is one address', () => {
  const many = Array.from({ length: 5_000 }, (_, index) => `10.0.${Math.floor(index / 250)}.${index % 250}`);
  const state = (members: string[]): NetworkState => ({
    address: '192.0.2.1',
    blocks: [],
    groups: [],
    members: { 'sg-a': members, 'sg-b': [] },
    peers: [],
  });
  const [first = '', ...others] = many;
  expect(changeBetween(state(others), state([...others, first]))).toEqual({
    members: { put: { 'sg-a': { come: [first], left: [] } }, gone: [] },
  });
});

test('a change with what is no address or no end of a tunnel is refused', () => {
  const bad = [
    { address: 'somewhere' },
    { tunnel: 'key' },
    { members: { put: { 'sg-a': { come: ['10.0.0.0/8'], left: [] } }, gone: [] } },
    { peers: { put: [{ address: '192.0.2.300', blocks: [] }], gone: [] } },
    { blocks: { put: [] } },
  ];
  for (const change of bad) expect(networkChange.safeParse(change).success).toBe(false);
  expect(networkChange.safeParse({ tunnel: null }).success).toBe(true);
});
