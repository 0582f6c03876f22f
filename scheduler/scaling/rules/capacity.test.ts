import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { calmFor, type CapacityHost, type CapacityState, decideCapacity, restFor } from './index.ts';

const runs = { nightly: 1_000, release: 3_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 200;

const rule = {
  targetCapacity: 100,
  minimumScalingStepSize: 1,
  maximumScalingStepSize: 10_000,
  instanceWarmupPeriod: 300,
};
const host = (id: string, tasks: number, more: Partial<CapacityHost> = {}): CapacityHost => ({
  id,
  state: 'ready',
  tasks,
  since: 0,
  open: true,
  ...more,
});
const decide = (more: Partial<CapacityState> = {}) =>
  decideCapacity({
    rule,
    group: { min: 0, max: 10, desired: more.hosts?.length ?? 0 },
    hosts: [],
    needed: 0,
    missing: 0,
    canEmpty: () => true,
    surplusSince: undefined,
    now: 1_000_000,
    ...more,
  });

test('a group goes up by what its tasks need, from nothing as well, in steps and within its bounds', () => {
  expect(decide({ needed: 3 }).desired).toBe(3);
  expect(decide({ needed: 30 }).desired).toBe(10);
  expect(decide({ needed: 3, rule: { ...rule, maximumScalingStepSize: 2 } }).desired).toBe(2);
  expect(decide({ needed: 1, rule: { ...rule, minimumScalingStepSize: 4 } }).desired).toBe(4);
  expect(decide({ needed: 1, rule: { ...rule, targetCapacity: 50 } }).desired).toBe(2);
  // What is on its way counts once.
  const coming = [host('a', 0, { state: 'coming' }), host('b', 0, { state: 'coming' })];
  expect(decide({ needed: 2, hosts: coming })).toMatchObject({ desired: 2, empty: [], end: [] });
  expect(decide({ needed: 3, hosts: [...coming, host('c', 1)] }).desired).toBe(4);
});

test('an empty host that what waits could not be on holds no other one back', () => {
  const hosts = [host('a', 0), host('b', 1)];
  expect(decide({ needed: 1, hosts }).desired).toBe(2);
  expect(decide({ needed: 1, missing: 1, hosts }).desired).toBe(3);
  // One that was asked for and is not made yet counts.
  expect(decide({ needed: 1, missing: 1, hosts, group: { min: 0, max: 10, desired: 3 } }).desired).toBe(3);
  expect(decide({ needed: 9, missing: 9, hosts, group: { min: 0, max: 4, desired: 2 } }).desired).toBe(4);
});

test('none goes below the minimum while launches fail', () => {
  const hosts = [host('a', 1), { ...host('b', 0), state: 'emptying' as const }];
  const group = { min: 1, max: 4, desired: 3 };
  expect(decide({ hosts, group }).end).toEqual(['b']);
  expect(decide({ hosts, group: { ...group, min: 2 } }).end).toEqual([]);
});

test('the reservation is told as ECS reckons it', () => {
  expect(decide().reservation).toBe(100);
  expect(decide({ needed: 2 }).reservation).toBe(200);
  expect(decide({ hosts: [host('a', 0), host('b', 0)] }).reservation).toBe(0);
  expect(decide({ hosts: [host('a', 1), host('b', 0)] }).reservation).toBe(50);
  expect(decide({ needed: 2, hosts: [host('a', 1)] }).reservation).toBe(300);
});

test('what is too many is closed after a while, and ends when it is empty', () => {
  const hosts = [host('a', 1), host('b', 0), host('c', 0), host('d', 0, { since: 900_000 })];
  const first = decide({ hosts });
  expect(first).toMatchObject({ surplusSince: 1_000_000, empty: [], end: [] });
  const later = decide({ hosts, surplusSince: 1_000_000 - calmFor });
  // Fewer than half at once.
  expect(later.empty).toEqual(['b']);
  const closed = [host('a', 1), host('b', 0, { state: 'emptying' }), host('c', 2, { state: 'emptying' })];
  expect(decide({ hosts: closed }).end).toEqual(['b']);
  // Whose hosts are needed again stay, those with most tasks first.
  expect(decide({ hosts: closed, needed: 1 })).toMatchObject({ keep: ['c'], end: [], desired: 3 });
  expect(decide({ hosts: closed, group: { min: 3, max: 3, desired: 3 } })).toMatchObject({ keep: ['c', 'b'], end: [] });
});

test('what is on its way ends when nothing needs it any more, and is not made again', () => {
  const coming = (id: string, since: number) => host(id, 0, { state: 'coming', since });
  const hosts = [host('a', 1), host('b', 0), coming('c', 500_000), coming('d', 400_000), coming('e', 900_000)];
  expect(decide({ hosts })).toMatchObject({ surplusSince: 1_000_000, empty: [], end: [] });
  const calm = { surplusSince: 1_000_000 - calmFor };
  // Those that are longest on their way, and no host that is there before they are gone.
  expect(decide({ hosts, ...calm })).toMatchObject({ ...calm, empty: [], end: ['d', 'c'] });
  expect(decide({ hosts, ...calm, group: { min: 4, max: 9, desired: 5 } }).end).toEqual(['d']);
  expect(decide({ hosts, ...calm, needed: 1 }).end).toEqual([]);
  expect(decide({ hosts, ...calm, rule: { ...rule, instanceWarmupPeriod: 7_200 } }).end).toEqual(['d', 'c']);
  expect(decide({ hosts, ...calm, rule: { ...rule, instanceWarmupPeriod: 0 } }).end).toEqual(['d', 'c', 'e']);
  const held = hosts.map((one) => ({ ...one, open: one.state !== 'coming' }));
  expect(decide({ hosts: held, ...calm })).toMatchObject({ empty: ['b'], end: [] });
});

test('hosts are emptied whose tasks have room elsewhere, a quarter at once at most and one at least', () => {
  const hosts = [host('a', 3), host('b', 1), host('c', 2)];
  const calm = { surplusSince: 0 };
  expect(decide({ hosts, ...calm }).empty).toEqual(['b']);
  expect(decide({ hosts, ...calm, canEmpty: ([id]) => id === 'c' }).empty).toEqual(['c']);
  expect(decide({ hosts, ...calm, canEmpty: () => false })).toMatchObject({ empty: [], surplusSince: undefined });
  expect(decide({ hosts: [...hosts, host('d', 0, { state: 'coming' })], needed: 1, ...calm }).empty).toEqual([]);
  expect(decide({ hosts: hosts.with(1, host('b', 1, { state: 'emptying' })), ...calm }).empty).toEqual([]);
  expect(decide({ hosts, ...calm, group: { min: 3, max: 5, desired: 3 } }).empty).toEqual([]);
  const many = Array.from({ length: 24 }, (_, i) => host(`busy-${String(i).padStart(2, '0')}`, 1 + Math.floor(i / 8)));
  const emptied = (fits: number, more: Partial<CapacityState> = {}): number => {
    const group = { min: 0, max: 30, desired: many.length };
    return decide({ hosts: many, group, ...calm, canEmpty: (ids) => ids.length <= fits, ...more }).empty.length;
  };
  expect([emptied(24), emptied(5), emptied(4), emptied(1), emptied(0)]).toEqual([6, 5, 4, 1, 0]);
  expect(emptied(24, { group: { min: 22, max: 30, desired: 24 } })).toBe(2);
});

test('hosts whose tasks cannot move hold back no other one', () => {
  const jobs = Array.from({ length: 6 }, (_, i) => host(`job-${i}`, 1, { fixed: true }));
  const hosts = [...jobs, ...Array.from({ length: 6 }, (_, i) => host(`web-${i}`, 2))];
  const canEmpty = (ids: readonly string[]): boolean => ids.every((id) => id.startsWith('web'));
  const group = { min: 0, max: 20, desired: hosts.length };
  expect(decide({ hosts, group, canEmpty, surplusSince: 0 }).empty).toEqual(['web-0', 'web-1', 'web-2']);
});

test('a group of some size keeps room for its fullest host and a task more for a quarter of an hour', () => {
  const busy = [4, 3, 3, 3, 3].map((tasks, i) => host(`busy-${i}`, tasks));
  const since = (ago: number) => ({ surplusSince: 1_000_000 - ago });
  // Two are empty: one goes if that leaves room, the other one when it has been quiet.
  const two = [...busy, host('x', 0), host('y', 0)];
  const asked: unknown[] = [];
  const one = (ids: readonly string[], like?: string): boolean => {
    asked.push(like);
    return like === undefined || ids.length === 1;
  };
  expect(decide({ hosts: two, canEmpty: one, ...since(calmFor - 1) }).empty).toEqual([]);
  expect(decide({ hosts: two, canEmpty: one, ...since(calmFor) }).empty).toEqual(['x']);
  expect(asked[0]).toBe('busy-0');
  const none = (_ids: readonly string[], like?: string): boolean => like === undefined;
  expect(decide({ hosts: two, canEmpty: none, ...since(restFor - 1) })).toMatchObject({
    empty: [],
    ...since(restFor - 1),
  });
  // Fewer than half, and those in use when they have room elsewhere.
  expect(decide({ hosts: two, canEmpty: none, ...since(restFor) }).empty).toEqual(['x', 'y', 'busy-1']);
  // None is empty: one in use goes if there is room for it and for what the fullest of the others runs, another one where the first does not fit.
  expect(decide({ hosts: busy, canEmpty: none, ...since(restFor - 1) }).empty).toEqual([]);
  expect(decide({ hosts: busy, canEmpty: none, ...since(restFor) }).empty).toEqual(['busy-1']);
  const third = (ids: readonly string[], like?: string): boolean => like === undefined || ids.join() === 'busy-3';
  expect(decide({ hosts: busy, canEmpty: third, ...since(calmFor) }).empty).toEqual(['busy-3']);
  // An empty one that has just come is no room for what moves.
  const fresh = [...busy, host('z', 0, { since: 900_000 })];
  expect(decide({ hosts: fresh, ...since(restFor) }).empty).toEqual([]);
  // Where hosts are to be free anyhow none is kept beside.
  const spare = { rule: { ...rule, targetCapacity: 90 } };
  expect(decide({ hosts: two, canEmpty: none, ...spare, ...since(calmFor) }).empty).toEqual(['x']);
});

test('no host goes that is protected, and none is emptied', () => {
  const held = { open: false };
  const calm = { surplusSince: 0 };
  expect(decide({ hosts: [host('a', 0, held), host('b', 0, held)], ...calm })).toMatchObject({ empty: [], end: [] });
  expect(decide({ hosts: [host('a', 0, held), host('b', 0)], ...calm }).empty).toEqual(['b']);
  expect(decide({ hosts: [host('a', 1, held), host('b', 2)], ...calm }).empty).toEqual(['b']);
  expect(decide({ hosts: [host('a', 0, { ...held, state: 'emptying' })], ...calm }).end).toEqual([]);
});

/** A group with its hosts and tasks, in steps of five seconds; a host has room for `slots` tasks. */
function play(
  load: readonly { at: number; tasks: number }[],
  options: { slots: number; min: number; max: number; start: number; target: number },
) {
  const { slots, min, max, start, target } = options;
  let number = 0;
  let desired = min;
  let surplusSince: number | undefined;
  let hosts: { id: string; state: CapacityHost['state']; tasks: number; since: number; made: number; open: true }[] =
    [];
  let waiting: number[] = [];
  let worst = 0;
  const end = (load.at(-1)?.at ?? 0) + 3_600_000;
  const room = (): (typeof hosts)[number] | undefined =>
    hosts.filter((one) => one.state === 'ready' && one.tasks < slots).sort((a, b) => a.tasks - b.tasks)[0];
  for (let now = 0; now < end; now += 5_000) {
    const wanted = load.findLast(({ at }) => at <= now)?.tasks ?? 0;
    let have = hosts.reduce((sum, { tasks }) => sum + tasks, 0) + waiting.length;
    for (; have < wanted; have++) waiting.push(now);
    for (; have > wanted; have--) {
      if (waiting.pop() !== undefined) continue;
      const busy = hosts.filter(({ tasks }) => tasks > 0);
      busy[(have * 7) % busy.length]!.tasks--;
    }
    while (hosts.length < desired)
      hosts.push({ id: `h${number++}`, state: 'coming', tasks: 0, since: now, made: now, open: true });
    for (const one of hosts)
      if (one.state === 'coming' && now - one.made >= start) Object.assign(one, { state: 'ready', since: now });
    // Tasks of hosts that are emptied go where there is room, one in each step.
    for (const one of hosts.filter(({ state, tasks }) => state === 'emptying' && tasks > 0)) {
      const to = room();
      if (to !== undefined) {
        to.tasks++;
        one.tasks--;
      }
    }
    for (let to = room(); to !== undefined && waiting.length > 0; to = room()) {
      to.tasks++;
      worst = Math.max(worst, now - waiting.shift()!);
    }
    const needed = Math.ceil(waiting.length / slots);
    const plan = decideCapacity({
      rule: { ...rule, targetCapacity: target, instanceWarmupPeriod: 60 },
      group: { min, max, desired },
      hosts,
      needed,
      missing: Math.max(0, needed - hosts.filter(({ state }) => state === 'coming').length),
      canEmpty: (ids, like) => {
        const again = like === undefined ? 0 : 1 + (hosts.find(({ id }) => id === like)?.tasks ?? 0);
        const leaving = hosts.filter(({ id }) => ids.includes(id));
        const free = hosts.reduce(
          (sum, one) => sum + (one.state === 'ready' && !leaving.includes(one) ? slots - one.tasks : 0),
          0,
        );
        return free >= leaving.reduce((sum, { tasks }) => sum + tasks, again);
      },
      surplusSince,
      now,
    });
    ({ surplusSince } = plan);
    for (const one of hosts) {
      if (plan.keep.includes(one.id)) one.state = 'ready';
      if (plan.empty.includes(one.id)) one.state = 'emptying';
    }
    expect(plan.end.every((id) => hosts.some((one) => one.id === id && one.tasks === 0))).toBe(true);
    hosts = hosts.filter(({ id }) => !plan.end.includes(id));
    desired = plan.desired - plan.end.length;
    expect(desired).toBeGreaterThanOrEqual(min);
    expect(desired).toBeLessThanOrEqual(max);
    if (waiting.length > 0 && desired === max) waiting = waiting.map((since) => Math.max(since, now));
  }
  return { hosts, waiting, worst };
}

test('under any load no task waits longer than a host takes to come, and few hosts stay when it is gone', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ after: fc.integer({ min: 5, max: 1_800 }), tasks: fc.nat(80) }), { maxLength: 8 }),
      fc.record({
        slots: fc.integer({ min: 1, max: 8 }),
        min: fc.nat(3),
        max: fc.integer({ min: 3, max: 60 }),
        start: fc.integer({ min: 0, max: 24 }).map((steps) => steps * 5_000),
        target: fc.constantFrom(100, 90, 50),
      }),
      (steps, options) => {
        let at = 0;
        const load = steps.map(({ after, tasks }) => ({ at: (at += after * 1000), tasks }));
        const { hosts, waiting, worst } = play(load, options);
        expect(worst).toBeLessThanOrEqual(options.start + 15_000);
        const tasks = load.at(-1)?.tasks ?? 0;
        expect(hosts.length * options.slots + waiting.length).toBeGreaterThanOrEqual(tasks);
        // With hosts that are kept free nothing is packed: what is in use stays.
        const inUse = hosts.filter(({ tasks: on }) => on > 0).length;
        const least = options.target === 100 ? Math.ceil(tasks / options.slots) : inUse;
        const bound = Math.floor(least * 1.05 * 100) / options.target;
        expect(hosts.length).toBeLessThanOrEqual(Math.max(options.min, Math.ceil(bound)));
      },
    ),
    { numRuns: runs },
  );
}, 600_000);
