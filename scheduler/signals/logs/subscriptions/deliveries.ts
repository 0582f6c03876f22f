import type { Log } from '@slipway/auth/contract';
import { waitAtMost } from '@slipway/storage/clock';
import { ConditionFailed, type Fence, project, type RecordStore, StaleEpoch } from '@slipway/storage/records';

import type { MetricStore, Sample } from '../../metrics/index.ts';
import { garbageRow } from '../store/changes.ts';
import { type EventBlobs, isGone } from '../store/event-blobs.ts';
import { logsPartition } from '../store/keys.ts';

import { Attempt, type AttemptPorts } from './attempt.ts';
import { type Beside, changeDelivery, type DeliveryPlace } from './change.ts';
import type { DeliveryNumbers } from './numbers.ts';
import type { DeliveryFailure, DeliveryRecord } from './records.ts';
import { type Standing, Standings, type Work } from './standing.ts';
import { trim } from './trim.ts';

export interface DeliveriesPorts extends AttemptPorts {
  readonly records: RecordStore;
  readonly log: Log;
  readonly metrics: Pick<MetricStore, 'put'>;
  /** Bytes on disk that the logs of all accounts may take. */
  readonly limit: () => number;
}

/** Filters that are told something at the same time, of an account. */
const mostAttempts = 8;
/** Milliseconds from one attempt of a filter to the next, so that what comes meanwhile is told together. */
const rest = 1000;
/** From the first failure to the next attempt; the pause doubles up to the longest. */
const firstPause = 1000;
const longestPause = 300_000;
const retryAfter = 1000;
/** Between looks at what is owed for too long, or is too much. */
const trimPace = 5000;

/** Tells the receivers of an account's subscription filters what comes, as long as this server keeps its logs. */
export class Deliveries {
  readonly #ports: DeliveriesPorts;
  readonly #blobs: EventBlobs;
  readonly #account: string;
  readonly #fence: Fence;
  readonly #numbers: DeliveryNumbers;
  readonly #standings = new Standings();
  readonly #busy = new Map<string, Promise<void>>();
  /** By filter: what it was told before something of it failed, and since when it rests. */
  readonly #attempts = new Map<string, Attempt>();
  readonly #since = new Map<string, number>();
  #isLoaded = false;
  #trimmedAt = -Infinity;
  #stirred = false;
  #ring: () => void = () => {};

  constructor(account: string, ports: DeliveriesPorts, blobs: EventBlobs, fence: Fence, numbers: DeliveryNumbers) {
    this.#account = account;
    this.#ports = ports;
    this.#blobs = blobs;
    this.#fence = fence;
    this.#numbers = numbers;
  }

