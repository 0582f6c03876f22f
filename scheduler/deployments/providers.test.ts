import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import type { CapacityProvider, CapacityProviderStrategy } from '../state/index.ts';
import { countProviders, nextProviders, type ProviderCounts, sharesOf, tasksOn } from './index.ts';
import { World } from './testing/world.ts';

const runs = { nightly: 5_000, release: 20_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 500;

const strategy: fc.Arbitrary<CapacityProviderStrategy> = fc
  .record({
    providers: fc.shuffledSubarray<CapacityProvider>(['FARGATE', 'FARGATE_SPOT'], { minLength: 1 }),
    weights: fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 5 })),
    base: fc.nat(6),
    based: fc.nat(1),
  })
  .map(({ providers, weights, base, based }) =>
    providers.map((capacityProvider, index) => ({
      capacityProvider,
      weight: weights[index] ?? 0,
      base: index === based ? base : 0,
    })),
  );

/** Slowly: the base first; then every task that could be next, in the order of how many tasks it leaves for a unit of weight. */
function oracle(items: CapacityProviderStrategy, count: number): ProviderCounts {
  const total: Partial<Record<CapacityProvider, number>> = {};
  const base = items.find((item) => item.base > 0);
  const first = Math.min(base?.base ?? 0, count);
  if (base !== undefined && first > 0) total[base.capacityProvider] = first;
  const open = items.flatMap(({ capacityProvider, weight }, place) => {
    const counts = items.length === 1 ? 1 : weight;
    return counts === 0
      ? []
      : Array.from({ length: count }, (_, index) => ({ capacityProvider, tasks: index + 1, weight: counts, place }));
  });
  open.sort((a, b) => a.tasks * b.weight - b.tasks * a.weight || a.place - b.place);
  for (const { capacityProvider } of open.slice(0, count - first))
    total[capacityProvider] = (total[capacityProvider] ?? 0) + 1;
  return total;
}

test('tasks are shared out as the slow way does it, one by one as well as together', () => {
  fc.assert(
    fc.property(strategy, fc.nat(60), (items, count) => {
      expect(sharesOf(items, count)).toEqual(oracle(items, count));
      const one: CapacityProvider[] = [];
      for (let task = 0; task < count; task++) one.push(...nextProviders(items, countProviders(one), 1));
      expect(one).toEqual(nextProviders(items, {}, count));
    }),
    { numRuns: runs },
  );
});

test('beyond the base whole rounds of the weights are exact, and nobody is a task away from its part', () => {
  fc.assert(
    fc.property(strategy, fc.nat(60), (items, count) => {
      const shares = sharesOf(items, count);
      const base = items.reduce((sum, item) => sum + item.base, 0);
      const rest = Math.max(0, count - base);
      const weights = items.reduce((sum, { weight }) => sum + weight, 0);
      for (const item of items) {
        const beyond = (shares[item.capacityProvider] ?? 0) - Math.min(item.base, count);
        const part = items.length === 1 ? rest : (rest * item.weight) / weights;
        // Both are whole numbers after whole rounds, and so the same.
        expect(Math.abs(beyond - part)).toBeLessThan(1);
      }
    }),
    { numRuns: runs },
  );
});

test('providers may have any name, and there may be many of them', () => {
  const plain = ['a', 'b', 'c', 'd'];
  const odd = ['__proto__', 'constructor', 'toString', 'FARGATE-like'];
  fc.assert(
    fc.property(fc.array(fc.nat(5), { minLength: 4, maxLength: 4 }), fc.nat(6), fc.nat(60), (weights, base, count) => {
      const of = (names: readonly string[]): CapacityProviderStrategy =>
        names.map((capacityProvider, index) => ({
          capacityProvider,
          weight: (weights[index] ?? 0) + (index === 0 ? 1 : 0),
          base: index === 1 ? base : 0,
        }));
      const shares = sharesOf(of(plain), count);
      expect(shares).toEqual(oracle(of(plain), count));
      expect(odd.map((name) => tasksOn(sharesOf(of(odd), count), name))).toEqual(
        plain.map((name) => tasksOn(shares, name)),
      );
      expect(nextProviders(of(odd), countProviders(['__proto__', 'constructor']), count)).toHaveLength(count);
    }),
    { numRuns: runs },
  );
});

test('what went is filled in where it is missing', () => {
  fc.assert(
    fc.property(strategy, fc.nat(40), fc.nat(20), fc.nat(20), (items, count, onDemand, spot) => {
      const shares = sharesOf(items, count);
      const have = {
        FARGATE: Math.min(onDemand, tasksOn(shares, 'FARGATE')),
        FARGATE_SPOT: Math.min(spot, tasksOn(shares, 'FARGATE_SPOT')),
      };
      const started = nextProviders(items, have, count - have.FARGATE - have.FARGATE_SPOT);
      const after = countProviders([
        ...started,
        ...Array.from({ length: have.FARGATE }, () => 'FARGATE' as const),
        ...Array.from({ length: have.FARGATE_SPOT }, () => 'FARGATE_SPOT' as const),
      ]);
      expect(after).toEqual(shares);
    }),
    { numRuns: runs },
  );
});

test.each<[string, CapacityProviderStrategy, number, ProviderCounts]>([
  [
    'a base of 2 and weights 1 to 4',
    [
      { capacityProvider: 'FARGATE', base: 2, weight: 1 },
      { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 4 },
    ],
    12,
    { FARGATE: 4, FARGATE_SPOT: 8 },
  ],
  [
    'fewer tasks than the base',
    [
      { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 4 },
      { capacityProvider: 'FARGATE', base: 3, weight: 1 },
    ],
    2,
    { FARGATE: 2 },
  ],
  [
    'a weight of 0 beyond its base',
    [
      { capacityProvider: 'FARGATE', base: 1, weight: 0 },
      { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 1 },
    ],
    5,
    { FARGATE: 1, FARGATE_SPOT: 4 },
  ],
  ['the only provider, whatever its weight', [{ capacityProvider: 'FARGATE', base: 0, weight: 0 }], 3, { FARGATE: 3 }],
])('%s', (_what, items, count, shares) => {
  expect(sharesOf(items, count)).toEqual(shares);
});

test('a service keeps its shares while it scales, loses tasks and rolls', () => {
  const items: CapacityProviderStrategy = [
    { capacityProvider: 'FARGATE', base: 1, weight: 1 },
    { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 3 },
  ];
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.record({ desired: fc.nat(12) }), fc.record({ kill: fc.nat(20) }), fc.constant('roll')), {
        maxLength: 6,
      }),
      (deeds) => {
        const world = new World({ desired: 5, configuration: { minimumHealthyPercent: 50, maximumPercent: 150 } });
        world.service = { ...world.service, launchType: 'FARGATE', capacityProviderStrategy: items };
        world.calm();
        for (const deed of deeds) {
          if (deed === 'roll') world.deploy({ behaviour: 'good', checks: true });
          else if (typeof deed === 'object' && 'desired' in deed)
            world.service = { ...world.service, desiredCount: deed.desired };
          else if (typeof deed === 'object') {
            const task = world.wanted()[deed.kill % Math.max(1, world.wanted().length)];
            if (task !== undefined) world.stopped(task.id, 'UserInitiated', 'by hand');
          }
          world.calm();
          const counts = countProviders(world.wanted().map(({ capacityProvider }) => capacityProvider));
          expect(counts).toEqual(sharesOf(items, world.service.desiredCount));
        }
      },
    ),
    { numRuns: Math.ceil(runs / 10) },
  );
});
