/** Lines that come so late after they were written are still shown when following. All times in milliseconds. */
const lateness = 60_000;
/** Hosts bring what was written while no server answered within so long after one does again (each tries every few seconds) … */
const catchUp = 120_000;
/** … and that is looked for so often: it may be much to read. */
const deepPace = 10_000;

/**
 * From when on lines are asked for, look by look, so that none is missed: one that comes late, and after an outage one that was written
 * during it, however long that was. What is read again so is shown once (`oldest` says what may come again).
 */
export class LogWindow {
  readonly #since: number;
  #from: number;
  #isDeep = false;
  /** After a look that failed: from when on lines may be missing, when they are looked for next, and until when. */
  #outage: { readonly from: number; next: number; until: number | undefined } | undefined;

  /** @param since nothing older is asked for */
  constructor(since: number) {
    this.#since = since;
    this.#from = since;
  }

  /** No line from before is asked for again. */
  get oldest(): number {
    return this.#outage?.from ?? this.#from;
  }

  /** A look begins. @returns from when on it asks for lines */
  begin(now: number): number {
    this.#isDeep = this.#outage !== undefined && now >= this.#outage.next;
    return this.#isDeep ? this.oldest : this.#from;
  }

  /** The look that began at `began` has seen everything. */
  done(began: number): void {
    this.#from = Math.max(this.#since, began - lateness);
    if (this.#outage === undefined || !this.#isDeep) return;
    this.#outage.until ??= began + catchUp;
    if (began >= this.#outage.until) this.#outage = undefined;
    else this.#outage.next = Math.min(began + deepPace, this.#outage.until);
  }

  /** The look has not: what it was to see may be missing. */
  failed(): void {
    this.#outage = { from: this.oldest, next: 0, until: undefined };
  }
}
