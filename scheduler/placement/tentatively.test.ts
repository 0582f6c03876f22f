import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { createPlacementIndex, type InstanceSpec, type PlacedTask, type PlacementRequest } from './index.ts';

const shape = { cpu: 100, memory: 100, gpus: 0, tcpPorts: [], udpPorts: [] };
const instance = (id: string): InstanceSpec => ({
  id,
  cpu: 1000,
  memory: 1000,
  gpus: 0,
  attributes: new Map(),
  reservedTcpPorts: [],
  reservedUdpPorts: [],
  placeable: true,
  agentConnected: true,
});
const task = (id: string, instanceId: string): PlacedTask => ({
  id,
  instanceId,
  group: 'service:web',
  shape: { ...shape, requires: [] },
});
const request: PlacementRequest = {
  group: 'service:web',
  shape: { ...shape, requires: [] },
  constraints: [],
  strategies: [{ type: 'spread', field: 'instanceId' }],
  kind: 'service',
};

test('what is tried leaves no trace, also when it throws in the middle or something is tried within it', () => {
  const step = fc.record({
    what: fc.constantFrom('add', 'remove', 'retire', 'leave', 'stay', 'nest', 'throw'),
    id: fc.constantFrom('t1', 't2', 't3', 't4', 't5'),
    on: fc.constantFrom('i1', 'i2', 'away'),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30, size: 'max' }),
      fc.array(step, { maxLength: 30, size: 'max' }),
      (before, tried) => {
        const index = createPlacementIndex({ seed: 1 });
        for (const id of ['i1', 'i2']) index.upsertInstance(instance(id));
        const play = (steps: typeof before): void => {
          for (const [place, { what, id, on }] of steps.entries()) {
            if (what === 'add') index.addTask(task(id, on));
            else if (what === 'remove') index.removeTask(id);
            else if (what === 'retire') index.retireTask(id);
            else if (what === 'leave' || what === 'stay') index.setLeaving(id, what === 'leave');
            else if (what === 'nest') index.tentatively(() => play(steps.slice(place + 1, place + 4)));
            else throw new Error('in the middle');
          }
        };
        play(before.filter(({ what }) => what !== 'throw' && what !== 'nest'));
        const state = (): object => ({
          tasks: index.snapshot().tasks.toSorted((one, other) => (one.id < other.id ? -1 : 1)),
          free: ['i1', 'i2'].map((id) => index.free(id)),
          order: index.scaleInOrder(['t1', 't2', 't3', 't4', 't5'], []),
          placed: index.place(request),
        });
        const found = state();
        const thrown = (() => {
          try {
            index.tentatively(() => play(tried));
            return undefined;
          } catch (error) {
            return error;
          }
        })();
        expect([undefined, 'in the middle']).toContain((thrown as Error | undefined)?.message);
        expect(state()).toEqual(found);
      },
    ),
  );
});

test('instances and reservations are not tried', () => {
  const index = createPlacementIndex({ seed: 1 });
  expect(() => index.tentatively(() => index.upsertInstance(instance('i1')))).toThrow(/tentatively/);
  expect(() => index.tentatively(() => index.reserve(request))).toThrow(/tentatively/);
  index.upsertInstance(instance('i1'));
  expect(index.reserve(request)).toBeDefined();
});
