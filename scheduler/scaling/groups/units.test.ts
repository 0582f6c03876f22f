import { transact } from '@slipway/storage/records';
import { assert, boolean, array, integer, property } from 'fast-check';
import { describe, expect, test } from 'vitest';

import { account } from '../../balancing/testing/open-balancing.ts';
import { toJson } from '../../state/index.ts';
import { openGroups } from '../testing/group-bench.ts';
import { groupKeys, groupsPartition } from './keys.ts';
import type { Distribution, GroupRecord } from './records.ts';
import { excessOf, nextIsSpot, nextType, staying, unitsOf } from './units.ts';

const distribution = (onDemandBase: number, onDemandPercentage: number): Distribution => ({
  onDemandBase,
  onDemandPercentage,
  onDemandStrategy: 'prioritized',
  spotStrategy: 'lowest-price',
});
/** As the API reads it. */
const template = { LaunchTemplateSpecification: { LaunchTemplateName: 'web' } };

test.each([
  [0, 100, 4, 4],
  [0, 0, 4, 0],
  [1, 0, 4, 1],
  [1, 50, 4, 3],
  [2, 25, 10, 4],
  [5, 0, 3, 3],
])('base %i and %i %% of %i: %i stay', (base, percentage, units, stay) => {
  expect(staying(distribution(base, percentage), units)).toBe(stay);
});

test('types are tried in turn, each with its weight', () => {
  const types = ['m4.large', 't3.large'];
  expect([0, 1, 2].map((failures) => nextType({ types, weights: [2, 1], failures }))).toEqual([
    { type: 'm4.large', weight: 2 },
    { type: 't3.large', weight: 1 },
    { type: 'm4.large', weight: 2 },
  ]);
  expect(nextType({ failures: 3 })).toEqual({ type: undefined, weight: 1 });
});

