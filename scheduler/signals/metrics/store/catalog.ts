import type { Clock } from '@slipway/storage/clock';
import { ConditionFailed, type Json, type RecordStore } from '@slipway/storage/records';

import { type Sample, type Series, type SeriesFilter, type SeriesPage, TooManySeries } from './contract.ts';
import { identityOf, metricId, seriesId, sortedDimensions } from './identity.ts';
import { metricKeys, metricsPartition } from './keys.ts';
import type { CountRecord, SeriesRecord } from './records.ts';
import { isSelected } from './select.ts';

export interface CatalogLimits {
  /** Series that an account may have: those that reported within 15 days. */
  readonly series: number;
  /** Characters that their names and dimensions may have, together. */
  readonly characters: number;
}
export const catalogLimits: CatalogLimits = { series: 50_000, characters: 32 * 1024 * 1024 };

/** How old what is known of when a series reported may be: to go on unchanged, and to be relied on at all. Milliseconds. */
const seenPace = 30 * 60_000;
const knownFor = 24 * 3_600_000;
/** Rows that one commit adds or renews, and that one page of a list looks at. */
const atOnce = 1000;

/** A series as a server knows it. */
export interface KnownSeries {
  readonly id: string;
  readonly series: Series;
  /** What its row says. */
  seen: number;
}

