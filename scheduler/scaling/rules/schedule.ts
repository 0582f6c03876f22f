import { type Cron, parseCron, ScheduleError } from './cron.ts';

/** A schedule of a scaling action, parsed. Times are milliseconds since the epoch. */
export type Schedule =
  | { readonly kind: 'at'; readonly time: number }
  | { readonly kind: 'rate'; readonly every: number }
  | { readonly kind: 'cron'; readonly cron: Cron; readonly zone: string };

/** Between which moments a recurring schedule counts, and from when a rate does. */
export interface Bounds {
  readonly startTime?: number | undefined;
  readonly endTime?: number | undefined;
  readonly createdAt: number;
}

const units: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** The longest schedule (API reference, PutScheduledAction). */
export const longestSchedule = 1600;

/**
 * Parses `at(yyyy-mm-ddThh:mm:ss)`, `rate(value unit)` or `cron(fields)`. At and cron are in the time zone, which is UTC unless one is named.
 * @param zone an IANA name
 * @throws ScheduleError that says what is wrong and where
 */
export function parseSchedule(text: string, zone = 'UTC'): Schedule {
  const [, kind, inner = ''] = /^([a-z]+)\((.*)\)$/s.exec(text.trim()) ?? [];
  if (kind !== 'at' && kind !== 'rate' && kind !== 'cron')
    throw new ScheduleError(
      `'${text.slice(0, 60)}' is no schedule: use at(yyyy-mm-ddThh:mm:ss), rate(value unit) or cron(fields).`,
    );
  if (kind === 'rate') return { kind, every: parseRate(inner) };
  checkZone(zone);
  if (kind === 'cron') return { kind, cron: parseCron(inner), zone };
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(inner))
    throw new ScheduleError(`'${inner.slice(0, 40)}' is no time: at takes yyyy-mm-ddThh:mm:ss.`);
  try {
    const local = Temporal.PlainDateTime.from(inner, { overflow: 'reject' });
    return { kind, time: local.toZonedDateTime(zone).epochMilliseconds };
  } catch (cause) {
    throw new ScheduleError(`'${inner}' is not in the calendar.`, { cause });
  }
}

function parseRate(inner: string): number {
  const [, value, unit = ''] = /^\s*(\d{1,9})\s+(minute|hour|day)s?\s*$/.exec(inner) ?? [];
  if (value === undefined || Number(value) === 0)
    throw new ScheduleError(
      `'${inner.slice(0, 40)}' is no rate: use a number from 1 and minute, minutes, hour, hours, day or days.`,
    );
  return Number(value) * (units[unit] ?? 0);
}

function checkZone(zone: string): void {
  // Offsets are zones for Temporal, and for AWS they are not.
  const named = /^[A-Za-z][A-Za-z0-9_+\-/]*$/.test(zone);
  try {
    if (!named) throw new RangeError(zone);
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone);
  } catch (cause) {
    throw new ScheduleError(`'${zone.slice(0, 60)}' is no time zone: use an IANA name, such as Europe/Berlin.`, {
      cause,
    });
  }
}

/**
 * The first time after a moment at which the schedule is due, or undefined when there is none any more. A local time that the zone skips has
 * no run, one that it has twice has the first. A rate counts from `startTime`, and without it from one period after `createdAt`.
 */
export function nextRun(
  schedule: Schedule,
  { startTime, endTime, createdAt }: Bounds,
  after: number,
): number | undefined {
  if (schedule.kind === 'at') return schedule.time > after ? schedule.time : undefined;
  const from = startTime === undefined ? after : Math.max(after, startTime - 1);
  const found =
    schedule.kind === 'rate' ? nextOfRate(schedule.every, startTime, createdAt, from) : nextOfCron(schedule, from);
  return found === undefined || (endTime !== undefined && found > endTime) ? undefined : found;
}

/** How far back a run that was missed is told apart from others of the same schedule. Milliseconds. */
const lookBack = 86_400_000;

/** Runs of a schedule lie so far apart at least. Milliseconds. */
const finest = 60_000;

/**
 * Of the runs that are due and were not made, the time of the last one: looked for by halves, as a schedule may have had a run each minute of
 * a day on which nobody led.
 * @param first the first of them
 */
export function lastMissed(schedule: Schedule, bounds: Bounds, first: number, now: number): number {
  const firstAfter = (after: number): number | undefined => {
    const next = nextRun(schedule, bounds, after);
    return next === undefined || next > now ? undefined : next;
  };
  let low = Math.max(first, now - lookBack);
  let last = firstAfter(low);
  if (last === undefined) return first;
  // `last` is the first run after `low`, and none lies after `high`.
  for (let high = now; high - low >= finest;) {
    const middle = Math.floor((low + high) / 2);
    const found = firstAfter(middle);
    if (found === undefined) high = middle;
    else [low, last] = [middle, found];
  }
  return last;
}

function nextOfRate(every: number, startTime: number | undefined, createdAt: number, after: number): number {
  const anchor = startTime ?? createdAt + every;
  if (anchor > after) return anchor;
  return anchor + (Math.floor((after - anchor) / every) + 1) * every;
}

function nextOfCron({ cron, zone }: Extract<Schedule, { kind: 'cron' }>, after: number): number | undefined {
  // Some hours back: where a zone repeats one, the local time of `after` may be later than that of the next run. None repeats more than three.
  const start = Temporal.Instant.fromEpochMilliseconds(after).toZonedDateTimeISO(zone).subtract({ hours: 6 });
  for (const { year, month, day, hour, minute } of cron.from(start)) {
    const local = new Temporal.PlainDateTime(year, month, day, hour, minute);
    const zoned = local.toZonedDateTime(zone);
    if (zoned.epochMilliseconds > after && zoned.toPlainDateTime().equals(local)) return zoned.epochMilliseconds;
  }
  return undefined;
}
