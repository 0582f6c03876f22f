import { createServer } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Decision,
  type Forward,
  type HttpListener,
  isHttp,
  type Listener,
  route,
  thresholds,
} from '../../../routing/index.ts';
import { cookieKey, type GeneratedRequest, listenerOf, requests, rules } from '../../../routing/testing/generate.ts';
import type { DesiredState, TrafficEngine } from '../contract.ts';
import { latencyBounds, noLatency } from '../counts.ts';
import { ask, freshAddress, openRaw, type RawAnswer, valueOf } from './raw.ts';
import { balanceSuite } from './suite-balance.ts';
import { framingSuite } from './suite-framing.ts';
import { headersSuite } from './suite-headers.ts';
import { http2Suite } from './suite-http2.ts';
import { limitsSuite } from './suite-limits.ts';
import { listenerSuite } from './suite-listeners.ts';
import { retrySuite } from './suite-retries.ts';
import { tlsSuite } from './suite-tls.ts';
import { weightsSuite } from './suite-weights.ts';
import { groupOf, headerOf, type Seen, startTarget, type TestTarget } from './targets.ts';

/** What the suites work with: an engine, three targets behind it, and how a state of the next generation is applied. */
export interface Bench {
  readonly engine: TrafficEngine;
  readonly a: TestTarget;
  readonly b: TestTarget;
  /** Sets a cookie of its own, `s'id$`. */
  readonly app: TestTarget;
  /** Expects every listener bound. */
  apply(given: Partial<DesiredState> & { readonly listeners: readonly Listener[] }): Promise<void>;
}

