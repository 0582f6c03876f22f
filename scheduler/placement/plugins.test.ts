import { describe, expect, test } from 'vitest';
import {
  type Candidate,
  type Constraint,
  createPlacementIndex,
  loadPlacementPlugins,
  type PlacementOptions,
  type PlacementRequest,
  type Strategy,
  type StrategySpec,
} from './index.ts';

const scoring = (type: string, score: (candidate: Candidate) => number): Strategy => ({
  type,
  open: () => ({ reads: { kind: 'instance' }, score }),
});
const checking = (type: string, allows: (candidate: Candidate) => boolean): Constraint => ({
  type,
  open: () => ({ reads: 'instance', allows }),
});

function cluster(options: Partial<PlacementOptions>): ReturnType<typeof createPlacementIndex> {
  const index = createPlacementIndex({ seed: 1, ...options });
  for (const id of ['a', 'b', 'c']) {
    index.upsertInstance({
      id,
      cpu: 1000,
      memory: 1000,
      gpus: 0,
      attributes: new Map([['name', id]]),
      reservedTcpPorts: [],
      reservedUdpPorts: [],
      placeable: true,
      agentConnected: true,
    });
  }
  return index;
}

const request = (type: string, constraint?: string): PlacementRequest => ({
  group: 'service:web',
  shape: { cpu: 100, memory: 100, gpus: 0, tcpPorts: [], udpPorts: [], requires: [] },
  constraints: constraint === undefined ? [] : [{ type: constraint as 'acme:x' }],
  strategies: type === '' ? [] : [{ type } as StrategySpec, { type: 'binpack', field: 'memory' }],
  kind: 'service',
});

describe('a strategy of a plug-in', () => {
  test('decides, and is asked again where an instance changed', () => {
    const index = cluster({ strategies: [scoring('acme:last', (candidate) => -candidate.id.charCodeAt(0))] });
    const asked = request('acme:last');
    for (let count = 0; count < 10; count++) {
      expect(index.reserve(asked)?.instanceId).toBe('c');
    }
    expect(index.place(asked)).toEqual({ instanceId: 'b' });
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('disk on fire');
      },
      'acme:bad threw: disk on fire',
    ],
    ['answers NaN', () => Number.NaN, 'acme:bad scored a with NaN'],
    ['answers no number', () => 'much' as never, 'acme:bad scored a with much'],
  ])('that %s is left out of the decision, by name', (_, score, message) => {
    const index = cluster({ strategies: [scoring('acme:bad', score)] });
    index.addTask({ id: '1', instanceId: 'b', group: 'g', shape: request('').shape });
    for (let count = 0; count < 3; count++) {
      expect(index.place({ ...request('acme:bad') })).toEqual({
        instanceId: 'b',
        warnings: [`${message}; placed without it`],
      });
    }
    expect(index.pluginFailures().get('acme:bad')).toMatchObject({ count: 3, last: message });
  });

  test('that fails now and then leaves nothing half changed behind', () => {
    let asked = 0;
    const flaky = (candidate: Candidate): number => {
      if (++asked % 4 === 0) throw new Error('now and then');
      return candidate.freeMemory;
    };
    const index = cluster({ strategies: [scoring('acme:flaky', flaky)] });
    const right = cluster({ strategies: [scoring('acme:flaky', (candidate) => candidate.freeMemory)] });
    const asking = request('acme:flaky');
    for (let count = 0; count < 27; count++) {
      // Whether it fails or not, packing by memory is what is left: the answers agree.
      expect(index.reserve(asking)?.instanceId).toBe(right.reserve(asking)?.instanceId);
    }
  });

  test('that is slow is left out, and after ten times in a row not asked any more', () => {
    let time = 0;
    let asked = 0;
    const slow = scoring('acme:slow', () => {
      asked++;
      time += 30;
      return 1;
    });
    const index = cluster({ strategies: [slow], stopwatch: () => time, pluginBudgetMs: 20 });
    const first = index.place(request('acme:slow'));
    expect(first).toEqual({
      instanceId: 'a',
      warnings: ['acme:slow took longer than 20 ms for one decision; placed without it'],
    });
    const again = request('acme:slow');
    for (let count = 0; count < 30; count++) index.place(again);
    expect(asked).toBe(10);
  });

  test('that works in between is asked on', () => {
    let asked = 0;
    const flaky = scoring('acme:flaky', (candidate) => {
      if (++asked % 5 === 0) throw new Error('now and then');
      return candidate.freeMemory;
    });
    const index = cluster({ strategies: [flaky] });
    const asking = request('acme:flaky');
    for (let count = 0; count < 60; count++) {
      index.addTask({ id: 'moving', instanceId: 'abc'[count % 3]!, group: 'g', shape: asking.shape });
      index.place(asking);
    }
    const before = asked;
    index.place({ ...asking, group: 'service:other' });
    index.addTask({ id: 'moving', instanceId: 'b', group: 'g', shape: asking.shape });
    index.place(asking);
    expect(index.pluginFailures().get('acme:flaky')!.count).toBeGreaterThan(10);
    expect(asked).toBeGreaterThan(before);
  });

  test('that nobody loaded is refused with the names that are known', () => {
    expect(() => cluster({}).place(request('acme:unknown'))).toThrow('there is no placement strategy "acme:unknown"');
  });
});

