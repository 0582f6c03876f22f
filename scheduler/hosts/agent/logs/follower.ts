import type { Log } from '@slipway/auth/contract';
import { settling, waitAtMost } from '@slipway/storage/clock';
import type { Clock } from '@slipway/storage/clock';

import { EngineUnavailable } from '../docker.ts';
import type { ContainerLogs } from '../../wire/index.ts';
import type { EngineLogs } from './engine.ts';
import { EngineLogReader, type LogPart, millisecondsOf } from './engine-log.ts';
import { EventAssembler, type PlacedEvent } from './events.ts';
import { beginning, type Place } from './place.ts';
import { LogQueue } from './queue.ts';

export interface FollowerPorts {
  readonly engine: EngineLogs;
  readonly clock: Clock;
  readonly log: Log;
  /** Bytes that may wait here now. */
  readonly room: () => number;
  /** Something waits to be sent, or the end has come. */
  readonly changed: () => void;
}

/** A container whose output is shipped. */
export interface Followed {
  readonly taskArn: string;
  readonly containerName: string;
  /** What the engine calls it. */
  readonly container: string;
  readonly logs: ContainerLogs;
  readonly starts: ((line: string) => boolean) | undefined;
}

/** Times in milliseconds. */
const timing = {
  /** Whoever follows and has no room for this long, or is so far behind, follows no more: an engine leaves out what it gave up meanwhile. */
  stalled: 250,
  behind: 2_000,
  /** What was read within this time is near enough to what is written now to be followed. */
  near: 1_000,
  /** Before a log is opened again: after its end, and after a failure. */
  pause: 200,
  failed: 1_000,
  /** How long lines wait for the next one of their event, as with Docker's driver. */
  event: 5_000,
  /** How long to look for the place to go on from. */
  seeking: 10_000,
  /** Of work that nothing else is done beside. */
  slice: 10,
};
/** More than the engine keeps of a container: whoever has read so much and not found their place looks anew. Bytes. */
const seekingBytes = 64 * 1024 * 1024;

/** Reads one container's log and holds what is not durable yet. The engine's files are the buffer behind it. */
export class Follower {
  readonly what: Followed;
  readonly queue = new LogQueue();
  /** Nothing of it is sent before; monotonic milliseconds. */
  pausedUntil = -Infinity;
  /** Why the control plane took none of it the last time, for good as far as it knew. */
  refused: string | undefined;
  readonly #ports: FollowerPorts;
  readonly #stopped = new AbortController();
  readonly #opened = Promise.withResolvers<void>();
  /** What is in the queue, or was dropped, up to here. */
  #at: Place = beginning;
  #isOpen = false;
  /** Whether so little was there at the last look that it can be followed. */
  #isNear = false;
  #busy = false;
  #poked = Promise.withResolvers<void>();
  #over = false;
  #complete = false;
  #roomy = Promise.withResolvers<void>();
  #told = -Infinity;
  #untold = 0;

  constructor(what: Followed, ports: FollowerPorts) {
    this.what = what;
    this.#ports = ports;
  }

  /** Whether it is known where to begin. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether all that the container will ever write is durable. */
  get isDone(): boolean {
    return this.#over && this.#complete && this.queue.isEmpty;
  }

  /** Whether the container's task is over, so that it will not run again. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Begins at the beginning, or behind what an earlier agent sent. Only the first call says where. */
  open(mark?: { readonly last: number; readonly at: Place }): void {
    if (this.#isOpen) {
      if (mark !== undefined) this.queue.forget(mark.last);
    } else if (mark !== undefined) {
      this.queue.goOn(mark.last, mark.at);
      this.#at = mark.at;
    }
    this.#isOpen = true;
    this.#opened.resolve();
  }

  /** The container was started, again perhaps. */
  started(): void {
    this.#complete = false;
    this.#poked.resolve();
  }

  /** The container's task is over. */
  over(): void {
    this.#over = true;
    this.#poked.resolve();
    this.#ports.changed();
  }

  /** There may be room again. */
  sent(): void {
    this.#roomy.resolve();
  }