test('machines that are made one after another are as the distribution says, at every capacity', () => {
  const anyDistribution = [integer({ min: 0, max: 6 }), integer({ min: 0, max: 100 })] as const;
  assert(
    property(...anyDistribution, integer({ min: 1, max: 30 }), (base, percentage, count) => {
      const group = { distribution: distribution(base, percentage) };
      const machines: { weight?: number; spot?: true }[] = [];
      for (let units = 1; units <= count; units++) {
        machines.push(nextIsSpot(group, machines, 1) ? { spot: true } : {});
        const stay = machines.filter(({ spot }) => spot !== true).length;
        expect(stay).toBe(staying(group.distribution, units));
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});

test('machines that are ended one after another are as the distribution says, at every capacity', () => {
  assert(
    property(integer({ min: 0, max: 6 }), integer({ min: 0, max: 100 }), (base, percentage) => {
      const group = { distribution: distribution(base, percentage) };
      let machines: { weight?: number; spot?: true }[] = [];
      while (machines.length < 30) machines.push(nextIsSpot(group, machines, 1) ? { spot: true } : {});
      for (let left = 29; left >= 0; left--) {
        const gone = machines.find((machine) => excessOf(group, machines, machine) === 0);
        machines = machines.filter((machine) => machine !== gone);
        const stay = machines.filter(({ spot }) => spot !== true).length;
        expect([machines.length, stay]).toEqual([left, staying(group.distribution, left)]);
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});

test('of too many those go first that the distribution has too many of', () => {
  assert(
    property(
      integer({ min: 0, max: 6 }),
      integer({ min: 0, max: 100 }),
      array(boolean()),
      (base, percentage, spots) => {
        const group = { distribution: distribution(base, percentage) };
        const machines = spots.map((spot): { weight?: number; spot?: true } => (spot ? { spot: true } : {}));
        const stay = unitsOf(machines.filter(({ spot }) => spot !== true));
        const tooMany = stay > staying(group.distribution, unitsOf(machines) - 1);
        expect([excessOf(group, machines, {}), excessOf(group, machines, { spot: true })]).toEqual(
          tooMany ? [0, 1] : [1, 0],
        );
      },
    ),
    { seed: 1, numRuns: 300 },
  );
  expect(excessOf({}, [{}, { spot: true }], {})).toBe(0);
});

describe('a group of weighted types', () => {
  const mixed = {
    LaunchTemplate: undefined,
    MixedInstancesPolicy: {
      LaunchTemplate: {
        ...template,
        Overrides: [
          { InstanceType: 'm4.large', WeightedCapacity: '2' },
          { InstanceType: 't3.large', WeightedCapacity: '1' },
        ],
      },
      InstancesDistribution: {
        OnDemandBaseCapacity: 2,
        OnDemandPercentageAboveBaseCapacity: 0,
        SpotAllocationStrategy: 'price-capacity-optimized',
      },
    },
  };

  test('has so much capacity, the base of machines that stay and the rest of those that may be taken back', async () => {
    const bench = await openGroups();
    await bench.template();
    await bench.group({ ...mixed, MaxSize: 5, DesiredCapacity: 4 });
    const machines = await bench.settle();
    expect(machines).toHaveLength(2);
    const specs = [...bench.provider.machines.values()];
    expect(specs.map(({ instanceType, spot = false }) => `${instanceType} ${spot}`).toSorted()).toEqual([
      'm4.large false',
      'm4.large true',
    ]);
    expect(specs.map(({ spot, settings }) => [spot, settings['SLIPWAY_SPOT']])).toEqual(
      specs.map(({ spot }) => (spot === true ? [true, 'true'] : [undefined, undefined])),
    );
    const { Instances, MixedInstancesPolicy, DesiredCapacity } = await bench.described();
    expect(DesiredCapacity).toBe(4);
    expect(Instances.map(({ WeightedCapacity }: { WeightedCapacity: string }) => WeightedCapacity)).toEqual(['2', '2']);
    expect(MixedInstancesPolicy).toMatchObject({
      LaunchTemplate: { Overrides: mixed.MixedInstancesPolicy.LaunchTemplate.Overrides },
      InstancesDistribution: {
        ...mixed.MixedInstancesPolicy.InstancesDistribution,
        OnDemandAllocationStrategy: 'prioritized',
      },
    });
    // Three are one more than one machine, and one less than two: nothing is ended that would leave too little.
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 3 });
    await bench.look(3);
    expect(await bench.machines()).toHaveLength(2);
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 2 });
    await bench.look(3);
    expect(bench.provider.machines.size).toBe(1);
    // What may be taken back was too much.
    expect([...bench.provider.machines.values()][0]?.spot).toBeUndefined();
    // The last machine may exceed the maximum.
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 5 });
    expect(await bench.settle()).toHaveLength(3);
  });

  test('makes none when it is the turn of a type of another weight by the time that they are written', async () => {
    let meanwhile = (): Promise<void> => Promise.resolve();
    const bench = await openGroups({
      profileRole: async (of) => {
        await meanwhile();
        return `arn:aws:iam::${of}:role/node`;
      },
    });
    await bench.template();
    const Overrides = [
      { InstanceType: 'm4.large', WeightedCapacity: '4' },
      { InstanceType: 't3.large', WeightedCapacity: '1' },
    ];
    const MixedInstancesPolicy = { LaunchTemplate: { ...template, Overrides } };
    await bench.group({ LaunchTemplate: undefined, MixedInstancesPolicy, MaxSize: 4, DesiredCapacity: 4 });
    // Another launch fails while it is read what machines are made from.
    meanwhile = () =>
      transact(bench.ports.records, groupsPartition(account), async (tx) => {
        const group = await tx.get<GroupRecord>(groupKeys.group('web'));
        tx.put(groupKeys.group('web'), toJson({ ...group, failures: 1 }));
      });
    await bench.look();
    expect(await bench.machines()).toEqual([]);
    await bench.look();
    expect((await bench.machines()).map(({ instanceType }) => instanceType)).toEqual(
      Array.from({ length: 4 }, () => 't3.large'),
    );
  });

  test('shrinks by what a machine weighs, and goes back to a template of its own', async () => {
    const bench = await openGroups();
    await bench.template();
    await bench.group({ ...mixed, MinSize: 2, MaxSize: 4, DesiredCapacity: 4 });
    const [first, second] = await bench.settle();
    const end = (InstanceId: string | undefined) =>
      bench.api.call('TerminateInstanceInAutoScalingGroup', { InstanceId, ShouldDecrementDesiredCapacity: true });
    await end(first?.id);
    expect((await bench.described()).DesiredCapacity).toBe(2);
    await expect(end(second?.id)).rejects.toThrow(
      /minSize \(2\)\. Terminating instance without replacement will violate/,
    );
    await bench.api.call('UpdateAutoScalingGroup', {
      AutoScalingGroupName: 'web',
      LaunchTemplate: { LaunchTemplateName: 'web' },
    });
    const described = await bench.described();
    expect([described.MixedInstancesPolicy, described.LaunchTemplate.LaunchTemplateName]).toEqual([undefined, 'web']);
  });
});
