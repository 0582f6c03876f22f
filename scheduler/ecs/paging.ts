import type { Stored } from '@slipway/storage/records';
import { createHash } from 'node:crypto';

import { invalidParameter } from '../cluster/index.ts';

export interface PageRequest {
  readonly nextToken?: string | undefined;
  readonly maxResults?: number | undefined;
}

export interface PageOf<T> {
  readonly items: readonly T[];
  readonly nextToken?: string;
}

const mostResults = 100;

/**
 * How many results a page has.
 * @throws InvalidParameterException unless `maxResults` is absent or from 1 to 100
 */
export function pageSize(request: PageRequest, usual = mostResults): number {
  const size = request.maxResults ?? usual;
  if (Number.isInteger(size) && size >= 1 && size <= mostResults) return size;
  throw invalidParameter(`maxResults must be a whole number from 1 to ${mostResults}, not ${size}.`);
}

/**
 * The key after which a page begins.
 * @param scope what is listed and how it is filtered: a token is only good for the list it came from
 * @throws InvalidParameterException when the token is not one of ours, or of another list
 */
export function pageStart(scope: readonly unknown[], request: PageRequest): string | undefined {
  if (request.nextToken === undefined || request.nextToken === '') return undefined;
  try {
    const [of, after] = JSON.parse(Buffer.from(request.nextToken, 'base64url').toString('utf8')) as unknown[];
    if (of === digest(scope) && typeof after === 'string') return after;
  } catch {
    // Falls through: whatever it is, it did not come from here.
  }
  throw invalidParameter('Invalid token: use the nextToken of the same list with the same filters.');
}

/**
 * Reads one page from records in order of their keys, which begin after {@link pageStart}.
 * @param pick what a record contributes; undefined leaves it out
 */
export async function pageFrom<T, R>(
  source: AsyncIterable<Stored<T>> | Iterable<Stored<T>>,
  scope: readonly unknown[],
  size: number,
  pick: (value: T) => R | undefined,
): Promise<PageOf<R>> {
  const items: R[] = [];
  let last = '';
  for await (const { key, value } of source) {
    const item = pick(value);
    if (item === undefined) continue;
    if (items.length === size) return { items, nextToken: tokenFor(scope, last) };
    items.push(item);
    last = key;
  }
  return { items };
}

const tokenFor = (scope: readonly unknown[], after: string): string =>
  Buffer.from(JSON.stringify([digest(scope), after])).toString('base64url');

const digest = (scope: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(scope)).digest('base64url').slice(0, 12);
