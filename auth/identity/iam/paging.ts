import type { Key } from '../entities.ts';
import { validationError } from '../errors.ts';
import type { Iam } from './iam.ts';

export interface PagingInput {
  readonly Marker?: string | undefined;
  readonly MaxItems?: number | undefined;
}

export interface Paged<T> {
  readonly items: T[];
  readonly truncation: { readonly IsTruncated: boolean; readonly Marker?: string };
}

/** IAM's default; the service's constraints allow 1 to 1000. */
const pageSize = (input: PagingInput): number => input.MaxItems ?? 100;

function readMarker(marker: string | undefined): string | undefined {
  if (marker === undefined) return undefined;
  const text = Buffer.from(marker, 'base64url').toString('utf8');
  if (text === '' || Buffer.from(text).toString('base64url') !== marker) {
    throw validationError('Invalid Marker: pass the Marker of the page before, unchanged');
  }
  return text;
}

const truncatedAt = (key: string): Paged<never>['truncation'] => ({
  IsTruncated: true,
  Marker: Buffer.from(key).toString('base64url'),
});

/** A page of an account's records under a prefix. `show` answers undefined for records that the caller did not ask for. */
export async function pageOfRecords<T, R>(
  iam: Iam,
  account: string,
  prefix: Key<T>,
  input: PagingInput,
  show: (value: T, key: string) => R | undefined,
): Promise<Paged<R>> {
  const limit = pageSize(input);
  const items: R[] = [];
  let last = '';
  for await (const { key, value } of iam.scan(account, { prefix, after: readMarker(input.Marker) })) {
    const item = show(value, key);
    if (item === undefined) continue;
    // The page is full and there is at least one more that fits.
    if (items.length === limit) return { items, truncation: truncatedAt(last) };
    items.push(item);
    last = key;
  }
  return { items, truncation: { IsTruncated: false } };
}

/** A page of a list that is at hand, each item under a key by which the list is ordered and continued. */
export function pageOfList<T>(list: readonly T[], keyOf: (item: T) => string, input: PagingInput): Paged<T> {
  const limit = pageSize(input);
  const after = readMarker(input.Marker);
  const rest = list
    .map((item) => ({ item, key: keyOf(item) }))
    .filter(({ key }) => after === undefined || key > after)
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const page = rest.slice(0, limit);
  const items = page.map(({ item }) => item);
  const end = page.at(-1);
  return {
    items,
    truncation: rest.length > limit && end !== undefined ? truncatedAt(end.key) : { IsTruncated: false },
  };
}
