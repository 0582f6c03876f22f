import { type Bounds, nextRun, parseSchedule, type Schedule, ScheduleError } from '../rules/index.ts';

/** A recurrence, parsed: it is due when one of these is. */
export type Recurrence = readonly Schedule[];

/**
 * Parses the five fields of Unix cron (EC2 Auto Scaling user guide, "Recurring schedules"): minutes, hours, day of month, month, day of week, in which
 * 0 and 7 are Sunday. A day that is one of either day field is meant, where both say something.
 * @param zone an IANA name; UTC without one
 * @throws ScheduleError that says what is wrong and where
 */
export function parseRecurrence(text: string, zone?: string): Recurrence {
  const fields = text.trim().split(/\s+/);
  const [minutes = '', hours = '', dom = '', month = '', dow = ''] = fields;
  if (fields.length !== 5)
    throw new ScheduleError(
      `'${text.slice(0, 60)}' is no recurrence: it has five fields (minutes, hours, day of month, month, day of week), and not ${fields.length}.`,
    );
  for (const field of fields)
    // What cron of EventBridge has beside.
    if (/[?LW#]/.test(field.replaceAll(/[A-Za-z]{3}/g, '')))
      throw new ScheduleError(
        `'${field.slice(0, 20)}' is nothing that cron has: a recurrence takes *, numbers, names, lists, ranges and steps.`,
      );
  const of = (days: string, weekdays: string): Schedule =>
    parseSchedule(`cron(${minutes} ${hours} ${days} ${month} ${weekdays} *)`, zone);
  const weekdays = dow.split(',').map(weekdaysOf).join(',');
  if (dow === '*') return [of(dom, '?')];
  return dom === '*' ? [of('?', weekdays)] : [of(dom, '?'), of('?', weekdays)];
}

/** Weekdays of Unix, of which 0 is Sunday, as those of EventBridge, of which 1 is. A range that ends with 7 is cut in two. */
function weekdaysOf(part: string): string {
  const [range = '', step] = part.split('/');
  const [first = '', last] = range.split('-');
  if (!/^\d+$/.test(first)) return part;
  const suffix = step === undefined ? '' : `/${step}`;
  const [from, to] = [Number(first), last === undefined ? undefined : Number(last)];
  if (from > 7 || (to ?? 0) > 7)
    throw new ScheduleError(`'${part.slice(0, 20)}' is no day of week: they are 0 (Sunday) to 7 (Sunday), or names.`);
  if (to === undefined) return step === undefined ? String((from % 7) + 1) : `${(from % 7) + 1}-7${suffix}`;
  if (to < 7) return `${from + 1}-${to + 1}${suffix}`;
  if (step !== undefined)
    throw new ScheduleError(`'${part.slice(0, 20)}': a range of days of week with steps ends before Sunday (7).`);
  return from === 7 ? '1' : `1,${from + 1}-7`;
}

/** The first time after a moment at which a recurrence is due, or undefined when there is none any more. */
export function nextOfRecurrence(recurrence: Recurrence, bounds: Bounds, after: number): number | undefined {
  const times = recurrence.flatMap((one) => nextRun(one, bounds, after) ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}
