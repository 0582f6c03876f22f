import { expect, test } from 'vitest';
import {
  createPlacementIndex,
  type Improvement,
  type InstanceSpec,
  type PlacementIndex,
  type PlacementRequest,
  seededRandom,
  type StrategySpec,
} from './index.ts';

const size = { nightly: 2_000, release: 10_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 200;

const zone: StrategySpec = { type: 'spread', field: 'attribute:ecs.availability-zone' };
const host: StrategySpec = { type: 'spread', field: 'instanceId' };
const pack: StrategySpec = { type: 'binpack', field: 'memory' };

const instance = (id: string, of: string, memory = 1000): InstanceSpec => ({
  id,
  cpu: 1000,
  memory,
  gpus: 0,
  attributes: new Map([['ecs.availability-zone', of]]),
  reservedTcpPorts: [],
  reservedUdpPorts: [],
  placeable: true,
  agentConnected: true,
});

const asking = (group: string, memory: number, strategies: readonly StrategySpec[]): PlacementRequest => ({
  group,
  shape: { cpu: 10, memory, gpus: 0, tcpPorts: [], udpPorts: [], requires: [] },
  constraints: [],
  strategies,
  kind: 'service',
});

/** An index with tasks of one service, `1` and on, on these instances. */
function placed(request: PlacementRequest, instances: readonly InstanceSpec[], ...on: readonly string[]) {
  const index = createPlacementIndex({ seed: 1 });
  for (const one of instances) index.upsertInstance(one);
  on.forEach((instanceId, at) => {
    index.addTask({ id: String(at + 1), instanceId, group: request.group, shape: request.shape });
  });
  return { index, ids: on.map((_, at) => String(at + 1)) };
}

test('a task goes from the value with the most tasks to the one with the fewest, and none where they differ by one', () => {
  const request = asking('web', 100, [zone]);
  const zones = [instance('a', 'x'), instance('b', 'y')];
  const { index, ids } = placed(request, zones, 'a', 'a', 'b');
  expect(index.improvement(request, ids)).toBeUndefined();
  index.addTask({ id: '4', instanceId: 'a', group: 'web', shape: request.shape });
  expect(index.improvement(request, [...ids, '4'])).toMatchObject({
    from: 'a',
    to: 'b',
    strategy: zone,
    before: 2,
    after: 1,
  });
  // Those that must stay are not moved for it.
  expect(index.improvement(request, ['3'])).toBeUndefined();
  expect(index.improvement(request, [])).toBeUndefined();
});

test('where the first strategy is content the next one is asked, of any task', () => {
  const request = asking('web', 100, [zone, host]);
  const zones = [instance('a', 'x'), instance('b', 'y'), instance('c', 'y')];
  const { index, ids } = placed(request, zones, 'a', 'a', 'a', 'b', 'b');
  expect(index.improvement(request, ids)).toMatchObject({ from: 'a', to: 'c', strategy: host, before: 2, after: 0 });
  // Where zones would be worse off it is one of the same zone.
  const less = placed(request, zones, 'a', 'b', 'b');
  expect(less.index.improvement(request, less.ids)).toMatchObject({
    from: 'b',
    to: 'c',
    strategy: host,
    before: 1,
    after: 0,
  });
});

test('packing moves what frees more than a tenth of an instance and than the task is large; what is drawn moves nothing', () => {
  const request = asking('web', 100, [pack]);
  const three = [instance('a', 'x'), instance('b', 'x')];
  const { index, ids } = placed(request, three, 'a', 'a', 'b');
  expect(index.improvement(request, ids)).toMatchObject({
    taskId: '3',
    from: 'b',
    to: 'a',
    strategy: pack,
    before: 1000,
    after: 800,
  });
  const close = placed(request, [instance('a', 'x', 1000), instance('b', 'x', 1050)], 'a', 'b');
  expect(close.index.improvement(request, close.ids)).toBeDefined();
  const same = placed(request, [instance('a', 'x', 1000), instance('b', 'x', 910)], 'a', 'b');
  expect(same.index.improvement(request, ['1'])).toBeDefined();
  expect(same.index.improvement(request, ['2'])).toBeUndefined();
  expect(index.improvement({ ...request, strategies: [{ type: 'random' }, pack] }, ids)).toBeUndefined();
});

const gained = ({ before, after, strategy }: Improvement) => ({ gain: before - after, strategy });

/** The same by looking at every task and every instance, from the free memory and the tasks of each alone. */
function bySpecification(
  instances: readonly InstanceSpec[],
  on: ReadonlyMap<string, string>,
  { shape, strategies }: PlacementRequest,
): { readonly gain: number; readonly strategy: StrategySpec } | undefined {
  const free = (id: string, without: string): number =>
    instances.find((one) => one.id === id)!.memory -
    [...on].filter(([task, at]) => at === id && task !== without).length * shape.memory;
  const zoneOf = (id: string): string =>
    instances.find((one) => one.id === id)!.attributes.get('ecs.availability-zone')!;
  const scores = (id: string, without: string): number[] =>
    strategies.map((strategy) =>
      strategy === pack
        ? free(id, without)
        : [...on].filter(
            ([task, at]) => task !== without && (strategy === host ? at === id : zoneOf(at) === zoneOf(id)),
          ).length,
    );
  const compare = (one: readonly number[], other: readonly number[]): number => {
    const at = one.findIndex((score, level) => score !== other[level]);
    return at === -1 ? 0 : one[at]! - other[at]!;
  };
  let best: { readonly level: number; readonly gain: number } | undefined;
  for (const [task, from] of on) {
    const fits = instances.filter(({ id }) => free(id, task) >= shape.memory);
    const there = fits.map(({ id }) => scores(id, task)).sort(compare)[0]!;
    const here = scores(from, task);
    const level = here.findIndex((score, place) => score !== there[place]);
    if (level === -1) continue;
    const [before, after] = [here[level]!, there[level]!];
    const least =
      strategies[level] === pack ? Math.max(shape.memory, instances.find(({ id }) => id === from)!.memory / 10) : 1;
    const gain = before - after;
    if (gain < least) continue;
    if (best === undefined || level < best.level || (level === best.level && gain > best.gain)) best = { level, gain };
  }
  return best && { gain: best.gain, strategy: strategies[best.level]! };
}

/** What strategies want less of, in their order: squares of tasks by value, and of free memory by instance the other way round. */
function standing(
  index: PlacementIndex,
  instances: readonly InstanceSpec[],
  on: ReadonlyMap<string, string>,
  strategies: readonly StrategySpec[],
) {
  const squares = (values: Iterable<number>): number => [...values].reduce((sum, value) => sum + value * value, 0);
  const zoneOf = (id: string): string =>
    instances.find((one) => one.id === id)!.attributes.get('ecs.availability-zone')!;
  return strategies.map((strategy) =>
    strategy === pack
      ? -squares(instances.map(({ id }) => index.free(id)!.memory))
      : squares(
          Map.groupBy(on.values(), (id) => (strategy === host ? id : zoneOf(id)))
            .values()
            .map(({ length }) => length),
        ),
  );
}

test(`${size} services are moved until no move pays: each as the specification says, each for the better, and there is an end of them`, () => {
  const chains = [[zone], [host], [pack], [zone, host], [zone, pack], [host, pack], [pack, zone], [zone, host, pack]];
  const from = Number(process.env['SLIPWAY_SEED'] ?? 1);
  for (let seed = from; seed < from + size; seed++) {
    const random = seededRandom(seed);
    const whole = (most: number): number => Math.floor(random() * most);
    const instances = Array.from({ length: 2 + whole(6) }, (_, at) =>
      instance(`i${at}`, `z${whole(3)}`, 500 + 250 * whole(4)),
    );
    const request = asking('web', 50 + 50 * whole(3), chains[whole(chains.length)]!);
    const index = createPlacementIndex({ seed });
    for (const one of instances) index.upsertInstance(one);
    const on = new Map<string, string>();
    for (let count = 1 + whole(12); count > 0; count--) {
      const { id: instanceId } = instances[whole(instances.length)]!;
      if (index.whyNot(instanceId, request) !== undefined) continue;
      const id = `t${on.size}`;
      index.addTask({ id, instanceId, group: 'web', shape: request.shape });
      on.set(id, instanceId);
    }
    const seen = new Set<string>();
    for (let moves = 0; ; moves++) {
      const found = index.improvement(request, [...on.keys()]);
      const wanted = bySpecification(instances, on, request);
      expect({ seed, ...(found && gained(found)) }).toEqual({ seed, ...wanted });
      if (found === undefined) break;
      expect(moves, `seed ${seed}`).toBeLessThan(100);
      const before = standing(index, instances, on, request.strategies);
      expect(on.get(found.taskId)).toBe(found.from);
      index.removeTask(found.taskId);
      expect(index.whyNot(found.to, request)).toBeUndefined();
      index.addTask({ id: found.taskId, instanceId: found.to, group: 'web', shape: request.shape });
      on.set(found.taskId, found.to);
      const after = standing(index, instances, on, request.strategies);
      const level = request.strategies.indexOf(found.strategy);
      expect(after.slice(0, level), `seed ${seed}`).toEqual(before.slice(0, level));
      expect(after[level], `seed ${seed}`).toBeLessThan(before[level]!);
      // No state comes again.
      const state = JSON.stringify([...on.values()]);
      expect(seen.has(state), `seed ${seed}`).toBe(false);
      seen.add(state);
    }
  }
});
