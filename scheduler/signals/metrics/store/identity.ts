import { createHash } from 'node:crypto';

import type { Dimension, Series } from './contract.ts';

/** Dimensions in the order of their names: a series is their set. */
export function sortedDimensions(dimensions: readonly Dimension[]): readonly Dimension[] {
  return dimensions.length < 2
    ? dimensions
    : [...dimensions].sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
}

/** The same text for the same series and unit, and for no other. */
export function identityOf({ namespace, name, dimensions }: Series, unit: string): string {
  const parts = [namespace, name, unit];
  for (const dimension of sortedDimensions(dimensions)) parts.push(dimension.name, dimension.value);
  return JSON.stringify(parts);
}

/** Bytes of a series' id. */
export const idBytes = 16;

/**
 * 32 hexadecimal digits that stand for a series and its unit. The first eight are those of the metric, so that its series lie side by
 * side; nobody can make two series with the same 24 others.
 */
export function seriesId(series: Series, identity: string): string {
  const metric = createHash('sha256')
    .update(JSON.stringify([series.namespace, series.name]))
    .digest('hex');
  return metric.slice(0, 8) + createHash('sha256').update(identity).digest('hex').slice(0, 24);
}
