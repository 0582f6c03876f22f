import { assert, constantFrom, integer, property, record, array, boolean } from 'fast-check';
import { expect, test } from 'vitest';

import {
  afterFailure,
  awayAtMost,
  decide,
  type EndReason,
  mostWithLeaving,
  pauseAfter,
  type Sight,
  terminationPolicies,
} from './decide.ts';
import { atOnce, joinWithin } from './room.ts';
import type { GroupRecord, MachineRecord } from './records.ts';

const now = 1_000_000_000;

const anyMachine = record({
  state: constantFrom('Pending', 'InService', 'Terminating' as const),
  health: constantFrom('Healthy', 'Healthy', 'Unhealthy' as const),
  protected: boolean(),
  zone: constantFrom('a', 'b', 'c'),
  age: integer({ min: 0, max: 2 * joinWithin }),
  version: integer({ min: 1, max: 3 }),
  provider: constantFrom<Sight['provider']>('there', 'gone', 'silent'),
  agent: constantFrom<Sight['agent']>('never', 'connected', 'away', 'deregistered'),
  away: integer({ min: 0, max: 2 * awayAtMost }),
});

const anyGroup = record({
  min: integer({ min: 0, max: 5 }),
  more: integer({ min: 0, max: 20 }),
  desired: integer({ min: 0, max: 30 }),
  grace: integer({ min: 0, max: 600 }),
  suspended: array(constantFrom('Launch', 'Terminate', 'HealthCheck', 'ReplaceUnhealthy'), { maxLength: 2 }),
  policy: constantFrom(...terminationPolicies),
  waits: boolean(),
  deleting: boolean(),
});

const runs = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 2_000 : 50_000;

test('never more machines than the maximum, none in the place of one that is fine, and none ended that is protected', () => {
  assert(
    property(anyGroup, array(anyMachine, { maxLength: 12 }), (given, machines) => {
      const max = given.min + given.more;
      const group = {
        ...given,
        max,
        zones: ['a', 'b'],
        termination: [given.policy],
        retryAt: given.waits ? now + 1 : 0,
        ...(given.deleting ? { deleting: true } : { deleting: undefined }),
      } as unknown as GroupRecord;
      const records = machines.map((machine, index) => ({
        ...machine,
        id: `i-${index}`,
        launchedAt: now - machine.age,
        stateAt: now - machine.age,
        started: true,
        template: { version: machine.version },
      })) as unknown as MachineRecord[];
      const sight = ({ id }: MachineRecord): Sight => {
        const { provider, agent, away } = machines[Number(id.slice(2))] as (typeof machines)[number];
        return { provider, agent, awaySince: now - away };
      };
      const plan = decide(group, records, sight, now);
      const byId = new Map(records.map((machine) => [machine.id, machine]));
      const surplus = plan.end.filter(({ reason }) => reason === 'surplus').map(({ id }) => id);
      const live = records.filter(({ state }) => state !== 'Terminating');
      const left = live.length - plan.end.length;
      expect(new Set(plan.end.map(({ id }) => id)).size).toBe(plan.end.length);
      expect(plan.launch.length === 0 || records.length + plan.launch.length <= mostWithLeaving * max).toBe(true);
      expect(plan.launch.length).toBeLessThanOrEqual(atOnce);
      const has = plan.launch.length > 0;
      expect(has && (group.suspended.includes('Launch') || given.waits || given.deleting)).toBe(false);
      expect(has && surplus.length > 0).toBe(false);
      expect(!has || left + plan.launch.length <= Math.min(Math.max(given.desired, given.min), max)).toBe(true);
      // Scaling in goes no lower than what is wanted.
      const wanted = given.deleting ? 0 : Math.min(Math.max(given.desired, given.min), max);
      expect(surplus.length === 0 || left >= wanted).toBe(true);
      expect(surplus.every((id) => byId.get(id)?.protected === false)).toBe(true);
      expect(group.suspended.includes('Terminate') && surplus.length > 0).toBe(false);
      expect(given.deleting && left > 0).toBe(false);
      for (const { id, reason } of plan.end) {
        const machine = byId.get(id) as MachineRecord;
        const { awaySince = now, provider, agent } = sight(machine);
        const isRight: Partial<Record<EndReason, boolean>> = {
          'agent-away': now - awaySince > awayAtMost && machine.state === 'InService',
          vanished: provider === 'gone' && agent !== 'connected',
          'never-joined': machine.state === 'Pending' && now - machine.stateAt > joinWithin,
          surplus: machine.health === 'Healthy' || group.suspended.includes('ReplaceUnhealthy'),
        };
        expect([machine.state === 'Terminating', isRight[reason] ?? true]).toEqual([false, true]);
      }
      for (const id of plan.enter) expect(sight(byId.get(id) as MachineRecord).agent).toBe('connected');
      // The same again from the same.
      expect(decide(group, records, sight, now)).toEqual(plan);
    }),
    { numRuns: runs },
  );
});

