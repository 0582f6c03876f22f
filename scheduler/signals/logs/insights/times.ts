/** Periods of time: `5m`, `1h`, `3mo`. */
export interface Period {
  readonly count: number;
  /** Milliseconds; undefined for months and what is made of them. */
  readonly length: number | undefined;
  /** Of months, how many the unit has. */
  readonly months: number;
}

const second = 1000;
const lengths: Readonly<Record<string, number>> = {
  __proto__: null as never,
  ms: 1,
  msec: 1,
  millisecond: 1,
  s: second,
  sec: second,
  second,
  m: 60 * second,
  min: 60 * second,
  minute: 60 * second,
  h: 3600 * second,
  hr: 3600 * second,
  hour: 3600 * second,
  d: 86_400 * second,
  day: 86_400 * second,
  w: 7 * 86_400 * second,
  week: 7 * 86_400 * second,
};
const months: Readonly<Record<string, number>> = {
  __proto__: null as never,
  mo: 1,
  mon: 1,
  month: 1,
  q: 3,
  qtr: 3,
  quarter: 3,
  y: 12,
  yr: 12,
  year: 12,
};

/** What a number and its unit are (CloudWatch Logs user guide, "Datetime functions"); undefined when they are no period. */
export function periodOf(count: number, unit: string): Period | undefined {
  if (!Number.isInteger(count) || count < 1 || count > 1_000_000) return undefined;
  const lower = unit.toLowerCase();
  const one = lower.length > 3 || ['yrs', 'hrs'].includes(lower) ? lower.replace(/s$/, '') : lower;
  const [length, ofMonths] = [lengths[one], months[one]];
  if (length === undefined && ofMonths === undefined) return undefined;
  return { count, length, months: ofMonths ?? 0 };
}

/** Weeks begin on Mondays: the first one of the epoch was its fifth day. */
const firstMonday = 4 * 86_400 * second;

/** The last multiple of a period at or before a time, in UTC. */
export function floorTo(ms: number, period: Period): number {
  const { count, length } = period;
  if (length === undefined) return monthStart(Math.floor(monthOf(ms) / stepOf(period)) * stepOf(period));
  const origin = length === lengths['w'] ? firstMonday : 0;
  return Math.floor((ms - origin) / (count * length)) * count * length + origin;
}

/** The first multiple of a period at or after a time. */
export function ceilTo(ms: number, period: Period): number {
  const floor = floorTo(ms, period);
  if (floor === ms) return ms;
  if (period.length !== undefined) return floor + period.count * period.length;
  return monthStart(monthOf(floor) + stepOf(period));
}

const stepOf = ({ count, months: each }: Period): number => count * each;
const monthOf = (ms: number): number => {
  const date = new Date(ms);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
};
const monthStart = (month: number): number => {
  const date = new Date(0);
  date.setUTCFullYear(Math.floor(month / 12), ((month % 12) + 12) % 12, 1);
  return date.getTime();
};
