import type { Bucket, Distribution } from './contract.ts';

/** A statistic of a bucket, read from its name; undefined where the bucket does not tell it. */
export type Statistic = (bucket: Bucket) => number | undefined;

const basic: Readonly<Record<string, Statistic>> = {
  SampleCount: ({ count }) => count,
  Average: ({ sum, count }) => sum / count,
  Sum: ({ sum }) => sum,
  Minimum: ({ min }) => min,
  Maximum: ({ max }) => max,
};

/** Where a range begins or ends: a part of all values (0 to 1), or a value. */
interface Bound {
  readonly at: number;
  readonly isPart: boolean;
}
type Trimmed = (kept: Kept, all: Bucket, outside: { readonly low: Kept; readonly high: Kept }) => number | undefined;

/** What of a distribution lies in a range, and its outermost values. */
interface Kept {
  readonly count: number;
  readonly sum: number;
  readonly first: number;
  readonly last: number;
}

const trimmed: Readonly<Record<string, Trimmed>> = {
  TM: ({ sum, count }) => (count === 0 ? undefined : sum / count),
  TC: ({ count }) => count,
  TS: ({ sum, count }) => (count === 0 ? undefined : sum),
  WM: ({ sum, count, first, last }, all, { low, high }) =>
    count === 0 ? undefined : (sum + low.count * first + high.count * last) / all.count,
  PR: ({ count }, all) => (count / all.count) * 100,
};

const percentile = /^p(\d{1,3}(?:\.\d{1,10})?)$/;
const shortForm = /^(tm|wm|tc|ts)(\d{1,3}(?:\.\d{1,10})?)$/;
const longForm = /^(TM|WM|TC|TS|PR)\(([-\d.eE+]*)(%?):([-\d.eE+]*)(%?)\)$/;
/** Longer is none of them. */
const mostCharacters = 100;

/** The names of the statistics that do not need a distribution. */
export const basicStatistics = Object.keys(basic);

/**
 * Reads the name of a statistic (CloudWatch User Guide, "statistics definitions"): `Average`, `p99.9`, `tm90`, `TM(10%:90%)`, `WM`,
 * `TC`, `TS`, `PR(:300)`, `IQM`. Percentiles are the smallest value that so many are not above, within 1 % (`relativeError`).
 * @returns undefined for anything else
 */
export function statisticOf(name: string): Statistic | undefined {
  if (name.length > mostCharacters) return undefined;
  if (Object.hasOwn(basic, name)) return basic[name];
  const [, at] = percentile.exec(name) ?? [];
  if (at !== undefined) return Number(at) > 100 ? undefined : percentileOf(Number(at) / 100);
  if (name === 'IQM') return range('TM', { at: 0.25, isPart: true }, { at: 0.75, isPart: true });
  const [, short, upTo] = shortForm.exec(name) ?? [];
  if (Number(upTo) > 100) return undefined;
  if (short !== undefined)
    return range(short.toUpperCase(), { at: 0, isPart: true }, { at: Number(upTo) / 100, isPart: true });
  const [, long, low = '', lowPart, high = '', highPart] = longForm.exec(name) ?? [];
  if (long === undefined || (low === '' && high === '')) return undefined;
  if (low !== '' && high !== '' && lowPart !== highPart) return undefined;
  const isPart = lowPart === '%' || highPart === '%';
  if (isPart && long === 'PR') return undefined;
  const from = bound(low, isPart, isPart ? 0 : -Infinity);
  const to = bound(high, isPart, isPart ? 1 : Infinity);
  if (from === undefined || to === undefined || from.at >= to.at) return undefined;
  return range(long, from, to);
}

function bound(text: string, isPart: boolean, otherwise: number): Bound | undefined {
  if (text === '') return { at: otherwise, isPart };
  const at = isPart ? Number(text) / 100 : Number(text);
  if (!Number.isFinite(at) || (isPart && (at < 0 || at > 1))) return undefined;
  return { at, isPart };
}

const percentileOf =
  (part: number): Statistic =>
  ({ distribution, count, min, max }) => {
    if (distribution === undefined) return undefined;
    let seen = 0;
    const rank = part * count;
    for (const [index, value] of distribution.values.entries()) {
      seen += distribution.counts[index] as number;
      if (seen >= rank) return index === 0 && part === 0 ? min : Math.min(max, Math.max(min, value));
    }
    return max;
  };

const range =
  (name: string, from: Bound, to: Bound): Statistic =>
  (bucket) => {
    const { distribution } = bucket;
    if (distribution === undefined) return undefined;
    const limits = [from, to].map(({ at, isPart }) => (isPart ? at * bucket.count : at)) as [number, number];
    const pick = from.isPart ? byRank : byValue;
    const kept = pick(distribution, bucket, limits[0], limits[1]);
    const low = pick(distribution, bucket, -Infinity, limits[0]);
    const high = pick(distribution, bucket, limits[1], Infinity);
    return (trimmed[name] as Trimmed)(kept, bucket, { low, high });
  };

/** The values from one rank to another, where those at the ends may count in part. */
function byRank(distribution: Distribution, bucket: Bucket, from: number, to: number): Kept {
  let seen = 0;
  return gathered(distribution, bucket, (_, count) => {
    const begin = seen;
    seen += count;
    return Math.max(0, Math.min(seen, to) - Math.max(begin, from));
  });
}

/** The values above one and up to another. */
const byValue = (distribution: Distribution, bucket: Bucket, above: number, upTo: number): Kept =>
  gathered(distribution, bucket, (value, count) => (value > above && value <= upTo ? count : 0));

function gathered(
  { values, counts }: Distribution,
  { min, max }: Bucket,
  part: (value: number, count: number) => number,
): Kept {
  let [count, sum, first, last] = [0, 0, 0, 0];
  for (const [index, stands] of values.entries()) {
    const value = Math.min(max, Math.max(min, stands));
    const taken = part(value, counts[index] as number);
    if (taken <= 0) continue;
    if (count === 0) first = value;
    last = value;
    count += taken;
    sum += taken * value;
  }
  return { count, sum, first, last };
}
