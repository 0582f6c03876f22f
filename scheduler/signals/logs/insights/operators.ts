import type { Row } from './row.ts';
import { compared, numberOf, type Value } from './values.ts';

/** Part of a query that is a value for each row. */
export interface Expression {
  /** As it is written. */
  readonly text: string;
  readonly evaluate: (row: Row) => Value;
  /** The name, when it is a field and nothing else. */
  readonly field?: string | undefined;
  /** Whether it is the same for all rows. */
  readonly constant?: boolean | undefined;
  /** The text that it is, in quotation marks. */
  readonly literal?: string | undefined;
  /** Texts that the messages of all events hold for which it is true: others need not be read. */
  readonly terms?: readonly string[] | undefined;
  /** The streams of all events for which it is true. */
  readonly streams?: readonly string[] | undefined;
}

const holds: Readonly<Record<string, (difference: number) => boolean>> = {
  '=': (difference) => difference === 0,
  '!=': (difference) => difference !== 0,
  '<': (difference) => difference < 0,
  '<=': (difference) => difference <= 0,
  '>': (difference) => difference > 0,
  '>=': (difference) => difference >= 0,
};

/** A comparison of two expressions: false when one of them is nothing for the row. */
export function comparisonOf(
  sign: string,
  left: Expression,
  right: Expression,
  isOfEvents: (name: string) => boolean,
): Expression {
  const of = holds[sign]!;
  const name = left.field === '@logStream' ? right.literal : right.field === '@logStream' ? left.literal : undefined;
  const ofStream = sign === '=' && name !== undefined && numberOf(name) === undefined && isOfEvents('@logStream');
  const isWhole = sign === '=' && left.field === '@message' && right.literal !== undefined && isOfEvents('@message');
  return {
    text: '',
    evaluate: (row) => {
      const [one, other] = [left.evaluate(row), right.evaluate(row)];
      row.spend(Math.min(lengthOf(one), lengthOf(other)));
      const difference = compared(one, other);
      return difference !== undefined && of(difference);
    },
    ...(ofStream ? { streams: [name] } : {}),
    ...(isWhole && numberOf(right.literal) === undefined && right.literal !== '' ? { terms: [right.literal] } : {}),
  };
}

const lengthOf = (value: Value): number => (typeof value === 'string' ? value.length : 0);
