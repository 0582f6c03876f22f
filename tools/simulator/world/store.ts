import { MemoryBlobs } from '@slipway/scheduler/signals/logs/store/testing';
import {
  type Batch,
  type Change,
  type RecordStore,
  type EventSource,
  StoreUnavailable,
} from '@slipway/storage/records';
import { checkpoint, memoryData, memoryRecords } from '@slipway/storage/records/memory';
import type { VirtualClock } from '../virtual-clock.ts';
import type { Chance } from './chance.ts';
import type { Machine, Process } from './machine.ts';

/** How the store and the way to it behave; probabilities are per call, times in milliseconds. Faults change it while the world runs. */
export interface StoreWeather {
  /** How long an answer takes. */
  latency: readonly [number, number];
  /** How long a change takes to be told to those who follow. */
  feedLag: readonly [number, number];
  /** A commit whose outcome the caller never learns: half of them took place. */
  unknownOutcome: number;
  /** A commit at which the server dies: right before it is sent, or right after it took place and before the answer. */
  crash: number;
  /** Nobody is told that streams of events grew. */
  eventsLost: boolean;
}

/** What the world is told of each commit that took place. */
export interface SeenCommit {
  readonly process: Process;
  readonly partition: string;
  readonly batch: Batch;
  readonly version: number;
}

/** Milliseconds after which a caller gives up on a store that does not answer. */
const patience = 2_000;

/** The one store of the installation, in memory, behind a network that can fail between it and each machine. */
export class SimulatedStore {
  /** Nobody in the simulation writes logs. */
  readonly blobs = new MemoryBlobs();
  readonly weather: StoreWeather;
  /** The data itself, for those who check the world. */
  readonly truth: RecordStore & EventSource;
  readonly #data = memoryData();
  readonly #time: VirtualClock;
  readonly #chance: Chance;
  readonly #seen: (commit: SeenCommit) => void;
  readonly #cutOff = new Map<Machine, AbortController>();
  /** Machines that reach the store and do not hear it. */
  readonly #silenced = new Set<Machine>();
  /** How late a machine hears of changes, where that is not as the weather has it. */
  readonly #delays = new Map<Machine, readonly [number, number]>();
  #down = false;

  constructor(time: VirtualClock, chance: Chance, weather: StoreWeather, seen: (commit: SeenCommit) => void) {
    this.#time = time;
    this.#chance = chance;
    this.weather = weather;
    this.#seen = seen;
    this.truth = memoryRecords(time, this.#data);
  }

  /** Nothing gets through between a machine and the store until {@link join}. */
  cut(machine: Machine): void {
    this.#cutOffOf(machine).abort();
  }

  /** What a machine sends arrives and takes place, and no answer comes back until {@link join}. */
  silence(machine: Machine): void {
    this.#silenced.add(machine);
  }

  /** A machine hears of changes so many milliseconds late; its own reads are as fresh as ever. */
  delay(machine: Machine, ms: readonly [number, number] | undefined): void {
    if (ms === undefined) this.#delays.delete(machine);
    else this.#delays.set(machine, ms);
  }

  join(machine: Machine): void {
    this.#silenced.delete(machine);
    if (this.#cutOffOf(machine).signal.aborted) this.#cutOff.delete(machine);
  }

  /** The store itself is away, for everybody. */
  stop(machines: Iterable<Machine>): void {
    this.#down = true;
    for (const machine of machines) this.cut(machine);
  }

  start(machines: Iterable<Machine>): void {
    this.#down = false;
    for (const machine of machines) this.join(machine);
  }

  /** Remembers what is stored now. @returns what was committed since is lost: a failover to a replica that lagged */
  checkpoint(): () => void {
    return checkpoint(this.#data);
  }

  /** The store as a process on a machine sees it. */
  of(process: Process): RecordStore & EventSource {
    const { truth } = this;
    const call = <T>(work: () => Promise<T>): Promise<T> => this.#call(process, work);
    return {
      get: (...given) => call(() => truth.get(...given)),
      getMany: (...given) => call(() => truth.getMany(...given)),
      list: (...given) => call(() => truth.list(...given)),
      count: (...given) => call(() => truth.count(...given)),
      version: (...given) => call(() => truth.version(...given)),
      partitions: (...given) => call(() => truth.partitions(...given)),
      announced: (...given) => call(() => (this.weather.eventsLost ? Promise.resolve([]) : truth.announced(...given))),
      commit: (partition, batch) => this.#commit(process, partition, batch),
      follow: (partition, { after, signal }) => ({
        [Symbol.asyncIterator]: () =>
          this.#heard<readonly Change[]>(process, signal, (until) =>
            truth.follow(partition, { ...(after === undefined ? {} : { after }), signal: until }),
          ),
      }),
      streams: (topic, signal) => ({
        [Symbol.asyncIterator]: () => this.#heard(process, signal, (until) => truth.streams(topic, until)),
      }),
      close: () => Promise.resolve(),
    };
  }

  #cutOffOf(machine: Machine): AbortController {
    let controller = this.#cutOff.get(machine);
    if (controller === undefined) this.#cutOff.set(machine, (controller = new AbortController()));
    return controller;
  }

  #reaches(process: Process): boolean {
    return !this.#down && !this.#cutOffOf(process.machine).signal.aborted;
  }

