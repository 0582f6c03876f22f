import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Action, Condition, Forward, HttpListener } from './desired-state.ts';
import { cookieToken, cookieValue } from './cookies.ts';
import { locationOf } from './redirect.ts';
import { draws, hostName, normalizePath, type RequestHead } from './request.ts';
import { compileRouter, type Decision, route, thresholds } from './route.ts';
import { cookieKey, forwards, type GeneratedRequest, listenerOf, requests, rules } from './testing/generate.ts';
import { slowPath, slowRule } from './testing/oracle.ts';

const now = 1_800_000_000;

function headOf(
  given: Partial<GeneratedRequest> & { draw?: number; cookies?: Readonly<Record<string, string>> },
): RequestHead {
  const headers = given.headers ?? [];
  return {
    method: given.method ?? 'GET',
    path: given.path ?? '/',
    query: given.query ?? '',
    host: given.host ?? 'web.example.com',
    header: (name) => headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value),
    cookie: (name) => given.cookies?.[name],
    peer: given.peer ?? '127.0.0.1',
    draw: given.draw ?? 0,
    now,
  };
}

const answer = (name: string): Action => ({
  kind: 'fixed-response',
  status: 200,
  contentType: 'text/plain',
  body: name,
});
const decide = (listener: Partial<HttpListener>, given: Parameters<typeof headOf>[0] = {}): Decision =>
  route(headOf(given), listenerOf(listener), cookieKey);

/** Whether a listener with this condition alone takes the request by its rule. */
const matches = (condition: Condition, given: Parameters<typeof headOf>[0]): boolean =>
  decide({ rules: [{ id: 'r', conditions: [condition], action: answer('r') }] }, given).ruleId === 'r';