describe('a constraint of a plug-in', () => {
  test('rules instances out and is named in the reason', () => {
    const index = cluster({ constraints: [checking('acme:only-b', ({ id }) => id === 'b')] });
    expect(index.place(request('', 'acme:only-b'))).toEqual({ instanceId: 'b' });
    index.removeInstance('b');
    expect(index.place(request('', 'acme:only-b'))).toMatchObject({
      unplaceable: { code: 'ACME:ONLY-B', ruledOut: { 'ACME:ONLY-B': 2 } },
    });
  });

  test('that throws refuses the request, and other requests go on', () => {
    const bad = checking('acme:bad', () => {
      throw new Error('no idea');
    });
    const index = cluster({ constraints: [bad] });
    expect(index.place(request('', 'acme:bad'))).toMatchObject({
      unplaceable: {
        code: 'ACME:BAD',
        message: 'The placement constraint could not be checked: acme:bad threw: no idea.',
      },
    });
    expect(index.whyNot('a', request('', 'acme:bad'))?.code).toBe('ACME:BAD');
    expect(index.place(request(''))).toEqual({ instanceId: 'a' });
  });
});

describe('loading', () => {
  const load = (exported: unknown) => () => Promise.resolve(exported);

  test('takes what the modules export', async () => {
    const one = scoring('acme:one', () => 1);
    const two = checking('acme:two', () => true);
    const plugins = await loadPlacementPlugins(['m'], load({ strategies: [one], constraints: [two] }));
    expect(plugins).toEqual({ strategies: [one], constraints: [two] });
  });

  test.each([
    [{}, 'exports neither "strategies" nor "constraints"'],
    [{ strategies: 1 }, 'exports "strategies" that is no array'],
    [{ strategies: [{ type: 'binpack', open: () => 0 }] }, 'whose type is not <vendor>:<name>'],
    [{ strategies: [{ type: 'slipway:x', open: () => 0 }] }, `"slipway:" is the core's own`],
    [{ constraints: [{ type: 'acme:x' }] }, 'has the entry acme:x without a function "open"'],
  ])('%j is refused', async (exported, problem) => {
    await expect(loadPlacementPlugins(['acme-plugin'], load(exported))).rejects.toThrow(
      `acme-plugin ${problem}`.slice(0, 11),
    );
    await expect(loadPlacementPlugins(['acme-plugin'], load(exported))).rejects.toThrow(problem);
  });

  test('a module that is not there is named', async () => {
    await expect(loadPlacementPlugins(['nowhere'], () => Promise.reject(new Error('not found')))).rejects.toThrow(
      'the placement plug-in nowhere cannot be imported: not found',
    );
  });

  test('two plug-ins of one name are refused', () => {
    const strategies = [scoring('acme:one', () => 1), scoring('acme:one', () => 2)];
    expect(() => cluster({ strategies })).toThrow('two placement plug-ins are called acme:one');
  });
});