  stop(): void {
    this.#stopped.abort();
    this.#opened.resolve();
    this.#poked.resolve();
    this.#roomy.resolve();
  }

  /** Reads until {@link stop}, or until the task is over and all was read. */
  async run(): Promise<void> {
    const { clock, log } = this.#ports;
    await this.#opened.promise;
    while (!this.#stopped.signal.aborted) {
      this.#poked = Promise.withResolvers();
      this.#complete = false;
      const over = this.#over;
      let pause: number = timing.failed;
      try {
        const next = await this.#read();
        pause = next === 'now' ? 0 : timing.pause;
        if (next === 'never') {
          this.#complete = true;
          this.#ports.changed();
          if (over) return;
          await this.#poked.promise;
          continue;
        }
      } catch (error) {
        this.#isNear = false;
        const { taskArn: task, containerName: container } = this.what;
        if (!this.#stopped.signal.aborted && !(error instanceof EngineUnavailable))
          log.warn({ task, container, err: error }, 'cannot read what a container writes; trying again');
      }
      if (pause > 0) await clock.sleep(pause, this.#stopped.signal).catch(() => undefined);
    }
  }

  /**
   * Reads what there is, and follows once that is little. What an engine is asked for without following it gives as it was then, however slowly it is read;
   * who follows slowly misses what it gives up, and never hears of it.
   * @returns when to read on; `never` when that was all and the container does not run
   */
  async #read(): Promise<'now' | 'soon' | 'never'> {
    const { engine, clock } = this.#ports;
    const container = await engine.inspect(this.what.container);
    if (container === undefined) return 'never';
    const from = (await this.#isThere(container.terminal)) ? this.#at : this.#behindGap();
    const assembler = new EventAssembler(from, this.what.starts);
    const follow = container.running && this.#isNear;
    this.#isNear = false;
    using session = new Session(this.#stopped.signal);
    const looking = follow ? this.#tend(assembler, session) : Promise.resolve();
    looking.catch(() => session.end());
    const began = clock.monotonic();
    const chunks = await engine.open(this.what.container, { since: from.since, follow }, session.signal);
    const whole = await this.#consume(chunks, container.terminal, assembler, follow, session);
    if (!whole) return 'now';
    // The place was there, and is not any more.
    if (assembler.seeking || follow) return 'soon';
    if (container.running) {
      this.#isNear = clock.monotonic() - began < timing.near;
      return 'now';
    }
    for (const event of assembler.end(clock.monotonic())) this.#offer(event);
    return 'never';
  }

  /** Whether the engine still has the part behind which to go on: what it has not any more may have had others behind it. */
  async #isThere(terminal: boolean): Promise<boolean> {
    const { time, nth } = this.#at;
    if (time === '') return true;
    const second = Math.floor(millisecondsOf(time) / 1000);
    using session = new Session(this.#stopped.signal);
    const range = { since: second, until: second + 1, follow: false };
    const chunks = await this.#ports.engine.open(this.what.container, range, session.signal);
    const reader = new EngineLogReader(terminal);
    let seen = 0;
    for await (const chunk of chunks) {
      for (const part of reader.push(chunk)) if (part.time === time) seen++;
      if (seen >= nth) return true;
    }
    this.#stopped.signal.throwIfAborted();
    return false;
  }

  #behindGap(): Place {
    const { taskArn: task, containerName: container } = this.what;
    const why =
      'the engine gave up lines of a container before they were read: it writes faster than they can be stored';
    this.#ports.log.warn({ task, container }, why);
    this.queue.noteGap();
    this.#at = { ...beginning, since: this.#at.since };
    return this.#at;
  }

  /** @returns whether the log ended by itself */
  async #consume(
    chunks: AsyncIterable<Buffer>,
    terminal: boolean,
    assembler: EventAssembler,
    follow: boolean,
    session: Session,
  ): Promise<boolean> {
    const { clock } = this.#ports;
    const reader = new EngineLogReader(terminal);
    const lag = new Lag();
    this.#busy = false;
    let skipped = 0;
    let slice = clock.monotonic();
    for await (const chunk of chunks) {
      if (assembler.seeking) skipped += chunk.length;
      if (skipped > seekingBytes) return false;
      this.#busy = true;
      for (const part of reader.push(chunk)) {
        const now = clock.monotonic();
        for (const event of assembler.push(part, now)) {
          if (!(await this.#take(event, follow)) || session.signal.aborted) return false;
        }
        if (follow && lag.of(part, clock.now()) > timing.behind) return false;
        if (now - slice < timing.slice) continue;
        // The others' turn.
        await clock.sleep(0, session.signal).catch(() => undefined);
        slice = clock.monotonic();
      }
      this.#busy = false;
    }
    return !session.signal.aborted;
  }

  /** Beside the reading: ends events that wait too long, and a search that leads nowhere. */
  async #tend(assembler: EventAssembler, session: Session): Promise<void> {
    const { clock } = this.#ports;
    const began = clock.monotonic();
    while (!session.signal.aborted) {
      await clock.sleep(1_000, session.signal).catch(() => undefined);
      if (session.signal.aborted) return;
      const now = clock.monotonic();
      if (assembler.seeking && now - began > timing.seeking) session.end();
      // In the order of the log: what was made before goes first.
      if (!this.#busy) for (const event of assembler.flush(now, timing.event)) this.#offer(event);
    }
  }

  /** Puts an event where there is room. @returns whether to read on */
  async #take(event: PlacedEvent, follow: boolean): Promise<boolean> {
    const { room } = this.#ports;
    const isFull = this.what.logs.mode === 'blocking' && this.queue.bytes > room();
    if (isFull && !(await this.#room(room(), follow ? timing.stalled : Infinity))) return false;
    this.#offer(event);
    return true;
  }

  #offer(event: PlacedEvent): void {
    this.#at = event.place;
    // As in Docker's buffer, one event is taken whatever its size.
    const isFull = this.queue.length > 0 && this.queue.bytes + event.message.length > this.#ports.room();
    if (this.what.logs.mode === 'non-blocking' && isFull) {
      this.queue.drop(1);
      this.#tellDropped();
    } else this.queue.push(event);
    this.#ports.changed();
  }

  #tellDropped(): void {
    this.#untold++;
    const now = this.#ports.clock.monotonic();
    if (now - this.#told < 60_000) return;
    this.#told = now;
    const { taskArn: task, containerName: container } = this.what;
    const why = 'dropped lines of a container: its buffer is full (max-buffer-size, mode non-blocking)';
    this.#ports.log.warn({ task, container, lines: this.#untold }, why);
    this.#untold = 0;
  }

  /** Waits until no more than so many bytes wait. @returns whether that came about in time */
  async #room(bytes: number, patience: number): Promise<boolean> {
    const { clock } = this.#ports;
    const deadline = clock.monotonic() + patience;
    while (this.queue.bytes > bytes) {
      const left = deadline - clock.monotonic();
      if (left <= 0 || this.#stopped.signal.aborted) return false;
      this.#roomy = Promise.withResolvers();
      await (left === Infinity ? this.#roomy.promise : waitAtMost(left, settling(this.#roomy.promise), clock));
    }
    return true;
  }
}

/** How far a reader is behind what is written, whatever the engine's clock shows. */
class Lag {
  #least = Infinity;
  readonly #goesOn = { stdout: false, stderr: false };

  /** Milliseconds. The later parts of a line say nothing: they have the time of the first. */
  of({ source, time, partial }: LogPart, now: number): number {
    const later = this.#goesOn[source];
    this.#goesOn[source] = partial;
    if (later) return 0;
    const behind = now - millisecondsOf(time);
    this.#least = Math.min(this.#least, behind);
    return behind - this.#least;
  }
}

/** One time that a log is open. */
class Session implements Disposable {
  readonly #end = new AbortController();
  readonly signal: AbortSignal;

  constructor(stopped: AbortSignal) {
    this.signal = AbortSignal.any([stopped, this.#end.signal]);
  }

  end(): void {
    this.#end.abort();
  }

  [Symbol.dispose](): void {
    this.#end.abort();
  }
}
