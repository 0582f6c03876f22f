import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { type BlankHost, hostsNeeded, type PlacementRequest } from './index.ts';

const runs = { nightly: 3_000, release: 10_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 300;

const blank = (zone = 'a', more: Partial<BlankHost> = {}): BlankHost => ({
  cpu: 1_000,
  memory: 1_000,
  gpus: 0,
  attributes: new Map([['ecs.availability-zone', zone]]),
  reservedTcpPorts: [],
  reservedUdpPorts: [],
  ...more,
});
const task = (cpu: number, memory: number, more: Partial<PlacementRequest> = {}): PlacementRequest => ({
  group: 'service:web',
  shape: { cpu, memory, gpus: 0, tcpPorts: [], udpPorts: [], requires: [] },
  constraints: [],
  strategies: [{ type: 'spread', field: 'instanceId' }],
  kind: 'service',
  ...more,
});

/** The fewest hosts, by trying everything. */
function fewest(
  tasks: readonly { cpu: number; memory: number }[],
  hosts: { cpu: number; memory: number }[] = [],
): number {
  const [first, ...rest] = tasks;
  if (first === undefined) return hosts.length;
  let best = Infinity;
  for (let at = 0; at <= hosts.length; at++) {
    const host = hosts[at] ?? { cpu: 1_000, memory: 1_000 };
    if (host.cpu < first.cpu || host.memory < first.memory) continue;
    const less = { cpu: host.cpu - first.cpu, memory: host.memory - first.memory };
    best = Math.min(best, fewest(rest, at === hosts.length ? [...hosts, less] : hosts.with(at, less)));
  }
  return best;
}

const amount = fc.integer({ min: 1, max: 1_000 });

test('never fewer hosts than tasks have room on, and hardly more', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(amount, amount), { maxLength: 6 }), (sizes) => {
      const { used, impossible } = hostsNeeded(
        sizes.map(([cpu, memory]) => task(cpu, memory)),
        [blank()],
        100,
      );
      const best = fewest(sizes.map(([cpu, memory]) => ({ cpu, memory })));
      expect(impossible).toEqual([]);
      expect(used).toBeGreaterThanOrEqual(best);
      expect(used).toBeLessThanOrEqual(Math.floor((best * 11) / 9) + 1);
    }),
    { numRuns: runs },
  );
});

test('one size leaves nothing free that could be used', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.nat(200), (memory, count) => {
      const one = task(1, memory);
      const { used } = hostsNeeded(
        Array.from({ length: count }, () => one),
        [blank()],
        1_000,
      );
      expect(used).toBe(Math.ceil(count / Math.floor(1_000 / memory)));
    }),
    { numRuns: runs },
  );
});

test('what no new host could take is told, and counts nowhere', () => {
  const inZone = (zone: string) =>
    task(1, 1, { constraints: [{ type: 'memberOf', expression: `attribute:ecs.availability-zone == ${zone}` }] });
  const tasks = [task(1_001, 1), inZone('a'), inZone('c'), inZone('b'), task(1, 2_000)];
  expect(hostsNeeded(tasks, [blank('a'), blank('b')], 10)).toEqual({ used: 2, more: 2, impossible: [0, 2, 4] });
  expect(hostsNeeded([], [blank()], 10)).toEqual({ used: 0, more: 0, impossible: [] });
});

test('constraints and ports hold among new hosts, up to the most that may be', () => {
  const apart = task(1, 1, { constraints: [{ type: 'distinctInstance' }] });
  expect(hostsNeeded([apart, apart, apart], [blank()], 10).used).toBe(3);
  const port = task(1, 1, { shape: { cpu: 1, memory: 1, gpus: 0, tcpPorts: [80], udpPorts: [], requires: [] } });
  expect(hostsNeeded([port, port, task(1, 1)], [blank()], 10).used).toBe(2);
  expect(hostsNeeded([apart, apart, apart], [blank()], 2)).toEqual({ used: 2, more: 2, impossible: [] });
  expect(hostsNeeded([apart], [blank()], 0)).toEqual({ used: 0, more: 0, impossible: [] });
});

test('empty hosts that are there get tasks first, and count for nothing that they could not take', () => {
  const inB = task(1, 600, { constraints: [{ type: 'memberOf', expression: 'attribute:ecs.availability-zone == b' }] });
  const small = blank('a', { memory: 500 });
  expect(hostsNeeded([task(1, 500)], [blank()], 10, [small])).toEqual({ used: 1, more: 0, impossible: [] });
  expect(hostsNeeded([task(1, 600)], [blank()], 10, [small])).toEqual({ used: 1, more: 1, impossible: [] });
  expect(hostsNeeded([inB, inB], [blank('a'), blank('b')], 10, [blank('a'), blank('b')])).toEqual({
    used: 2,
    more: 1,
    impossible: [],
  });
  // Nobody knows what another one would be like.
  expect(hostsNeeded([task(1, 600), task(1, 500)], [], 10, [small])).toEqual({ used: 1, more: 0, impossible: [0] });
});