/** What every engine must do, run against each. `open` gives an engine that runs nothing yet; `rewrites`: see `framingSuite`. */
export function engineSuite(
  open: () => Promise<{ engine: TrafficEngine; end: () => Promise<void> }>,
  { rewrites }: { readonly rewrites: boolean },
): void {
  let opened: Awaited<ReturnType<typeof open>>;
  let a: TestTarget;
  let b: TestTarget;
  let app: TestTarget;
  let generation = 0;
  beforeAll(async () => {
    opened = await open();
    a = await startTarget('a');
    b = await startTarget('b');
    app = await startTarget('app', (_, response) => response.setHeader('set-cookie', "s'id$=1").end());
  });
  afterAll(async () => {
    await opened.end();
    await a[Symbol.asyncDispose]();
    await b[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  /** Applies a state of the next generation and expects every listener bound. */
  async function apply(given: Partial<DesiredState> & { readonly listeners: readonly Listener[] }): Promise<void> {
    const state: DesiredState = {
      generation: ++generation,
      cookieKey,
      certificates: [],
      targetGroups: [groupOf('a', [a.target()]), groupOf('b', [b.target()])],
      ...given,
    };
    const { listeners } = await opened.engine.apply(state);
    expect([...listeners]).toEqual(state.listeners.map(({ id }) => [id, { bound: true }]));
  }

  const to = (...ids: string[]): Forward => ({ kind: 'forward', targetGroups: ids.map((id) => ({ id, weight: 1 })) });

  it('does with generated requests under generated rules what `route` says', async () => {
    const listeners = fc
      .sample(rules(['a', 'b']), { numRuns: 40, seed: 1 })
      .map((made, i) =>
        listenerOf({ id: `listener/${i}`, address: freshAddress(), port: 8080, rules: made, defaultAction: to('a') }),
      );
    await apply({ listeners });
    const misfits: unknown[] = [];
    const kinds = new Map<string, number>();
    for (const [i, listener] of listeners.entries()) {
      for (const given of fc.sample(requests, { numRuns: 25, seed: i })) {
        const answer = await ask(listener.address, listener.port, writeRequest(given), { from: given.peer });
        const decision = route(headOf(given), listener, cookieKey);
        const got = [
          answer.status,
          valueOf(answer, 'x-target'),
          valueOf(answer, 'location'),
          answer.body.toString('latin1'),
        ];
        if (!carriesOut(answer, decision, listener)) misfits.push({ rules: listener.rules, given, decision, got });
        kinds.set(decision.kind, (kinds.get(decision.kind) ?? 0) + 1);
      }
    }
    expect(misfits).toEqual([]);
    expect([...kinds.values()].map((count) => count > 10)).toEqual([true, true, true]);
  });

  it('routes by the first and the last of 10,000 rules, of those that are looked up and those that are walked', async () => {
    const pathRules = Array.from({ length: 9_998 }, (_, i) => ({
      id: `rule/${i}`,
      conditions: [{ kind: 'path-pattern' as const, values: [`/shop/${i}`, `/shop/${i}/*`], regexValues: [] }],
      action: to(i === 9_997 ? 'b' : 'a'),
    }));
    const walked = (id: string, name: string, status: number) => ({
      id,
      conditions: [{ kind: 'query-string' as const, values: [{ key: 'to', value: name }] }],
      action: { kind: 'fixed-response' as const, status, contentType: 'text/plain' as const, body: name },
    });
    const made = [walked('first', 'first', 201), ...pathRules, walked('last', 'last', 202)];
    const listener = listenerOf({ address: freshAddress(), rules: made, defaultAction: to('a') });
    await apply({ listeners: [listener] });
    const answers: unknown[] = [];
    for (const path of ['/?to=first', '/shop/0', '/shop/9997/x', '/shop/9997?to=first', '/?to=last', '/none']) {
      const request = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
      const answer = await ask(listener.address, listener.port, request);
      answers.push([answer.status, valueOf(answer, 'x-target')]);
    }
    const none = undefined;
    expect(answers).toEqual([
      [201, none],
      [200, 'a'],
      [200, 'b'],
      [201, none],
      [202, none],
      [200, 'a'],
    ]);
  });

  describe('a request', () => {
    let listener: HttpListener;
    beforeAll(async () => {
      listener = listenerOf({ address: freshAddress(), defaultAction: to('a') });
      await apply({ listeners: [listener] });
    });
    const seenOf = async (request: string, method?: string): Promise<Seen> => {
      const answer = await ask(listener.address, listener.port, request, method === undefined ? {} : { method });
      expect(answer.status).toBe(200);
      return JSON.parse(answer.body.toString()) as Seen;
    };

    it('comes to the target with what ELB adds and without what is for the next hop alone', async () => {
      const seen = await seenOf(
        'GET /a%2Fb?x=%20 HTTP/1.1\r\nHost: A.Example.com:8080\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX-Stay: 1\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: ftp\r\nProxy-Connection: close\r\n\r\n',
      );
      expect(seen.url).toBe('/a%2Fb?x=%20');
      const value = (name: string): string | undefined => headerOf(seen, name);
      expect(value('host')).toBe('a.example.com');
      expect(value('x-stay')).toBe('1');
      expect([value('x-hop'), value('keep-alive'), value('proxy-connection')]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
      expect(value('x-forwarded-for')).toBe('1.2.3.4, 127.0.0.1');
      expect([value('x-forwarded-proto'), value('x-forwarded-port')]).toEqual(['http', '8080']);
      expect(value('x-amzn-trace-id')).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/);
    });

    it('keeps the root of its trace', async () => {
      const root = 'Root=1-0123abcd-0123456789abcdef01234567';
      const seen = await seenOf(
        `GET / HTTP/1.1\r\nHost: a\r\nX-Amzn-Trace-Id: ${root};Sampled=1\r\nConnection: close\r\n\r\n`,
      );
      expect(headerOf(seen, 'x-amzn-trace-id')).toMatch(
        /^Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-0123abcd-0123456789abcdef01234567/,
      );
    });

    it('without a host in HTTP/1.0 goes to the name of the load balancer', async () => {
      const seen = await seenOf('GET / HTTP/1.0\r\n\r\n');
      expect(headerOf(seen, 'host')).toBe('web-1.elb.localhost');
    });

    it('that expects to be told to continue is told at once, and its target expects nothing', async () => {
      using client = await openRaw(listener.address, listener.port);
      client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
      expect((await client.answer()).status).toBe(100);
      client.send('hello');
      const answer = await client.answer();
      const seen = JSON.parse(answer.body.toString()) as Seen;
      expect([seen.length, headerOf(seen, 'expect')]).toEqual([5, undefined]);
    });

    it('with chunks and trailers arrives whole', async () => {
      const seen = await seenOf(
        'POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-End: 1\r\n\r\n',
      );
      expect(seen.length).toBe(7);
    });

    it('becomes a WebSocket where the target agrees', async () => {
      using client = await openRaw(listener.address, listener.port);
      client.send(
        'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n',
      );
      expect((await client.answer()).status).toBe(101);
      client.send('both ways');
      expect((await client.bytes(9)).toString()).toBe('both ways');
      const { targets } = await opened.engine.observe();
      expect(targets.find(({ targetGroupId }) => targetGroupId === 'a')?.inFlight).toBe(1);
    });

    it.each([
      ['TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405],
      [`GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${'1.1.1.1, '.repeat(31)}1.1.1.1\r\n\r\n`, 463],
    ])('%j is answered %s by the engine, which says so', async (request, status) => {
      const answer = await ask(listener.address, listener.port, request);
      expect([answer.status, valueOf(answer, 'server')]).toEqual([status, 'slipway']);
    });
  });

  it('counts requests, codes and what is in flight', async () => {
    const listener = listenerOf({
      address: freshAddress(),
      defaultAction: to('a'),
      rules: [
        {
          id: 'r',
          conditions: [{ kind: 'path-pattern', values: ['/no'], regexValues: [] }],
          action: { kind: 'fixed-response', status: 404, contentType: 'text/plain', body: 'no' },
        },
      ],
    });
    await apply({ listeners: [listener] });
    const before = await opened.engine.observe();
    for (let i = 0; i < 3; i++) await get(listener);
    await get(listener, '/no');
    const after = await opened.engine.observe();
    const counts = ({ targets }: typeof before): number[] =>
      targets
        .filter(({ targetGroupId }) => targetGroupId === 'a')
        .flatMap(({ counts }) => [counts.requests, counts.codes[0]]);
    expect(counts(after).map((count, i) => count - counts(before)[i]!)).toEqual([3, 3]);
    const made = ({ loadBalancers }: typeof before): number =>
      loadBalancers.reduce((sum, { engineCodes }) => sum + engineCodes[2], 0);
    expect(made(after) - made(before)).toBe(1);
    expect([after.generation, after.oldestServing]).toEqual([generation, generation]);
  });

  it("counts a load balancer's own answers apart from those of its targets, though others lead to them by its name", async () => {
    const no = { kind: 'fixed-response', status: 404, contentType: 'text/plain', body: 'no' } as const;
    const rules = [
      { id: 'r', conditions: [{ kind: 'path-pattern', values: ['/no'], regexValues: [] }], action: no },
    ] as const;
    await using missing = await startTarget('missing', (_, response) => {
      response.statusCode = 404;
      response.end();
    });
    const own = listenerOf({
      id: 'own',
      loadBalancerId: 'counted',
      address: freshAddress(),
      rules,
      defaultAction: to('missing'),
    });
    const shared = listenerOf({
      id: 'shared',
      loadBalancerId: 'names',
      address: freshAddress(),
      defaultAction: to('missing'),
    });
    await apply({ listeners: [own, shared], targetGroups: [groupOf('missing', [missing.target()])] });
    const made = async (): Promise<number | undefined> =>
      (await opened.engine.observe()).loadBalancers.find(({ id }) => id === 'counted')?.engineCodes[2];
    for (let i = 0; i < 3; i++) await get(own, '/no');
    for (let i = 0; i < 4; i++) await get(own);
    expect(await made()).toBe(3);
    // What others lead there is not made by this one, and makes no less of what was.
    for (let i = 0; i < 2; i++) await get(shared);
    expect(await made()).toBe(3);
  });

  it('counts how long targets take until they answer, and the bytes both ways; also for requests that are not sent twice', async () => {
    const pause = 60;
    await using slow = await startTarget('slow', (_, response) => {
      setTimeout(() => response.end('x'.repeat(5_000)), pause);
    });
    const listener = listenerOf({ address: freshAddress(), defaultAction: to('slow') });
    await apply({ listeners: [listener], targetGroups: [groupOf('slow', [slow.target()])] });
    await get(listener);
    await ask(
      listener.address,
      listener.port,
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n${'y'.repeat(2_000)}`,
    );
    const { targets } = await opened.engine.observe();
    const [counts] = targets.flatMap((one) => (one.targetGroupId === 'slow' ? [one.counts] : []));
    const { classes, seconds } = counts?.latency ?? noLatency;
    const quick = latencyBounds.filter((bound) => bound * 1000 < pause).length;
    expect(classes).toHaveLength(latencyBounds.length + 1);
    expect([sum(classes.slice(0, quick)), sum(classes)]).toEqual([0, 2]);
    expect(seconds).toBeGreaterThan((2 * pause) / 1000 - 0.005);
    expect(counts?.bytesIn).toBeGreaterThanOrEqual(2_000);
    expect(counts?.bytesOut).toBeGreaterThanOrEqual(10_000);
  });

  it('counts requests that a target ends without an answer', async () => {
    await using mute = await startTarget('mute', (request) => request.socket.destroy());
    const listener = listenerOf({ address: freshAddress(), defaultAction: to('mute') });
    await apply({ listeners: [listener], targetGroups: [groupOf('mute', [mute.target()])] });
    const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\ny';
    for (let i = 0; i < 3; i++) expect((await ask(listener.address, listener.port, post)).status).toBe(502);
    const { targets } = await opened.engine.observe();
    const [counts] = targets.flatMap((one) => (one.targetGroupId === 'mute' ? [one.counts] : []));
    expect(counts).toMatchObject({ requests: 3, codes: [0, 0, 0, 0], connectionErrors: 3 });
  });

  it('says why a listener is not bound, and serves the others', async () => {
    const taken = createServer();
    const address = freshAddress();
    await new Promise<void>((resolve) => taken.listen(8080, address, resolve));
    const listeners = [
      listenerOf({ id: 'taken', address, defaultAction: to('a') }),
      listenerOf({ id: 'free', address: freshAddress(), defaultAction: to('a') }),
      listenerOf({ id: 'elsewhere', address: '192.0.2.1', defaultAction: to('a') }),
    ];
    const state = {
      generation: ++generation,
      cookieKey,
      certificates: [],
      targetGroups: [groupOf('a', [a.target()])],
      listeners,
    };
    const applied = await opened.engine.apply(state);
    expect(applied.listeners.get('taken')).toMatchObject({
      bound: false,
      reason: expect.stringContaining('is taken by another program') as string,
    });
    expect(applied.listeners.get('elsewhere')).toMatchObject({
      bound: false,
      reason: expect.stringContaining('on no interface') as string,
    });
    expect((await get(listeners[1]!)).status).toBe(200);
    await new Promise((resolve) => taken.close(resolve));
    expect((await opened.engine.apply({ ...state, generation: ++generation })).listeners.get('taken')).toEqual({
      bound: true,
    });
    expect((await get(listeners[0]!)).status).toBe(200);
  });

  it('goes by targets that are up, and answers 503 where none is', async () => {
    const listener = listenerOf({ address: freshAddress(), defaultAction: to('g') });
    const run = async (...targets: ReturnType<TestTarget['target']>[]): Promise<string[]> => {
      await apply({ listeners: [listener], targetGroups: [groupOf('g', targets)] });
      const answers: string[] = [];
      for (let i = 0; i < 6; i++) answers.push(nameOrStatus(await get(listener)));
      return [...new Set(answers)].sort();
    };
    expect(await run(a.target(), b.target())).toEqual(['a', 'b']);
    expect(await run(a.target('down'), b.target())).toEqual(['b']);
    expect(await run(a.target(), b.target('draining'))).toEqual(['a']);
    expect(await run(a.target('down'), b.target('draining'))).toEqual(['503']);
    expect(await run()).toEqual(['503']);
    expect(await run(b.target())).toEqual(['b']);
  });

  it.each(['down', 'draining'] as const)(
    'takes a target out of rotation (%s) that was out of it when its listener began',
    async (state) => {
      const listener = listenerOf({ id: `late/${state}`, address: freshAddress(), defaultAction: to(`late/${state}`) });
      const answers = async (of: ReturnType<TestTarget['target']>): Promise<string> => {
        await apply({ listeners: [listener], targetGroups: [groupOf(`late/${state}`, [of])] });
        return nameOrStatus(await get(listener));
      };
      expect([await answers(a.target('down')), await answers(a.target()), await answers(a.target(state))]).toEqual([
        '503',
        'a',
        '503',
      ]);
      expect([await answers(a.target()), await answers(a.target(state))]).toEqual(['a', '503']);
    },
  );

  const bench = (): Bench => ({ engine: opened.engine, a, b, app, apply });
  listenerSuite(bench);
  headersSuite(bench);
  framingSuite(bench, rewrites);
  retrySuite(bench);
  tlsSuite(bench);
  http2Suite(bench);
  limitsSuite(bench);
  balanceSuite(bench);
  weightsSuite(bench);

  it('refuses a state that is none, and keeps the one before', async () => {
    const listener = listenerOf({ address: freshAddress(), defaultAction: to('a') });
    await apply({ listeners: [listener] });
    const broken = { generation: generation + 1, cookieKey, certificates: [], targetGroups: [], listeners: [listener] };
    await expect(opened.engine.apply(broken)).rejects.toThrow('forwards to a, which is not given');
    expect((await get(listener)).status).toBe(200);
    expect((await opened.engine.observe()).generation).toBe(generation);
  });
}

export async function get({ address, port }: Listener, path = '/'): Promise<RawAnswer> {
  return ask(address, port, `GET ${path} HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n`);
}

function nameOrStatus(answer: RawAnswer): string {
  return valueOf(answer, 'x-target') ?? String(answer.status);
}

/** Whether an answer is what a decision means. */
function carriesOut(answer: RawAnswer, decision: Decision, listener: HttpListener): boolean {
  const bytes = (text: string): string => Buffer.from(text).toString('latin1');
  switch (decision.kind) {
    case 'forward': {
      const shares = thresholds(actionOf(listener, decision.ruleId));
      const ids = shares.flatMap(({ id, isEmpty }) => (isEmpty ? [] : [id]));
      return ids.length === 0 ? answer.status === 503 : ids.includes(valueOf(answer, 'x-target') ?? '');
    }
    case 'redirect':
      return answer.status === decision.status && valueOf(answer, 'location') === bytes(decision.location);
    case 'fixed-response':
      return answer.status === decision.status && answer.body.toString('latin1') === bytes(decision.body);
    case 'refuse':
      return answer.status === decision.status;
  }
}

function actionOf(listener: HttpListener, ruleId: string): Forward {
  const action = listener.rules.find(({ id }) => id === ruleId)?.action ?? listener.defaultAction;
  if (!isHttp(listener) || action.kind !== 'forward') throw new Error(`${ruleId} is no forward`);
  return action;
}

function writeRequest({ method, path, query, host, headers }: GeneratedRequest): string {
  const target = query === undefined ? path : `${path}?${query}`;
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${lines}Connection: close\r\nContent-Length: 0\r\n\r\n`;
}

function headOf({ method, path, query, host, headers, peer }: GeneratedRequest): Parameters<typeof route>[0] {
  return {
    method,
    path,
    query: query ?? '',
    host,
    header: (name) => headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value),
    cookie: () => undefined,
    peer,
    draw: 0,
    now: 0,
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
