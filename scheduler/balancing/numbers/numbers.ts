import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { project, type RecordStore, scanAll } from '@slipway/storage/records';

import { addCodes, addCounts, type Codes, type Counts, countsBetween, noCodes, noCounts } from '../engines/index.ts';

import { numbersKeys, numbersPartition } from './keys.ts';
import type { BalancerSample, GroupSample, ListenerSample, Sample, TargetSample } from './records.ts';

export interface NumbersOptions {
  readonly account: string;
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** What all engines together have carried to a group. */
export interface GroupNumbers {
  readonly id: string;
  readonly name: string;
  readonly loadBalancer: string;
  readonly inFlight: number;
  /** Since the group was first used, targets included that are gone. */
  readonly counts: Counts;
  /** Of the last minute, or of the seconds that are known. */
  readonly recent: { readonly seconds: number; readonly counts: Counts };
  /** By registration. */
  readonly targets: ReadonlyMap<string, TargetSample>;
}

/** How often a group was asked in the last looks at its engines. */
export interface GroupRates {
  readonly perMinute: readonly number[];
  /** In all of these looks, and the minutes that they took. */
  readonly requests: number;
  readonly minutes: number;
  readonly targets: number;
}

/** What all engines together have done for a load balancer. */
export interface BalancerNumbers {
  readonly id: string;
  readonly name: string;
  readonly engineCodes: Codes;
  /** By id. */
  readonly listeners: ReadonlyMap<string, ListenerSample>;
}

const retryAfter = 1_000;
const limit = 1_000;
/** Milliseconds that recent numbers are about. */
const window = 60_000;

/** Milliseconds after which an engine that has counted nothing new is one that nobody asks anything. */
const silentAfter = 12_000;

/** A sum of an engine's for a group, as it was at a time. */
interface Point {
  readonly at: number;
  /** When the engine was looked at before: looks at which nothing was new have no point. */
  readonly since: number | undefined;
  readonly counts: Counts;
}

/**
 * The numbers of an account's load balancers, kept in the memory of every process that may be asked for them; they come by way of the
 * records from whoever drives the engines.
 */
export class TrafficNumbers {
  readonly #options: NumbersOptions;
  readonly #samples = new Map<string, Sample>();
  /** By key: earlier sums of a group, the oldest first. One of them is older than the window, unless all are younger. */
  readonly #history = new Map<string, Point[]>();
  readonly #loaded = Promise.withResolvers<void>();

  constructor(options: NumbersOptions) {
    this.#options = options;
  }

