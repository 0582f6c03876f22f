import * as fc from 'fast-check';
import type { Action, Condition, Forward, HttpAttributes, HttpListener, Rule } from '../desired-state.ts';

/** Attributes as ELB has them by default. */
export const plainAttributes: HttpAttributes = {
  idleTimeout: 60,
  clientKeepAlive: 3600,
  dropInvalidHeaderFields: false,
  preserveHostHeader: false,
  forwardedFor: 'append',
  forwardedForWithPort: false,
  http2: true,
  tlsHeaders: false,
  serverHeader: true,
  responseHeaders: {},
};

export const cookieKey = '0f'.repeat(32);

/** A listener of the given rules; whatever matters not is as usual. */
export function listenerOf(given: Partial<HttpListener>): HttpListener {
  return {
    id: 'listener/app/web/1/2',
    loadBalancerId: 'app/web/1',
    address: '127.0.0.1',
    port: 8080,
    protocol: 'HTTP',
    admitted: ['0.0.0.0/0', '::/0'],
    dnsName: 'web-1.elb.localhost',
    attributes: plainAttributes,
    rules: [],
    defaultAction: { kind: 'fixed-response', status: 404, contentType: 'text/plain', body: '' },
    ...given,
  };
}

/** Few letters, so that what is made apart often fits. */
const hostText = fc.string({ unit: fc.constantFrom('a', 'B', '.', '-'), minLength: 1, maxLength: 6 });
const hostPattern = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', 'A', '.', '*', '?'), minLength: 1, maxLength: 6 }),
  fc.string({ unit: fc.constantFrom('a', 'B', '.'), minLength: 1, maxLength: 2 }),
);
const pathText = fc
  .array(
    fc.constantFrom('/', 'a', 'B', '/..', '/.', '%41', '%2f', '%2F', '%zz', '%', '$', "'", '"', '~', '+', '@', '&'),
    { maxLength: 8 },
  )
  .map((parts) => `/${parts.join('')}`);
const pathPattern = fc.oneof(
  fc
    .array(
      fc.constantFrom('/', 'a', 'A', 'B', '*', '?', '%2F', '%', '$', "'", '"', '~', '+', '.', '&', '@', '\\', '#', ' '),
      { minLength: 1, maxLength: 8 },
    )
    .map((parts) => parts.join('')),
  // As most are written: a path, or what it begins with.
  fc
    .tuple(fc.array(fc.constantFrom('a', 'B', '/'), { maxLength: 3 }), fc.constantFrom('', '*'))
    .map(([parts, end]) => `/${parts.join('')}${end}`),
);
const headerText = fc
  .string({ unit: fc.constantFrom('a', 'B', ',', ' ', '"', '%', "'", '#'), maxLength: 6 })
  .map((text) => text.trim());
const headerPattern = fc.string({
  unit: fc.constantFrom('a', 'b', ',', '"', '%', '*', '?', "'", '#'),
  minLength: 1,
  maxLength: 6,
});
const headerName = fc.constantFrom('x-a', 'X-B', "x'c", 'x$d', 'x%e', 'x#f');
const queryText = fc.string({ unit: fc.constantFrom('a', 'B', '=', '&', '%', '.'), maxLength: 8 });
const queryPattern = fc.string({ unit: fc.constantFrom('a', 'b', '=', '*', '?', '%', '.'), maxLength: 5 });
const regex = fc.constantFrom<string[]>(
  '^/a',
  'a$',
  '(a|b)+',
  '[^a]b',
  'a{2,3}',
  '^a?b*$',
  'a.b',
  '\\.',
  'B',
  '^[a-c]+\\.[a-c]$',
  '%2F',
  '/$',
);
const peers = fc.constantFrom('127.0.0.1', '127.0.0.2', '127.0.0.9');
const blocks = fc.constantFrom('127.0.0.1/32', '127.0.0.0/30', '127.0.0.0/8', '10.0.0.0/8');
const methods = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE');

const either = (pattern: fc.Arbitrary<string>): fc.Arbitrary<{ values: string[]; regexValues: string[] }> =>
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        values: fc.array(pattern, { minLength: 1, maxLength: 3 }),
        regexValues: fc.constant<string[]>([]),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        values: fc.constant<string[]>([]),
        regexValues: fc.array(regex, { minLength: 1, maxLength: 2 }),
      }),
    },
  );

