export { childrenOf, cycleThrough, holds } from './evaluate.ts';
export { type CompositeRule, longestRule, mostChildren, parseRule, RuleError } from './parse.ts';
