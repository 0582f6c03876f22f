import { CliError } from '../errors.ts';

/** What is wrong with a file, each with its line: all of it is told at once. */
export class Problems {
  readonly file: string;
  readonly #lines: { readonly line: number; readonly text: string }[] = [];

  constructor(file: string) {
    this.file = file;
  }

  /** @param line from 1; 0 for the file as a whole */
  add(line: number, text: string): void {
    // A file may have very many faults; nobody reads on.
    if (this.#lines.length < 50) this.#lines.push({ line, text });
  }

  get any(): boolean {
    return this.#lines.length > 0;
  }

  /** @throws CliError that tells all of them, by line; exit code 2 */
  refuse(): void {
    if (!this.any) return;
    const told = this.#lines
      .toSorted((a, b) => a.line - b.line)
      .map(({ line, text }) => `${this.file}${line === 0 ? '' : `:${line}`}: ${text}`);
    throw new CliError(
      `${told.length === 1 ? '' : `${told.length} things in ${this.file} are not as they can be:\n`}${told.join('\n')}`,
      2,
    );
  }
}
