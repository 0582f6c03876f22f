import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { draws, type Forward, type HttpListener } from '../../../routing/index.ts';
import { cookieKey, listenerOf } from '../../../routing/testing/generate.ts';
import { groupOf } from '../testing/targets.ts';
import { backendName } from './backend.ts';
import { configure } from './configure.ts';
import type { MapName } from './frontend.ts';
import { type Live, stepsTo } from './live.ts';
import { ruleName } from './rules.ts';

const names = ['a', 'b', 'c', 'd', 'e'];
const up = { registrationId: 'one', address: '10.0.0.1', port: 80, weight: 1, state: 'up' } as const;

/** What a worker is told of a listener that forwards to groups with these weights. */
function configurationOf(weights: readonly number[], state: 'up' | 'down' = 'up') {
  const action: Forward = {
    kind: 'forward',
    targetGroups: weights.map((weight, i) => ({ id: names[i]!, weight })),
    stickySeconds: 60,
  };
  const listener: HttpListener = listenerOf({ defaultAction: action });
  const targetGroups = names.map((name) => groupOf(name, [{ ...up, registrationId: name, state }]));
  const configuration = configure(
    { generation: 1, cookieKey, certificates: [], listeners: [listener], targetGroups },
    { folder: '/run/lb', user: undefined, hardStopAfter: 1 },
  );
  return { configuration, rule: ruleName(listener, 0), mapPath: configuration.mapPath };
}

type Maps = Map<MapName, Map<string, string>>;
const mapsOf = ({ configuration }: ReturnType<typeof configurationOf>): Maps =>
  new Map([...configuration.maps].map(([name, map]) => [name, new Map(map)]));

/** The backend that a worker with these maps finds for a draw, as the frontend's lines say. */
function backendOf(maps: Maps, rule: string, draw: number, map: 'backends' | 'unsafeBackends' = 'backends'): string {
  let slot = 1;
  while (slot < 5 && draw >= Number(maps.get('thresholds')?.get(`${rule}.${slot}`) ?? draws)) slot++;
  return maps.get(map)?.get(`${rule}.${slot}`) ?? 'nowhere';
}

function run(maps: Maps, step: string): void {
  const [verb = '', , path = '', key = '', value = ''] = step.split(' ');
  const map = maps.get(path.slice(path.lastIndexOf('/') + 1) as MapName);
  if (map === undefined) throw new Error(`there is no map ${path}`);
  if (verb === 'del') map.delete(key);
  else map.set(key, value);
}

const weights = fc.array(fc.constantFrom(0, 1, 5, 95, 999), { minLength: 5, maxLength: 5 });
const some = weights.filter((all) => all.some((weight) => weight > 0));

describe('steps from weights to others', () => {
  it('lead every request to a group that has a share before or after them, after each of them', () => {
    fc.assert(
      fc.property(some, some, fc.integer({ min: 2, max: 5 }), fc.integer({ min: 2, max: 5 }), (one, other, m, n) => {
        const [before, after] = [one.slice(0, m), other.slice(0, n)];
        fc.pre([before, after].every((all) => all.some((weight) => weight > 0)));
        const from = configurationOf(before);
        const to = configurationOf(after);
        const maps = mapsOf(from);
        const having = names.filter((_, i) => (before[i] ?? 0) > 0 || (after[i] ?? 0) > 0).map(backendName);
        const marks = [...maps.get('thresholds')!.values(), ...to.configuration.maps.get('thresholds')!.values()];
        const asked = [0, ...marks.map(Number), ...marks.map((mark) => Number(mark) - 1), draws - 1].filter(
          (draw) => draw >= 0 && draw < draws,
        );
        const { change } = stepsTo(to.configuration, { servers: new Map(), maps: mapsOf(from) });
        for (const step of change.filter((text) => / map /.test(text))) {
          run(maps, step);
          for (const draw of asked)
            expect([step, having.includes(backendOf(maps, to.rule, draw))]).toEqual([step, true]);
        }
        expect(maps).toEqual(mapsOf(to));
      }),
    );
  });

  it('of two groups are a single one for what a request is decided by', () => {
    for (const [before, after] of [
      [
        [100, 0],
        [95, 5],
      ],
      [
        [95, 5],
        [0, 100],
      ],
      [
        [0, 100],
        [100, 0],
      ],
    ] as const) {
      const from = configurationOf(before);
      const { change } = stepsTo(configurationOf(after).configuration, {
        servers: new Map(),
        maps: mapsOf(from),
      });
      const decisive = change.filter((step) => /maps\/(thresholds|backends|unsafeBackends) /.test(step));
      expect(decisive).toHaveLength(1);
      expect(decisive[0]).toMatch(/^set map \S+\/thresholds /);
    }
  });

  it('take targets out of rotation only when others get their requests', () => {
    const from = configurationOf([100, 0]);
    const to = configurationOf([0, 100], 'down');
    const servers = new Map(
      from.configuration.backends.map(({ name, servers: own }) => [
        name,
        own.map((server) => ({ name: server.name, address: server.address, weight: 1, ready: true })),
      ]),
    ) satisfies Live['servers'];
    const { change } = stepsTo(to.configuration, { servers, maps: mapsOf(from) });
    const shifts = change.findLastIndex((step) => step.includes('/thresholds '));
    const leaves = change.findIndex((step) => step.endsWith('state maint'));
    expect([shifts, leaves].every((at) => at >= 0)).toBe(true);
    expect(shifts).toBeLessThan(leaves);
  });
});
