import type { TimeSeries } from '../math/index.ts';

/** What a label may say of the metric that it is of. */
export interface Properties {
  readonly MetricName?: string;
  readonly Namespace?: string;
  readonly Stat?: string;
  readonly Period?: string;
  readonly [dimension: `Dim.${string}`]: string;
}

/** Long labels with many placeholders would make answers of any size. */
const mostCharacters = 2048;
const placeholder = /\$\{(?:PROP\('([^']{1,300})'\)|([A-Z_]{1,20}))\}/g;

type Summary = (values: readonly number[]) => number | undefined;
const summaries: Readonly<Record<string, Summary>> = {
  AVG: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  DATAPOINT_COUNT: (values) => values.length,
  FIRST: (values) => values[0],
  LAST: (values) => values.at(-1),
  MAX: (values) => values.reduce((most, value) => Math.max(most, value)),
  MIN: (values) => values.reduce((least, value) => Math.min(least, value)),
  SUM: (values) => values.reduce((sum, value) => sum + value, 0),
};

/** Puts what a label asks for in the place of `${AVG}`, `${LABEL}`, `${PROP('MetricName')}` and the like; anything else stays as it stands. */
export function labelOf(template: string, usual: string, { points }: TimeSeries, properties: Properties): string {
  const values = [...points.values()];
  // However often a label asks for it, all points are gone over once.
  const told = new Map<string, string>();
  return template
    .replaceAll(placeholder, (whole, property: string | undefined, name: string) => {
      if (property !== undefined)
        return Object.hasOwn(properties, property) ? (properties[property as keyof Properties] as string) : whole;
      if (name === 'LABEL') return usual;
      if (!Object.hasOwn(summaries, name)) return whole;
      return told.getOrInsertComputed(name, () => {
        const value = values.length === 0 && name !== 'DATAPOINT_COUNT' ? undefined : summaries[name]?.(values);
        return value === undefined ? '--' : String(Math.round(value * 1000) / 1000);
      });
    })
    .slice(0, mostCharacters);
}
