import { describe, expect, test } from 'vitest';
import {
  createPlacementIndex,
  type InstanceSpec,
  type PlacementIndex,
  type PlacementRequest,
  restorePlacementIndex,
} from './index.ts';

const instance = (id: string, more: Partial<InstanceSpec> = {}): InstanceSpec => ({
  id,
  cpu: 1024,
  memory: 2048,
  gpus: 0,
  attributes: new Map([['ecs.availability-zone', `zone-${id}`]]),
  reservedTcpPorts: [22],
  reservedUdpPorts: [],
  placeable: true,
  agentConnected: true,
  ...more,
});
type Shape = PlacementRequest['shape'];
const request = (shape: Partial<Shape> = {}, more: Partial<PlacementRequest> = {}): PlacementRequest => ({
  group: 'service:web',
  shape: { cpu: 256, memory: 512, gpus: 0, tcpPorts: [], udpPorts: [], requires: [], ...shape },
  constraints: [],
  strategies: [],
  kind: 'service',
  ...more,
});
function indexOf(...instances: readonly InstanceSpec[]): PlacementIndex {
  const index = createPlacementIndex({ seed: 1 });
  for (const each of instances) index.upsertInstance(each);
  return index;
}
const add = (index: PlacementIndex, id: string, instanceId: string, asked = request()): void =>
  index.addTask({ id, instanceId, group: asked.group, shape: asked.shape });
const refusal = (index: PlacementIndex, asked: PlacementRequest): unknown => {
  const answer = index.place(asked);
  return 'unplaceable' in answer ? answer.unplaceable : answer;
};

describe('a refusal', () => {
  test('of an empty cluster says so', () => {
    expect(refusal(indexOf(), request())).toMatchObject({
      code: 'EMPTY',
      message: expect.stringMatching(/^No Container Instances were found in your cluster\. /) as string,
    });
  });

  test.each([
    [{ cpu: 900 }, 'RESOURCE:CPU', 'has insufficient CPU units available (900 needed, 768 free)'],
    [{ memory: 1600 }, 'RESOURCE:MEMORY', 'has insufficient memory available (1600 MiB needed, 1536 MiB free)'],
    [{ gpus: 1 }, 'RESOURCE:GPU', 'has insufficient GPUs available (1 needed, 0 free)'],
    [{ tcpPorts: [22] }, 'RESOURCE:PORTS', 'is already using a port required by your task'],
    [
      { requires: ['ecs.capability.x'] },
      'ATTRIBUTE',
      'is missing the attribute ecs.capability.x required by your task',
    ],
  ])('for %j is %s', (shape, code, sentence) => {
    const index = indexOf(instance('a'));
    add(index, '1', 'a');
    expect(refusal(index, request(shape))).toMatchObject({
      code,
      message: expect.stringContaining(`The closest matching container-instance a ${sentence}.`) as string,
      closest: 'a',
      ruledOut: { [code]: 1 },
    });
  });

  test('names the instance that lacks the least, and counts every cause of every instance', () => {
    const index = indexOf(
      instance('small', { memory: 600 }),
      instance('near', { memory: 900, cpu: 1 }),
      instance('off', { placeable: false, agentConnected: false }),
      instance('draining', { placeable: false }),
      instance('best', { memory: 990 }),
    );
    expect(refusal(index, request({ memory: 1000 }))).toMatchObject({
      code: 'RESOURCE:MEMORY',
      closest: 'best',
      ruledOut: { 'RESOURCE:MEMORY': 3, 'RESOURCE:CPU': 1, AGENT: 1, INACTIVE: 1 },
      impossible: false,
    });
  });

  test('of a disconnected cluster is AGENT, in the words of ECS', () => {
    expect(refusal(indexOf(instance('a', { placeable: false, agentConnected: false })), request())).toMatchObject({
      code: 'AGENT',
      message: expect.stringContaining('encountered error "AGENT"') as string,
    });
  });

  test('of what no instance can ever hold says so', () => {
    expect(refusal(indexOf(instance('a')), request({ memory: 9999 }))).toMatchObject({
      impossible: true,
      message: expect.stringContaining('It can never fit: the largest instance has 2048 MiB in total.') as string,
    });
  });

  test('by constraints that contradict each other says so', () => {
    const constraints = ['attribute:stack == a', 'attribute:stack in [b, c]'].map(
      (expression) => ({ type: 'memberOf', expression }) as const,
    );
    const index = indexOf(instance('x', { attributes: new Map([['stack', 'a']]) }));
    expect(refusal(index, request({}, { constraints }))).toMatchObject({
      code: 'MEMBEROF',
      impossible: true,
      message: expect.stringContaining('The constraints contradict each other: attribute:stack cannot be') as string,
      causes: [
        {
          code: 'MEMBEROF',
          detail: 'does not satisfy the placement constraint memberOf attribute:stack in [b, c]',
          instances: 1,
        },
      ],
    });
  });
});

