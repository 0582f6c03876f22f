import { validation } from '../groups/index.ts';
import type { Filters } from './shapes.ts';

type Reader<R> = (row: R) => readonly (string | undefined)[];

/**
 * What passes all filters of a request: one of its values is one of the row's. @param table by name; one that ends in `:` takes what follows as its argument
 * @throws ValidationError for a filter that does not exist
 */
export function passes<R>(
  filters: Filters | undefined,
  table: Readonly<Record<string, (row: R, argument: string) => readonly (string | undefined)[]>>,
): (row: R) => boolean {
  if ((filters?.length ?? 0) > 50) throw validation('A request has at most 50 filters.');
  const tests = (filters ?? []).map(({ Name: name = '', Values: values = [] }) => {
    if (values.length > 200) throw validation('A filter has at most 200 values.');
    const read = readerOf(name, table);
    return (row: R): boolean => read(row).some((value) => value !== undefined && values.includes(value));
  });
  return (row) => tests.every((test) => test(row));
}

function readerOf<R>(name: string, table: Parameters<typeof passes<R>>[1]): Reader<R> {
  const [kind = '', argument] = name.split(/(?<=:)(.*)/s);
  const reader = Object.hasOwn(table, kind) ? table[kind] : undefined;
  if (reader === undefined)
    throw validation(`The filter '${name.slice(0, 100)}' is invalid. Filters are ${Object.keys(table).join(', ')}.`);
  return (row) => reader(row, argument ?? '');
}
