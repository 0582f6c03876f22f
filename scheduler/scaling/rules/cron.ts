/** Cron expressions of six fields, as Application Auto Scaling and EventBridge have them (user guide, "Schedule recurring scaling actions"). */

/** Why an expression is none, with the field that is wrong. */
export class ScheduleError extends Error {
  override name = 'ScheduleError';
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
  /** What `names` begin at. */
  readonly first: number;
}

const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const days = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const fields: readonly Field[] = [
  { name: 'minutes', min: 0, max: 59, names: [], first: 0 },
  { name: 'hours', min: 0, max: 23, names: [], first: 0 },
  { name: 'day of month', min: 1, max: 31, names: [], first: 0 },
  { name: 'month', min: 1, max: 12, names: months, first: 1 },
  { name: 'day of week', min: 1, max: 7, names: days, first: 1 },
  { name: 'year', min: 1970, max: 2199, names: [], first: 0 },
];
const seconds: Field = { name: 'seconds', min: 0, max: 59, names: [], first: 0 };

/** Whether a day is one of the expression's: its number, its weekday (1 is Sunday), and the length of its month. */
type DayRule = (day: number, weekday: number, length: number) => boolean;

/** A minute of the calendar, without a time zone. `month` 1 to 12. */
export interface LocalMinute {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
}

/** The times that an expression names. */
export interface Cron {
  /** From a minute on, itself included, in order; ends with the year 2199. */
  from(start: LocalMinute): IterableIterator<LocalMinute>;
}

/**
 * Parses `minutes hours day-of-month month day-of-week year`. Weekdays are 1 (Sunday) to 7, or names; `?` and `*` in one of the two day fields
 * leave the choice to the other. A seventh field in front, for seconds, is read and does nothing, as on AWS.
 * @throws ScheduleError that names the field
 */
export function parseCron(expression: string): Cron {
  const given = expression.split(/\s+/).filter((part) => part !== '');
  if (given.length === 7) parseField(given.shift() ?? '', seconds);
  if (given.length !== 6)
    throw new ScheduleError(
      `A cron expression has six fields (minutes, hours, day of month, month, day of week, year), and not ${given.length}.`,
    );
  const [minutes, hours, dom, month, dow, year] = given as [string, string, string, string, string, string];
  if (!isAny(dom) && !isAny(dow))
    throw new ScheduleError(
      `The fields 'day of month' (${dom}) and 'day of week' (${dow}) exclude each other: one of them has to be ?.`,
    );
  const valuesOf = (text: string, index: number): readonly number[] =>
    [...parseField(text, fields[index] as Field)].toSorted((a, b) => a - b);
  const times = {
    minutes: valuesOf(minutes, 0),
    hours: valuesOf(hours, 1),
    months: valuesOf(month, 3),
    years: valuesOf(year, 5),
  };
  const matches = isAny(dom) ? weekdayRule(dow) : monthdayRule(dom);
  return { from: (start) => minutesFrom(start, times, matches) };
}

const isAny = (text: string): boolean => text === '*' || text === '?';

function* minutesFrom(
  start: LocalMinute,
  times: Readonly<Record<'minutes' | 'hours' | 'months' | 'years', readonly number[]>>,
  matches: DayRule,
): IterableIterator<LocalMinute> {
  const begin = order(start);
  for (const year of times.years) {
    if (year < start.year) continue;
    for (const month of times.months) {
      if (year === start.year && month < start.month) continue;
      const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
      const first = new Date(Date.UTC(year, month - 1, 1)).getUTCDay();
      const from = year === start.year && month === start.month ? start.day : 1;
      for (let day = from; day <= length; day++) {
        if (!matches(day, ((first + day - 1) % 7) + 1, length)) continue;
        for (const hour of times.hours)
          for (const minute of times.minutes) {
            const found = { year, month, day, hour, minute };
            if (order(found) >= begin) yield found;
          }
      }
    }
  }
}

const order = ({ year, month, day, hour, minute }: LocalMinute): number =>
  (((year * 100 + month) * 100 + day) * 100 + hour) * 100 + minute;

