/** Milliseconds of a slot: what is forecast is the load of each five minutes. */
export const slotLength = 300_000;
/** Slots of a day, and of what is forecast: two days. */
export const daySlots = 86_400_000 / slotLength;
export const forecastSlots = 2 * daySlots;
/** Days of history that are looked at. */
export const historyDays = 28;

/** Days that the same time of a day is looked for on, and weeks for the same time of a week. */
const days = 7;
const weeks = 4;
/** Days that say which rule would have been best. */
const judged = 7;
/** A rule by weeks needs the same weekday so often; days of which it is told apart. */
const leastWeeks = 2;

/** How a slot follows from those before it. */
export type Season = 'day' | 'week';

export interface Forecast {
  /** Of each slot from the first after the history on. */
  readonly loads: readonly number[];
  readonly season: Season;
}

/** The load of a slot, oldest first; undefined: nothing was measured. The last one is the newest that is over. */
export type History = readonly (number | undefined)[];

/**
 * Forecasts the load of the next two days: each slot is the median of what was at the same time of the last seven days, or of the same day of the last four
 * weeks, whichever of both rules would have been nearer on the last seven days. Medians have one bad day, or one outage, change nothing. Pure.
 * @param shift by how many slots the local time that people live by is ahead in a slot, which are counted from the first of the history on
 * @returns undefined: there are less than two days of history, or less than half of them was measured
 */
export function forecast(history: History, shift: Shift = () => 0): Forecast | undefined {
  const recent = history.slice(-2 * daySlots);
  if (recent.length < 2 * daySlots || recent.filter((load) => load !== undefined).length < daySlots) return undefined;
  const own: Seen = { loads: smoothed(history), shift };
  const season = nearer(history, own);
  const loads: number[] = [];
  for (let ahead = 0; ahead < forecastSlots; ahead++) {
    const slot = history.length + ahead;
    loads.push(estimate(own, slot, history.length, season) ?? estimate(own, slot, history.length, 'day') ?? 0);
  }
  return { loads, season };
}

/** By how many slots local time is ahead of that of the slots, in a slot. */
export type Shift = (slot: number) => number;

interface Seen {
  readonly loads: History;
  readonly shift: Shift;
}

/**
 * What a rule says of a slot, by slots before `known` alone.
 * @returns undefined: nothing was measured that it is told by
 */
function estimate({ loads, shift }: Seen, slot: number, known: number, season: Season): number | undefined {
  const step = season === 'day' ? daySlots : 7 * daySlots;
  const most = season === 'day' ? days : weeks;
  const found: number[] = [];
  for (let at = slot - step; at >= 0 && found.length < most && slot - at <= (most + 1) * step; at -= step) {
    // The same local time, also where clocks were changed in between.
    const same = at + shift(slot) - shift(at);
    const load = same < known ? loads[same] : undefined;
    if (load !== undefined) found.push(load);
  }
  if (season === 'week' && found.length < leastWeeks) return undefined;
  return median(found);
}

/** Which rule was nearer on the last days to what came: each of them told by what was known when it began. */
function nearer(history: History, own: Seen): Season {
  let [byDay, byWeek, seen] = [0, 0, 0];
  for (let day = 1; day <= judged; day++) {
    const begin = history.length - day * daySlots;
    for (let slot = Math.max(begin, 0); slot < begin + daySlots; slot++) {
      const came = history[slot];
      const of = came === undefined ? undefined : estimate(own, slot, begin, 'week');
      const other = of === undefined ? undefined : estimate(own, slot, begin, 'day');
      if (came === undefined || of === undefined || other === undefined) continue;
      byWeek += Math.abs(of - came);
      byDay += Math.abs(other - came);
      seen++;
    }
  }
  // A rule that could be judged on less than a day is none yet.
  return seen >= daySlots && byWeek < byDay ? 'week' : 'day';
}

/** Each slot as the median of itself and its neighbours: a peak of five minutes on one day is chance. */
function smoothed(history: History): History {
  return history.map((load, slot) =>
    load === undefined ? undefined : median([history[slot - 1], load, history[slot + 1]].flatMap((one) => one ?? [])),
  );
}

/** Of an even number, the mean of both in the middle. */
function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

/** How many tasks a load takes that is to be so much for each. */
export const tasksFor = (load: number, target: number): number => Math.ceil(load / target - 1e-9);

/**
 * The count that a forecast asks for at a moment: the most of the slots from then until the tasks that would be begun now have had their time.
 * @param from when the first slot began; milliseconds, as are `now` and `buffer`
 * @returns undefined: there is no forecast of then
 */
export function forecastFloor(
  {
    from,
    loads,
    target,
  }: { readonly from: number; readonly loads: readonly (number | null)[]; readonly target: number },
  now: number,
  buffer: number,
): { readonly tasks: number; readonly load: number; readonly at: number } | undefined {
  const first = Math.floor((now - from) / slotLength);
  const last = Math.floor((now + buffer - from) / slotLength);
  let most: { readonly tasks: number; readonly load: number; readonly at: number } | undefined;
  for (let slot = Math.max(first, 0); slot <= Math.min(last, loads.length - 1); slot++) {
    const load = loads[slot];
    if (load === undefined || load === null || (most !== undefined && load <= most.load)) continue;
    most = { tasks: tasksFor(load, target), load, at: from + slot * slotLength };
  }
  return most;
}
