import { describe, expect, test } from 'vitest';

import type { Sample } from '../../metrics/index.ts';

import { Counting, countingLimits, fieldReader } from './counting.ts';
import type { MetricFilterRecord, MetricTransformation } from './records.ts';

const minute = 60_000;
const filter = (pattern: string, more: Partial<MetricTransformation> = {}, createdAt = 0): MetricFilterRecord => ({
  pattern,
  createdAt,
  transformation: { namespace: 'web', name: 'errors', value: '1', unit: 'Count', ...more },
});

/** Lines as events, a second apart from the begin of a minute on, unless they say when. */
function counted(
  filters: readonly MetricFilterRecord[],
  lines: readonly (string | readonly [at: number, line: string])[],
): Sample[] {
  const counting = new Counting(filters);
  for (const [index, given] of lines.entries()) {
    const [timestamp, line] = typeof given === 'string' ? [minute + index * 1_000, given] : given;
    counting.see({ timestamp, ingestionTime: 1_000_000, message: Buffer.from(line) });
  }
  return counting.samples();
}

const sample = (timestamp: number, measured: Sample['measured'], more: Partial<Sample> = {}): Sample => ({
  namespace: 'web',
  name: 'errors',
  unit: 'Count',
  resolution: 60,
  dimensions: [],
  timestamp,
  measured,
  ...more,
});

describe('what comes of events', () => {
  test('a number for each that is let through, by minutes', () => {
    expect(counted([filter('ERROR')], ['ERROR a', 'fine', 'an ERROR', [2 * minute, 'ERROR']])).toEqual([
      sample(minute, { values: [1], counts: [2] }),
      sample(2 * minute, { values: [1], counts: [1] }),
    ]);
  });

  test('a field of JSON as the value, of the pattern or not, and others as dimensions', () => {
    const transformation = { value: '$.ms', dimensions: { Path: '$.request.path', Code: '$.status' } };
    const line = (ms: unknown, path: unknown, status: unknown) =>
      JSON.stringify({ ms, request: { path }, status, level: 'info' });
    const lines = [
      line(12.5, '/a', 200),
      line('7', '/a', 200),
      line(12.5, '/a', 200),
      line(3, '/b', 500),
      // Without the number, or a dimension: nothing.
      line('slow', '/a', 200),
      line(null, '/a', 200),
      line('', '/a', 200),
      line('1e999', '/a', 200),
      line(1, '', 200),
      line(1, undefined, 200),
      line(1, 'x'.repeat(1025), 200),
      'no JSON',
    ];
    const dimensions = (path: string, code: string) => ({
      dimensions: [
        { name: 'Path', value: path },
        { name: 'Code', value: code },
      ],
    });
    expect(counted([filter('{ $.level = "info" }', transformation)], lines)).toEqual([
      sample(minute, { values: [12.5, 7], counts: [2, 1] }, dimensions('/a', '200')),
      sample(minute, { values: [3], counts: [1] }, dimensions('/b', '500')),
    ]);
  });

  test('columns', () => {
    const transformation = { value: '$bytes', dimensions: { Status: '$status' } };
    expect(
      counted([filter('[ip, status = 4*, bytes]', transformation)], ['1.1.1.1 404 15', '1.1.1.1 200 9', 'a 410 -']),
    ).toEqual([sample(minute, { values: [15], counts: [1] }, { dimensions: [{ name: 'Status', value: '404' }] })]);
  });

  test('a default value for minutes in which events came and none was let through', () => {
    const filters = [filter('ERROR', { defaultValue: 0 }), filter('WARN', { name: 'warnings' })];
    expect(counted(filters, ['fine', 'ERROR', [3 * minute, 'fine'], [3 * minute + 1, 'fine']])).toEqual([
      sample(minute, { values: [1], counts: [1] }),
      sample(3 * minute, 0),
    ]);
  });

  test('nothing of what came before the filter was made', () => {
    expect(counted([filter('ERROR', { defaultValue: 0 }, 1_000_001)], ['ERROR'])).toEqual([]);
    expect(counted([filter('ERROR', {}, 1_000_000)], ['ERROR'])).toHaveLength(1);
  });

  test('the empty pattern counts every line, and each filter for itself', () => {
    expect(counted([filter(''), filter('b', { name: 'b' })], ['a', 'b'])).toEqual([
      sample(minute, { values: [1], counts: [2] }),
      sample(minute, { values: [1], counts: [1] }, { name: 'b' }),
    ]);
  });
});

