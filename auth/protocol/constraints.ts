import type { Constraint, Constraints } from '../contract/index.ts';
import type { Problem } from './problems.ts';

/** What of `constraint` the decoded value breaks, in the words AWS uses; undefined when nothing. */
export function brokenRule(constraint: Constraint, value: unknown): string | undefined {
  const { min, max, pattern, values, integer } = constraint;
  if (typeof value === 'number') {
    if (integer === true && !Number.isInteger(value)) return 'Member must be an integer';
    if (min !== undefined && value < min) return `Member must have value greater than or equal to ${min}`;
    if (max !== undefined && value > max) return `Member must have value less than or equal to ${max}`;
    return undefined;
  }
  const length = lengthOf(value);
  if (length !== undefined) {
    if (min !== undefined && length < min) return `Member must have length greater than or equal to ${min}`;
    if (max !== undefined && length > max) return `Member must have length less than or equal to ${max}`;
  }
  if (typeof value === 'string') {
    if (values !== undefined && !values.includes(value)) {
      return `Member must satisfy enum value set: [${values.join(', ')}]`;
    }
    if (pattern !== undefined && !pattern.test(value)) {
      return `Member must satisfy regular expression pattern: ${pattern.source}`;
    }
  }
  return undefined;
}

function lengthOf(value: unknown): number | undefined {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  if (value instanceof Uint8Array) return value.byteLength;
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) return Object.keys(value).length;
  return undefined;
}

/** Finds the constraint of a member, the structure's own first and that of all members last. */
export function constraintOf(constraints: Constraints, shape: string, member: string): Constraint | undefined {
  return constraints[`${shape}.${member}`] ?? constraints[member] ?? constraints['*'];
}

/** Collects problems, at most a handful: a hostile input cannot make the answer long. */
export class Problems {
  readonly list: Problem[] = [];
  add(path: string, rule: string, value?: string): void {
    if (this.list.length < 10) {
      this.list.push({ path, kind: 'constraint', rule, ...(value === undefined ? {} : { value: clip(value) }) });
    }
  }
}

const clip = (text: string): string => (text.length > 256 ? `${text.slice(0, 256)}…` : text);
