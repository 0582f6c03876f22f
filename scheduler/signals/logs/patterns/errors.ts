/** A filter pattern that cannot be read: what is wrong, at which character of it, and what to do. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
  /** The character of the pattern that is wrong, the first is 1; one after the last when the pattern ends too early. */
  readonly at: number;
  constructor(at: number, sentence: string) {
    super(`Invalid filter pattern at character ${at}: ${sentence}`);
    this.at = at;
  }
}
