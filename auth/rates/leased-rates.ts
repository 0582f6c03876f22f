import type { Clock } from '@slipway/storage/clock';
import type { Lease } from './rate.ts';
import type { LimitName, Rates, RateTable } from './rates.ts';

/** How the process that has the buckets is asked. */
export interface RateSource {
  lease(limit: LimitName, key: string, most: number): Promise<Lease>;
  /** Returns what was not used; negative: what was used beyond what was leased. */
  giveBack(limit: LimitName, key: string, count: number): void;
}

/** Tokens in hand for one key. */
interface Purse {
  readonly limit: LimitName;
  readonly key: string;
  tokens: number;
  /** How many to ask for next: twice as many while they are used up quickly. */
  want: number;
  waiting: number;
  askedAt: number;
  usedAt: number;
  /** Until when a refusal is believed without asking again, and what it said. Milliseconds, monotonic. */
  refusedUntil: number;
  freeAt: number;
  asking: Promise<void> | undefined;
  /** Questions that nobody waits for any more and that may be answered yet. */
  unanswered: number;
}

/** Milliseconds: what is used up within this long was too little; what lies unused this long goes back. */
const short = 200;
/** Milliseconds for which a refusal spares the other process further questions. */
const believed = 50;
/** Milliseconds; who has the buckets and does not answer for this long does not hold up requests: they pass and are counted later. */
const patience = 250;

/**
 * Rates whose buckets another process of this machine has: several processes together let through what one would. A process
 * keeps a few tokens of a busy key in hand, so that most requests ask nobody; a key that is seldom used is asked for each time.
 */
export class LeasedRates implements Rates {
  readonly #source: RateSource;
  readonly #limited: ReadonlySet<LimitName>;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #purses = new Map<string, Purse>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(source: RateSource, table: RateTable, clock: Pick<Clock, 'monotonic'>) {
    this.#source = source;
    this.#limited = new Set((Object.keys(table) as LimitName[]).filter((name) => table[name] !== undefined));
    this.#clock = clock;
  }

  take(limit: LimitName, key: string): number | Promise<number> {
    if (!this.#limited.has(limit)) return 0;
    const purse = this.#purse(limit, key);
    return this.#spend(purse) ?? this.#wait(purse);
  }

  #purse(limit: LimitName, key: string): Purse {
    const name = `${limit} ${key}`;
    let purse = this.#purses.get(name);
    if (purse === undefined) {
      const never = Number.NEGATIVE_INFINITY;
      const times = { askedAt: never, usedAt: never, refusedUntil: never, freeAt: never };
      purse = { limit, key, tokens: 0, want: 1, waiting: 0, asking: undefined, unanswered: 0, ...times };
      this.#purses.set(name, purse);
      this.#sweep ??= setInterval(() => this.#giveBack(), short).unref();
    }
    return purse;
  }

  /** What is in hand decides; undefined when nothing is. */
  #spend(purse: Purse): number | undefined {
    const now = this.#clock.monotonic();
    purse.usedAt = now;
    if (purse.tokens >= 1) {
      purse.tokens--;
      return 0;
    }
    return now < purse.refusedUntil ? Math.max(1, Math.ceil((purse.freeAt - now) / 1000)) : undefined;
  }

  async #wait(purse: Purse): Promise<number> {
    for (;;) {
      purse.waiting++;
      await (purse.asking ??= this.#ask(purse).finally(() => (purse.asking = undefined)));
      purse.waiting--;
      const decided = this.#spend(purse);
      if (decided !== undefined) return decided;
    }
  }

  async #ask(purse: Purse): Promise<void> {
    const asked = this.#clock.monotonic();
    purse.want = asked - purse.askedAt < short ? purse.want * 2 : 1;
    purse.askedAt = asked;
    // Whoever asks at the same moment is asked for as well.
    await Promise.resolve();
    let lent = 0;
    const lend = (): void => {
      lent = purse.waiting;
      purse.tokens += lent;
    };
    const ask = async (): Promise<void> => {
      purse.unanswered++;
      try {
        const { granted, wait } = await this.#source.lease(purse.limit, purse.key, Math.max(purse.want, purse.waiting));
        // What was lent meanwhile is paid back first.
        purse.tokens += granted - lent;
        // No more than this is handed out at once, so there is no use in asking for more.
        purse.want = Math.min(purse.want, Math.max(1, granted));
        if (granted > 0) return;
        const now = this.#clock.monotonic();
        purse.refusedUntil = now + believed;
        purse.freeAt = now + wait * 1000;
      } catch {
        lend();
      } finally {
        purse.unanswered--;
      }
    };
    const overdue = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      lend();
      overdue.resolve();
    }, patience);
    await Promise.race([ask(), overdue.promise]);
    clearTimeout(timer);
  }

  #giveBack(): void {
    const now = this.#clock.monotonic();
    for (const [name, purse] of this.#purses) {
      if (now - purse.usedAt < short || purse.waiting > 0 || purse.unanswered > 0) continue;
      // Less than none: what passed without an answer is paid for.
      if (purse.tokens !== 0) this.#source.giveBack(purse.limit, purse.key, purse.tokens);
      this.#purses.delete(name);
    }
    if (this.#purses.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}
