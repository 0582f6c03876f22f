import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostName, normalizePath, type Rule } from '../../../routing/index.ts';
import { listenerOf, requests, rules } from '../../../routing/testing/generate.ts';
import { slowRule } from '../../../routing/testing/oracle.ts';
import { type Table, tablesOf } from './tables.ts';

const action = { kind: 'forward', targetGroups: [{ id: 'g', weight: 1 }] } as const;
const on = (host: readonly string[], path: readonly string[] = []): Omit<Rule, 'id'> => ({
  conditions: [
    ...(host.length === 0 ? [] : [{ kind: 'host-header' as const, values: host, regexValues: [] }]),
    ...(path.length === 0 ? [] : [{ kind: 'path-pattern' as const, values: path, regexValues: [] }]),
  ],
  action,
});
const numbered = (given: readonly Omit<Rule, 'id'>[]): Rule[] => given.map((rule, i) => ({ id: `${i}`, ...rule }));

/** What HAProxy finds in the tables: the first place of all of them. */
function firstOf(tables: readonly Table[], host: string, path: string): number {
  const texts: Readonly<Record<string, string>> = {
    'var(txn.host)': host,
    'var(txn.host),concat(,txn.path)': host + path,
    'var(txn.path)': path,
  };
  return Math.min(
    ...tables.map(({ subject, match, entries }) => {
      const text = texts[subject]!;
      if (match === 'str') return entries.get(text) ?? Infinity;
      for (let length = text.length; length > 0; length--) {
        const place = entries.get(text.slice(0, length));
        if (place !== undefined) return place;
      }
      return Infinity;
    }),
  );
}

describe('tables of rules', () => {
  it('hold what rules for named hosts and paths say, and leave the others to be walked', () => {
    const given = numbered([
      on(['A.example.com', 'b.example.com'], ['/x', '/y/*']),
      on(['a.example.com']),
      on([], ['/y/z*']),
      on([], ['/y*']),
      on(['*.example.com']),
      on(['a'], ['/x?']),
      on(['a'], ['*']),
      { conditions: [{ kind: 'path-pattern', values: ['/q'], regexValues: ['^/q'] }], action },
      { conditions: [{ kind: 'http-request-method', values: ['GET'] }], action },
      on([], ['/y/zz*']),
    ]);
    const { decided, tables } = tablesOf(given);
    expect([...decided]).toEqual([0, 1, 2, 3, 9]);
    expect(tables.map(({ entries }) => [...entries])).toEqual([
      [['a.example.com', 1]],
      [
        ['a.example.com/x', 0],
        ['b.example.com/x', 0],
      ],
      [
        ['a.example.com/y/', 0],
        ['b.example.com/y/', 0],
      ],
      [
        ['/y/z', 2],
        ['/y', 3],
        // Whatever begins so fits the third rule too.
        ['/y/zz', 2],
      ],
    ]);
  });

  it('find the rule that walking all those they decide finds', () => {
    let found = 0;
    fc.assert(
      fc.property(
        fc.array(rules(['g']), { minLength: 10, maxLength: 20 }),
        fc.array(requests, { minLength: 10, maxLength: 10 }),
        (made, asked) => {
          const given = numbered(made.flat());
          const { decided, tables } = tablesOf(given);
          const listener = listenerOf({ rules: given.filter((_, place) => decided.has(place)) });
          for (const { path, host } of asked) {
            const slow = slowRule({ ...head, path, host }, listener);
            const first = firstOf(tables, hostName(host), normalizePath(path));
            expect(given[first]?.id).toBe(slow?.id);
            if (slow !== undefined) found++;
          }
        },
      ),
      { numRuns: 300, seed: 1 },
    );
    expect(found).toBeGreaterThan(300);
  });
});

const head = {
  method: 'GET',
  query: '',
  header: () => [],
  cookie: () => undefined,
  peer: '127.0.0.1',
  draw: 0,
  now: 0,
};
