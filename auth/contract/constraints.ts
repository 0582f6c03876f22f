/** What the SDK schemas do not carry: enumerations, lengths, ranges and patterns, from the service's API reference. */
export interface Constraint {
  /** Least length of a string, blob or list, or least value of a number. */
  readonly min?: number;
  readonly max?: number;
  /** Must match the whole string; has to run in linear time. */
  readonly pattern?: RegExp;
  readonly values?: readonly string[];
  readonly integer?: true;
  /** Of an optional text: given but empty, it counts as left out, as ECS reads its inputs. */
  readonly emptyIsAbsent?: true;
}

/**
 * Constraints of a service by member: `Shape.member` (`CreateRepositoryRequest.repositoryName`) for one structure, or
 * `member` alone for every structure that has it, or `*` for every member; the most particular key wins, alone. On a list, `member[]`
 * constrains the elements.
 */
export type Constraints = Readonly<Record<string, Constraint>>;
