/** Where in a policy document something is: the member's path and its place in the text, both for people. */
export interface PolicyPlace {
  /** For example `Statement[1].Condition.StringLike`; empty for the document as a whole. */
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1. */
  readonly column: number;
}

/**
 * A document that is not a policy of the kind asked for. IAM answers it as `MalformedPolicyDocument`, ECR as
 * `InvalidParameterException`; the message says what is wrong, and where.
 */
export class MalformedPolicy extends Error {
  override readonly name = 'MalformedPolicy';
  readonly code = 'MalformedPolicyDocument';
  readonly place: PolicyPlace;
  constructor(problem: string, place: PolicyPlace) {
    const where = place.path === '' ? '' : `${place.path}, `;
    super(`${problem} (${where}line ${place.line}, column ${place.column})`);
    this.place = place;
  }
}
