import type { ConditionElement } from './document.ts';
import { operators, type ValueTest } from './operators.ts';
import { type ContextLookup, readPattern } from './pattern.ts';

export interface CompiledCondition {
  readonly element: ConditionElement;
  /** The condition key, lower case. */
  readonly key: string;
  holds(lookup: ContextLookup): boolean;
}

/**
 * Compiles one operator and key. All conditions of a statement must hold.
 * - A key that is absent, or present without values: positive operators are false, negated ones true, `…IfExists` true,
 *   `ForAllValues` true, `ForAnyValue` false.
 * - A key with several values under an operator without `ForAllValues`/`ForAnyValue` counts as matching when any value matches.
 * @param keys collects the keys that the condition looks at
 */
export function compileCondition(element: ConditionElement, variables: boolean, keys: Set<string>): CompiledCondition {
  const key = element.key.toLowerCase();
  keys.add(key);
  if (variables) collectVariables(element.values, keys);
  if (element.operator === 'null') {
    const wanted = element.values.map((value) => value.toLowerCase() === 'true');
    return { element, key, holds: (lookup) => wanted.includes(isAbsent(lookup(key))) };
  }
  const operator = operators.get(element.operator);
  if (operator === undefined) throw new TypeError(`unknown condition operator ${element.operator}`);
  const tests = element.values.map((value) => {
    const test = operator.compile(value, variables);
    if (test === undefined) throw new TypeError(`condition value ${value} does not fit ${element.operator}`);
    return test;
  });
  const valueHolds = (value: string, lookup: ContextLookup): boolean =>
    matchesAny(tests, value, lookup) !== operator.negated;
  const holdsFor = (values: readonly string[], lookup: ContextLookup): boolean => {
    if (element.quantifier === 'ForAllValues') return values.every((value) => valueHolds(value, lookup));
    if (element.quantifier === 'ForAnyValue') return values.some((value) => valueHolds(value, lookup));
    return values.some((value) => matchesAny(tests, value, lookup)) !== operator.negated;
  };
  const whenAbsent =
    element.ifExists || element.quantifier === 'ForAllValues' || (element.quantifier === undefined && operator.negated);
  return {
    element,
    key,
    holds(lookup) {
      const found = lookup(key);
      if (isAbsent(found)) return whenAbsent;
      return holdsFor(typeof found === 'string' ? [found] : (found as readonly string[]), lookup);
    },
  };
}

function isAbsent(value: string | readonly string[] | undefined): boolean {
  return value === undefined || (value.length === 0 && typeof value !== 'string');
}

function matchesAny(tests: readonly ValueTest[], value: string, lookup: ContextLookup): boolean {
  for (const test of tests) if (test(value, lookup)) return true;
  return false;
}

function collectVariables(values: readonly string[], keys: Set<string>): void {
  for (const value of values) {
    for (const piece of readPattern(value, { wildcards: false, variables: true }) ?? []) {
      if (typeof piece === 'object') keys.add(piece.key);
    }
  }
}
