import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';

import { QueryError } from './errors.ts';
import { parseQuery } from './query.ts';
import { answer, eventsOf, noon } from './testing/answer.ts';
import { queryCase } from './testing/generated.ts';

/** Minutes of a core, of a machine that may have others to do. */
vi.setConfig({ testTimeout: 1_800_000 });

const size = process.env['SLIPWAY_TEST_SIZE'];
const numRuns = size === undefined ? 1000 : 100_000;
/** The same cases for every change; each night has others. */
const runs = { numRuns, ...(size === undefined ? { seed: 1 } : {}) };

test('queries answer what a slow program says, also when only those events are read that they ask for', async () => {
  let many = 0;
  await fc.assert(
    fc.asyncProperty(queryCase, async ({ query, events, expected }) => {
      expect(await answer(query, events), query).toEqual(expected);
      const { terms, streams } = parseQuery(query, noon);
      const read = events.filter(
        ({ message, stream }) => terms.every((term) => message.includes(term)) && (streams?.includes(stream) ?? true),
      );
      expect(await answer(query, read), query).toEqual(expected);
      if (expected.length > 1) many++;
    }),
    runs,
  );
  // Answers that are all alike would say nothing.
  expect(many).toBeGreaterThan(numRuns / 10);
});

const part = fc.constantFrom(
  ...'fields filter parse stats sort limit dedup display where as by and or not like in asc desc count ( ) [ ] , | / * + - ^ % = != < =~ " \' ` # a @message a.b bin 5m 1 . .. @ \\ \n bin( count(*) "a*" /a(b)/ /[ 1e9 2.5.1 é'.split(
    ' ',
  ),
);

test('whatever the text is, it is read or refused at one of its characters', async () => {
  const events = eventsOf([{ a: 1 }, 'text']);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.array(part, { maxLength: 20 }).map((parts) => parts.join(' ')),
        fc.array(part, { maxLength: 20 }).map((parts) => parts.join('')),
        fc.string({ unit: 'binary' }),
      ),
      async (text) => {
        expect(await isReadOrRefused(text), text).toBe(true);
      },
    ),
    runs,
  );

  async function isReadOrRefused(text: string): Promise<boolean> {
    try {
      return Array.isArray(await answer(text, events));
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      return error.start >= 0 && error.start <= error.end && error.end <= text.length;
    }
  }
});
