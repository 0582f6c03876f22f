import { AwsError } from '@slipway/auth/contract';

import { keyId } from './operation.ts';
import type { ParameterRecord } from './records.ts';
import { newest } from './store.ts';

/** A filter as requests have it. */
export interface Filter {
  readonly Key: string;
  readonly Option?: string | undefined;
  readonly Values?: readonly string[] | undefined;
}

const options: Readonly<Record<string, readonly string[]>> = {
  Name: ['Equals', 'BeginsWith', 'Contains'],
  Path: ['OneLevel', 'Recursive'],
};

/** @throws InvalidFilterKey, InvalidFilterOption, InvalidFilterValue */
export function checkFilters(given: readonly Filter[], keys: readonly string[]): void {
  for (const { Key: key, Option: option, Values: values = [] } of given) {
    const isTag = key.startsWith('tag:');
    if (!keys.includes(isTag ? 'tag:' : key))
      throw new AwsError('InvalidFilterKey', `The filter key ${key} is not one of ${keys.join(', ')}.`);
    const known = options[key] ?? ['Equals'];
    if (option !== undefined && !known.includes(option))
      throw new AwsError(
        'InvalidFilterOption',
        `The filter option ${option} is not valid for ${key}: ${known.join(', ')} are.`,
      );
    // A tag may be asked for without saying its value.
    if (values.length === 0 && !isTag) throw new AwsError('InvalidFilterValue', `The filter ${key} needs values.`);
  }
}

/** Whether all filters fit a parameter: each does when one of its values does. */
export const fits = (parameter: ParameterRecord, given: readonly Filter[]): boolean =>
  given.every((filter) => fitsOne(parameter, filter));

function fitsOne(parameter: ParameterRecord, { Key: key, Option: option, Values: values = [] }: Filter): boolean {
  const { name, tags, versions } = parameter;
  const last = newest(parameter);
  if (key.startsWith('tag:')) {
    const value = tags[key.slice('tag:'.length)];
    return value !== undefined && (values.length === 0 || values.includes(value));
  }
  switch (key) {
    case 'Name':
      if (option === 'BeginsWith')
        return values.some((value) => name.startsWith(value) || name.startsWith(`/${value}`));
      if (option === 'Contains') return values.some((value) => name.includes(value));
      return values.includes(name);
    case 'Path':
      return values.some((path) => isBelow(name, path, option === 'Recursive'));
    case 'Type':
      return values.includes(last.type);
    case 'KeyId':
      return last.type === 'SecureString' && values.includes(last.keyId ?? keyId);
    case 'Tier':
      return values.includes(last.tier);
    case 'DataType':
      return values.includes('text');
    default:
      // Label
      return versions.some(({ labels }) => labels.some((label) => values.includes(label)));
  }
}

function isBelow(name: string, path: string, recursive: boolean): boolean {
  const whole = name.startsWith('/') ? name : `/${name}`;
  const folder = path.endsWith('/') ? path : `${path}/`;
  return whole.startsWith(folder) && (recursive || !whole.slice(folder.length).includes('/'));
}
