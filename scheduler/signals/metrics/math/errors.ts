/** What is wrong with an expression, and at which character (the first one is 1); 0 where it is about no place. */
export class MathError extends Error {
  override readonly name = 'MathError';
  readonly at: number;
  constructor(what: string, at = 0) {
    super(at === 0 ? what : `${what} (at character ${at})`);
    this.at = at;
  }
}