describe('an amount that makes no sense is refused', () => {
  test.each([
    { cpu: -1 },
    { memory: 0.5 },
    { memory: 2 ** 31 },
    { gpus: Number.NaN },
    { tcpPorts: [0] },
    { udpPorts: [70_000] },
  ])('%j', (shape) => {
    const index = indexOf(instance('a'));
    expect(() => index.place(request(shape))).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }) as Error);
    expect(index.place(request())).toEqual({ instanceId: 'a' });
  });

  test('a field a strategy does not have', () => {
    const strategies = [{ type: 'binpack', field: 'disk' as 'cpu' }] as const;
    expect(() => indexOf(instance('a')).place(request({}, { strategies }))).toThrow(
      'binpack takes the field cpu or memory',
    );
  });
});

describe('tasks', () => {
  test('hold their resources after they are retired, but no longer count', () => {
    const index = indexOf(instance('a'));
    const distinct = request({ memory: 1200 }, { constraints: [{ type: 'distinctInstance' }] });
    add(index, '1', 'a', distinct);
    expect(index.whyNot('a', distinct)?.ruledOut).toEqual({ DISTINCTINSTANCE: 1, 'RESOURCE:MEMORY': 1 });
    index.retireTask('1');
    expect(index.whyNot('a', distinct)?.ruledOut).toEqual({ 'RESOURCE:MEMORY': 1 });
    index.removeTask('1');
    expect(index.whyNot('a', distinct)).toBeUndefined();
  });

  test('that leave no longer count for spread, but for all else, until they stay', () => {
    const index = indexOf(instance('a'), instance('b'), instance('c'));
    const spread = request({ memory: 64 }, { strategies: [{ type: 'spread', field: 'instanceId' }] });
    const distinct = request({ memory: 64 }, { constraints: [{ type: 'distinctInstance' }] });
    for (const [id, on] of Object.entries({ 1: 'a', 2: 'a', 3: 'a', 4: 'b', 5: 'c', 6: 'c' }))
      add(index, id, on, spread);
    const choice = (): unknown => index.place(spread);
    expect(choice()).toEqual({ instanceId: 'b' });
    for (const id of ['1', '2', '3']) index.setLeaving(id, true);
    expect(choice()).toEqual({ instanceId: 'a' });
    expect(index.place(request({ memory: 64 }))).toEqual({ instanceId: 'a' });
    expect(index.whyNot('a', distinct)?.code).toBe('DISTINCTINSTANCE');
    expect(index.free('a')?.memory).toBe(2048 - 3 * 64);
    const copy = restorePlacementIndex(index.snapshot(), { seed: 1 });
    expect(copy.place(spread)).toEqual({ instanceId: 'a' });
    index.retireTask('1');
    index.setLeaving('1', false);
    expect(choice()).toEqual({ instanceId: 'a' });
    index.setLeaving('2', false);
    index.setLeaving('3', false);
    index.setLeaving('unknown', true);
    expect(choice()).toEqual({ instanceId: 'b' });
    index.removeInstance('a');
    index.upsertInstance(instance('a'));
    index.setLeaving('4', true);
    expect(choice()).toEqual({ instanceId: 'b' });
  });

  test('may be known before their instance, and outlive it', () => {
    const index = indexOf();
    add(index, '1', 'a', request({ memory: 2000 }));
    index.upsertInstance(instance('a'));
    expect(index.free('a')).toEqual({ cpu: 768, memory: 48, gpus: 0 });
    index.removeInstance('a');
    index.upsertInstance(instance('a'));
    expect(index.free('a')?.memory).toBe(48);
    index.removeTask('1');
    expect(index.free('a')?.memory).toBe(2048);
  });
});

