import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lastMissed, nextRun, parseSchedule, ScheduleError } from './index.ts';

const at = (text: string): number => Date.parse(text);
const runs = (text: string, zone: string | undefined, from: string, count: number, bounds: object = {}): string[] => {
  const schedule = parseSchedule(text, zone);
  const found: string[] = [];
  let after = at(from);
  while (found.length < count) {
    const next = nextRun(schedule, { createdAt: at(from), ...bounds }, after);
    if (next === undefined) break;
    found.push(new Date(next).toISOString().slice(0, 16));
    after = next;
  }
  return found;
};

describe('schedules of scaling actions', () => {
  test.each([
    ['cron(0 12 * * ? *)', undefined, '2026-01-01T11:00Z', ['2026-01-01T12:00', '2026-01-02T12:00']],
    ['cron(0/20 9-10 ? * MON-FRI *)', undefined, '2026-01-02T10:20Z', ['2026-01-02T10:40', '2026-01-05T09:00']],
    ['cron(30 6 ? * TUE *)', 'Europe/Berlin', '2026-06-01T00:00Z', ['2026-06-02T04:30', '2026-06-09T04:30']],
    ['cron(30 6 * * 3 *)', undefined, '2026-06-01T00:00Z', ['2026-06-02T06:30', '2026-06-09T06:30']],
    ['cron(0 0 L * ? *)', undefined, '2028-02-01T00:00Z', ['2028-02-29T00:00', '2028-03-31T00:00']],
    ['cron(0 0 LW * ? *)', undefined, '2026-05-01T00:00Z', ['2026-05-29T00:00', '2026-06-30T00:00']],
    ['cron(0 0 15W * ? *)', undefined, '2026-02-01T00:00Z', ['2026-02-16T00:00', '2026-03-16T00:00']],
    ['cron(0 0 1W * ? *)', undefined, '2026-08-01T00:00Z', ['2026-08-03T00:00', '2026-09-01T00:00']],
    ['cron(0 0 ? * 6L *)', undefined, '2026-01-01T00:00Z', ['2026-01-30T00:00', '2026-02-27T00:00']],
    ['cron(0 0 ? * FRI#3 *)', undefined, '2026-01-01T00:00Z', ['2026-01-16T00:00', '2026-02-20T00:00']],
    ['cron(0 0 1 1 ? 2027,2029)', undefined, '2026-01-01T00:00Z', ['2027-01-01T00:00', '2029-01-01T00:00']],
    ['cron(0 0 12 * * ? *)', undefined, '2026-01-01T13:00Z', ['2026-01-02T12:00', '2026-01-03T12:00']],
    ['rate(5 minutes)', undefined, '2026-01-01T00:00Z', ['2026-01-01T00:05', '2026-01-01T00:10']],
    ['rate(1 day)', undefined, '2026-01-01T00:00Z', ['2026-01-02T00:00', '2026-01-03T00:00']],
    ['at(2026-07-01T09:00:00)', 'America/New_York', '2026-01-01T00:00Z', ['2026-07-01T13:00']],
  ] as const)('%s in %s after %s', (text, zone, from, expected) => {
    expect(runs(text, zone, from, 2)).toEqual(expected);
  });

  test('a local time that the zone skips has no run, and one that it has twice has one', () => {
    expect(runs('cron(30 2 * * ? *)', 'Europe/Berlin', '2026-03-28T00:00Z', 3)).toEqual([
      '2026-03-28T01:30',
      '2026-03-30T00:30',
      '2026-03-31T00:30',
    ]);
    expect(runs('cron(30 2 * * ? *)', 'Europe/Berlin', '2026-10-24T12:00Z', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
  });

  test('recurrences keep within their start and end', () => {
    const bounds = { startTime: at('2026-01-03T00:00Z'), endTime: at('2026-01-04T12:00Z') };
    expect(runs('cron(0 12 * * ? *)', undefined, '2026-01-01T00:00Z', 9, bounds)).toEqual([
      '2026-01-03T12:00',
      '2026-01-04T12:00',
    ]);
    expect(runs('rate(1 day)', undefined, '2026-01-01T00:00Z', 9, bounds)).toEqual([
      '2026-01-03T00:00',
      '2026-01-04T00:00',
    ]);
  });

  test.each([
    ['every day', /is no schedule: use at/],
    ['rate(0 minutes)', /is no rate/],
    ['rate(5 weeks)', /is no rate/],
    ['at(2026-02-30T00:00:00)', /is not in the calendar/],
    ['at(tomorrow)', /at takes yyyy-mm-ddThh:mm:ss/],
    ['cron(0 12 * * ?)', /has six fields .* and not 5/],
    ['cron(60 12 * * ? *)', /'60' is not valid in the field 'minutes'/],
    ['cron(0 12 * FOO ? *)', /'FOO' is not valid in the field 'month'/],
    ['cron(0 12 10-5 * ? *)', /'day of month' of the cron expression: the range runs backwards/],
    ['cron(0/0 12 * * ? *)', /the step is 0/],
    ['cron(0 12 1 * MON *)', /exclude each other: one of them has to be \?/],
    ['cron(0 12 ? * MON#6 *)', /'day of week'.*five weeks/],
    ['cron(0 12 * * ? 1969)', /'1969' is not valid in the field 'year'/],
  ])('%s is refused', (text, message) => {
    expect(() => parseSchedule(text)).toThrow(ScheduleError);
    expect(() => parseSchedule(text)).toThrow(message);
  });

  test('zones have IANA names', () => {
    expect(() => parseSchedule('cron(0 12 * * ? *)', 'Mars/Olympus')).toThrow(/is no time zone/);
    expect(() => parseSchedule('cron(0 12 * * ? *)', '+02:00')).toThrow(/is no time zone/);
  });

  const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'];
  const list = (most: number): fc.Arbitrary<string> =>
    fc.uniqueArray(fc.integer({ min: 0, max: most }), { minLength: 1, maxLength: 3 }).map((all) => all.join(','));
  const inYear = { min: at('2026-01-01T00:00Z') / 60_000, max: at('2027-01-01T00:00Z') / 60_000 };

  test('the last run that was missed is the one that is found run by run', () => {
    const minute = fc.integer(inYear);
    const later = fc.integer({ min: 0, max: 3 * 86_400_000 });
    const text = fc.oneof(
      fc.tuple(list(59), list(23)).map(([minutes, hours]) => `cron(${minutes} ${hours} * * ? *)`),
      fc.constantFrom('cron(0/9 * * * ? *)', 'cron(* 3 ? * MON-WED *)', 'rate(7 minutes)', 'rate(3 days)'),
    );
    fc.assert(
      fc.property(text, fc.constantFrom(...zones), minute, later, (given, zone, from, ms) => {
        const schedule = parseSchedule(given, zone);
        const bounds = { createdAt: from * 60_000 };
        const first = nextRun(schedule, bounds, from * 60_000) ?? 0;
        const now = first + ms;
        let expected = first;
        let next = nextRun(schedule, bounds, Math.max(first, now - 86_400_000));
        while (next !== undefined && next <= now) {
          expected = next;
          next = nextRun(schedule, bounds, next);
        }
        expect(lastMissed(schedule, bounds, first, now)).toBe(expected);
      }),
      { numRuns: 60 },
    );
  });

  test('the next run is the first minute that matches, by trying each', () => {
    fc.assert(
      fc.property(list(59), list(23), fc.constantFrom(...zones), fc.integer(inYear), (minutes, hours, zone, minute) => {
        const after = minute * 60_000;
        const found = nextRun(parseSchedule(`cron(${minutes} ${hours} * * ? *)`, zone), { createdAt: 0 }, after);
        const wanted = (time: number): boolean => {
          const local = Temporal.Instant.fromEpochMilliseconds(time).toZonedDateTimeISO(zone);
          // The second of two equal local times has no run.
          const first = local.toPlainDateTime().toZonedDateTime(zone).epochMilliseconds === time;
          return (
            first && minutes.split(',').includes(String(local.minute)) && hours.split(',').includes(String(local.hour))
          );
        };
        let expected = after + 60_000;
        while (!wanted(expected)) expected += 60_000;
        expect(found).toBe(expected);
      }),
      { numRuns: 60 },
    );
  });
});
