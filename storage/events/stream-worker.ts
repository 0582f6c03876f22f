import type { Clock } from '../clock/index.ts';
import { Bell, type EventSource, settledOrAborted } from '../records/index.ts';
import type { DeadLetter, LoggedEvent } from './event-log.ts';
import type { GroupRecords, Pending, StateChange, StoredState, StreamState } from './group-state.ts';

/** What the streams of one consumer share. */
export interface Member {
  readonly id: string;
  readonly group: string;
  readonly topic: string;
  readonly redeliverAfter: number;
  readonly attempts: number;
  readonly rows: GroupRecords;
  readonly source: EventSource;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Queues an event for the consumer. */
  readonly hand: (handed: Handed) => void;
}

/** An event in the hands of this member. */
export interface Handed {
  readonly event: LoggedEvent;
  readonly attempt: number;
  /** The consumer takes it now: from here the redelivery time runs. */
  take(): void;
  /** Done with; with a reason, failed. */
  settle(reason?: string): Promise<void>;
}

interface Settled {
  readonly position: number;
  readonly bury: DeadLetter | undefined;
  readonly stored: () => void;
}

/** Events of one stream that one member holds at the same time. */
const windowSize = 16;
/** Milliseconds before the second delivery of a rejected event; doubled for each further one, up to the redelivery time. */
const firstRetry = 500;
/** Milliseconds after which a pass is tried again that the store did not answer. */
const storeRetry = 500;

/** Handles one partition's stream for one member of a group: owns it while there is work, and gives it up when there is none. */
export class StreamWorker {
  readonly #partition: string;
  readonly #member: Member;
  readonly #bell = new Bell();
  /** Positions in the hands of this member, and the monotonic time from which each may be handed out again. */
  readonly #out = new Map<number, number>();
  #settled: Settled[] = [];
  #first = 1;
  #last = 0;
  /** The newest version of the row seen, and since when it has stood still. */
  #seen = { version: -1, since: 0 };
  #stopped = false;

  constructor(partition: string, member: Member) {
    this.#partition = partition;
    this.#member = member;
  }

  /** The stream reaches this far now. */
  grown(first: number, last: number): void {
    this.#first = Math.max(this.#first, first);
    this.#last = Math.max(this.#last, last);
    this.#bell.ring();
  }

