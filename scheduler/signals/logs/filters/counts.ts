import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { type Fence, type Json, type RecordStore, StoreUnavailable } from '@slipway/storage/records';

import { type MetricStore, putSamples, type Sample, TooManySeries } from '../../metrics/index.ts';
import { logKeys, logsPartition } from '../store/keys.ts';

import { type CountedEvent, Counting } from './counting.ts';
import { filtersOf } from './metric-filters.ts';

/** Samples of one row, so that rows stay small. */
const together = 50;
/** Rows that may wait for the metric store: beyond them events are counted no more. */
const mostWaiting = 1_000;
/** Milliseconds for which counting keeps others from their turn. */
const turn = 20;

export interface CountsPorts {
  readonly records: RecordStore;
  readonly metrics: Pick<MetricStore, 'put'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What was counted, on its way to the metric store. */
interface CountsRecord {
  readonly samples: readonly Sample[];
}

/**
 * Counts what comes into the log groups of an account by their filters. Counts are committed with what says that the events were looked
 * at, so that each event is counted by one commit, whoever is killed; they are told to the metric store afterwards, and a process that
 * is killed between that and the next commit leaves them to be told twice.
 */
export class Counts {
  readonly #ports: CountsPorts;
  readonly #account: string;
  readonly #fence: Fence;

  constructor(account: string, ports: CountsPorts, fence: Fence) {
    this.#account = account;
    this.#ports = ports;
    this.#fence = fence;
  }

  /**
   * Rows to be committed with whatever makes events of a group looked at.
   * @param id the group's
   * @param prefix of the rows' names: another one each time
   */
  async of(
    id: string,
    events: readonly CountedEvent[],
    prefix: string,
  ): Promise<readonly { readonly key: string; readonly value: Json }[]> {
    const { records, clock, log } = this.#ports;
    const filters = await filtersOf(records, this.#account, id);
    if (filters.length === 0) return [];
    const waiting = await records.list(this.#partition, { prefix: logKeys.counts, limit: mostWaiting });
    if (waiting.records.length >= mostWaiting) {
      log.warn(
        { account: this.#account, events: events.length },
        'metric filters count nothing: metrics are not taken',
      );
      return [];
    }
    const counting = new Counting(filters.map(({ record }) => record));
    let since = clock.monotonic();
    for (const event of events) {
      counting.see(event);
      if (clock.monotonic() - since < turn) continue;
      await clock.sleep(0);
      since = clock.monotonic();
    }
    if (counting.left > 0)
      log.warn(
        { account: this.#account, events: counting.left },
        'metric filters counted some events in nothing: their fields have too many values',
      );
    const samples = counting.samples();
    const rows: { key: string; value: Json }[] = [];
    for (let from = 0; from < samples.length; from += together) {
      const value: CountsRecord = { samples: samples.slice(from, from + together) };
      const key = `${logKeys.counts}${prefix}/${String(rows.length).padStart(5, '0')}`;
      rows.push({ key, value: value as unknown as Json });
    }
    return rows;
  }

  /** Tells what waits to the metric store; what it does not take now waits on. */
  async tell(signal: AbortSignal): Promise<void> {
    const { records } = this.#ports;
    while (!signal.aborted) {
      const page = await records.list<CountsRecord>(this.#partition, { prefix: logKeys.counts, limit: 20 });
      for (const { key, value } of page.records) {
        if (signal.aborted || !(await this.#take(value.samples, signal))) return;
        await records.commit(this.#partition, { remove: [key], fence: this.#fence });
      }
      if (!page.more) return;
    }
  }

  /** @returns whether they are done with */
  async #take(samples: readonly Sample[], signal: AbortSignal): Promise<boolean> {
    const { metrics, log } = this.#ports;
    try {
      await metrics.put(this.#account, samples);
    } catch (err) {
      if (err instanceof TooManySeries) {
        await putSamples(this.#ports, this.#account, samples, signal);
        return true;
      }
      log.warn({ account: this.#account, err }, 'what metric filters counted waits for the metric store');
      // Where nobody knows whether it was taken, nothing counts twice; and what cannot be stored must not stop the rest.
      return (err instanceof StoreUnavailable && err.outcome === 'unknown') || err instanceof RangeError;
    }
    return true;
  }

  get #partition(): string {
    return logsPartition(this.#account);
  }
}
