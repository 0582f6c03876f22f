import { type ListName, Pages, type Rows, rowsOf, type Signing } from '../../kit/index.ts';
import type { Key } from '../keys.ts';
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

/** IAM's pages: 100 items where the caller does not say, at most 1000 (IAM API reference, `MaxItems`). */
export const iamPages = (signing: Signing): Pages =>
  new Pages(signing, {
    usual: 100,
    most: 1000,
    badSize: (asked, most) => validationError(`MaxItems is a whole number from 1 to ${most}, not ${asked}`),
    badToken: () => validationError('Invalid Marker: pass the Marker of the page before, unchanged'),
  });

async function read<T, R>(
  iam: Iam,
  account: string,
  list: ListName,
  { Marker, MaxItems }: PagingInput,
  from: (after: string | undefined) => Rows<T>,
  show: (value: T, key: string) => R | undefined,
): Promise<Paged<R>> {
  const request = { nextToken: Marker, maxResults: MaxItems };
  const rows = from(await iam.pages.start(account, list, request));
  const { items, nextToken } = await iam.pages.page(account, list, request, rows, show);
  return {
    items,
    truncation: nextToken === undefined ? { IsTruncated: false } : { IsTruncated: true, Marker: nextToken },
  };
}

/** A page of an account's records under a prefix. `show` answers undefined for records that the caller did not ask for. */
export const pageOfRecords = <T, R>(
  iam: Iam,
  account: string,
  prefix: Key<T>,
  input: PagingInput,
  show: (value: T, key: string) => R | undefined,
): Promise<Paged<R>> => read(iam, account, prefix, input, (after) => iam.scan(account, { prefix, after }), show);

/**
 * A page of a list that is at hand, each item under a key by which the list is ordered and continued.
 * @param list what is listed: `['ListUserTags', 'ada']`
 */
export const pageOfList = <T>(
  iam: Iam,
  account: string,
  list: ListName,
  items: readonly T[],
  keyOf: (item: T) => string,
  input: PagingInput,
): Promise<Paged<T>> =>
  read(
    iam,
    account,
    list,
    input,
    (after) => rowsOf(items, keyOf, after),
    (item) => item,
  );
