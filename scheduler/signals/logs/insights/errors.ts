/** A query that cannot be read: what is wrong, at which of its characters, and what to do. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
  /** Offsets into the query, in UTF-16 units: of the first character that is wrong, and behind the last one. */
  readonly start: number;
  readonly end: number;
  constructor(start: number, end: number, sentence: string) {
    super(`Invalid query at character ${start + 1}: ${sentence}`);
    this.start = start;
    this.end = Math.max(end, start);
  }
}

/** A query takes more memory, or one line of it more time, than a query is given. It ends as `Failed`. */
export class QueryTooHeavy extends Error {
  override readonly name = 'QueryTooHeavy';
}
