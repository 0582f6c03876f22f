import { expect, test } from 'vitest';

import type { MeasuredRecord, Tallies, Tally } from '../../state/index.ts';
import { type Counts, latencyBounds, noCounts } from '../engines/index.ts';

import { measure, noTally, type Said, tallyOf } from './measure.ts';

const tally = (requests: number, failed = 0, fast = requests): Tally => ({
  requests,
  failed,
  classes: noTally.classes.map((_, place) => (place === 0 ? fast : 0)),
});

const says = (version: number, own: Tally, other: Tally): Said => ({ version, tallies: { own, other } });

interface Told {
  readonly sequence?: number;
  readonly isLive?: boolean;
  readonly problem?: string;
  readonly epoch?: number;
}

const look = (
  before: MeasuredRecord | undefined,
  engines: Readonly<Record<string, Said>>,
  { sequence = 1, isLive = true, problem, epoch = 1 }: Told = {},
): MeasuredRecord | undefined =>
  measure(before, {
    service: 'web',
    epoch,
    sequence,
    now: 5,
    isLive,
    engines: new Map(Object.entries(engines)),
    problem,
  });

/** Requests and failed ones of both groups. */
const sums = (record: MeasuredRecord | undefined): unknown => {
  const of = (all: Tallies | undefined, group: string) => [all?.[group]?.requests ?? 0, all?.[group]?.failed ?? 0];
  return [of(record?.sums, 'own'), of(record?.sums, 'other')];
};

test('what an engine had counted before the weights were live, and with the first word after it, is left out', () => {
  expect(look(undefined, { one: says(1, tally(5), tally(50)) }, { isLive: false })).toBeUndefined();
  let record = look(undefined, { one: says(1, tally(5), tally(50)) });
  expect(sums(record)).toEqual([
    [0, 0],
    [0, 0],
  ]);
  expect(look(record, { one: says(1, tally(5), tally(50)) })).toBe(record);
  record = look(record, { one: says(2, tally(9), tally(80)) });
  record = look(record, { one: says(3, tally(19, 3), tally(170, 1)) });
  record = look(record, { one: says(4, tally(20, 3), tally(180, 1)) });
  expect(sums(record)).toEqual([
    [11, 3],
    [100, 1],
  ]);
  expect(record).toMatchObject({ sequence: 1, at: 5, bounds: latencyBounds });
});

test('an engine that comes later, falls silent, or was behind, counts from its next word on; one that is gone keeps what it said', () => {
  let record = look(undefined, { one: says(1, tally(0), tally(0)) });
  record = look(record, { one: says(2, tally(0), tally(0)) });
  record = look(record, { one: says(3, tally(10), tally(90)), two: says(7, tally(500), tally(500)) });
  record = look(record, { one: says(3, tally(10), tally(90)), two: says(8, tally(501), tally(501)) });
  record = look(record, { one: says(3, tally(10), tally(90)), two: says(9, tally(504, 1), tally(520)) });
  expect(sums(record)).toEqual([
    [13, 1],
    [109, 0],
  ]);
  // The second one is behind for a while: the first one's word counts all the same.
  record = look(record, { one: says(4, tally(12), tally(95)) }, { isLive: false });
  record = look(record, { one: says(5, tally(14), tally(99)) }, { isLive: false });
  // Counted at weights that nobody knows: the next word says from where on it counts again.
  record = look(record, { two: says(10, tally(900, 300), tally(520)) });
  expect(look(record, { two: says(10, tally(900, 300), tally(520)) })).toBe(record);
  record = look(record, { two: says(11, tally(950, 310), tally(525)) });
  record = look(record, { two: says(12, tally(951, 310), tally(535)) });
  expect(sums(record)).toEqual([
    [18, 1],
    [128, 0],
  ]);
});

test.each([
  ['rows of it were lost', says(3, tally(1), tally(2))],
  ['a count is no number', says(3, tally(Number.NaN), tally(200))],
  ['a count is a fraction', says(3, tally(20.5), tally(200))],
  ['more failed than there were', says(3, tally(21, 12), tally(200))],
  ['a count is beyond what can be counted', says(3, tally(2 ** 60), tally(200))],
])('nothing is added, and nothing taken away, where %s', (_, said) => {
  let record = look(undefined, { one: says(1, tally(0), tally(0)) });
  record = look(record, { one: says(2, tally(20, 8), tally(100)) });
  record = look(record, { one: said });
  expect(sums(record)).toEqual([
    [0, 0],
    [0, 0],
  ]);
  // It goes on from what it said last, if that is a number at all.
  record = look(record, { one: says(4, tally(5), tally(12)) });
  record = look(record, { one: says(5, tally(6), tally(22)) });
  expect(sums(record)).toEqual(
    _ === 'rows of it were lost'
      ? [
          [5, 0],
          [20, 0],
        ]
      : [
          [1, 0],
          [10, 0],
        ],
  );
});

test('at other weights everything begins anew, with what was usual until then', () => {
  const ever = tally(5000, 0, 4000);
  let record = look(undefined, { one: says(1, tally(0), ever) });
  expect(record?.before).toEqual({ own: noTally, other: ever });
  for (const [version, requests] of [
    [2, 0],
    [3, 200],
  ] as const)
    record = look(record, { one: says(version, tally(requests), tally(5000 + requests, 0, 4000 + requests)) });
  record = look(record, { one: says(3, tally(200), tally(5200, 0, 4200)) }, { sequence: 2, problem: 'TCP' });
  expect(record).toMatchObject({ sequence: 2, sums: {}, problem: 'TCP', before: { other: tally(200) } });
  // A weight at which little was counted says nothing new.
  record = look(record, { one: says(4, tally(210), tally(5210, 0, 4210)) }, { sequence: 3 });
  expect(record?.before['other']).toEqual(tally(200));
});

test('another keeper goes on where the last one was', () => {
  let record = look(undefined, { one: says(1, tally(0), tally(0)) });
  record = look(record, { one: says(2, tally(1), tally(1)) });
  const stored = JSON.parse(JSON.stringify(record)) as MeasuredRecord;
  record = look(stored, { one: says(3, tally(4), tally(9)) }, { epoch: 2 });
  expect([record?.epoch, sums(record)]).toEqual([
    2,
    [
      [3, 0],
      [8, 0],
    ],
  ]);
});

test('answers of 500 and above failed, and attempts without an answer, also those that were tried again', () => {
  const counts: Counts = { ...noCounts, requests: 12, codes: [5, 1, 2, 3], connectionErrors: 4 };
  expect(tallyOf({ gone: counts, targets: { a: { inFlight: 2, counts } } })).toMatchObject({
    requests: 30,
    failed: 14,
  });
});