describe('a plan', () => {
  test('is accepted as far as it still fits, in its order, with reasons for the rest', () => {
    const index = indexOf(instance('a'), instance('b'));
    const asked = request({ memory: 1500 });
    const outcome = index.commit([
      { id: '1', instanceId: 'a', request: asked },
      { id: '2', instanceId: 'a', request: asked },
      { id: '3', instanceId: 'gone', request: asked },
      { id: '4', instanceId: 'b', request: asked },
    ]);
    expect(outcome.accepted.map(({ id }) => id)).toEqual(['1', '4']);
    expect(outcome.rejected.map(({ planned, unplaceable }) => [planned.id, unplaceable.code])).toEqual([
      ['2', 'RESOURCE:MEMORY'],
      ['3', 'MISSING'],
    ]);
  });

  test('can be made on a snapshot, and the journal names what changed since', () => {
    const index = indexOf(instance('a'), instance('b'), instance('c'));
    add(index, '1', 'a');
    add(index, '2', 'b');
    index.retireTask('2');
    const snapshot = index.snapshot();
    expect(index.changesSince(snapshot.version)).toEqual([]);
    add(index, '3', 'b');
    index.upsertInstance(instance('c', { placeable: false }));
    expect(index.changesSince(snapshot.version)).toEqual(['b', 'c']);
    expect(index.changesSince('7.0')).toBeUndefined();
    const copy = restorePlacementIndex(snapshot, { seed: 1 });
    expect(copy.snapshot()).toMatchObject({ instances: snapshot.instances, tasks: snapshot.tasks });
    expect(copy.place(request())).toEqual({ instanceId: 'c' });
  });
});

test('a daemon starts where it is missing, is blocked where there is no room, and ends where it no longer belongs', () => {
  const ssd = new Map([['disk', 'ssd']]);
  const index = indexOf(
    instance('has', { attributes: ssd }),
    instance('needs', { attributes: ssd }),
    instance('full', { attributes: ssd, memory: 100 }),
    instance('other'),
    instance('draining', { attributes: ssd, placeable: false }),
  );
  const daemon = request(
    {},
    { group: 'service:log', constraints: [{ type: 'memberOf', expression: 'attribute:disk == ssd' }] },
  );
  add(index, '1', 'has', daemon);
  add(index, '2', 'other', daemon);
  expect(index.daemon(daemon)).toMatchObject({
    start: ['needs'],
    blocked: [{ instanceId: 'full', unplaceable: { code: 'RESOURCE:MEMORY' } }],
    violating: ['2'],
  });
});

test('image layers draw a task to the instance that holds the most bytes of them', () => {
  const layers = [
    { digest: 'sha256:a', size: 10 },
    { digest: 'sha256:b', size: 500 },
  ];
  const index = indexOf(
    instance('a', { layers: new Set(['sha256:a']) }),
    instance('b', { layers: new Set(['sha256:b']) }),
    instance('c'),
  );
  const asked = request({ layers }, { strategies: [{ type: 'slipway:image-locality' }] });
  expect(index.place(asked)).toEqual({ instanceId: 'b' });
});

test('small services spread over the cluster instead of piling up on the first instances', () => {
  const index = indexOf(...['a', 'b', 'c', 'd'].map((id) => instance(id, { attributes: new Map() })));
  const used = new Set<string>();
  for (let service = 0; service < 4; service++) {
    const reservation = index.reserve(request({}, { group: `service:${service}` }));
    used.add(reservation?.instanceId ?? 'none');
  }
  expect([...used].sort()).toEqual(['a', 'b', 'c', 'd']);
});

test('one-off groups are forgotten, and decisions stay right', () => {
  const index = indexOf(instance('a'), instance('b'));
  for (let number = 0; number < 5000; number++) {
    const asked = request({}, { group: `one-off-${number}`, constraints: [{ type: 'distinctInstance' }] });
    const reservation = index.reserve(asked)!;
    expect(index.whyNot(reservation.instanceId, asked)?.code).toBe('DISTINCTINSTANCE');
    index.release(reservation);
  }
});