  /** Follows the numbers until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    const { account, records, clock, log } = this.#options;
    const partition = numbersPartition(account);
    return project(
      records,
      partition,
      {
        load: async () => {
          const rows = await scanAll<Sample>(records, partition, { prefix: numbersKeys.samples, limit });
          const found = new Set(rows.map(({ key }) => key));
          for (const key of this.#samples.keys()) if (!found.has(key)) this.#forget(key);
          for (const { key, value } of rows) this.#take(key, value);
          this.#loaded.resolve();
        },
        apply: (changes) => {
          for (const change of changes)
            if (change.kind === 'removed') this.#forget(change.key);
            else this.#take(change.key, change.value as unknown as Sample);
        },
        interrupted: (err) => log.warn({ account, err }, 'cannot follow the numbers of load balancers; trying again'),
        retryAfter,
      },
      { clock, signal },
    );
  }

  /** Resolves when everything that was counted before is known. */
  get loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  /** Every group that was ever used and is still there, by name. */
  groups(): readonly GroupNumbers[] {
    const samples = [...this.#samples].flatMap(([key, sample]) => (sample.kind === 'group' ? [{ key, sample }] : []));
    return [...Map.groupBy(samples, ({ sample }) => sample.id)]
      .map(([id, of]) => this.#group(id, of))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  group(id: string): GroupNumbers | undefined {
    const samples = [...this.#samples].flatMap(([key, sample]) =>
      sample.kind === 'group' && sample.id === id ? [{ key, sample }] : [],
    );
    return samples.length === 0 ? undefined : this.#group(id, samples);
  }

  /**
   * How often a group was asked in the last looks at its engines, in requests a minute: all engines together, the newest first.
   * @param looks as many, or fewer where fewer are known
   * @returns undefined for a group that nothing was counted for
   */
  rates(id: string, looks: number): GroupRates | undefined {
    const now = this.#options.clock.now();
    const of = [...this.#samples].flatMap(([key, sample]) =>
      sample.kind === 'group' && sample.id === id ? [{ sample, points: this.#history.get(key) ?? [] }] : [],
    );
    if (of.length === 0) return undefined;
    const known = of.map(({ points }) => spansOf(points, now, looks));
    const length = Math.min(...known.map((spans) => spans.length));
    return {
      perMinute: Array.from({ length }, (_, i) => known.reduce((sum, spans) => sum + (spans[i]?.perMinute ?? 0), 0)),
      requests: known.flat().reduce((sum, { requests }) => sum + requests, 0),
      minutes: Math.max(...known.map((spans) => spans.reduce((sum, { minutes }) => sum + minutes, 0))),
      targets: new Set(of.flatMap(({ sample }) => Object.keys(sample.targets))).size,
    };
  }

  /** The same of load balancers. */
  balancers(): readonly BalancerNumbers[] {
    const samples = [...this.#samples.values()].filter(
      (sample): sample is BalancerSample => sample.kind === 'balancer',
    );
    return [...Map.groupBy(samples, ({ id }) => id)]
      .map(([id, of]): BalancerNumbers => {
        const listeners = new Map<string, ListenerSample>();
        for (const [listener, one] of of.flatMap((sample) => Object.entries(sample.listeners))) {
          const before = listeners.get(listener);
          listeners.set(listener, {
            port: one.port,
            activeConnections: one.activeConnections + (before?.activeConnections ?? 0),
            connections: one.connections + (before?.connections ?? 0),
            requests: one.requests + (before?.requests ?? 0),
          });
        }
        const engineCodes = of.reduce((sum, sample) => addCodes(sum, sample.engineCodes), noCodes);
        return { id, name: of[0]?.name ?? '', engineCodes, listeners };
      })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  #group(id: string, samples: readonly { readonly key: string; readonly sample: GroupSample }[]): GroupNumbers {
    const now = this.#options.clock.now();
    const targets = new Map<string, TargetSample>();
    let counts = noCounts;
    let recent = noCounts;
    let seconds = 0;
    for (const { key, sample } of samples) {
      const sum = sumOf(sample);
      counts = addCounts(counts, sum);
      const from = this.#history.get(key)?.findLast(({ at }) => at <= now - window) ?? this.#history.get(key)?.[0];
      if (from !== undefined) {
        recent = addCounts(recent, countsBetween(from.counts, sum));
        seconds = Math.max(seconds, Math.min(window, now - from.at) / 1000);
      }
      for (const [registration, one] of Object.entries(sample.targets)) {
        const before = targets.get(registration);
        targets.set(registration, {
          inFlight: one.inFlight + (before?.inFlight ?? 0),
          counts: addCounts(one.counts, before?.counts ?? noCounts),
        });
      }
    }
    const inFlight = [...targets.values()].reduce((sum, one) => sum + one.inFlight, 0);
    const [first] = samples;
    const { name = '', loadBalancer = '' } = first?.sample ?? {};
    return { id, name, loadBalancer, inFlight, counts, recent: { seconds, counts: recent }, targets };
  }

  #take(key: string, sample: Sample): void {
    this.#samples.set(key, sample);
    if (sample.kind !== 'group') return;
    const points = this.#history.getOrInsertComputed(key, () => []);
    points.push({ at: sample.at, since: sample.since, counts: sumOf(sample) });
    while (points[1] !== undefined && points[1].at <= sample.at - window) points.shift();
  }

  #forget(key: string): void {
    this.#samples.delete(key);
    this.#history.delete(key);
  }
}

interface Span {
  readonly perMinute: number;
  readonly requests: number;
  readonly minutes: number;
}

/** What was counted between one look and the next, the newest first. */
function spansOf(points: readonly Point[], now: number, looks: number): readonly Span[] {
  const newest = points.at(-1);
  if (newest === undefined || now - newest.at > silentAfter)
    return Array.from({ length: looks }, () => ({ perMinute: 0, requests: 0, minutes: 0 }));
  return points
    .flatMap(({ at, since, counts }, i): Span[] => {
      const before = points[i - 1];
      if (before === undefined || at <= before.at) return [];
      const requests = Math.max(0, counts.requests - before.counts.requests);
      const minutes = (at - Math.max(before.at, Math.min(since ?? 0, at - 1))) / 60_000;
      return [{ perMinute: requests / minutes, requests, minutes }];
    })
    .toReversed()
    .slice(0, looks);
}

function sumOf({ gone, targets }: GroupSample): Counts {
  return Object.values(targets).reduce((sum, { counts }) => addCounts(sum, counts), gone);
}
