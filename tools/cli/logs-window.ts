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

interface Followed {
  readonly window: LogWindow;
  /** The lines of the window that were shown: their times by their ids. */
  readonly shown: Map<string, number>;
}

/**
 * The windows of log groups that are followed. One that is not there is an outage of its own, and none of the others': hosts keep what tasks
 * write until there is a group of the name.
 */
export class FollowedGroups {
  readonly #groups = new Map<string, Followed>();
  /** Where the window of a group begins that comes later, with another revision. */
  readonly #all: LogWindow;
  #looked: ReadonlyMap<string, Followed> = new Map();

  /** @param since nothing older is asked for */
  constructor(since: number) {
    this.#all = new LogWindow(since);
  }

  /** A look at these groups begins. @returns from when on it asks for the lines of each */
  begin(names: readonly string[], now: number): ReadonlyMap<string, number> {
    this.#all.begin(now);
    this.#looked = new Map(names.map((name) => [name, this.#of(name)]));
    return new Map(Array.from(this.#looked, ([name, { window }]) => [name, window.begin(now)]));
  }

  /** Whether a line is there for the first time. */
  isNew({ id, timestamp, source: { group } }: NewLine): boolean {
    const { shown } = this.#of(group);
    if (shown.has(id)) return false;
    shown.set(id, timestamp);
    return true;
  }

  /** The look that began at `began` has seen everything of the groups that are there. */
  done(began: number, missing: ReadonlySet<string>): void {
    this.#all.done(began);
    for (const [name, { window, shown }] of this.#looked) {
      if (missing.has(name)) window.failed();
      else window.done(began);
      for (const [id, timestamp] of shown) if (timestamp < window.oldest) shown.delete(id);
    }
  }

  /** The look has not: what it was to see may be missing. */
  failed(): void {
    for (const window of [this.#all, ...Array.from(this.#looked.values(), (one) => one.window)]) window.failed();
  }

  #of(name: string): Followed {
    const found: Followed = this.#groups.get(name) ?? { window: new LogWindow(this.#all.oldest), shown: new Map() };
    this.#groups.set(name, found);
    return found;
  }
}

interface NewLine {
  readonly id: string;
  readonly timestamp: number;
  readonly source: { readonly group: string };
}
