/** One line of what happened, for people and for telling two runs apart. */
export interface Entry {
  /** True milliseconds since the start. */
  readonly at: number;
  /** Who: `server-1`, `host-2`, `user`, `fault`, `check`. */
  readonly who: string;
  readonly what: string;
}

/** What happened, in order, with a checksum: equal seeds give equal checksums. */
export class History {
  readonly entries: Entry[] = [];
  readonly #start: number;
  readonly #now: () => number;
  /** Keeping the lines of a million runs costs more than playing them: without this only the checksum is kept. */
  readonly #keep: boolean;
  #sum = 0x811c9dc5;
  #count = 0;

  constructor(now: () => number, keep: boolean) {
    this.#now = now;
    this.#start = now();
    this.#keep = keep;
  }

  note(who: string, what: string | (() => string)): void {
    const at = Math.round((this.#now() - this.#start) * 1000) / 1000;
    this.#count += 1;
    this.#mix(`${at} ${who}`);
    if (!this.#keep) return;
    this.entries.push({ at, who, what: typeof what === 'string' ? what : what() });
  }

  /** Takes something into the checksum that needs no line. */
  #mix(text: string): void {
    let sum = this.#sum;
    for (let index = 0; index < text.length; index++) sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193);
    this.#sum = sum;
  }

  get checksum(): string {
    return `${(this.#sum >>> 0).toString(16).padStart(8, '0')}-${this.#count}`;
  }

  /** The lines as people read them: minutes, seconds, who, what. */
  lines(): string[] {
    return this.entries.map(({ at, who, what }) => `${clockTime(at)} ${who.padEnd(10)} ${what}`);
  }
}

function clockTime(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const seconds = (ms % 60_000) / 1000;
  return `${String(minutes).padStart(2, '0')}:${seconds.toFixed(3).padStart(6, '0')}`;
}
