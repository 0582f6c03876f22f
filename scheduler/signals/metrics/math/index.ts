/** Metric math: read, and worked out over time series. Pure. */
export { MathError } from './errors.ts';
export { evaluate, resultOf, type Surroundings } from './evaluate.ts';
export { functionNames, refusedFunctions } from './names.ts';
export { type Expression, parseExpression, usesOf } from './parse.ts';
export { scalar, type TimeSeries, type Value, Work } from './values.ts';
