import { array, assert, constantFrom, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { eachGram, GramFilter, gramsWithin } from './grams.ts';

function filterOf(...texts: readonly string[]): GramFilter {
  const filter = new GramFilter();
  for (const bytes of texts.map((text) => Buffer.from(text))) eachGram(bytes, 0, bytes.length, filter.add);
  return new GramFilter(filter.folded());
}
const mayHave = (filter: GramFilter, text: string): boolean => gramsWithin(text).every((gram) => filter.mayHave(gram));

test('a text is never missed, wherever it stands, however small the filter became', () => {
  const piece = array(constantFrom('a', 'e', 'n', 't', 'ö', 'Z', ' ', '7', '-', 'ment', 'face'), { maxLength: 12 });
  const text = piece.map((parts) => parts.join(''));
  assert(
    property(text, text, text, array(string(), { maxLength: 20 }), (before, sought, after, others) => {
      expect(mayHave(filterOf(...others, `${before}${sought}${after}`), sought)).toBe(true);
    }),
  );
});

test('parts of words are told apart, ids and numbers are not', () => {
  const filter = filterOf('{"msg":"request completed","request_id":"deadbeef00c0ffee"}');
  expect(mayHave(filter, 'uest comple')).toBe(true);
  expect(mayHave(filter, 'payment declined')).toBe(false);
  expect(mayHave(filter, 'REQUEST')).toBe(false);
  expect(gramsWithin('cafe 0f00ba42 500 a-b-c-d')).toEqual([]);
  // From the end of what could be digits on.
  expect(gramsWithin('facets')).toHaveLength(2);
});

test('a filter is as large as what is in it', () => {
  const few = new GramFilter();
  const many = new GramFilter();
  for (let gram = 0; gram < 10; gram++) few.add(gram * 997);
  for (let gram = 0; gram < 5000; gram++) many.add(gram * 997);
  expect(few.folded()).toHaveLength(64);
  expect(many.folded()).toHaveLength(2048);
});
