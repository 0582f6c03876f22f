import type { Signing } from './signing.ts';

/** The members of a paged request, as most services name them. */
export interface PageRequest {
  readonly nextToken?: string | undefined;
  readonly maxResults?: number | undefined;
}

/** One page; without `nextToken` it is the last. */
export interface PageOf<T> {
  readonly items: T[];
  readonly nextToken?: string;
}

/** How many results a page has: when the caller does not say, and at most. */
export interface PageLimits {
  readonly usual: number;
  readonly most: number;
}

/** What is a service's own about its pages. */
export interface PageRules extends PageLimits {
  /** The refusal of a page size that is not a whole number from 1 to `most`. */
  readonly badSize: (asked: number, most: number) => Error;
  /** The refusal of a token that this list did not give out. */
  readonly badToken: () => Error;
}

/**
 * What is listed, and how it is filtered: a token is good for the list that it came from and for no other.
 * Either a text that says all of that, or the values in a fixed order.
 */
export type ListName = string | readonly unknown[];

/** How many results a page has. @throws the service's refusal of a size that is not a whole number from 1 to `most` */
export function pageSize(rules: Omit<PageRules, 'badToken'>, { maxResults }: PageRequest): number {
  if (maxResults === undefined) return rules.usual;
  if (Number.isInteger(maxResults) && maxResults >= 1 && maxResults <= rules.most) return maxResults;
  throw rules.badSize(maxResults, rules.most);
}

/**
 * The pages of one service's lists. Tokens are signed, so that one that was made up, changed, or belongs to another list or
 * account is refused rather than understood somehow.
 *
 * @example
 * const list = ['ListClusters'];
 * const rows = scan(records, partition, { prefix, after: await pages.start(call.account, list, input) });
 * const { items, nextToken } = await pages.page(call.account, list, input, rows, ({ name }) => name);
 */
export class Pages {
  readonly #signing: Signing;
  readonly #rules: PageRules;

  constructor(signing: Signing, rules: PageRules) {
    this.#signing = signing;
    this.#rules = rules;
  }

  /** What {@link token} was given for the page before; undefined for the first page. @throws the service's refusal of the token */
  async start(account: string, list: ListName, { nextToken }: PageRequest): Promise<string | undefined> {
    if (nextToken === undefined || nextToken === '') return undefined;
    const parts = await this.#signing.verify(account, purposeOf(list), nextToken);
    if (parts?.[0] === undefined) throw this.#rules.badToken();
    return parts[0];
  }

  /** The token of the page that begins after `last`, a key by which the list is ordered. */
  token(account: string, list: ListName, last: string): Promise<string> {
    return this.#signing.sign(account, purposeOf(list), [last]);
  }

  /**
   * Fills one page. A page has a token when there is one more item that fits, so none is followed by an empty one.
   * @param rows in the order of their keys, from after {@link start}
   * @param pick what a row contributes; undefined leaves it out
   */
  async page<T, R>(
    account: string,
    list: ListName,
    request: PageRequest,
    rows: Rows<T>,
    pick: (value: T, key: string) => R | undefined,
    limits: Partial<PageLimits> = {},
  ): Promise<PageOf<R>> {
    const size = pageSize({ ...this.#rules, ...limits }, request);
    const items: R[] = [];
    let last = '';
    for await (const { key, value } of rows) {
      const item = pick(value, key);
      if (item === undefined) continue;
      if (items.length === size) return { items, nextToken: await this.token(account, list, last) };
      items.push(item);
      last = key;
    }
    return { items };
  }
}

/** Rows of a list, each under the key by which the list is ordered and continued. */
export type Rows<T> = AsyncIterable<Row<T>> | Iterable<Row<T>>;

/** What is listed, under the key by which the list is ordered. */
export interface Row<T> {
  readonly key: string;
  readonly value: T;
}

/** The rows of a list that is at hand, for {@link Pages.page}: sorted by key, from after `after`. */
export function rowsOf<T>(list: readonly T[], keyOf: (item: T) => string, after: string | undefined): Row<T>[] {
  return list
    .map((value) => ({ key: keyOf(value), value }))
    .filter(({ key }) => after === undefined || key > after)
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

const purposeOf = (list: ListName): string => `page of ${typeof list === 'string' ? list : JSON.stringify(list)}`;