export const conditions: fc.Arbitrary<Condition> = fc.oneof(
  either(hostPattern).map((values): Condition => ({ kind: 'host-header', ...values })),
  either(pathPattern).map((values): Condition => ({ kind: 'path-pattern', ...values })),
  fc
    .tuple(headerName, either(headerPattern))
    .map(([name, values]): Condition => ({ kind: 'http-header', name, ...values })),
  fc
    .array(methods, { minLength: 1, maxLength: 2 })
    .map((values): Condition => ({ kind: 'http-request-method', values })),
  fc
    .array(
      fc.record({
        key: fc.option(
          queryPattern.filter((text) => text !== ''),
          { nil: undefined },
        ),
        value: queryPattern,
      }),
      {
        minLength: 1,
        maxLength: 2,
      },
    )
    .map((values): Condition => ({ kind: 'query-string', values })),
  fc.array(blocks, { minLength: 1, maxLength: 2 }).map((values): Condition => ({ kind: 'source-ip', values })),
);

/** Forwards to groups of these names; weights of 0 among them. */
export function forwards(groups: readonly string[]): fc.Arbitrary<Forward> {
  return fc.subarray([...groups], { minLength: 1, maxLength: Math.min(5, groups.length) }).chain((ids) =>
    fc
      .record({
        weights: fc.array(fc.constantFrom(0, 1, 7, 999), { minLength: ids.length, maxLength: ids.length }),
        stickySeconds: fc.constantFrom(undefined, 60),
      })
      .map(({ weights, stickySeconds }) => ({
        kind: 'forward' as const,
        targetGroups: ids.map((id, i) => ({ id, weight: weights[i]! })),
        stickySeconds,
      })),
  );
}

const nasty = ['%', '"', "'", '#', '$', '\\', '%[env(PATH)]', '%{+Q}o', '${HOME}', ' ', 'é', '}', '{', '`', ';', '|'];
const member = (first: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom('a', '#{host}', '#{path}', '#{port}', '#{query}', '#{protocol}', ...nasty), { maxLength: 4 })
    .chain((parts) => fc.constantFrom(...first).map((begin) => begin + parts.join('')));

export const redirects: fc.Arbitrary<Action> = fc.record({
  kind: fc.constant('redirect' as const),
  status: fc.constantFrom(301 as const, 302 as const),
  protocol: fc.constantFrom('HTTP', 'HTTPS', '#{protocol}'),
  host: member(['#{host}', 'example.com']),
  port: fc.constantFrom('#{port}', '80', '443', '8443'),
  path: member(['/#{path}', '/new']),
  query: member(['#{query}', '', 'from=#{host}']),
});

export const fixedResponses: fc.Arbitrary<Action> = fc.record({
  kind: fc.constant('fixed-response' as const),
  status: fc.constantFrom(200, 204, 418, 404, 503, 599),
  contentType: fc.constantFrom('text/plain' as const, 'text/html' as const, 'application/json' as const),
  body: fc
    .array(fc.constantFrom('a', '\n', '\n\n', '#', '%[src]', '"', ...nasty), { maxLength: 5 })
    .map((parts) => parts.join('')),
});

export function rules(groups: readonly string[]): fc.Arbitrary<Rule[]> {
  return fc
    .array(
      fc.record({
        conditions: fc.uniqueArray(conditions, { minLength: 1, maxLength: 3, selector: ({ kind }) => kind }),
        action: fc.oneof(forwards(groups), redirects, fixedResponses),
      }),
      { maxLength: 6 },
    )
    .map((made) => made.map((rule, i) => ({ id: `rule/app/web/1/2/${i}`, ...rule })));
}

/** A request as a client may write it. */
export interface GeneratedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string | undefined;
  readonly host: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly peer: string;
}

export const requests: fc.Arbitrary<GeneratedRequest> = fc.record({
  method: methods,
  path: pathText,
  query: fc.option(queryText, { nil: undefined }),
  host: fc.tuple(hostText, fc.constantFrom('', ':8080')).map((parts) => parts.join('')),
  headers: fc.array(fc.tuple(headerName, headerText), { maxLength: 3 }),
  peer: peers,
});
