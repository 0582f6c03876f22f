import { expect, test } from 'vitest';
import { CliError } from './errors.ts';
import { asText, inWords, streamFilter } from './logs-query.ts';
import { ApiError } from './query-api.ts';

test('a query is about the streams of what it was asked for', () => {
  expect(streamFilter([{ streams: 'web/app/' }, { streams: 'web/app/' }, { streams: 'a.b+(c)' }])).toBe(
    String.raw`filter @logStream like /^web\/app\// or @logStream like /^a\.b\+\(c\)/ | `,
  );
});

test('what is wrong with a query is said by its own characters', () => {
  const told = (code: string, message: string) =>
    (inWords(new ApiError(code, message), ['web'], 20) as CliError).message;
  expect(told('MalformedQueryException', 'Invalid query at character 25: no.')).toBe(
    'MalformedQueryException: Invalid query at character 5: no.',
  );
  expect(told('ResourceNotFoundException', 'x')).toContain('aws logs create-log-group --log-group-name web');
  const other = new TypeError('away');
  expect(inWords(other, [], 0)).toBe(other);
});

test('lines have a column for each field, without pointers', () => {
  const text = asText([
    { a: '1', '@ptr': 'x' },
    { b: 'two\nlines', '@ptr': 'y' },
  ]);
  expect(text.split('\n').map((line) => line.trimEnd())).toEqual([
    expect.stringContaining('a  b'),
    '1',
    '   two lines',
  ]);
});