  #delay([low, high]: readonly [number, number]): number {
    return this.#chance.between(low, high);
  }

  #call<T>(process: Process, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!process.alive) return;
      if (!this.#reaches(process)) {
        this.#answer(process, patience, () =>
          reject(new StoreUnavailable('the store does not answer', 'not-committed')),
        );
        return;
      }
      const delay = this.#delay(this.weather.latency);
      const run = (rest: number): void => {
        const settled = (tell: () => void): void => {
          if (!this.#silenced.has(process.machine)) this.#answer(process, rest, tell);
          else this.#answer(process, patience, () => reject(new StoreUnavailable('no answer came', 'unknown')));
        };
        work().then(
          (value) => settled(() => resolve(value)),
          (error: unknown) => settled(() => reject(error as Error)),
        );
      };
      // Most of the time the way back is the longer one; when it is not, others get in between.
      if (this.#chance.happens(0.1)) this.#time.at(this.#time.now() + delay / 2, () => run(delay / 2));
      else run(delay);
    });
  }

  #answer(process: Process, ms: number, tell: () => void): void {
    process.after(ms, tell);
  }

  #commit(process: Process, partition: string, batch: Batch): ReturnType<RecordStore['commit']> {
    const { weather } = this;
    const fate = this.#chance.number();
    if (fate < weather.crash / 2) {
      process.kill();
      return new Promise(() => {});
    }
    const lost = this.#chance.happens(weather.unknownOutcome);
    if (lost && this.#chance.happens(0.5)) return this.#noAnswer(process);
    const done = this.#call(process, async () => {
      const committed = await this.truth.commit(partition, batch);
      this.#seen({ process, partition, batch, version: committed.version });
      if (fate < weather.crash) process.kill();
      return committed;
    });
    if (!lost) return done;
    done.catch(() => undefined);
    return this.#noAnswer(process);
  }

  #noAnswer(process: Process): Promise<never> {
    return new Promise((_resolve, reject) => {
      this.#answer(process, patience, () => reject(new StoreUnavailable('no answer came', 'unknown')));
    });
  }

  /** What a process hears of a feed: late, not at all once it is dead, and an error when it is cut off. */
  #heard<T>(process: Process, signal: AbortSignal, open: (until: AbortSignal) => AsyncIterable<T>): AsyncIterator<T> {
    const over = new AbortController();
    process.whenDead(() => over.abort());
    const cut = this.#cutOffOf(process.machine).signal;
    const inner = open(AbortSignal.any([signal, over.signal, cut]))[Symbol.asyncIterator]();
    const next = (): Promise<IteratorResult<T>> =>
      new Promise((resolve, reject) => {
        inner.next().then((result) => {
          if (!process.alive) return;
          const lag = this.#delays.get(process.machine) ?? this.weather.feedLag;
          const silenced = this.#silenced.has(process.machine);
          if (result.done !== true && !silenced) this.#answer(process, this.#delay(lag), () => resolve(result));
          else if (signal.aborted) resolve(result);
          else
            this.#answer(process, patience, () => reject(new StoreUnavailable('the store is gone', 'not-committed')));
        }, reject);
      });
    return {
      next,
      return: async () => {
        over.abort();
        await inner.return?.(undefined);
        return { done: true, value: undefined };
      },
    };
  }
}
