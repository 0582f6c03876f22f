import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { type Fence, type Json, type RecordStore } from '@slipway/storage/records';

import { type MetricStore, putSamples, type Sample, TooManySeries } from '../../metrics/index.ts';
import { logKeys, logsPartition } from '../store/keys.ts';

import { type CountedEvent, Counting } from './counting.ts';
import { filtersOf } from './metric-filters.ts';

/** Samples of one row, so that rows stay small. */
const together = 50;
/** Rows that may wait for the metric store: beyond them events are counted no more. */
const mostWaiting = 1_000;
/** Rows that one commit of events may add, of all their groups: a commit with too many is refused for good, and its events with it. */
const mostTogether = 2_000;
/** Rows, and characters of them, that are told at once: the metric store answers half a second later, however many there are. */
const toldAtOnce = { limit: 100, characters: 4 * 1024 * 1024 } as const;
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
 * at, so that each event is counted by one commit, whoever is killed; they are told to the metric store afterwards, under their names, so
 * that those of a process that was killed before it had noted it are told again without counting twice.
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

  /** How many rows the next commit may add: none while very many wait. */
  async room(): Promise<number> {
    const { records } = this.#ports;
    const waiting = await records.count(this.#partition, logKeys.counts, mostWaiting);
    return waiting < mostWaiting ? mostTogether : 0;
  }

  /**
   * Rows to be committed with whatever makes events of a group looked at.
   * @param id the group's
   * @param prefix of the rows' names: another one each time
   * @param room how many there may be
   */
  async of(
    id: string,
    events: readonly CountedEvent[],
    prefix: string,
    room: number,
  ): Promise<readonly { readonly key: string; readonly value: Json }[]> {
    const { records, clock, log } = this.#ports;
    const filters = await filtersOf(records, this.#account, id);
    if (filters.length === 0) return [];
    if (room <= 0) {
      log.warn(
        { account: this.#account, events: events.length },
        'metric filters count nothing: metrics are not taken, or there are too many of them',
      );
      return [];
    }
    const counting = new Counting(filters.map(({ record }) => record));
    let since = clock.monotonic();
    for (const event of events)
      for (const _ of counting.steps(event)) {
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
    if (rows.length > room)
      log.warn(
        { account: this.#account, samples: samples.length - room * together },
        'some of what metric filters counted is lost: there is too much of it',
      );
    return rows.slice(0, room);
  }

  /** Tells what waits to the metric store; what it does not take now waits on. */
  async tell(signal: AbortSignal): Promise<void> {
    const { records, log } = this.#ports;
    while (!signal.aborted) {
      const page = await records.list<CountsRecord>(this.#partition, { prefix: logKeys.counts, ...toldAtOnce });
      const failures: unknown[] = [];
      const done = await Promise.all(
        page.records.map(async ({ key, value }) =>
          (await this.#take(key, value.samples, signal, failures)) ? [key] : [],
        ),
      );
      const remove = done.flat();
      if (remove.length > 0) await records.commit(this.#partition, { remove, fence: this.#fence });
      if (failures.length > 0)
        log.warn(
          { account: this.#account, rows: failures.length, err: failures[0] },
          'what metric filters counted waits for the metric store',
        );
      if (remove.length < page.records.length || !page.more) return;
    }
  }

  /** @returns whether they are done with; why the store did not take them is added to `failures` */
  async #take(key: string, samples: readonly Sample[], signal: AbortSignal, failures: unknown[]): Promise<boolean> {
    try {
      await this.#ports.metrics.put(this.#account, samples, key);
    } catch (err) {
      if (err instanceof TooManySeries) {
        await putSamples(this.#ports, this.#account, samples, signal);
        return true;
      }
      failures.push(err);
      // What cannot be stored must not stop the rest.
      return err instanceof RangeError;
    }
    return true;
  }

  get #partition(): string {
    return logsPartition(this.#account);
  }
}
