import { expect, test } from 'vitest';
import {
  createPlacementIndex,
  type InstanceSpec,
  type PlacedTask,
  type PlacementRequest,
  proposeMoves,
  seededRandom,
} from './index.ts';

const instance = (id: string, zone: string, memory = 1000): InstanceSpec => ({
  id,
  cpu: 1000,
  memory,
  gpus: 0,
  attributes: new Map([['ecs.availability-zone', zone]]),
  reservedTcpPorts: [],
  reservedUdpPorts: [],
  placeable: true,
  agentConnected: true,
});
const task = (id: string, instanceId: string, group: string, memory: number): PlacedTask => ({
  id,
  instanceId,
  group,
  shape: { cpu: 10, memory, gpus: 0, tcpPorts: [], udpPorts: [], requires: [] },
});
const requestOf = ({ group, shape }: PlacedTask): PlacementRequest => ({
  group,
  shape,
  constraints: [],
  strategies: [{ type: 'binpack', field: 'memory' }],
  kind: 'service',
});

test('the instance with the fewest tasks is freed, and nothing moves onto an empty one', () => {
  const index = createPlacementIndex({ seed: 1 });
  for (const id of ['a', 'b', 'c', 'empty']) index.upsertInstance(instance(id, 'z'));
  index.addTask(task('1', 'a', 'g', 600));
  index.addTask(task('2', 'a', 'h', 100));
  index.addTask(task('3', 'b', 'g', 500));
  index.addTask(task('4', 'b', 'h', 100));
  index.addTask(task('5', 'c', 'i', 200));
  const plan = proposeMoves(index.snapshot(), { goals: ['free-instances'], maxMoves: 5, requestOf });
  expect(plan).toEqual({
    moves: [{ taskId: '5', from: 'c', to: 'a', goal: 'free-instances' }],
    freed: ['c'],
    inUseBefore: 3,
    inUseAfter: 2,
  });
});

test('tasks that must stay keep their instance', () => {
  const index = createPlacementIndex({ seed: 1 });
  for (const id of ['a', 'b']) index.upsertInstance(instance(id, 'z'));
  index.addTask(task('1', 'a', 'g', 100));
  index.addTask(task('2', 'b', 'h', 100));
  const plan = proposeMoves(index.snapshot(), { goals: ['free-instances'], maxMoves: 5, requestOf: () => undefined });
  expect(plan.moves).toEqual([]);
});

test('zones are evened out until they differ by at most one', () => {
  const index = createPlacementIndex({ seed: 1 });
  for (const zone of ['x', 'y', 'z']) index.upsertInstance(instance(zone, zone));
  for (let count = 0; count < 7; count++) index.addTask(task(`${count}`, 'x', 'g', 50));
  const plan = proposeMoves(index.snapshot(), { goals: ['even-zones'], maxMoves: 9, maxGroupShare: 1, requestOf });
  expect(plan.moves.map(({ from, to }) => `${from}>${to}`).sort()).toEqual(['x>y', 'x>y', 'x>z', 'x>z']);
});

test('never more moves than allowed, all or no task of a freed instance, and every move fits', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed);
    const index = createPlacementIndex({ seed });
    const instances = Array.from({ length: 12 }, (_, number) => instance(`i${number}`, 'xyz'[number % 3]!));
    for (const spec of instances) index.upsertInstance(spec);
    for (let number = 0; number < 40; number++) {
      const memory = 50 + Math.floor(random() * 200);
      const on = instances[Math.floor(random() * 12)]!.id;
      const planned = task(`t${number}`, on, `g${number % 5}`, memory);
      index.commit([{ id: planned.id, instanceId: on, request: requestOf(planned) }]);
    }
    const before = index.snapshot();
    const maxMoves = 1 + Math.floor(random() * 12);
    const plan = proposeMoves(before, {
      goals: ['even-zones', 'free-instances'],
      maxMoves,
      maxGroupShare: 0.5,
      requestOf,
    });
    expect(plan.moves.length).toBeLessThanOrEqual(maxMoves);
    expect(new Set(plan.moves.map((move) => move.taskId)).size).toBe(plan.moves.length);
    const tasks = new Map(before.tasks.map((each) => [each.id, each]));
    for (const { taskId, from, to } of plan.moves) {
      const moving = tasks.get(taskId)!;
      expect(moving.instanceId).toBe(from);
      index.removeTask(taskId);
      expect(index.whyNot(to, requestOf(moving))).toBeUndefined();
      index.addTask({ ...moving, instanceId: to });
    }
    const after = index.snapshot();
    for (const id of plan.freed) expect(after.tasks.filter((each) => each.instanceId === id)).toEqual([]);
    expect(new Set(after.tasks.map((each) => each.instanceId)).size).toBe(plan.inUseAfter);
  }
});
