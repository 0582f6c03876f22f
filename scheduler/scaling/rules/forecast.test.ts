import { describe, expect, test } from 'vitest';

import { shiftIn } from './zone-shift.ts';
import { daySlots, forecast, forecastFloor, forecastSlots, type History, slotLength } from './forecast.ts';

/** What a day looks like: little at night, most at noon. */
const day = (slot: number): number => 100 - 80 * Math.cos((2 * Math.PI * (slot % daySlots)) / daySlots);
const historyOf = (days: number, load: (slot: number) => number | undefined): History =>
  Array.from({ length: days * daySlots }, (_, slot) => load(slot));
const weekday = (slot: number): number => (Math.floor(slot / daySlots) % 7 < 5 ? day(slot) : 10);

/** The rule as its sentence says it, slowly. */
function oracle(history: History): readonly number[] | undefined {
  const value = (slot: number, before: number): number | undefined => {
    if (slot < 0 || slot >= before || history[slot] === undefined) return undefined;
    const near = [slot - 1, slot, slot + 1].map((one) => history[one]).filter((one) => one !== undefined);
    return middle(near);
  };
  const told = (slot: number, before: number, every: number, most: number, least: number): number | undefined => {
    const all = [];
    for (let back = 1; back <= most + 1; back++) all.push(value(slot - back * every * daySlots, before));
    const found = all.filter((one) => one !== undefined).slice(0, most);
    return found.length < least ? undefined : middle(found);
  };
  const daily = (slot: number, before: number) => told(slot, before, 1, 7, 1);
  const weekly = (slot: number, before: number) => told(slot, before, 7, 4, 2);
  const { length } = history;
  const last = history.slice(-2 * daySlots);
  if (length < 2 * daySlots || last.filter((one) => one !== undefined).length < daySlots) return undefined;
  const errors = { day: [] as number[], week: [] as number[] };
  for (let slot = Math.max(0, length - 7 * daySlots); slot < length; slot++) {
    const before = length - Math.ceil((length - slot) / daySlots) * daySlots;
    const [came, a, b] = [history[slot], daily(slot, before), weekly(slot, before)];
    if (came === undefined || a === undefined || b === undefined) continue;
    errors.day.push(Math.abs(a - came));
    errors.week.push(Math.abs(b - came));
  }
  const sum = (all: readonly number[]): number => all.reduce((total, one) => total + one, 0);
  const byWeek = errors.week.length >= daySlots && sum(errors.week) < sum(errors.day);
  return Array.from({ length: forecastSlots }, (_, ahead) => {
    const slot = length + ahead;
    return (byWeek ? weekly(slot, length) : undefined) ?? daily(slot, length) ?? 0;
  });
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(half)] ?? 0)
    : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}

/** How far a forecast is from what comes, at most. */
const farthest = (loads: readonly number[], begin: number, comes: (slot: number) => number): number =>
  Math.max(...loads.map((load, ahead) => Math.abs(load - comes(begin + ahead))));

