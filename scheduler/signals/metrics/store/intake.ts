import type { Clock } from '@slipway/storage/clock';
import { ConditionFailed, type Json, type RecordStore } from '@slipway/storage/records';

import { Accumulator } from './accumulator.ts';
import type { Catalog, KnownSeries } from './catalog.ts';
import { MetricsThrottled, type Sample } from './contract.ts';
import { metricKeys, metricsPartition } from './keys.ts';
import { packed, RunWriter } from './metric-file.ts';
import { type Buckets, runKey } from './runs.ts';
import { periodOf } from './times.ts';
import { unitCode } from './units.ts';

export interface IntakeLimits {
  /** How long samples wait for others, milliseconds. */
  readonly linger: number;
  /** Buckets with which a chunk goes at once, and that may wait to be written, of all accounts. */
  readonly chunkBuckets: number;
  readonly waitingBuckets: number;
  /** Values, each of which may be a step of a sketch, that may wait in samples that have several. */
  readonly waitingValues: number;
}
export const intakeLimits: IntakeLimits = {
  linger: 500,
  chunkBuckets: 50_000,
  waitingBuckets: 200_000,
  waitingValues: 2_000_000,
};

/** Chunks of one account on their way at a time. */
const flights = 2;
/** Bytes of runs in one row, unpacked. */
const rowBytes = 512 * 1024;

interface OpenRun {
  readonly known: KnownSeries;
  readonly unit: number;
  readonly seconds: Buckets;
  readonly minutes: Buckets;
}
interface Chunk {
  readonly runs: Map<string, OpenRun>;
  readonly done: PromiseWithResolvers<void>;
  /** The name that its samples are taken under, once. */
  readonly once?: string | undefined;
  buckets: number;
  values: number;
}

/** What all accounts may have waiting. */
export class Waiting {
  buckets = 0;
  values = 0;
}

/** What came in and went, for `/metrics`. */
export interface IntakeCounts {
  samples: number;
  buckets: number;
  commits: number;
}

/**
 * Takes in the samples of one account: those of half a second are added up to buckets and committed at once, and only then their
 * callers are answered. What that costs grows with the series, not with the callers.
 */
export class Intake {
  readonly #account: string;
  readonly #ports: { readonly records: RecordStore; readonly clock: Clock };
  readonly #catalog: Catalog;
  readonly #writer: number;
  readonly #limits: IntakeLimits;
  readonly #waiting: Waiting;
  readonly #counts: IntakeCounts;
  readonly #stop = new AbortController();
  readonly #flights = new Set<Promise<void>>();
  readonly #queue: Chunk[] = [];
  readonly #runWriter = new RunWriter();
  #open: Chunk | undefined;
  #chunks = 0;

  constructor(
    account: string,
    ports: { readonly records: RecordStore; readonly clock: Clock },
    catalog: Catalog,
    /** This process among all that write. */
    writer: number,
    limits: IntakeLimits,
    shared: { readonly waiting: Waiting; readonly counts: IntakeCounts },
  ) {
    this.#account = account;
    this.#ports = ports;
    this.#catalog = catalog;
    this.#writer = writer;
    this.#limits = limits;
    this.#waiting = shared.waiting;
    this.#counts = shared.counts;
  }

