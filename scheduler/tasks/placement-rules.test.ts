import type { PlacementConstraint, PlacementStrategy } from '@aws-sdk/client-ecs';
import { expect, test } from 'vitest';
import { parseConstraints, parseStrategies } from './index.ts';

const strategy = (type: string, field?: string): PlacementStrategy[] => [{ type, field } as PlacementStrategy];
const plugins = { strategies: new Set(['example:energy']), constraints: new Set(['example:cool']) };

test('strategies that come with the placement core are taken beside those of ECS', () => {
  expect(
    parseStrategies([...strategy('spread', 'attribute:ecs.availability-zone'), ...strategy('slipway:best-fit')]),
  ).toEqual([{ type: 'spread', field: 'attribute:ecs.availability-zone' }, { type: 'slipway:best-fit' }]);
});

test('plug-ins are taken when they are loaded, with what they are given', () => {
  expect(parseStrategies(strategy('example:energy', 'watts'), plugins)).toEqual([
    { type: 'example:energy', field: 'watts' },
  ]);
  expect(
    parseConstraints([{ type: 'example:cool' as PlacementConstraint['type'], expression: '60' }], 0, plugins),
  ).toEqual([{ type: 'example:cool', expression: '60' }]);
});

test.each([
  ['example:energy', /no placement strategy 'example:energy'.*slipway:best-fit.*configuration/],
  ['slipway:nothing', /no placement strategy 'slipway:nothing'/],
  ['Energy', /must be random, spread or binpack/],
  ['a:b:c', /must be random, spread or binpack/],
])('%s, which nobody knows, is refused', (type, message) => {
  expect(() => parseStrategies(strategy(type))).toThrow(message);
});