  /** Works until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { records, clock, log } = this.#ports;
    const following = project(
      records,
      logsPartition(this.#account),
      {
        load: async () => {
          await this.#standings.load(records, this.#account);
          this.#isLoaded = true;
          this.#stir();
        },
        apply: (changes) => {
          for (const change of changes) this.#standings.take(change);
          this.#stir();
        },
        interrupted: (err) => log.warn({ err, account: this.#account }, 'cannot follow the logs; trying again'),
        retryAfter,
      },
      { clock, signal },
    );
    try {
      while (!signal.aborted) {
        const listen = (wake: () => void): void => {
          this.#ring = wake;
          if (this.#stirred) wake();
        };
        await waitAtMost(retryAfter, listen, clock, signal);
        this.#stirred = false;
        if (signal.aborted || !this.#isLoaded) continue;
        await this.#trim();
        this.#begin(signal);
      }
    } finally {
      this.#numbers.failing.delete(this.#account);
      await Promise.all([following, ...this.#busy.values()]);
    }
  }

  readonly #stir = (): void => {
    this.#stirred = true;
    this.#ring();
  };

  /** Begins what is due and has room, those first that have waited longest. */
  #begin(signal: AbortSignal): void {
    const now = this.#ports.clock.now();
    const all = [...this.#standings.all()];
    this.#numbers.failing.set(this.#account, all.filter(({ delivery }) => delivery.failure !== undefined).length);
    const known = new Set(all.map(({ filter }) => filter.id));
    for (const id of this.#since.keys()) {
      if (known.has(id)) continue;
      this.#since.delete(id);
      this.#attempts.delete(id);
    }
    const sinceOf = ({ filter }: Standing): number => this.#since.get(filter.id) ?? 0;
    for (const standing of all.toSorted((one, other) => sinceOf(one) - sinceOf(other))) {
      if (this.#busy.size >= mostAttempts) return;
      const { filter, delivery } = standing;
      if (this.#busy.has(filter.id) || (delivery.failure?.nextAt ?? 0) > now) continue;
      // A clock that was set back must not keep anybody waiting.
      if (Math.abs(now - sinceOf(standing)) < rest) continue;
      const work = this.#standings.workOf(standing);
      if (work === undefined) continue;
      this.#since.set(filter.id, now);
      const end = (): void => {
        this.#busy.delete(filter.id);
        this.#stir();
      };
      this.#busy.set(filter.id, this.#serve(standing, work, signal).then(end, end));
    }
  }

  /** Never rejects: what fails without being recorded is tried again. */
  async #serve(standing: Standing, work: Work, signal: AbortSignal): Promise<void> {
    const { log } = this.#ports;
    const { filter } = standing;
    const fields = { account: this.#account, group: filter.group, filter: standing.name };
    try {
      const attempt = this.#attemptOf(standing, work);
      const failure = await attempt.run(signal);
      if (failure === undefined) this.#attempts.delete(filter.id);
      const recorded = await this.#record(standing, attempt, failure);
      if (failure === undefined) {
        for (const { error: err, events } of attempt.damage)
          log.error({ ...fields, err, events }, 'log events cannot be read; a subscription filter is told the others');
        this.#numbers.dropped += lostOf(attempt);
      }
      await this.#measure(standing, attempt, failure);
      if (recorded.failure === undefined) {
        if (standing.delivery.failure !== undefined) log.info(fields, 'a subscription filter is told again');
        return;
      }
      this.#numbers.failures += 1;
      if (recorded.failure.attempts % 10 === 1)
        log.warn({ ...fields, ...recorded.failure }, 'could not tell the receiver of a subscription filter');
    } catch (err) {
      this.#attempts.delete(filter.id);
      if (signal.aborted || err instanceof StaleEpoch || err instanceof ConditionFailed || isGone(err)) return;
      log.warn({ ...fields, err }, 'cannot tell the receiver of a subscription filter now');
    }
  }

  /** The one that failed before, if it is still about what is next. */
  #attemptOf(standing: Standing, work: Work): Attempt {
    const known = this.#attempts.get(standing.filter.id);
    if (known !== undefined && known.isFor(standing) && this.#standings.isCurrent(known.work)) return known;
    const attempt = new Attempt(this.#account, this.#ports, this.#blobs, standing, work);
    this.#attempts.set(standing.filter.id, attempt);
    return attempt;
  }

  async #record(standing: Standing, attempt: Attempt, reason: string | undefined): Promise<DeliveryRecord> {
    if (reason === undefined)
      return this.#done(standing, attempt.work, ({ delivered, dropped, ...delivery }) => ({
        ...delivery,
        delivered: delivered + attempt.total,
        dropped: dropped + lostOf(attempt),
      }));
    const now = this.#ports.clock.now();
    return this.#change(standing, ({ failure: before, ...delivery }) => {
      const attempts = (before?.attempts ?? 0) + 1;
      const pause = Math.min(longestPause, firstPause * 2 ** Math.min(20, attempts - 1));
      const failure: DeliveryFailure = { since: before?.since ?? now, attempts, nextAt: now + pause, reason };
      return { ...delivery, failure };
    });
  }

  /** The metrics that CloudWatch Logs has of subscription filters; they are not worth another attempt. */
  async #measure({ filter, name }: Standing, attempt: Attempt, failure: string | undefined): Promise<void> {
    const { events, bytes } = attempt.takeNews();
    this.#numbers.delivered += events;
    const series = (metric: string, unit: string, measured: number): Sample => ({
      namespace: 'AWS/Logs',
      name: metric,
      unit,
      resolution: 60,
      dimensions: [
        { name: 'LogGroupName', value: filter.group },
        { name: 'DestinationType', value: 'Webhook' },
        { name: 'FilterName', value: name },
      ],
      timestamp: this.#ports.clock.now(),
      measured,
    });
    const samples = [
      ...(events === 0
        ? []
        : [series('ForwardedLogEvents', 'Count', events), series('ForwardedBytes', 'Bytes', bytes)]),
      ...(failure === undefined ? [] : [series('DeliveryErrors', 'Count', 1)]),
    ];
    if (samples.length > 0) await this.#ports.metrics.put(this.#account, samples).catch(() => undefined);
  }

  #done(
    standing: Standing,
    { owed, version, files }: Work,
    change: (delivery: DeliveryRecord) => DeliveryRecord,
  ): Promise<DeliveryRecord> {
    if (owed === undefined)
      return this.#change(standing, (delivery) => change({ ...delivery, failure: undefined, version }));
    const put = files.map((file) => garbageRow(file, this.#ports.clock.now()));
    return this.#change(standing, (delivery) => change({ ...delivery, failure: undefined }), { put, remove: [owed] });
  }

  #change(
    { filter }: Standing,
    change: (delivery: DeliveryRecord) => DeliveryRecord,
    beside?: Beside,
  ): Promise<DeliveryRecord> {
    return changeDelivery(this.#ports.records, this.#place, filter.id, change, beside);
  }

  get #place(): DeliveryPlace {
    return { account: this.#account, fence: this.#fence, standings: this.#standings };
  }

  async #trim(): Promise<void> {
    const { log, clock } = this.#ports;
    if (clock.monotonic() - this.#trimmedAt < trimPace) return;
    this.#trimmedAt = clock.monotonic();
    await trim(this.#ports, this.#place, this.#numbers).catch((err: unknown) => {
      // Meanwhile some of it was told, or its filter was deleted.
      if (!(err instanceof StaleEpoch) && !(err instanceof ConditionFailed))
        log.warn({ err, account: this.#account }, 'cannot let go of what is owed now');
    });
  }
}

/** Events that could not be read and never will be: those of the whole block or file, of which the filter may let none through. */
const lostOf = ({ damage }: Attempt): number => damage.reduce((sum, { events }) => sum + events, 0);
