import { AwsError } from '@slipway/auth/contract';
import { textGlob } from '@slipway/auth/policy';

import { invalidValue } from './errors.ts';
import type { Filters } from './shapes.ts';

/** What a filter compares: a text, several of which one must fit, or nothing. */
export type FilterValue = string | number | boolean | undefined | readonly (string | number | undefined)[];

/** The filters of one kind of thing, by name. */
export type FilterTable<R> = Readonly<Record<string, (record: R) => FilterValue>>;

/** As EC2: at most so many filters of a request, and values of each. */
const mostFilters = 50;
const mostValues = 200;

/**
 * What passes all filters of a request: a filter is passed when one of its values fits. In values `*` and `?` stand for other characters.
 * `tag:KEY` and `tag-key` exist for everything that has tags.
 * @throws InvalidParameterValue for a filter that does not exist, FilterLimitExceeded
 */
export function passing<R extends object>(filters: Filters | undefined, table: FilterTable<R>): (record: R) => boolean {
  if ((filters?.length ?? 0) > mostFilters)
    throw new AwsError('FilterLimitExceeded', `A request has at most ${mostFilters} filters.`);
  const tests = (filters ?? []).map(({ Name: name = '', Values: values = [] }) => {
    if (values.length > mostValues)
      throw new AwsError(
        'FilterLimitExceeded',
        `The filter '${name.slice(0, 100)}' has more than ${mostValues} values.`,
      );
    const valueOf = readerOf(name, table);
    const globs = values.map(textGlob);
    return (record: R): boolean => {
      const value = valueOf(record);
      const texts = (Array.isArray(value) ? value : [value]).filter((text) => text !== undefined).map(String);
      return texts.some((text) => globs.some((fits) => fits(text)));
    };
  });
  return (record) => tests.every((test) => test(record));
}

function readerOf<R extends object>(name: string, table: FilterTable<R>): (record: R) => FilterValue {
  if (name === 'tag-key') return (record) => Object.keys(tagsOf(record));
  if (name.startsWith('tag:')) {
    const key = name.slice('tag:'.length);
    return (record) => (Object.hasOwn(tagsOf(record), key) ? tagsOf(record)[key] : undefined);
  }
  const reader = Object.hasOwn(table, name) ? table[name] : undefined;
  if (reader === undefined) throw invalidFilter(name, Object.keys(table));
  return reader;
}

const tagsOf = (record: object): Readonly<Record<string, string>> =>
  (record as { readonly tags?: Readonly<Record<string, string>> }).tags ?? {};

const invalidFilter = (name: string, known: readonly string[]): AwsError =>
  known.length === 0
    ? invalidValue(name, 'Filter', 'This list has no filters.')
    : new AwsError(
        'InvalidParameterValue',
        `The filter '${name.slice(0, 100)}' is invalid. Filters are ${known.join(', ')}, tag:KEY and tag-key.`,
      );
