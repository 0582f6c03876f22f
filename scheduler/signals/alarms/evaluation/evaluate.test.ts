import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';

import { evaluate, strideOf, windowOf } from './evaluate.ts';
import { reasonDataOf, reasonOf } from './reason.ts';
import { slowlyEvaluated } from './testing/reference.ts';
import { type AlarmPoint, type AlarmRule, type AlarmState, comparisons, missingTreatments } from './types.ts';

vi.setConfig({ testTimeout: 600_000 });

const rule: AlarmRule = {
  comparison: 'GreaterThanThreshold',
  threshold: 3,
  period: 60,
  evaluationPeriods: 3,
  datapointsToAlarm: 3,
  treatMissingData: 'missing',
};
const end = Date.parse('2026-11-20T10:05:00Z');

/** Datapoints from a line of the tables of CloudWatch's user guide: `0` is good, `X` breaching, `-` missing; the last is the newest. */
const pointsOf = (line: string): AlarmPoint[] =>
  line
    .split('')
    .flatMap((letter, index) =>
      letter === '-' ? [] : [{ at: end - (line.length - index) * 60_000, value: letter === 'X' ? 5 : 1 }],
    );

const letters: Readonly<Record<AlarmState, string>> = { OK: 'O', ALARM: 'A', INSUFFICIENT_DATA: 'I' };

/** One letter for each setting: missing, ignore, breaching, notBreaching; `k`: the state is kept. */
function row(line: string, datapointsToAlarm: number): string {
  return missingTreatments
    .map((treatMissingData) => {
      const one = { ...rule, datapointsToAlarm, treatMissingData };
      const of = (state: AlarmState): AlarmState => evaluate(one, pointsOf(line), end, state).state;
      return of('OK') === of('ALARM') ? letters[of('OK')] : 'k';
    })
    .join('');
}

describe('missing data is treated as the tables of CloudWatch have it', () => {
  test.each([
    ['0-X-X', 'OOOO'],
    ['0----', 'OOOO'],
    ['-----', 'IkAO'],
    ['0XX-X', 'AAAA'],
    ['--X--', 'AkAO'],
  ])('3 out of 3: %s', (line, expected) => {
    expect(row(line, 3)).toBe(expected);
  });
  test.each([
    ['0-X-X', 'AAAA'],
    ['00X0X', 'AAAA'],
    ['0-X--', 'OOAO'],
    ['----0', 'OOAO'],
    ['---X-', 'AkAO'],
  ])('2 out of 3: %s', (line, expected) => {
    expect(row(line, 2)).toBe(expected);
  });
  test('a breaching datapoint that is younger than so many periods says nothing yet', () => {
    expect(row('----X', 2)).toBe('kkAO');
  });
});

test('says why in the words of CloudWatch', () => {
  const one = { ...rule, evaluationPeriods: 1, datapointsToAlarm: 1 };
  const say = (given: AlarmRule, line: string, before: AlarmState): string =>
    reasonOf(given, evaluate(given, pointsOf(line), end, before), before);
  expect(say(one, 'X', 'OK')).toBe(
    'Threshold Crossed: 1 out of the last 1 datapoint [5.0 (20/11/26 10:04:00)] was greater than the threshold (3.0) (minimum 1 datapoint for OK -> ALARM transition).',
  );
  expect(say(one, '0', 'ALARM')).toBe(
    'Threshold Crossed: 1 out of the last 1 datapoint [1.0 (20/11/26 10:04:00)] was not greater than the threshold (3.0) (minimum 1 datapoint for ALARM -> OK transition).',
  );
  expect(say({ ...rule, datapointsToAlarm: 2 }, '0XX', 'OK')).toBe(
    'Threshold Crossed: 2 out of the last 3 datapoints [5.0 (20/11/26 10:03:00), 5.0 (20/11/26 10:04:00)] were greater than the threshold (3.0) (minimum 2 datapoints for OK -> ALARM transition).',
  );
  expect(say(rule, '---', 'OK')).toBe('Insufficient Data: 3 datapoints were unknown.');
  expect(say({ ...rule, treatMissingData: 'breaching' }, '---', 'OK')).toBe(
    'Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching].',
  );
  expect(say({ ...rule, treatMissingData: 'breaching' }, '--X', 'OK')).toContain(
    'was greater than the threshold (3.0), and 2 missing datapoints were treated as [Breaching] (minimum',
  );
  expect(
    JSON.parse(
      reasonDataOf(rule, evaluate(rule, pointsOf('0XX'), end, 'OK'), { statistic: 'Average' }, { now: end + 5, end }),
    ),
  ).toEqual({
    version: '1.0',
    queryDate: '2026-11-20T10:05:00.005+0000',
    startDate: '2026-11-20T10:02:00.000+0000',
    statistic: 'Average',
    period: 60,
    recentDatapoints: [1, 5, 5],
    threshold: 3,
    evaluatedDatapoints: [
      { timestamp: '2026-11-20T10:04:00.000+0000', value: 5 },
      { timestamp: '2026-11-20T10:03:00.000+0000', value: 5 },
      { timestamp: '2026-11-20T10:02:00.000+0000', value: 1 },
    ],
  });
});

test('a window slides with each evaluation, up to periods of an hour', () => {
  const at = Date.parse('2026-11-20T10:07:34Z');
  const ends = (period: number, slides: boolean): string =>
    new Date(windowOf({ ...rule, period }, slides, at).end).toISOString().slice(11, 19);
  expect(ends(10, true)).toBe('10:07:30');
  expect(ends(30, true)).toBe('10:07:30');
  expect(ends(300, true)).toBe('10:07:00');
  expect(ends(300, false)).toBe('10:05:00');
  expect(ends(86_400, true)).toBe('00:00:00');
  expect(windowOf({ ...rule, period: 300 }, true, at).start).toBe(Date.parse('2026-11-20T09:42:00Z'));
  expect(strideOf({ period: 20 }, true)).toBe(10);
});

const size = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 3_000 : 100_000;

test('evaluates as a slow program does that goes by the words of the user guide', () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.record({
        wanted: fc.integer({ min: 1, max: 6 }),
        enough: fc.integer({ min: 1, max: 6 }),
        comparison: fc.constantFrom(...comparisons),
        treatMissingData: fc.constantFrom(...missingTreatments),
        period: fc.constantFrom(10, 60, 300),
        values: fc.array(fc.constantFrom(undefined, undefined, 1, 3, 5, NaN), { minLength: 8, maxLength: 8 }),
        state: fc.constantFrom('OK', 'ALARM', 'INSUFFICIENT_DATA'),
      }),
      ({ wanted, enough, comparison, treatMissingData, period, values, state }) => {
        const datapointsToAlarm = Math.min(enough, wanted);
        const one = {
          comparison,
          threshold: 3,
          period,
          evaluationPeriods: wanted,
          datapointsToAlarm,
          treatMissingData,
        };
        const range = values.slice(0, wanted + 2);
        const points = range.flatMap((value, index) =>
          value === undefined ? [] : [{ at: end - (range.length - index) * period * 1000, value }],
        );
        const found = evaluate(one, points, end, state).state;
        expect(found).toBe(slowlyEvaluated(one, range, state));
        seen.set(found, (seen.get(found) ?? 0) + 1);
      },
    ),
    { numRuns: size },
  );
  for (const state of Object.keys(letters)) expect(seen.get(state)).toBeGreaterThan(size / 100);
});