describe('lines that somebody else writes', () => {
  test('make no more minutes and values than there is room for; the sums stay right', () => {
    const wanted = [filter('{ $.v = * }', { value: '$.v' }), filter('{ $.v = * }', { dimensions: { Id: '$.v' } })];
    const counting = new Counting(wanted);
    const many = countingLimits.values + 500;
    for (let v = 0; v < many; v++)
      counting.see({ timestamp: minute, ingestionTime: 0, message: Buffer.from(`{"v":${v}}`) });
    const samples = counting.samples();
    const values = samples.filter(({ dimensions }) => dimensions.length === 0);
    const of = ({ measured }: Sample): { count: number; sum: number; values: number } => {
      if (typeof measured === 'number') return { count: 1, sum: measured, values: 1 };
      if (!('values' in measured)) return { ...measured, values: 0 };
      const { values: seen, counts = [] } = measured;
      const add = (total: number, value: number, at: number): number => total + value * (counts[at] ?? 1);
      return { count: counts.reduce((total, one) => total + one, 0), sum: seen.reduce(add, 0), values: seen.length };
    };
    const told = values.map(of);
    expect(Math.max(...told.map((one) => one.values))).toBe(100);
    const count = told.reduce((total, one) => total + one.count, 0);
    const sum = told.reduce((total, one) => total + one.sum, 0);
    expect([count, sum]).toEqual([many, (many * (many - 1)) / 2]);
    expect(samples.length - values.length).toBe(countingLimits.minutes - 1);
    expect(counting.left).toBe(many - (countingLimits.minutes - 1));
  });

  test('and many filters make no more default values than there is room for', () => {
    const filters = Array.from({ length: 100 }, (_, n) => filter('ERROR', { name: `f${n}`, defaultValue: 0 }));
    const lines = Array.from({ length: 150 }, (_, n) => [n * minute, 'fine'] as const);
    expect(counted(filters, lines)).toHaveLength(countingLimits.defaults);
  });

  test('are looked at in steps: one for each filter that reads them', () => {
    const counting = new Counting([filter('{ $.a = * }'), filter('absent'), filter('[x]')]);
    expect([...counting.steps({ timestamp: 0, ingestionTime: 0, message: Buffer.from('{"a":1}') })]).toHaveLength(2);
    expect(counting.samples()).toHaveLength(2);
  });

  test('are read in time that grows with their length, however much they look like numbers', () => {
    const counting = new Counting([filter('{ $.v = * }', { value: '$.v' })]);
    for (const v of [`${'0'.repeat(500_000)}x`, `${'1'.repeat(500_000)}.`, `.${'0'.repeat(500_000)}e`])
      counting.see({ timestamp: 0, ingestionTime: 0, message: Buffer.from(JSON.stringify({ v })) });
    expect(counting.samples()).toEqual([]);
  });

  test('name no members that every object has', () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      const transformation = { value: `$.${name}`, dimensions: { D: `$.${name}` } };
      expect(counted([filter('{ $.a = 1 }', transformation)], ['{"a":1}'])).toEqual([]);
    }
  });
});

test.each([
  ['{ $.a = 1 }', '$.b', '{"a":1,"b":"2"}', '2'],
  ['{ $.a = 1 }', '$.b.c[0]', '{"b":{"c":[7]}}', '7'],
  ['[a, ..., b]', '$b', 'x y z', 'z'],
])('the field %s %s', (pattern, field, line, value) => {
  expect(fieldReader(pattern, field)(line)).toBe(value);
});

test.each([
  ['ERROR', '$a'],
  ['', '$.a'],
  ['[a, b]', '$c'],
  ['[a, b]', '$.a'],
  ['{ $.a = 1 }', '$a'],
  ['{ $.a = 1 }', '$.b = 1 || $.c'],
])('%j has no field %s', (pattern, field) => {
  expect(() => fieldReader(pattern, field)).toThrow(/no field/);
});
