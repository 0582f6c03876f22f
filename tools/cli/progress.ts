/** One line on standard error that is written over while work goes on; nothing when it is not a terminal. */
export class Progress {
  readonly #label: string;
  #shown = 0;
  #last = 0;

  constructor(label: string) {
    this.#label = label;
  }

  /** Shows how far it is; at most ten times a second. */
  show(text: string): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#last < 100) return;
    this.#last = now;
    const line = `${this.#label}: ${text}`;
    process.stderr.write(`\r${line.padEnd(this.#shown)}`);
    this.#shown = line.length;
  }

  /** Shows `done` of `total` as a bar, and a few words behind it. */
  bar(done: number, total: number, words = ''): void {
    const width = 30;
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const filled = Math.round(width * share);
    this.show(
      `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${(share * 100).toFixed(0).padStart(3)} %  ${done} of ${total}${words === '' ? '' : `, ${words}`}`,
    );
  }

  end(): void {
    if (this.#shown > 0) process.stderr.write(`\r${' '.repeat(this.#shown)}\r`);
    this.#shown = 0;
  }
}
