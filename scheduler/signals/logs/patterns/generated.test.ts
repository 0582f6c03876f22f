import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';

import { PatternError } from './errors.ts';
import { parsePattern } from './pattern.ts';
import { columnsCase, type Generated, jsonCase, textCase } from './testing/generated.ts';

vi.setConfig({ testTimeout: 600_000 });

const numRuns = { nightly: 100_000, release: 300_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 3400;

test.each([
  ['terms', textCase],
  ['fields of JSON', jsonCase],
  ['columns', columnsCase],
])('%s let through what a slow program says', (_, cases: fc.Arbitrary<Generated>) => {
  const seen = { true: 0, false: 0 };
  fc.assert(
    fc.property(cases, ({ text, line, expected }) => {
      expect(parsePattern(text).matches(line), `${text} on ${JSON.stringify(line)}`).toBe(expected);
      seen[`${expected}`]++;
    }),
    { numRuns },
  );
  // Cases that are all alike would say nothing.
  expect(Math.min(seen.true, seen.false)).toBeGreaterThan(numRuns / 50);
});

test('whatever the text is, it is read or refused at one of its characters', () => {
  const part = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '$',
    '.',
    'a',
    ' ',
    '=',
    '!',
    '<',
    '"',
    '%',
    '\\',
    '*',
    '&&',
    '||',
    '(',
    ')',
    '...',
    ',',
    '1',
    'IS',
    'NOT',
    '-',
    '?',
    '^',
    '|',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(part, { maxLength: 20 }).map((parts) => parts.join('')),
        fc.string({ unit: 'binary' }),
      ),
      (text) => {
        expect(isReadOrRefused(text), text).toBe(true);
      },
    ),
    { numRuns },
  );
});

/** Whether a text is a pattern, or is refused at a character that it has. */
function isReadOrRefused(text: string): boolean {
  try {
    parsePattern(text).matches(text);
    return true;
  } catch (error) {
    return error instanceof PatternError && error.at >= 1 && error.at <= text.length + 1;
  }
}