describe('which rule', () => {
  it('is the one that going through all of them by definition finds', () => {
    let matched = 0;
    fc.assert(
      fc.property(rules(['a', 'b']), fc.array(requests, { minLength: 8, maxLength: 8 }), (made, given) => {
        const listener = listenerOf({ rules: made });
        const router = compileRouter(listener, cookieKey);
        for (const one of given) {
          const head = headOf({ ...one, query: one.query ?? '' });
          const expected = slowRule(head, listener)?.id ?? 'default';
          if (expected !== 'default') matched++;
          expect([made, one, router(head).ruleId]).toEqual([made, one, expected]);
        }
      }),
      { numRuns: 1500 },
    );
    expect(matched).toBeGreaterThan(500);
  });

  it.each<[Condition, Partial<GeneratedRequest>, boolean]>([
    [{ kind: 'host-header', values: ['*.Example.com'], regexValues: [] }, { host: 'WWW.example.COM:8080' }, true],
    [{ kind: 'host-header', values: ['*.example.com'], regexValues: [] }, { host: 'example.com' }, false],
    [{ kind: 'host-header', values: ['[::1]'], regexValues: [] }, { host: '[::1]:80' }, true],
    [{ kind: 'host-header', values: [], regexValues: ['^(api|web)\\.'] }, { host: 'API.example.com' }, true],
    [{ kind: 'path-pattern', values: ['/img/*'], regexValues: [] }, { path: '/img/a/b/c' }, true],
    [{ kind: 'path-pattern', values: ['/img/*'], regexValues: [] }, { path: '/IMG/a' }, false],
    [{ kind: 'path-pattern', values: ['/admin/*'], regexValues: [] }, { path: '/x/../%61dmin/a' }, true],
    [{ kind: 'path-pattern', values: ['/a'], regexValues: [] }, { path: '/a', query: 'b' }, true],
    [
      { kind: 'http-header', name: 'X-Kind', values: ['big*'], regexValues: [] },
      {
        headers: [
          ['x-kind', 'small'],
          ['X-KIND', 'BIG one'],
        ],
      },
      true,
    ],
    [{ kind: 'http-header', name: 'x-kind', values: ['*'], regexValues: [] }, {}, false],
    [{ kind: 'http-request-method', values: ['GET', 'HEAD'] }, { method: 'HEAD' }, true],
    [{ kind: 'http-request-method', values: ['GET'] }, { method: 'get' }, false],
    [{ kind: 'query-string', values: [{ key: 'Version', value: 'v?' }] }, { query: 'a=1&version=V2' }, true],
    [{ kind: 'query-string', values: [{ value: 'a=b' }] }, { query: 'x=a=b' }, true],
    [{ kind: 'query-string', values: [{ key: 'flag', value: '*' }] }, { query: 'flag' }, true],
    [{ kind: 'query-string', values: [{ value: '*' }] }, { query: '&&' }, false],
    [{ kind: 'source-ip', values: ['10.0.0.0/8', '127.0.0.0/8'] }, { peer: '::ffff:127.0.0.1' }, true],
    [{ kind: 'source-ip', values: ['::/0'] }, { peer: '127.0.0.1' }, false],
    [{ kind: 'source-ip', values: ['2001:db8::/32'] }, { peer: '2001:db8::7' }, true],
    [
      { kind: 'source-ip', values: ['10.0.0.0/8'] },
      { peer: '127.0.0.1', headers: [['x-forwarded-for', '10.0.0.1']] },
      false,
    ],
  ])('%j of %j: %s', (condition, given, expected) => {
    expect(matches(condition, given)).toBe(expected);
  });

  it('is the first where several match, however it is found', () => {
    const made = [
      {
        id: '1',
        conditions: [{ kind: 'path-pattern' as const, values: ['/x*'], regexValues: [] }],
        action: answer('1'),
      },
      {
        id: '2',
        conditions: [{ kind: 'path-pattern' as const, values: ['/a'], regexValues: [] }],
        action: answer('2'),
      },
      {
        id: '3',
        conditions: [{ kind: 'host-header' as const, values: ['a.b'], regexValues: [] }],
        action: answer('3'),
      },
      { id: '4', conditions: [{ kind: 'path-pattern' as const, values: ['*'], regexValues: [] }], action: answer('4') },
    ];
    expect(decide({ rules: made }, { path: '/a', host: 'a.b' }).ruleId).toBe('2');
    expect(decide({ rules: made }, { path: '/b', host: 'a.b' }).ruleId).toBe('3');
    expect(decide({ rules: made }, { path: '/xa', host: 'a.b' }).ruleId).toBe('1');
    expect(decide({ rules: made }, { path: '/b', host: 'b.b' }).ruleId).toBe('4');
  });

  it.each(['10.0.0.0', '10.0.0.0/33', 'host/8', '10.0.0.0/8/8', '::1/129', '10.0.0.0/'])(
    'refuses the block %s',
    (block) => {
      expect(() => matches({ kind: 'source-ip', values: [block] }, {})).toThrow(TypeError);
    },
  );
});