/** The values that a field names: `*`, `a`, `a-b`, `a/n`, `a-b/n`, in lists. */
function parseField(text: string, field: Field): Set<number> {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const [, range = '', step] = /^([^/]*)(?:\/(\d{1,4}))?$/.exec(part) ?? [undefined, '\0'];
    const by = step === undefined ? 1 : Number(step);
    if (by < 1) throw wrong(field, part, 'the step is 0');
    const [from, to] = rangeOf(range, field, part, step !== undefined);
    if (from > to) throw wrong(field, part, 'the range runs backwards');
    for (let value = from; value <= to; value += by) found.add(value);
  }
  return found;
}

function rangeOf(range: string, field: Field, part: string, stepped: boolean): readonly [number, number] {
  if (range === '*' || (range === '?' && !stepped && field.names !== months)) return [field.min, field.max];
  const [from, to, more] = range.split('-');
  if (more !== undefined) throw wrong(field, part, 'it is no range');
  const first = valueOf(from ?? '', field, part);
  if (to !== undefined) return [first, valueOf(to, field, part)];
  return [first, stepped ? field.max : first];
}

function valueOf(text: string, field: Field, part: string): number {
  const named = field.names.indexOf(text.toUpperCase());
  const value = named >= 0 ? named + field.first : /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= field.min && value <= field.max)) throw wrong(field, part, `it takes ${allowed(field)}`);
  return value;
}

const allowed = ({ min, max, names }: Field): string =>
  `${min} to ${max}${names.length === 0 ? '' : ` or ${names[0]} to ${names.at(-1)}`}, *, lists, ranges and steps`;

const wrong = ({ name }: Field, part: string, why: string): ScheduleError =>
  new ScheduleError(`'${part.slice(0, 40)}' is not valid in the field '${name}' of the cron expression: ${why}.`);

const monthday = fields[2] as Field;
const weekday = fields[4] as Field;

/** `L`: the last day; `LW`: the last one that is no weekend; `15W`: the one from Monday to Friday that is nearest to the 15th, in its month. */
function monthdayRule(text: string): DayRule {
  if (text === 'L') return (day, _, length) => day === length;
  if (text === 'LW') return (day, of, length) => day === nearest(length, weekdayAt(length, day, of), length);
  const near = /^(\d{1,2})W$/.exec(text)?.[1];
  if (near !== undefined) {
    const wanted = valueOf(near, monthday, text);
    return (day, of, length) => wanted <= length && day === nearest(wanted, weekdayAt(wanted, day, of), length);
  }
  const found = parseField(text, monthday);
  return (day) => found.has(day);
}

/** `6L`: the last Friday; `6#3`: the third Friday; `L`: Saturdays. */
function weekdayRule(text: string): DayRule {
  if (text === 'L') return (_, of) => of === 7;
  const last = /^([0-9A-Za-z]+)L$/.exec(text)?.[1];
  if (last !== undefined) {
    const wanted = valueOf(last, weekday, text);
    return (day, of, length) => of === wanted && day + 7 > length;
  }
  const [, named, count] = /^([0-9A-Za-z]+)#(\d)$/.exec(text) ?? [];
  if (named !== undefined) {
    const wanted = valueOf(named, weekday, text);
    const at = Number(count);
    if (at < 1 || at > 5) throw wrong(weekday, text, 'a month has five weeks at most');
    return (day, of) => of === wanted && Math.ceil(day / 7) === at;
  }
  const found = parseField(text, weekday);
  return (_, of) => found.has(of);
}

/** The weekday of a day, from that of another one of its month. */
const weekdayAt = (wanted: number, day: number, of: number): number => ((((of - 1 + wanted - day) % 7) + 7) % 7) + 1;

/** The working day that is nearest to a day, without leaving its month. */
function nearest(day: number, of: number, length: number): number {
  if (of === 7) return day > 1 ? day - 1 : day + 2;
  if (of === 1) return day < length ? day + 1 : day - 2;
  return day;
}