/** The series of one account: who has reported, and how many there may be. */
export class Catalog {
  readonly #account: string;
  readonly #ports: { readonly records: RecordStore; readonly clock: Clock };
  readonly #limits: CatalogLimits;
  readonly #known = new Map<string, KnownSeries>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    account: string,
    ports: { readonly records: RecordStore; readonly clock: Clock },
    limits: CatalogLimits = catalogLimits,
  ) {
    this.#account = account;
    this.#ports = ports;
    this.#limits = limits;
  }

  /**
   * The series of samples, in their order, each with a row.
   * @throws TooManySeries when some have none and may get none; StoreUnavailable
   */
  async admit(samples: readonly Sample[]): Promise<readonly KnownSeries[]> {
    const now = this.#ports.clock.now();
    // Those that are gone for long need not be known for ever.
    if (this.#known.size > 2 * this.#limits.series) this.#known.clear();
    const identities = samples.map(identityOf);
    const found = identities.map((identity) => this.#known.get(identity));
    const strange = new Map<string, Series>();
    for (const [index, known] of found.entries()) {
      if (known === undefined || Math.abs(now - known.seen) > knownFor)
        strange.set(identities[index] as string, samples[index] as Sample);
    }
    if (strange.size === 0) return found as readonly KnownSeries[];
    // One after the other: whoever comes later may find them known.
    const turn = this.#turn.then(() => this.#register(strange));
    this.#turn = turn.catch(() => undefined);
    const registered = await turn;
    return identities.map((identity, index) => registered.get(identity) ?? (found[index] as KnownSeries));
  }

  /** Rows that say anew when these series reported, as far as that is due; `done` once they are written. */
  renewed(series: Iterable<KnownSeries>): {
    readonly rows: readonly { readonly key: string; readonly value: Json }[];
    readonly done: () => void;
  } {
    const now = this.#ports.clock.now();
    const due: KnownSeries[] = [];
    for (const known of series) {
      if (Math.abs(now - known.seen) > seenPace) due.push(known);
      if (due.length === atOnce) break;
    }
    return {
      rows: due.map(({ id, series: one }) => rowOf(id, one, now)),
      done: () => {
        for (const known of due) known.seen = now;
      },
    };
  }

  /** See `MetricStore.list`. */
  async list(filter: SeriesFilter): Promise<SeriesPage> {
    const { namespace, name, since = 0, after = '', limit } = filter;
    const prefix = namespace === undefined || name === undefined ? '' : metricId(namespace, name);
    const { records, more } = await this.#ports.records.list<SeriesRecord>(this.#partition, {
      prefix: metricKeys.seriesOf(prefix),
      ...(after === '' ? {} : { after: metricKeys.seriesOf(after) }),
      limit: atOnce,
    });
    const found: Series[] = [];
    for (const { key, value } of records) {
      if (value.seen + seenPace < since || !isSelected(value, filter)) continue;
      found.push({ namespace: value.namespace, name: value.name, dimensions: value.dimensions });
      if (found.length === limit) return { series: found, next: key.slice(metricKeys.series.length) };
    }
    const last = records.at(-1);
    return more && last !== undefined
      ? { series: found, next: last.key.slice(metricKeys.series.length) }
      : { series: found };
  }

  async #register(strange: ReadonlyMap<string, Series>): Promise<ReadonlyMap<string, KnownSeries>> {
    const registered = new Map<string, KnownSeries>();
    const all = Array.from(strange, ([identity, series]) => ({ identity, series, id: seriesId(series, identity) }));
    for (let from = 0; from < all.length; from += atOnce) {
      const some = all.slice(from, from + atOnce);
      for (let attempt = 1; ; attempt++) {
        try {
          for (const [identity, known] of await this.#registerSome(some)) registered.set(identity, known);
          break;
        } catch (error) {
          // Another server added some as well.
          if (!(error instanceof ConditionFailed) || attempt >= 20) throw error;
        }
      }
    }
    for (const [identity, known] of registered) this.#known.set(identity, known);
    return registered;
  }

  async #registerSome(
    some: readonly { readonly identity: string; readonly series: Series; readonly id: string }[],
  ): Promise<ReadonlyMap<string, KnownSeries>> {
    const { records, clock } = this.#ports;
    const now = clock.now();
    const rows = await records.getMany<SeriesRecord>(
      this.#partition,
      some.map(({ id }) => metricKeys.seriesOf(id)),
    );
    const known = (id: string): SeriesRecord | undefined => rows.get(metricKeys.seriesOf(id))?.value;
    // What was not seen for long is about to go: it is counted with those that its row is renewed with.
    const added = some.filter(({ id }) => known(id) === undefined);
    const renewed = some.filter(({ id }) => Math.abs(now - (known(id)?.seen ?? now)) > seenPace);
    if (added.length > 0 || renewed.length > 0) {
      const count = await records.get<CountRecord>(this.#partition, metricKeys.count);
      const before = count?.value ?? { series: 0, characters: 0 };
      const characters = added.reduce((sum, { identity }) => sum + identity.length, 0);
      const after = { series: before.series + added.length, characters: before.characters + characters };
      if (added.length > 0) this.#check(after);
      await records.commit(this.#partition, {
        require: [
          count === undefined
            ? { key: metricKeys.count, exists: false }
            : { key: metricKeys.count, version: count.version },
          ...added.map(({ id }) => ({ key: metricKeys.seriesOf(id), exists: false })),
          ...renewed.map(({ id }) => ({ key: metricKeys.seriesOf(id), exists: true })),
        ],
        put: [
          { key: metricKeys.count, value: after },
          ...[...added, ...renewed].map(({ id, series }) => rowOf(id, series, now)),
        ],
      });
    }
    const young = new Set(renewed.map(({ id }) => id));
    return new Map(
      some.map(({ identity, id, series }) => [
        identity,
        { id, series: nothingElse(series), seen: young.has(id) ? now : (known(id)?.seen ?? now) },
      ]),
    );
  }

  /** @throws TooManySeries */
  #check({ series, characters }: CountRecord): void {
    const { series: most, characters: mostCharacters } = this.#limits;
    const instead = 'Use fewer values of dimensions: one that is of a request or a container makes a metric each time.';
    if (series > most)
      throw new TooManySeries(
        `The account has ${most} metrics that reported within 15 days, and may have no more. ${instead}`,
      );
    if (characters > mostCharacters)
      throw new TooManySeries(
        `The names and dimensions of the account's metrics take ${mostCharacters} characters, and may take no more. ${instead}`,
      );
  }

  get #partition(): string {
    return metricsPartition(this.#account);
  }
}

/** A series without what else the sample that it came with says. */
const nothingElse = ({ namespace, name, dimensions }: Series): Series => ({
  namespace,
  name,
  dimensions: sortedDimensions(dimensions).map((one) => ({ name: one.name, value: one.value })),
});

function rowOf(id: string, series: Series, seen: number): { readonly key: string; readonly value: Json } {
  const value: SeriesRecord = { ...nothingElse(series), seen };
  return { key: metricKeys.seriesOf(id), value: value as unknown as Json };
}
