import { describe, expect, test } from 'vitest';

import {
  evaluate,
  functionNames,
  MathError,
  parseExpression,
  refusedFunctions,
  resultOf,
  type TimeSeries,
  usesOf,
  Work,
} from './index.ts';

const minute = 60_000;
const from = Date.parse('2026-06-15T12:00:00Z');

function series(label: string, ...values: readonly (number | undefined)[]): TimeSeries {
  const points = new Map(
    values.flatMap((value, index) => (value === undefined ? [] : [[from + index * minute, value]])),
  );
  return { kind: 'series', label, period: 60, points };
}
const metrics = [
  { id: 'cpu', series: series('cpu', 1, 2, undefined, 4) },
  { id: 'mem', series: series('mem', 10, 20, 30, 0) },
  { id: 'none', series: series('none') },
];

/** What an expression comes to at each of four minutes, of one series or each of several. */
function worth(text: string, work = 10_000) {
  const found = resultOf(
    evaluate(parseExpression(text), {
      valueOf: (id) => metrics.find((one) => one.id === id)?.series,
      metrics: () => metrics,
      from,
      to: from + 4 * minute,
      period: 60,
      work: new Work(work),
    }),
  ).map(({ points }) => Array.from({ length: 4 }, (_, index) => points.get(from + index * minute) ?? '-').join(' '));
  return found.length === 1 ? found[0] : found;
}

function refusal(text: string, work?: number): string {
  try {
    worth(text, work);
  } catch (error) {
    if (error instanceof MathError) return error.message;
    throw error;
  }
  throw new Error(`${text} was worked out`);
}

describe('metric math', () => {
  test.each([
    ['cpu + mem', '11 22 - 4'],
    ['cpu * 2 + 1', '3 5 - 9'],
    ['100 / mem', '10 5 3.3333333333333335 -'],
    ['-cpu ^ 2', '-1 -4 - -16'],
    ['2 ^ 3 ^ 2 + cpu * 0', '512 512 - 512'],
    ['cpu - 1 - 1', '-1 0 - 2'],
    ['cpu > 1 AND mem < 25', '0 1 - 1'],
    ['cpu == 4 || mem == 10', '1 0 - 1'],
    ['mem >= 20 && 1', '0 1 1 0'],
    ['IF(cpu > 1, mem, cpu)', '1 20 - 0'],
    ['IF(mem == 30, cpu)', '- - - -'],
    ['IF(0, cpu, mem)', '10 20 30 0'],
    ['FILL(cpu, 0)', '1 2 0 4'],
    ['FILL(cpu, mem)', '1 2 30 4'],
    ['FILL(cpu, REPEAT)', '1 2 2 4'],
    ['FILL(cpu, LINEAR)', '1 2 3 4'],
    ['FILL(none, 5)', '5 5 5 5'],
    ['cpu / SUM(cpu) * 7', '1 2 - 4'],
    ['SUM([cpu, mem])', '11 22 30 4'],
    ['SUM(METRICS())', '11 22 30 4'],
    ['AVG(METRICS("m"))', '10 20 30 0'],
    ['MAX([cpu, mem, none])', '10 20 30 4'],
    ['cpu - MIN(cpu) + STDDEV(mem) * 0 + AVG(mem)', '15 16 - 18'],
    ['DIFF(mem)', '- 10 10 -30'],
    ['RATE(cpu) * 60', '- 1 - 1'],
    ['DIFF_TIME(cpu)', '- 60 - 120'],
    ['RUNNING_SUM(cpu)', '1 3 - 7'],
    ['PERIOD(cpu) + cpu * 0', '60 60 - 60'],
    ['TIME_SERIES(5)', '5 5 5 5'],
    ['TIME_SERIES(DATAPOINT_COUNT(cpu))', '3 3 3 3'],
    ['TIME_SERIES(METRIC_COUNT(METRICS()))', '3 3 3 3'],
    ['FIRST(METRICS())', '1 2 - 4'],
    ['LAST([cpu, mem])', '10 20 30 0'],
    ['ABS(FLOOR(-cpu / 2))', '1 1 - 2'],
    ['LOG10(mem)', `1 ${Math.log10(20)} ${Math.log10(30)} -`],
    ['HOUR(cpu) * 100 + MINUTE(cpu)', '1200 1201 - 1203'],
    ['DAY(cpu) + MONTH(cpu) * 10', '61 61 - 61'],
    ['[cpu, mem]', ['1 2 - 4', '10 20 30 0']],
    ['[cpu, mem] * 2', ['2 4 - 8', '20 40 60 0']],
    ['REMOVE_EMPTY(METRICS())', ['1 2 - 4', '10 20 30 0']],
    ['SORT([cpu, none, mem], MAX, DESC, 1)', '10 20 30 0'],
    ['SLICE(SORT(METRICS(), AVG, ASC), 0, 2)', ['1 2 - 4', '10 20 30 0']],
    ["METRICS('cpu')", '1 2 - 4'],
  ])('%s', (text, wanted) => {
    expect(worth(text)).toEqual(wanted);
  });

  test.each([
    ['', 'the expression ends too early (at character 1)'],
    ['cpu +', 'the expression ends too early (at character 6)'],
    ['cpu mem', 'unexpected mem (at character 5)'],
    ['(cpu', 'the expression ends where ) should stand (at character 5)'],
    ['cpu % 2', '"%" means nothing here (at character 5)'],
    ['METRICS("a', 'a text has no end (at character 9)'],
    ['Cpu', 'Cpu is no id: ids begin with a small letter (at character 1)'],
    ['cpu + other', 'there is no query with the id other (at character 7)'],
    ['1 + FOO(cpu)', 'there is no function FOO (at character 5)'],
    ['constructor(cpu)', 'there is no function constructor (at character 1)'],
    ['IF(cpu)', 'IF takes 2 to 3 arguments, not 1 (at character 1)'],
    [
      'SEARCH("x")',
      'SEARCH is not supported here: ask ListMetrics, and name each metric with MetricStat (at character 1)',
    ],
    [
      'SELECT AVG(x) FROM y',
      'Metrics Insights queries are not supported here; name each metric with MetricStat (at character 1)',
    ],
    ['1 + 1', 'the expression returns a number, but must return a time series; TIME_SERIES makes one of a number'],
    ['METRICS() * METRICS()', 'several time series cannot be joined with several others (at character 11)'],
    ['RATE(1)', 'a time series is needed, not a number (at character 1)'],
    ['FILL(cpu, AVG)', 'REPEAT or LINEAR is needed here (at character 1)'],
    ['[1, cpu]', 'a list is of time series, not of a number (at character 2)'],
    ['cpu + "a"', 'a number or time series is needed, not a word (at character 5)'],
    ['('.repeat(101), 'brackets lie too deep in each other (at character 102)'],
    [`${'-'.repeat(2000)}1`, 'brackets lie too deep in each other (at character 102)'],
    ['1'.repeat(2049), 'an expression has at most 2048 characters'],
  ])('%j is refused with the character', (text, sentence) => {
    expect(refusal(text)).toBe(sentence);
  });

  test('work is bounded', () => {
    expect(refusal('cpu + cpu + cpu', 5)).toContain('the expressions take too much work');
  });

  test('says what it uses, and no function is there and refused', () => {
    expect(usesOf(parseExpression('IF(a > 1, [b, -c], SUM(METRICS()))'))).toEqual({
      ids: new Set(['a', 'b', 'c']),
      all: true,
    });
    expect(functionNames.filter((name) => Object.hasOwn(refusedFunctions, name))).toEqual([]);
  });
});