  /** Resolves when the samples are durable. @param once see `MetricStore.put`: they are written by themselves @throws MetricsThrottled when too much is waiting */
  take(samples: readonly Sample[], series: readonly KnownSeries[], once?: string): Promise<void> {
    const { waitingBuckets, waitingValues } = this.#limits;
    const values = samples.reduce((sum, { measured }) => sum + valuesOf(measured), 0);
    if (this.#waiting.buckets + samples.length > waitingBuckets || this.#waiting.values + values > waitingValues)
      return Promise.reject(
        new MetricsThrottled('metrics arrive faster than they can be stored; send them again', 2 * this.#limits.linger),
      );
    const chunk = once === undefined ? this.#chunk() : emptyChunk(once);
    const before = chunk.buckets;
    for (const [index, sample] of samples.entries()) this.#add(chunk, sample, series[index] as KnownSeries);
    this.#waiting.buckets += chunk.buckets - before;
    this.#waiting.values += values;
    chunk.values += values;
    this.#counts.samples += samples.length;
    if (once !== undefined) this.#send(chunk);
    else if (chunk.buckets >= this.#limits.chunkBuckets) this.#close(chunk);
    return chunk.done.promise;
  }

  /** Writes what was taken, and ends. */
  async close(): Promise<void> {
    if (this.#open !== undefined) this.#close(this.#open);
    this.#stop.abort();
    while (this.#flights.size > 0) await Promise.allSettled(this.#flights);
  }

  #add(chunk: Chunk, { timestamp, resolution, unit = 'None', measured }: Sample, known: KnownSeries): void {
    const code = unitCode(unit) as number;
    const key = runKey(known.id, code);
    let run = chunk.runs.get(key);
    if (run === undefined) {
      run = { known, unit: code, seconds: new Map(), minutes: new Map() };
      chunk.runs.set(key, run);
    }
    const buckets = resolution === 1 ? run.seconds : run.minutes;
    const time = periodOf(timestamp, resolution);
    let bucket = buckets.get(time);
    if (bucket === undefined) {
      bucket = new Accumulator();
      buckets.set(time, bucket);
      chunk.buckets++;
    }
    bucket.addMeasured(measured);
  }

  #chunk(): Chunk {
    if (this.#open !== undefined) return this.#open;
    const chunk = emptyChunk();
    this.#open = chunk;
    const over = (): void => this.#close(chunk);
    // What is taken after the end goes at once.
    this.#ports.clock.sleep(this.#limits.linger, this.#stop.signal).then(over, over);
    return chunk;
  }

  /** Nothing more comes into a chunk; again: nothing. */
  #close(chunk: Chunk): void {
    if (this.#open !== chunk) return;
    this.#open = undefined;
    this.#send(chunk);
  }

  #send(chunk: Chunk): void {
    this.#queue.push(chunk);
    this.#fly();
  }

  #fly(): void {
    if (this.#flights.size >= flights) return;
    const chunk = this.#queue.shift();
    if (chunk === undefined) return;
    const flight = this.#store(chunk)
      .finally(() => {
        this.#waiting.buckets -= chunk.buckets;
        this.#waiting.values -= chunk.values;
        this.#flights.delete(flight);
        this.#fly();
      })
      .then(chunk.done.resolve, chunk.done.reject);
    this.#flights.add(flight);
  }

  async #store(chunk: Chunk): Promise<void> {
    const { records, clock } = this.#ports;
    const parts = await Promise.all(this.#parts(chunk).map((part) => packed(part, 1)));
    const count = ++this.#chunks;
    const now = clock.now();
    const renewed = this.#catalog.renewed(Iterator.from(chunk.runs.values()).map(({ known }) => known));
    const put: { key: string; value: Json }[] = parts.map((part, index) => ({
      key: metricKeys.chunk(now, this.#writer, count, index),
      value: { data: part.toString('base64') },
    }));
    const name = chunk.once === undefined ? [] : [metricKeys.name(chunk.once)];
    try {
      await records.commit(metricsPartition(this.#account), {
        require: name.map((key) => ({ key, exists: false })),
        put: [...put, ...renewed.rows, ...name.map((key) => ({ key, value: now }))],
      });
    } catch (error) {
      if (error instanceof ConditionFailed) return;
      throw error;
    }
    renewed.done();
    this.#counts.buckets += chunk.buckets;
    this.#counts.commits++;
  }

  /** The runs as they are stored: those of each series behind each other, first its seconds, then its minutes. */
  #parts(chunk: Chunk): readonly Buffer[] {
    const { block } = this.#runWriter;
    const parts: Buffer[] = [];
    const end = (): void => {
      parts.push(Buffer.from(block.written()));
      block.clear();
    };
    for (const key of [...chunk.runs.keys()].sort()) {
      const { seconds, minutes } = chunk.runs.get(key) as OpenRun;
      this.#runWriter.write({ key, buckets: seconds }, 1);
      this.#runWriter.write({ key, buckets: minutes }, 60);
      if (block.length >= rowBytes) end();
    }
    if (block.length > 0) end();
    return parts;
  }
}

const emptyChunk = (once?: string): Chunk => ({
  runs: new Map(),
  done: Promise.withResolvers(),
  once,
  buckets: 0,
  values: 0,
});

const valuesOf = (measured: Sample['measured']): number =>
  typeof measured === 'object' && 'values' in measured ? measured.values.length : 0;
