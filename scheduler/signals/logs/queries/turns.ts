/** How many queries a process works on: at once, and with those that pause; of one account with those. */
export interface TurnLimits {
  readonly atOnce: number;
  /** What `stats` keeps stays in memory while a query pauses. */
  readonly begun: number;
  readonly begunOfAccount: number;
  /** After so long a query pauses for one of an account of which none is worked on, milliseconds. */
  readonly length: number;
}

export const turnLimits: TurnLimits = { atOnce: 2, begun: 6, begunOfAccount: 2, length: 1000 };

interface Waiting {
  readonly account: string;
  readonly isBegun: boolean;
  readonly begin: () => void;
}

interface Of {
  working: number;
  begun: number;
  /** The greater the later one of its queries got a turn. */
  served: number;
}

/**
 * Whose query is worked on: accounts by turns, however many queries and however long ones each has. Queries of one account come one after
 * the other.
 */
export class Turns {
  readonly #limits: TurnLimits;
  readonly #monotonic: () => number;
  readonly #accounts = new Map<string, Of>();
  #waiting: Waiting[] = [];
  #working = 0;
  #begun = 0;
  #served = 0;

  constructor(monotonic: () => number, limits = turnLimits) {
    this.#monotonic = monotonic;
    this.#limits = limits;
  }

  /** Waits for a turn. @returns undefined when the signal aborted before there was one */
  async take(account: string, signal: AbortSignal): Promise<Turn | undefined> {
    let since = 0;
    let holds = false;
    const begin = (): void => {
      since = this.#monotonic();
      holds = true;
    };
    await this.#wait({ account, isBegun: false, begin }, signal);
    if (!holds) return undefined;
    return {
      pass: async () => {
        if (!this.#gives(account, this.#monotonic() - since)) return;
        holds = false;
        this.#stop(account);
        await this.#wait({ account, isBegun: true, begin }, signal);
        if (!holds) signal.throwIfAborted();
      },
      end: () => {
        this.#begun--;
        this.#of(account).begun--;
        if (holds) this.#stop(account);
        else this.#next();
      },
    };
  }

  /** Resolves when it has begun, or the signal has aborted. */
  #wait({ account, isBegun, begin: begun }: Waiting, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const turn = Promise.withResolvers<void>();
    const leave = (): void => {
      this.#waiting = this.#waiting.filter((it) => it !== waiting);
      turn.resolve();
    };
    const begin = (): void => {
      signal.removeEventListener('abort', leave);
      begun();
      turn.resolve();
    };
    const waiting = { account, isBegun, begin };
    signal.addEventListener('abort', leave, { once: true });
    this.#waiting.push(waiting);
    this.#next();
    return turn.promise;
  }

  /** Whether one of another account should have the turn of one of this account that has had it for so long. */
  #gives(account: string, milliseconds: number): boolean {
    const { working } = this.#of(account);
    const most = milliseconds < this.#limits.length ? working - 2 : working - 1;
    return this.#waiting.some(
      (it) => it.account !== account && this.#mayBegin(it) && this.#of(it.account).working <= most,
    );
  }

  #stop(account: string): void {
    this.#working--;
    const of = this.#of(account);
    of.working--;
    this.#next();
    if (of.working === 0 && of.begun === 0 && this.#waiting.every((it) => it.account !== account))
      this.#accounts.delete(account);
  }

  /** Gives turns as long as there are some: to the accounts of which the fewest are worked on, and of those to whose turn is longest ago. */
  #next(): void {
    while (this.#working < this.#limits.atOnce) {
      let next: Waiting | undefined;
      for (const waiting of this.#waiting)
        if (this.#mayBegin(waiting) && (next === undefined || this.#isBefore(waiting, next))) next = waiting;
      if (next === undefined) return;
      const chosen = next;
      this.#waiting = this.#waiting.filter((it) => it !== chosen);
      const of = this.#of(chosen.account);
      this.#working++;
      of.working++;
      of.served = ++this.#served;
      if (!chosen.isBegun) {
        this.#begun++;
        of.begun++;
      }
      chosen.begin();
    }
  }

  #mayBegin({ account, isBegun }: Waiting): boolean {
    return isBegun || (this.#begun < this.#limits.begun && this.#of(account).begun < this.#limits.begunOfAccount);
  }

  #isBefore(one: Waiting, other: Waiting): boolean {
    const [first, second] = [this.#of(one.account), this.#of(other.account)];
    return first.working === second.working ? first.served < second.served : first.working < second.working;
  }

  #of(account: string): Of {
    const of = this.#accounts.get(account) ?? { working: 0, begun: 0, served: 0 };
    this.#accounts.set(account, of);
    return of;
  }
}

export interface Turn {
  /** To be called now and then: pauses while it is another account's turn. @throws the reason for which the signal aborted meanwhile */
  readonly pass: () => Promise<void>;
  /** The query is over. */
  readonly end: () => void;
}
