import type { Series, SeriesFilter } from './contract.ts';

/** Whether a series is one of those that are asked for. */
export function isSelected(series: Series, { namespace, name, dimensions = [] }: SeriesFilter): boolean {
  return (
    (namespace === undefined || series.namespace === namespace) &&
    (name === undefined || series.name === name) &&
    dimensions.every((wanted) =>
      series.dimensions.some(
        (has) => has.name === wanted.name && (wanted.value === undefined || has.value === wanted.value),
      ),
    )
  );
}
