import { createHash } from 'node:crypto';

import type { Dimension, Series } from './contract.ts';

/** Dimensions in the order of their names: a series is their set. */
export function sortedDimensions(dimensions: readonly Dimension[]): readonly Dimension[] {
  return dimensions.length < 2
    ? dimensions
    : [...dimensions].sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
}

/** The same text for the same series, and for no other. */
export function identityOf({ namespace, name, dimensions }: Series): string {
  const parts = [namespace, name];
  for (const dimension of sortedDimensions(dimensions)) parts.push(dimension.name, dimension.value);
  return JSON.stringify(parts);
}

/** The digits of an id that are those of its metric. */
export const metricDigits = 8;

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The beginning that the ids of all series of a metric have: they lie side by side. */
export const metricId = (namespace: string, name: string): string =>
  digest(JSON.stringify([namespace, name])).slice(0, metricDigits);

/** 32 hexadecimal digits that stand for a series. Nobody can make two series with the same last 24. */
export const seriesId = (series: Series, identity = identityOf(series)): string =>
  metricId(series.namespace, series.name) + digest(identity).slice(0, 24);
