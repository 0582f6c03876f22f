import { mostValue, type Sample, type Series } from './contract.ts';
import { unitCode } from './units.ts';

/** CloudWatch's limits of what a series is called, and of what one datum has. */
export const nameLimit = 255;
export const valueLimit = 1024;
export const dimensionLimit = 30;
/** Values of one sample, as `CountedValues` has them. */
export const valuesLimit = 150;
const timeLimit = 9_999_999_999_999;

/** @throws RangeError for a sample that cannot be kept */
export function checkSample(sample: Sample): void {
  checkSeries(sample);
  const { timestamp, resolution, unit = 'None', measured } = sample;
  if (!Number.isSafeInteger(timestamp) || timestamp < 0 || timestamp > timeLimit)
    throw new RangeError(`the timestamp of a sample is whole milliseconds up to ${timeLimit}, not ${timestamp}`);
  if (resolution !== 1 && resolution !== 60) throw new RangeError('the resolution of a sample is 1 or 60 seconds');
  if (unitCode(unit) === undefined) throw new RangeError(`there is no unit ${unit.slice(0, nameLimit)}`);
  if (typeof measured === 'number') return checkValue(measured);
  if ('values' in measured) {
    const { values, counts } = measured;
    if (values.length === 0 || values.length > valuesLimit)
      throw new RangeError(`a sample has 1 to ${valuesLimit} values, not ${values.length}`);
    if (counts !== undefined && counts.length !== values.length)
      throw new RangeError('a sample has as many counts as values');
    for (const value of values) checkValue(value);
    for (const count of counts ?? []) checkCount(count);
    return;
  }
  const { count, sum, min, max } = measured;
  checkCount(count);
  for (const value of [sum, min, max]) checkValue(value);
  if (min > max) throw new RangeError('the minimum of a statistic set is not above its maximum');
}

function checkSeries({ namespace, name, dimensions }: Series): void {
  for (const text of [namespace, name]) checkText(text, nameLimit);
  if (dimensions.length > dimensionLimit) throw new RangeError(`a series has at most ${dimensionLimit} dimensions`);
  for (const dimension of dimensions) {
    checkText(dimension.name, nameLimit);
    checkText(dimension.value, valueLimit);
  }
  if (dimensions.length > 1 && new Set(dimensions.map((dimension) => dimension.name)).size < dimensions.length)
    throw new RangeError('no dimension of a series comes twice');
}

function checkText(text: string, limit: number): void {
  if (text === '' || text.length > limit) throw new RangeError(`a name of a series has 1 to ${limit} characters`);
}

function checkValue(value: number): void {
  if (!(Math.abs(value) <= mostValue)) throw new RangeError(`a value is a number up to 2^360, not ${value}`);
}

function checkCount(count: number): void {
  if (!(count > 0 && count <= mostValue)) throw new RangeError(`a count is above 0, and at most 2^360, not ${count}`);
}
