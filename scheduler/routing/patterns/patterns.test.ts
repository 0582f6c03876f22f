import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { slowFits } from '../testing/oracle.ts';
import { type Automaton, compilePattern, finds } from './automaton.ts';
import { PatternError } from './syntax.ts';
import { bytesOf, wildcardTest } from './wildcard.ts';

describe('wildcards', () => {
  it('fit the same texts as trying every length does', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'B', '.'), maxLength: 10 });
    const value = fc.string({ unit: fc.constantFrom('a', 'b', 'B', '*', '?'), maxLength: 8 });
    fc.assert(
      fc.property(value, text, fc.boolean(), (pattern, given, ignoreCase) => {
        expect(wildcardTest(pattern, { ignoreCase })(given)).toBe(slowFits(pattern, given, ignoreCase ? 'i' : ''));
      }),
      { numRuns: 2000 },
    );
  });

  it('of many stars take steps by the text, not by its powers', () => {
    expect(wildcardTest('*a*a*a*a*a*a*a*b', { ignoreCase: false })('a'.repeat(50_000))).toBe(false);
    expect(wildcardTest('*?a*?a*?a*?a*?a*b*', { ignoreCase: false })('a'.repeat(50_000))).toBe(false);
  });

  it('compare bytes, so that a letter of two bytes is two characters', () => {
    expect(wildcardTest('/é', { ignoreCase: false })(bytesOf('/é'))).toBe(true);
    expect(wildcardTest('/?', { ignoreCase: false })(bytesOf('/é'))).toBe(false);
    expect(wildcardTest('É', { ignoreCase: true })(bytesOf('é'))).toBe(false);
  });
});

describe('regular expressions', () => {
  const leaf = fc.constantFrom(
    'a',
    'b',
    'B',
    '.',
    '[ab]',
    '[^a]',
    '[a-b]',
    '\\w',
    '\\d',
    '\\W',
    '\\.',
    '\\x61',
    '[\\d-]',
    '^',
    '$',
    '[\\]a]',
  );
  const expression = fc.letrec<{ whole: string; part: string }>((tie) => ({
    whole: fc.array(tie('part'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('')),
    part: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      leaf,
      fc
        .tuple(tie('whole'), fc.constantFrom('', '*', '+', '?', '{2}', '{1,2}', '{0,}', '*?'))
        .map(([inner, times]) => `(${inner})${times}`),
      fc.tuple(tie('whole'), tie('whole')).map(([left, right]) => `(?:${left}|${right})`),
    ),
  })).whole;
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'A', '.', '1', '-'), maxLength: 8 });

  /** Undefined for one that needs too large an automaton. */
  function compiled(pattern: string, ignoreCase: boolean): Automaton | undefined {
    try {
      return compilePattern(pattern, { ignoreCase });
    } catch (error) {
      if (error instanceof PatternError && error.message.includes('too complex')) return undefined;
      throw error;
    }
  }

  it('find what JavaScript finds', () => {
    fc.assert(
      fc.property(
        expression,
        fc.array(text, { minLength: 5, maxLength: 5 }),
        fc.boolean(),
        (pattern, texts, ignoreCase) => {
          const automaton = compiled(pattern, ignoreCase);
          fc.pre(automaton !== undefined);
          const oracle = new RegExp(pattern, ignoreCase ? 'i' : '');
          for (const given of texts)
            expect([pattern, given, finds(automaton, given)]).toEqual([pattern, given, oracle.test(given)]);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('take one step a byte where others take 2^n', () => {
    expect(finds(compilePattern('^(a+)+$', { ignoreCase: false }), `${'a'.repeat(100_000)}b`)).toBe(false);
    expect(finds(compilePattern('(.*)(.*)(.*)(.*)x$', { ignoreCase: false }), 'a'.repeat(100_000))).toBe(false);
  });

  it.each([
    ['(?=a)', 'look-around'],
    ['(?<n>a)', 'look-around'],
    ['(a)\\1', '\\1 is not supported'],
    ['a*+', 'possessive'],
    ['a++', 'possessive'],
    ['\\bword', '\\b is not supported'],
    ['\\p{L}', '\\p is not supported'],
    ['a**', 'nothing to repeat'],
    ['*a', 'nothing to repeat'],
    ['(|+)', 'nothing to repeat'],
    ['^*', 'an anchor cannot be repeated'],
    ['(a', 'not closed'],
    ['a)', 'closes no group'],
    ['[a', 'not closed'],
    ['[', 'not closed'],
    ['[z-a]', 'range'],
    ['[\\w-z]', 'range'],
    ['[[:alpha:]]', 'named classes'],
    ['a{3,2}', 'wrong order'],
    ['a{251}', 'up to 250'],
    ['a\\', 'backslash'],
    ['\\x4', 'hexadecimal'],
    ['('.repeat(60) + ')'.repeat(60), 'deep'],
    ['(a|b)*a(a|b){12}', 'too complex'],
    ['((a{100}){100}){100}', 'too complex'],
    ['(\\w{0,250}\\d{0,250}){0,3}!', 'too complex'],
  ])('of another kind are refused with the reason: %s', (pattern, reason) => {
    expect(() => compilePattern(pattern, { ignoreCase: false })).toThrow(PatternError);
    expect(() => compilePattern(pattern, { ignoreCase: false })).toThrow(reason);
  });
});
