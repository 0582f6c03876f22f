/** One thing wrong with an input, at a path such as `tags.1.member.key`. */
export interface Problem {
  /** Member names from the top of the input, list places counted from 1 as AWS counts them. */
  readonly path: string;
  /** `serialization`: the wire form cannot be read as the member's type. `constraint`: readable, but not allowed. */
  readonly kind: 'serialization' | 'constraint';
  /** For `constraint`: what AWS prints after "failed to satisfy constraint:", e.g. `Member must not be null`. */
  readonly rule: string;
  /** The offending value as it may be shown; absent for sensitive members. */
  readonly value?: string;
}

/** An input that could not be read or is not allowed; the encoder words it as the service does. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map((problem) => `${problem.path || 'the input'}: ${problem.rule}`).join('; '));
    this.problems = problems;
  }
}

export const serializationProblem = (path: string, rule: string): InputError =>
  new InputError([{ path, kind: 'serialization', rule }]);