describe('the parts of a request', () => {
  it('make paths equal that RFC 3986 calls equivalent', () => {
    const path = fc.array(fc.constantFrom('/', '.', '..', 'a', '%2e', '%2E', '%2f', '%7e', '%', '%4', '//', '%c3%a9'), {
      maxLength: 10,
    });
    fc.assert(
      fc.property(path, (parts) => {
        const given = `/${parts.join('')}`;
        expect([given, normalizePath(given)]).toEqual([given, slowPath(given)]);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['Example.COM:80', 'example.com'],
    ['[::1]:80', '[::1]'],
    ['[::1]', '[::1]'],
    ['[::1', '['],
    ['', ''],
  ])('name the host of %s', (given, expected) => {
    expect(hostName(given)).toBe(expected);
  });
});

describe('forward', () => {
  it('divides draws by weights, each to one in a million', () => {
    fc.assert(
      fc.property(forwards(['a', 'b', 'c', 'd', 'e']), (action) => {
        const total = action.targetGroups.reduce((sum, { weight }) => sum + weight, 0);
        let before = 0;
        for (const { id, below, isEmpty } of thresholds(action)) {
          const { weight } = action.targetGroups.find((group) => group.id === id)!;
          expect(Math.abs((below - before) / draws - weight / total)).toBeLessThanOrEqual(1 / draws);
          expect(isEmpty).toBe(weight === 0);
          const take = (draw: number): Decision =>
            decide({ defaultAction: { ...action, stickySeconds: undefined } }, { draw });
          const taken = isEmpty ? [] : [take(before), take(below - 1)];
          expect(taken).toMatchObject(taken.map(() => ({ targetGroupId: id })));
          expect(isEmpty && below !== before).toBe(false);
          before = below;
        }
        expect(before).toBe(total === 0 ? 0 : draws);
      }),
    );
  });

  it('to groups without weight has no group', () => {
    const action: Forward = { kind: 'forward', targetGroups: [{ id: 'a', weight: 0 }] };
    expect(decide({ defaultAction: action })).toMatchObject({ kind: 'forward', targetGroupId: undefined });
  });

  const sticky: Forward = {
    kind: 'forward',
    targetGroups: [
      { id: 'a', weight: 999 },
      { id: 'b', weight: 1 },
      { id: 'c', weight: 0 },
    ],
    stickySeconds: 60,
  };
  const token = (id: string): string => cookieToken(cookieKey, 'group', id);
  it.each([
    ['keeps a client with its group', { AWSALBTG: cookieValue(token('b'), now - 59) }, 'b'],
    [
      'reads the cookie for other sites where the first is missing',
      { AWSALBTGCORS: cookieValue(token('b'), now) },
      'b',
    ],
    ['forgets after the duration', { AWSALBTG: cookieValue(token('b'), now - 60) }, 'a'],
    ['believes no cookie from the future', { AWSALBTG: cookieValue(token('b'), now + 1) }, 'a'],
    ['keeps nobody with a group that has no share', { AWSALBTG: cookieValue(token('c'), now) }, 'a'],
    [
      'believes no token that it did not give',
      { AWSALBTG: cookieValue(cookieToken('00'.repeat(32), 'group', 'b'), now) },
      'a',
    ],
    ['takes rubbish for nothing', { AWSALBTG: 'b' }, 'a'],
  ])('that is sticky %s', (_, cookies, group) => {
    expect(decide({ defaultAction: sticky }, { cookies })).toMatchObject({
      targetGroupId: group,
      groupToken: token(group),
    });
  });
});

describe('redirect', () => {
  const parts = { protocol: 'http', host: 'a.example.com', port: '8080', path: '/x/y', query: 'q=1' } as const;
  const base = {
    kind: 'redirect',
    status: 301,
    protocol: '#{protocol}',
    host: '#{host}',
    port: '#{port}',
    path: '/#{path}',
    query: '#{query}',
  } as const;
  it.each([
    [{ protocol: 'HTTPS', port: '443' }, 'https://a.example.com/x/y?q=1'],
    [{ port: '80' }, 'http://a.example.com/x/y?q=1'],
    [{ protocol: 'HTTPS' }, 'https://a.example.com:8080/x/y?q=1'],
    [{ host: 'www.#{host}', path: '/new/#{path}/#{path}', query: '' }, 'http://www.a.example.com:8080/new/x/y/x/y'],
    [
      { query: 'from=#{host}&port=#{port}&#{protocol}' },
      'http://a.example.com:8080/x/y?from=a.example.com&port=8080&http',
    ],
    [{ path: '/#{other}' }, 'http://a.example.com:8080/#{other}?q=1'],
  ])('%j leads to %s', (given, expected) => {
    expect(locationOf({ ...base, ...given }, parts)).toBe(expected);
  });

  it('answers 507 where the location becomes too long', () => {
    const action = { ...base, query: '#{query}#{query}' };
    expect(decide({ defaultAction: action }, { query: 'x'.repeat(4000) }).kind).toBe('redirect');
    expect(decide({ defaultAction: action }, { query: 'x'.repeat(5000) })).toMatchObject({
      kind: 'refuse',
      status: 507,
    });
  });
});
