import { Accumulator } from '../accumulator.ts';
import { checkSample } from '../checks.ts';
import type { Bucket, MetricStore, ReadRange, Sample, Series, SeriesFilter, SeriesPage } from '../contract.ts';
import { identityOf, sortedDimensions } from '../identity.ts';
import { isSelected } from '../select.ts';
import { isKept, periodOf, resolutionFor } from '../times.ts';

/** The metric store as one list in memory, without limits: what the real one is held against, and fast in tests. */
export class MemoryMetrics implements MetricStore {
  readonly #now: () => number;
  readonly #accounts = new Map<string, Sample[]>();
  readonly #names = new Set<string>();

  /** @param now milliseconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  put(account: string, samples: readonly Sample[], once?: string): Promise<void> {
    try {
      for (const sample of samples) checkSample(sample);
    } catch (error) {
      return Promise.reject(error);
    }
    if (once !== undefined && this.#names.has(`${account} ${once}`)) return Promise.resolve();
    if (once !== undefined) this.#names.add(`${account} ${once}`);
    const known = this.#accounts.get(account) ?? [];
    known.push(...samples);
    this.#accounts.set(account, known);
    return Promise.resolve();
  }

  read(account: string, series: readonly Series[], range: ReadRange): Promise<readonly (readonly Bucket[])[]> {
    const samples = this.#accounts.get(account) ?? [];
    return Promise.resolve(series.map((one) => this.#buckets(samples, one, range)));
  }

  list(account: string, filter: SeriesFilter): Promise<SeriesPage> {
    const { since = 0, after = '', limit } = filter;
    const found = new Map<string, Series>();
    for (const sample of this.#accounts.get(account) ?? []) {
      const { namespace, name, dimensions, timestamp } = sample;
      if (timestamp < since || !isSelected(sample, filter)) continue;
      found.set(identityOf(sample), { namespace, name, dimensions: sortedDimensions(dimensions) });
    }
    const keys = [...found.keys()].filter((key) => key > after).toSorted();
    const page = keys.slice(0, limit);
    return Promise.resolve({
      series: page.map((key) => found.get(key) as Series),
      ...(keys.length > limit ? { next: page.at(-1) as string } : {}),
    });
  }

  #buckets(
    samples: readonly Sample[],
    series: Series,
    { from, to, period, unit: wanted, distributions = true }: ReadRange,
  ): Bucket[] {
    const identity = identityOf(series);
    const start = periodOf(from, period);
    const kept = resolutionFor(period);
    const found = new Map<number, { readonly added: Accumulator; unit: string }>();
    for (const sample of samples) {
      const { unit = 'None', resolution, timestamp } = sample;
      if (identityOf(sample) !== identity || (wanted !== undefined && unit !== wanted)) continue;
      const time = periodOf(timestamp, period);
      if (time < start || time >= to) continue;
      if (resolution > kept.seconds || !isKept(periodOf(timestamp, kept.seconds), kept, this.#now())) continue;
      const bucket = found.get(time) ?? { added: new Accumulator(), unit };
      bucket.added.addMeasured(sample.measured);
      if (bucket.unit !== unit) bucket.unit = 'None';
      found.set(time, bucket);
    }
    return Array.from(found, ([time, { added, unit }]) => added.bucket(time, unit, distributions)).toSorted(
      (one, other) => one.time - other.time,
    );
  }
}