describe('a forecast', () => {
  test('needs two days of history, of which half was measured', () => {
    expect(forecast(historyOf(1, day))).toBeUndefined();
    expect(forecast(historyOf(2, day))?.loads).toHaveLength(forecastSlots);
    expect(forecast(historyOf(2, (slot) => (slot % 5 < 2 ? day(slot) : undefined)))).toBeUndefined();
  });

  test('of days that are alike is what they were', () => {
    for (const days of [2, 3, 8, 28]) {
      const { loads = [], season } = forecast(historyOf(days, day)) ?? {};
      expect(farthest(loads, days * daySlots, day)).toBeLessThan(1);
      expect(season).toBe('day');
    }
  });

  test('knows working days from weekends, once it has seen three weeks', () => {
    const known = forecast(historyOf(24, weekday));
    expect(known?.season).toBe('week');
    expect(farthest(known?.loads ?? [], 24 * daySlots, weekday)).toBeLessThan(1);
    expect(forecast(historyOf(9, weekday))?.season).toBe('day');
  });

  test('is not moved by one bad day, an outage or a peak of five minutes', () => {
    const bad = historyOf(6, (slot) => (Math.floor(slot / daySlots) === 3 ? 5000 : day(slot)));
    expect(farthest(forecast(bad)?.loads ?? [], 6 * daySlots, day)).toBeLessThan(1);
    const away = historyOf(6, (slot) => (Math.floor(slot / daySlots) === 4 ? undefined : day(slot)));
    expect(farthest(forecast(away)?.loads ?? [], 6 * daySlots, day)).toBeLessThan(1);
    const peak = historyOf(2, (slot) => (slot === daySlots + 100 ? 5000 : day(slot)));
    expect(farthest(forecast(peak)?.loads ?? [], 2 * daySlots, day)).toBeLessThan(2);
  });

  test('of anything is what the slow rule says, lies between what was seen, and grows with it', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = numbers(seed);
      const days = 2 + Math.floor(random() * 26);
      const gaps = random() * 0.4;
      const history = historyOf(days, (slot) =>
        random() < gaps ? undefined : (seed % 2 === 0 ? weekday(slot) : day(slot)) * (0.5 + random()),
      );
      const made = forecast(history)?.loads;
      expect(made, `seed ${seed}`).toEqual(oracle(history));
      const seen = history.flatMap((load) => load ?? []);
      expect(Math.max(...(made ?? []))).toBeLessThanOrEqual(Math.max(...seen));
      expect(Math.min(...(made ?? []))).toBeGreaterThanOrEqual(0);
      const doubled = forecast(history.map((load) => (load === undefined ? undefined : load * 2)))?.loads;
      expect(doubled).toEqual(made?.map((load) => load * 2));
    }
  });
});

test.each([
  ['summer ends', '2026-10-18T00:00:00Z', -12],
  ['summer begins', '2026-03-22T00:00:00Z', 12],
])('days that are alike by the clock stay what they were when %s', (_, first, change) => {
  const from = Date.parse(first);
  const days = 8;
  const shift = shiftIn('Europe/Berlin', from, from + (days + 2) * daySlots * slotLength);
  expect(shift(days * daySlots) - shift(0)).toBe(change);
  const local = (slot: number): number => day(slot + shift(slot));
  const history = historyOf(days, local);
  expect(farthest(forecast(history, shift)?.loads ?? [], days * daySlots, local)).toBeLessThan(1);
  // By UTC they come an hour too late or too soon for as long as most days were before.
  expect(farthest(forecast(history)?.loads ?? [], days * daySlots, local)).toBeGreaterThan(10);
});

test('a zone without summer, and one behind UTC by less than an hour, are ahead by as much always', () => {
  const from = Date.parse('2026-01-01T00:00:00Z');
  const of = (zone: string) => {
    const shift = shiftIn(zone, from, from + 365 * daySlots * slotLength);
    return [shift(0), shift(180 * daySlots)];
  };
  expect([of('UTC'), of('Asia/Kathmandu'), of('Pacific/Marquesas')]).toEqual([
    [0, 0],
    [69, 69],
    [-114, -114],
  ]);
});

test('the count that a forecast asks for is that of the most in the time that tasks need', () => {
  const from = 1000 * slotLength;
  const loads = [100, 120, 400, null, 90];
  const floor = (slot: number, buffer: number) =>
    forecastFloor({ from, loads, target: 60 }, from + slot * slotLength, buffer);
  expect(floor(0, 0)).toEqual({ tasks: 2, load: 100, at: from });
  expect(floor(0, 2 * slotLength)).toEqual({ tasks: 7, load: 400, at: from + 2 * slotLength });
  expect(floor(1, 0)?.tasks).toBe(2);
  expect(floor(3, 0)).toBeUndefined();
  expect(floor(4, 3_600_000)?.tasks).toBe(2);
  expect(floor(5, 0)).toBeUndefined();
  expect(floor(-2, slotLength)).toBeUndefined();
});

function numbers(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e37_79b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 4_294_967_296;
  };
}
