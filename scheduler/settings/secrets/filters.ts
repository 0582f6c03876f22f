import type { SecretRecord } from './records.ts';

/** A filter as requests have it. */
export interface Filter {
  readonly Key?: string | undefined;
  readonly Values?: readonly string[] | undefined;
}

/**
 * Whether all filters fit a secret: each does when one of its values does, or none of those that begin with `!`. Names and keys and values
 * of tags begin with what is given; descriptions do whatever their case, and `all` looks for words anywhere (API reference, Filter).
 */
export function isListed(secret: SecretRecord, given: readonly Filter[]): boolean {
  return given.every(({ Key = '', Values = [] }) => {
    const has = (value: string): boolean => textsOf(secret, Key).some((text) => fits(Key, text, value));
    const wanted = Values.filter((value) => !value.startsWith('!'));
    const unwanted = Values.filter((value) => value.startsWith('!')).map((value) => value.slice(1));
    return (wanted.length === 0 || wanted.some(has)) && !unwanted.some(has);
  });
}

function textsOf({ name, description = '', tags: own }: SecretRecord, key: string): readonly string[] {
  switch (key) {
    case 'name':
      return [name];
    case 'description':
      return [description];
    case 'tag-key':
      return Object.keys(own);
    case 'tag-value':
      return Object.values(own);
    case 'all':
      return [name, description, ...Object.entries(own).flat()];
    default:
      // Nothing is replicated, and no other service owns a secret.
      return [];
  }
}

function fits(key: string, text: string, value: string): boolean {
  if (key === 'description') return text.toLowerCase().startsWith(value.toLowerCase());
  if (key !== 'all') return text.startsWith(value);
  return value
    .toLowerCase()
    .split(/[ _@/+=.!-]+/)
    .filter((word) => word !== '')
    .some((word) => text.toLowerCase().includes(word));
}