test('pauses double from ten seconds to ten minutes', () => {
  expect([0, 1, 2, 3, 7, 8, 1000].map(pauseAfter)).toEqual([0, 10_000, 20_000, 40_000, 600_000, 600_000, 600_000]);
});

const inService = (count: number): MachineRecord[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `i-${index}`,
    state: 'InService',
    health: 'Healthy',
    protected: false,
    zone: 'a',
    started: true,
    launchedAt: 0,
    stateAt: 0,
    template: { version: 1 },
  })) as unknown as MachineRecord[];
const sized = (desired: number): GroupRecord =>
  ({
    min: 0,
    max: 10,
    desired,
    grace: 0,
    zones: ['a'],
    suspended: [],
    termination: [],
    retryAt: 0,
    failures: 0,
  }) as unknown as GroupRecord;
/** Those are away, the first the longest; the others are connected. */
const firstAway =
  (count: number) =>
  ({ id }: MachineRecord): Sight => {
    const index = Number(id.slice(2));
    return index < count
      ? { provider: 'there', agent: 'away', awaySince: now - 2 * awayAtMost + index }
      : { provider: 'there', agent: 'connected' };
  };
const endedOf = (of: GroupRecord, machines: readonly MachineRecord[], sight: (machine: MachineRecord) => Sight) =>
  decide(of, machines, sight, now).end.map(({ id }) => id);

test('machines whose agents are away are replaced; where most are away, one, and the next when another is in its place', () => {
  expect(endedOf(sized(4), inService(4), firstAway(2))).toEqual(['i-0', 'i-1']);
  expect(endedOf(sized(4), inService(4), firstAway(4))).toEqual(['i-0']);
  expect(endedOf(sized(5), inService(4), firstAway(4))).toEqual([]);
  const coming = { ...(inService(5)[4] as MachineRecord), state: 'Pending', launchedAt: now, stateAt: now } as const;
  expect(endedOf(sized(5), [...inService(4), coming], firstAway(4))).toEqual([]);
  expect(endedOf(sized(1), inService(1), firstAway(1))).toEqual(['i-0']);
  // Whoever takes the group away, or asks for fewer, gets that.
  expect(endedOf({ ...sized(4), deleting: true }, inService(4), firstAway(4))).toHaveLength(4);
  expect(endedOf(sized(1), inService(4), firstAway(4))).toHaveLength(3);
});

test('a machine whose agent is connected is there, whatever its provider lists', () => {
  const sight = (agent: Sight['agent']) => (): Sight => ({ provider: 'gone', agent, awaySince: now });
  expect(endedOf(sized(2), inService(2), sight('connected'))).toEqual([]);
  expect(endedOf(sized(2), inService(2), sight('away'))).toEqual(['i-0', 'i-1']);
});

test('a machine that is on its way out is replaced meanwhile, until there are twice as many as the group may have', () => {
  const there = (): Sight => ({ provider: 'there', agent: 'connected' });
  const leaving = (count: number): MachineRecord[] => inService(count).map((one) => ({ ...one, state: 'Terminating' }));
  const launched = (...states: MachineRecord[]): number => decide(sized(10), states, there, now).launch.length;
  expect(launched(...leaving(2), ...inService(8))).toBe(2);
  expect(launched(...leaving(10))).toBe(10);
  expect(launched(...leaving(15))).toBe(5);
  expect(launched(...leaving(20))).toBe(0);
  expect(launched(...leaving(2), ...inService(10))).toBe(0);
});

test('launches that fail together count as one that failed', () => {
  const first = afterFailure(sized(3), now - 5, now);
  expect(first).toMatchObject({ failures: 1, retryAt: now + pauseAfter(1) });
  expect(afterFailure(first, now - 5, now + 1_000)).toBe(first);
  const next = afterFailure(first, first.retryAt, first.retryAt + 10);
  expect(next).toMatchObject({ failures: 2, retryAt: first.retryAt + 10 + pauseAfter(2) });
});

test('of too much capacity nothing in service ends for a heavy machine that has not come yet', () => {
  const heavy = (state: MachineRecord['state']): MachineRecord =>
    ({ ...(inService(10)[9] as MachineRecord), state, weight: 10, launchedAt: now, stateAt: now }) as MachineRecord;
  const group = { ...sized(10), max: 20, retryAt: now + 1 };
  const light = inService(9);
  const sight = (machine: MachineRecord): Sight =>
    machine.state === 'Pending' ? { provider: 'silent', agent: 'never' } : { provider: 'there', agent: 'connected' };
  expect(endedOf(group, [...light, heavy('Pending')], sight)).toEqual([]);
  expect(endedOf(group, [...light, heavy('InService')], sight).toSorted()).toEqual(light.map(({ id }) => id));
  // What has not come is done without at once.
  const coming = { ...(inService(10)[9] as MachineRecord), state: 'Pending', launchedAt: now, stateAt: now } as const;
  expect(endedOf(sized(9), [...light, coming], sight)).toEqual(['i-9']);
});
