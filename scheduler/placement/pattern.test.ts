import { expect, test } from 'vitest';
import * as fc from 'fast-check';
import { compilePattern } from './pattern.ts';

test.each([
  ['g2.*', 'g2.small', true],
  ['g2', 'g2.small', false],
  ['a|b|cd', 'cd', true],
  ['(?:ab)+', 'ababab', true],
  ['[a-c&]{2,3}', 'a&', true],
  ['[^a-c]', 'b', false],
  ['[\\w-]+', 'us-east_1', true],
  ['\\d{2}', '12', true],
  ['\\d{2,}', '1', false],
  ['x{0}', '', true],
  ['^a$', 'a', true],
  ['a^b', 'ab', false],
  ['(?i)PROD', 'prod', true],
  ['\\Qa.b\\E', 'a.b', true],
  ['a\\.b', 'axb', false],
  ['a??b', 'b', true],
  ['', '', true],
])('%s on "%s" is %s', (pattern, text, expected) => {
  expect(compilePattern(pattern)(text)).toBe(expected);
});

test.each([
  ['(', 'never closed'],
  [')', 'unmatched'],
  ['*', 'nothing to repeat'],
  ['\\Qab\\E+', 'nothing to repeat'],
  ['a{3,1}', 'ends before it starts'],
  ['a{x}', '{n}'],
  ['[', 'never closed'],
  ['[b-a]', 'out of order'],
  ['a*+', 'possessive'],
  ['(?=a)', 'only (?:...)'],
  ['\\1', 'not supported'],
  ['\\', 'lone backslash'],
  ['((a{999}){999}){999}', 'too large'],
])('%s is refused', (pattern, problem) => {
  expect(() => compilePattern(pattern)).toThrow(problem);
});

test('agrees with the regular expressions of JavaScript on the syntax they share', () => {
  const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\w');
  const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
    pattern: fc.oneof(
      { maxDepth: 4 },
      atom,
      fc.tuple(tie('pattern'), tie('pattern')).map(([left, right]) => left + right),
      fc.tuple(tie('pattern'), tie('pattern')).map(([left, right]) => `(${left}|${right})`),
      fc
        .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{1,2}', '{2}'))
        .map(([part, sign]) => `(?:${part})${sign}`),
    ),
  }));
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', '-'), maxLength: 8 });
  fc.assert(
    fc.property(pattern, text, (source, sample) => {
      expect(compilePattern(source)(sample)).toBe(new RegExp(`^(?:${source})$`).test(sample));
    }),
    { numRuns: 3000 },
  );
});
