import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { longestPrefix } from './index.ts';

const rules = ['a', 'a/b', 'ab', 'ROOT'].map((prefix) => ({ prefix }));

test.each([
  ['a/b/c', 'a/b'],
  ['a/b', 'a/b'],
  ['a/bc', 'a'],
  ['ab/c', 'ab'],
  ['abc', 'ROOT'],
  ['b/a', 'ROOT'],
])('the rule for %s is the one with the prefix %s', (name, prefix) => {
  expect(longestPrefix(rules, name)?.prefix).toBe(prefix);
});

test('without ROOT a name that no prefix is for has no rule', () => {
  expect(longestPrefix([{ prefix: 'a' }], 'b/c')).toBeUndefined();
});

test('whatever the rules, the one chosen ends where a part of the name ends, and no longer one does', () => {
  const part = fc.constantFrom('a', 'b', 'ab');
  const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  fc.assert(
    fc.property(fc.uniqueArray(path, { maxLength: 8 }), path, (prefixes, name) => {
      const parts = name.split('/');
      const ends = parts.map((_, at) => parts.slice(0, at + 1).join('/')).toReversed();
      const expected = ends.find((end) => prefixes.includes(end));
      expect(
        longestPrefix(
          prefixes.map((prefix) => ({ prefix })),
          name,
        )?.prefix,
      ).toBe(expected);
    }),
  );
});