  /** Somebody changed the stream's row. */
  changed(version: number): void {
    if (version > this.#seen.version) this.#bell.ring();
  }

  /** Works until the member's signal aborts, then lets go of the stream. */
  async run(): Promise<void> {
    const { signal, clock } = this.#member;
    while (!signal.aborted) {
      const rung = this.#bell.next();
      const wait = await this.#pass().catch(() => storeRetry);
      if (wait === 0) continue;
      if (wait === Infinity) await settledOrAborted(rung, signal);
      else await waitAtMost(wait, rung, clock, signal);
    }
    this.#stopped = true;
    await this.#letGo();
  }

  /** Looks once and does what is to be done. Returns how many milliseconds until it must look again at the latest. */
  async #pass(): Promise<number> {
    const { rows, clock, id, redeliverAfter } = this.#member;
    const read = await rows.read(this.#partition);
    const now = clock.monotonic();
    if (read.version !== this.#seen.version) this.#seen = { version: read.version, since: now };
    const state = read.state ?? { beat: 0, cursor: this.#first - 1, pending: [] };
    const work = state.pending.length > 0 || state.cursor < this.#last;
    const foreign = state.owner !== undefined && state.owner !== id && now - this.#seen.since < redeliverAfter;
    if (foreign) {
      const settled = this.#settled.slice();
      if (settled.length > 0 && !(await this.#store(read, settle(state, settled), [], settled))) return 0;
      return work ? Math.max(1, this.#seen.since + redeliverAfter - now) : Infinity;
    }
    if (!work) return Infinity;
    // What is settled while this pass waits for the store belongs to the next one.
    const settled = this.#settled.slice();
    const plan = await this.#plan(state, settled, now);
    if (plan === undefined) return this.#untilNext(state, now);
    if (!(await this.#store(read, plan.change, plan.hand, settled))) return 0;
    return this.#untilNext(plan.change.state, now);
  }

  /** What to hand out and to store next; undefined when nothing changes and no sign of life is due. */
  async #plan(
    before: StreamState,
    settled: readonly Settled[],
    now: number,
  ): Promise<
    { readonly change: StateChange; readonly hand: readonly { event: LoggedEvent; attempt: number }[] } | undefined
  > {
    const { source, topic, attempts, id, redeliverAfter } = this.#member;
    const { state, bury = [] } = settle(before, settled);
    for (const position of this.#out.keys()) {
      // Settled, or taken out of the state by a rewind.
      if (!before.pending.some((pending) => pending.position === position)) this.#out.delete(position);
    }
    const hand: { event: LoggedEvent; attempt: number }[] = [];
    const pending: Pending[] = [];
    const buried = [...bury];
    for (const entry of state.pending) {
      if ((this.#out.get(entry.position) ?? 0) > now) {
        pending.push(entry);
        continue;
      }
      const [logged] = await source.announced(this.#partition, topic, entry.position - 1, 1);
      const event = logged?.position === entry.position ? logged : entry.event;
      // The log has dropped it; there is nothing left to deliver.
      if (event === undefined) continue;
      if (entry.attempt >= attempts) {
        buried.push(this.#letter(event, entry.attempt, `not acknowledged in ${entry.attempt} deliveries`));
        continue;
      }
      pending.push({ ...entry, attempt: entry.attempt + 1 });
      hand.push({ event, attempt: entry.attempt + 1 });
    }
    const room = windowSize - pending.length;
    const fresh = room > 0 ? await source.announced(this.#partition, topic, state.cursor, room) : [];
    for (const event of fresh) {
      pending.push({ position: event.position, attempt: 1 });
      hand.push({ event, attempt: 1 });
    }
    const idle = hand.length === 0 && buried.length === 0 && settled.length === 0;
    const alive = before.owner === id && now - this.#seen.since < redeliverAfter / 3;
    if (idle && pending.length === before.pending.length && alive) return undefined;
    const cursor = fresh.at(-1)?.position ?? (room > 0 ? Math.max(state.cursor, this.#last) : state.cursor);
    const owned = pending.length > 0 || cursor < this.#last;
    return {
      change: { state: { ...(owned && { owner: id }), beat: before.beat + 1, cursor, pending }, bury: buried },
      hand,
    };
  }

  /** Stores the plan, and only then hands out what it says. */
  async #store(
    read: StoredState,
    change: StateChange,
    hand: readonly { event: LoggedEvent; attempt: number }[],
    settled: readonly Settled[],
  ): Promise<boolean> {
    const stored = await this.#member.rows.store(this.#partition, read, change);
    if (stored === undefined) return false;
    this.#settled = this.#settled.filter((entry) => !settled.includes(entry));
    this.#seen = { version: stored.version, since: this.#member.clock.monotonic() };
    for (const { position, stored: tell } of settled) {
      this.#out.delete(position);
      tell();
    }
    for (const { event, attempt } of hand) {
      this.#out.set(event.position, Infinity);
      this.#member.hand({
        event,
        attempt,
        take: () => this.#out.set(event.position, this.#member.clock.monotonic() + this.#member.redeliverAfter),
        settle: (reason) => this.#finish(event, attempt, reason),
      });
    }
    return true;
  }

  async #finish(event: LoggedEvent, attempt: number, reason: string | undefined): Promise<void> {
    const { attempts, clock, redeliverAfter, rows } = this.#member;
    if (reason !== undefined && attempt < attempts) {
      const delay = Math.min(redeliverAfter, firstRetry * 2 ** (attempt - 1));
      this.#out.set(event.position, clock.monotonic() + delay);
      this.#bell.ring();
      return;
    }
    const bury = reason === undefined ? undefined : this.#letter(event, attempt, reason);
    if (!this.#stopped) {
      await new Promise<void>((stored) => {
        this.#settled.push({ position: event.position, bury, stored });
        this.#bell.ring();
      });
      return;
    }
    await rows.update(this.#partition, (state) => {
      const pending = state?.pending.filter(({ position }) => position !== event.position) ?? [];
      if (state === undefined || pending.length === state.pending.length) return undefined;
      return { state: { ...state, beat: state.beat + 1, pending }, ...(bury && { bury: [bury] }) };
    });
  }

  /** Gives the stream up at once, so that another member need not wait. What the consumer never took does not count as delivered. */
  async #letGo(): Promise<void> {
    const { rows, id } = this.#member;
    await rows
      .update(this.#partition, (before) => {
        if (before === undefined || (before.owner !== id && this.#settled.length === 0)) return undefined;
        const { state, bury = [] } = settle(before, this.#settled);
        const { owner, ...rest } = state;
        const pending = state.pending.map((entry) =>
          this.#out.get(entry.position) === Infinity ? { ...entry, attempt: entry.attempt - 1 } : entry,
        );
        return { state: { ...rest, ...(owner !== id && owner && { owner }), beat: state.beat + 1, pending }, bury };
      })
      // The store is gone: others take over after the redelivery time.
      .catch(() => {});
    for (const { stored } of this.#settled) stored();
    this.#settled = [];
  }

  #letter(event: LoggedEvent, attempts: number, reason: string): DeadLetter {
    return { ...event, group: this.#member.group, reason, attempts };
  }

  #untilNext(state: StreamState, now: number): number {
    if (state.pending.length === 0) return state.cursor < this.#last ? 0 : Infinity;
    const due = Math.min(...state.pending.map(({ position }) => this.#out.get(position) ?? now));
    return Math.max(1, Math.min(due - now, this.#member.redeliverAfter / 3));
  }
}

/** The state with what was settled taken out. */
function settle(state: StreamState, settled: readonly Settled[]): StateChange {
  const done = new Set(settled.map(({ position }) => position));
  const bury = settled.flatMap(({ position, bury }) =>
    bury && state.pending.some((pending) => pending.position === position) ? [bury] : [],
  );
  const pending = state.pending.filter(({ position }) => !done.has(position));
  return { state: { ...state, pending }, bury };
}

async function waitAtMost(ms: number, rung: Promise<void>, clock: Clock, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const both = AbortSignal.any([signal, done.signal]);
  // Rejects only when it is called off.
  const slept = clock.sleep(ms, both).catch(() => {});
  await settledOrAborted(Promise.race([rung, slept]), signal);
  done.abort();
}
