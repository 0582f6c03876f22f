import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';

import { alarmStates } from '../evaluation/index.ts';
import { childrenOf, cycleThrough, holds } from './evaluate.ts';
import { parseRule, RuleError } from './parse.ts';
import { generatedRule, statesOfAlarms } from './testing/generated.ts';

vi.setConfig({ testTimeout: 600_000 });

const state = (alarm: string): object => ({ kind: 'state', state: 'ALARM', alarm });

test('rules are read as the API reference has them', () => {
  expect(parseRule('ALARM("a b") AND NOT (OK(c) OR INSUFFICIENT_DATA(d))')).toEqual({
    kind: 'and',
    parts: [
      state('a b'),
      {
        kind: 'not',
        of: {
          kind: 'or',
          parts: [
            { kind: 'state', state: 'OK', alarm: 'c' },
            { kind: 'state', state: 'INSUFFICIENT_DATA', alarm: 'd' },
          ],
        },
      },
    ],
  });
  expect(parseRule('alarm(a) or alarm(b) and true')).toEqual({
    kind: 'or',
    parts: [state('a'), { kind: 'and', parts: [state('b'), { kind: 'constant', value: true }] }],
  });
  expect(parseRule(String.raw`ALARM('it\'s')`)).toEqual(state("it's"));
  expect(parseRule('ALARM(arn:aws:cloudwatch:us-east-1:000000000000:alarm:web)')).toEqual(state('web'));
  expect(childrenOf(parseRule('ALARM(a) AND OK(a) OR ALARM(b)'))).toEqual(['a', 'b']);
});

test.each([
  ['', 'Expected ALARM, OK, INSUFFICIENT_DATA, NOT, TRUE, FALSE or (, not the end, at character 1 of the rule.'],
  ['ALARM(a) AND', 'not the end, at character 13'],
  ['ALARM(a) XOR ALARM(b)', "Expected AND, OR or the end, not 'XOR', at character 10"],
  ['ALARM a', "Expected (, not 'a', at character 7"],
  ['ALARM(a', 'Expected ), not the end, at character 8'],
  ['ALARM()', 'Expected the name of an alarm at character 7'],
  ['ALARM("")', 'The name of an alarm is empty at character 7'],
  ['ALARM("a)', 'The quotation mark has no end at character 7'],
  ['ALARM(arn:aws:sns:us-east-1:000000000000:t)', 'The ARN is not one of an alarm at character 7'],
  ['(ALARM(a)', 'Expected ), not the end, at character 10'],
  [`${'('.repeat(101)}TRUE`, 'More than 100 levels at character 101'],
  [`ALARM(${'a'.repeat(256)})`, 'more than 255 characters at character 7'],
  [Array.from({ length: 101 }, (_, index) => `OK(a${index})`).join(' OR '), 'More than 100 different alarms'],
  ['x'.repeat(10_241), 'More than 10240 characters'],
])('what is wrong is said with its character: %s', (text, message) => {
  const read = (): unknown => parseRule(text);
  expect(read).toThrow(RuleError);
  expect(read).toThrow(message);
});

test('a rule that would make an alarm depend on itself is found, with the way', () => {
  const rules: Readonly<Record<string, readonly string[]>> = { b: ['c', 'm'], c: ['a', 'm'] };
  const of = (alarm: string): readonly string[] => rules[alarm] ?? [];
  expect(cycleThrough('a', ['m', 'b'], of)).toEqual(['a', 'b', 'c', 'a']);
  expect(cycleThrough('a', ['a'], of)).toEqual(['a', 'a']);
  expect(cycleThrough('d', ['b'], of)).toBeUndefined();
  expect(cycleThrough('x', ['y'], (alarm) => (alarm === 'y' ? ['z'] : ['y']))).toBeUndefined();
});

const size = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 3_000 : 100_000;

test('rules hold when a slow program says so', () => {
  const seen = { true: 0, false: 0 };
  fc.assert(
    fc.property(generatedRule, fc.tuple(...statesOfAlarms), ({ text, value }, states) => {
      const rule = parseRule(text);
      const expected = value(states);
      expect(holds(rule, (alarm) => states[Number(alarm.slice(-1))] ?? undefined)).toBe(expected);
      seen[`${expected}`]++;
    }),
    { numRuns: size },
  );
  expect(Math.min(seen.true, seen.false)).toBeGreaterThan(size / 50);
});

test('whatever the text is, it is read or refused at one of its characters', () => {
  const part = fc.constantFrom(
    'ALARM',
    'OK',
    '(',
    ')',
    '"',
    "'",
    '\\',
    'a',
    ' ',
    'AND',
    'OR',
    'NOT',
    'TRUE',
    '\n',
    'é',
    ...alarmStates,
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
      const text = parts.join('');
      const { at = 1, error } = refusalOf(text);
      expect(error === undefined || error instanceof RuleError).toBe(true);
      expect(at).toBeGreaterThan(0);
      expect(at).toBeLessThanOrEqual(text.length + 1);
    }),
    { numRuns: size },
  );
});

/** What is wrong with a rule, if anything is. */
function refusalOf(text: string): { readonly at?: number; readonly error?: unknown } {
  try {
    parseRule(text);
    return {};
  } catch (error) {
    return { at: (error as RuleError).at, error };
  }
}
