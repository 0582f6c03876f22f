import type { Clock } from '../clock/index.ts';
import { Bell, type EventSource, type RecordStore, settledOrAborted } from '../records/index.ts';
import type { ConsumeOptions, DeadLetter, Delivery, EventLog, LoggedEvent } from './event-log.ts';
import { GroupRecords } from './group-state.ts';
import { type Handed, type Member, StreamWorker } from './stream-worker.ts';

/**
 * The event log over any record store that keeps announced events: groups, cursors and dead letters are records like others.
 * No step depends on a wall clock.
 * @param random numbers in [0, 1), for the members' names
 */
export function openEventLog(records: RecordStore & EventSource, clock: Clock, random: () => number): EventLog {
  return new RecordEventLog(records, clock, random);
}

class RecordEventLog implements EventLog {
  readonly #records: RecordStore & EventSource;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(records: RecordStore & EventSource, clock: Clock, random: () => number) {
    this.#records = records;
    this.#clock = clock;
    this.#random = random;
  }

  read(partition: string, topic: string, after: number, limit: number): Promise<readonly LoggedEvent[]> {
    return this.#records.announced(partition, topic, after, limit);
  }

  async *consume(options: ConsumeOptions): AsyncIterable<Delivery> {
    const left = new AbortController();
    const signal = AbortSignal.any([options.signal, left.signal]);
    const queue: Handed[] = [];
    const bell = new Bell();
    const member: Member = {
      id: Math.floor(this.#random() * 2 ** 48).toString(16),
      group: options.group,
      topic: options.topic,
      redeliverAfter: options.redeliverAfter ?? 30_000,
      attempts: options.attempts ?? 10,
      rows: new GroupRecords(this.#records, options.group, options.topic),
      source: this.#records,
      clock: this.#clock,
      signal,
      hand: (handed) => {
        queue.push(handed);
        bell.ring();
      },
    };
    const working = this.#work(member);
    try {
      while (!signal.aborted) {
        const rung = bell.next();
        const handed = queue.shift();
        if (handed === undefined) {
          await settledOrAborted(rung, signal);
          continue;
        }
        handed.take();
        yield {
          ...handed.event,
          attempt: handed.attempt,
          acknowledge: () => handed.settle(),
          reject: (reason) => handed.settle(reason),
        };
      }
    } finally {
      left.abort();
      await working;
    }
  }

  async rewind(group: string, topic: string, partition: string, position: number): Promise<void> {
    const rows = new GroupRecords(this.#records, group, topic);
    await rows.update(partition, (state) => ({
      state: { beat: (state?.beat ?? 0) + 1, cursor: position, pending: [] },
    }));
  }

  deadLetters(group: string, topic: string): Promise<readonly DeadLetter[]> {
    return new GroupRecords(this.#records, group, topic).deadLetters();
  }

  async redrive(
    group: string,
    topic: string,
    events?: readonly { readonly partition: string; readonly position: number }[],
  ): Promise<number> {
    const rows = new GroupRecords(this.#records, group, topic);
    const wanted = events && new Set(events.map(({ partition, position }) => `${position} ${partition}`));
    const letters = (await rows.deadLetters()).filter(
      ({ partition, position }) => wanted === undefined || wanted.has(`${position} ${partition}`),
    );
    for (const [partition, dead] of Map.groupBy(letters, (letter) => letter.partition)) {
      await rows.update(partition, (state) => {
        const again = dead.map(({ group: _group, reason: _reason, attempts: _attempts, ...event }) => ({
          position: event.position,
          attempt: 0,
          event,
        }));
        const positions = new Set(again.map(({ position }) => position));
        const others = (state?.pending ?? []).filter(({ position }) => !positions.has(position));
        return {
          // Without an owner whoever sees the change first takes the stream on.
          state: { beat: (state?.beat ?? 0) + 1, cursor: state?.cursor ?? 0, pending: [...others, ...again] },
          unbury: [...positions],
        };
      });
    }
    return letters.length;
  }

  /** Runs a worker for each stream of the topic until the member's signal aborts. */
  async #work(member: Member): Promise<void> {
    const workers = new Map<string, { readonly worker: StreamWorker; readonly done: Promise<void> }>();
    const workerOf = (partition: string): StreamWorker => {
      let entry = workers.get(partition);
      if (entry === undefined) {
        const worker = new StreamWorker(partition, member);
        entry = { worker, done: worker.run() };
        workers.set(partition, entry);
      }
      return entry.worker;
    };
    await Promise.all([
      this.#untilStopped(member, async () => {
        for await (const streams of member.source.streams(member.topic, member.signal)) {
          for (const { partition, first, last } of streams) workerOf(partition).grown(first, last);
        }
      }),
      this.#untilStopped(member, async () => {
        const after = await member.rows.version();
        for await (const { partition, version } of member.rows.changes(after, member.signal)) {
          if (partition !== undefined) workers.get(partition)?.worker.changed(version);
          else for (const { worker } of workers.values()) worker.changed(version);
        }
      }),
    ]);
    await Promise.all(Array.from(workers.values(), ({ done }) => done));
  }

  /** Runs a feed to its end (the signal, or the store's being closed), and again when the store could not answer for a while. */
  async #untilStopped(member: Member, run: () => Promise<void>): Promise<void> {
    while (!member.signal.aborted) {
      try {
        await run();
        return;
      } catch {
        await this.#clock.sleep(1000, member.signal).catch(() => {});
      }
    }
  }
}
