import type { Log } from '@slipway/auth/contract';
import type { BlobStore } from '@slipway/storage/blobs';
import type { Clock } from '@slipway/storage/clock';
import type { Leases } from '@slipway/storage/leases';
import type { RecordStore } from '@slipway/storage/records';

import type { RandomBytes } from '../../../state/index.ts';

import { Catalog, type CatalogLimits, catalogLimits } from './catalog.ts';
import { checkSample } from './checks.ts';
import { type CompactionLimits, compactionLimits } from './compaction.ts';
import type { Bucket, MetricStore, ReadRange, Sample, Series, SeriesFilter, SeriesPage } from './contract.ts';
import { Intake, type IntakeCounts, type IntakeLimits, intakeLimits, Waiting } from './intake.ts';
import { Keeper } from './keeper.ts';
import { metricKeys, metricsPartition } from './keys.ts';
import { MetricBlobs } from './metric-blobs.ts';
import { readMetrics } from './reading.ts';

export interface MetricsPorts {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
}

export interface MetricStoreOptions {
  /** Bytes on disk that the metrics of all accounts may take; beyond them files of the largest account go, the finest and oldest first. Asked each minute. */
  readonly maxBytes: () => number;
  readonly catalog?: Partial<CatalogLimits> | undefined;
  readonly intake?: Partial<IntakeLimits> | undefined;
  readonly compaction?: Partial<CompactionLimits> | undefined;
}

/** What one server holds of an account. */
interface OfAccount {
  readonly catalog: Catalog;
  readonly intake: Intake;
}

/** Metrics on blobs and records. Nothing runs before it is used; `keep` does the upkeep. */
export class StoredMetrics implements MetricStore {
  readonly keeper: Keeper;
  /** What came in on this server, and what of it was written. */
  readonly counts: IntakeCounts = { samples: 0, buckets: 0, commits: 0 };
  readonly #waiting = new Waiting();
  readonly #ports: MetricsPorts;
  readonly #blobs: MetricBlobs;
  readonly #options: MetricStoreOptions;
  readonly #accounts = new Map<string, OfAccount>();
  readonly #writer: number;

  constructor(ports: MetricsPorts, options: MetricStoreOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#blobs = new MetricBlobs(ports.blobs);
    this.#writer = Buffer.from(ports.random(6)).readUIntBE(0, 6);
    this.keeper = new Keeper({ ...ports, maxBytes: options.maxBytes }, this.#blobs, {
      ...compactionLimits,
      ...options.compaction,
    });
  }

  /** Buckets that wait to be written. */
  get waiting(): number {
    return this.#waiting.buckets;
  }

  async put(account: string, samples: readonly Sample[], once?: string): Promise<void> {
    for (const sample of samples) checkSample(sample);
    if (samples.length === 0) return;
    const { catalog, intake } = this.#of(account);
    if (once === undefined) return intake.take(samples, await catalog.admit(samples));
    if (!/^[\w/-]{1,200}$/.test(once)) throw new RangeError('a name of samples has 1 to 200 letters, digits, - and /');
    if ((await this.#ports.records.get(metricsPartition(account), metricKeys.name(once))) !== undefined) return;
    await intake.take(samples, await catalog.admit(samples), once);
  }

  /** See {@link Keeper.room}. */
  room(): { readonly stored: number; readonly limit: number } | undefined {
    return this.keeper.room();
  }

  read(account: string, series: readonly Series[], range: ReadRange): Promise<readonly (readonly Bucket[])[]> {
    const { records, clock } = this.#ports;
    return readMetrics(records, this.#blobs, account, clock.now(), series, range);
  }

  list(account: string, filter: SeriesFilter): Promise<SeriesPage> {
    return this.#of(account).catalog.list(filter);
  }

  /** Compacts and lets go of what is over, on one server at a time, until the signal aborts. It never rejects. */
  keep(signal: AbortSignal): Promise<void> {
    return this.keeper.run(signal);
  }

  /** Writes what was taken in, and ends. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#accounts.values(), ({ intake }) => intake.close()));
  }

  #of(account: string): OfAccount {
    const known = this.#accounts.get(account);
    if (known !== undefined) return known;
    const catalog = new Catalog(account, this.#ports, { ...catalogLimits, ...this.#options.catalog });
    const limits = { ...intakeLimits, ...this.#options.intake };
    const shared = { waiting: this.#waiting, counts: this.counts };
    const made = { catalog, intake: new Intake(account, this.#ports, catalog, this.#writer, limits, shared) };
    this.#accounts.set(account, made);
    return made;
  }
}
