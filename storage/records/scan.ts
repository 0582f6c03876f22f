import type { Json, ListOptions, Page, RecordStore, Stored } from './record-store.ts';
import type { Transaction } from './transact.ts';

/**
 * The pages of any list that is read page by page, up to the last: `pagesOf((after) => repositories.list(account, { after }), …)`.
 * @param read the page after a place, or the first one
 * @param placeOf where a page ends; undefined when it is empty, which ends the list
 * @param after where to begin
 */
export async function* pagesOf<P extends { readonly more: boolean }, Place = string>(
  read: (after: Place | undefined) => Promise<P>,
  placeOf: (page: P) => Place | undefined,
  after?: Place,
): AsyncGenerator<P, void> {
  for (let place = after; ;) {
    const page = await read(place);
    yield page;
    place = placeOf(page);
    if (!page.more || place === undefined) return;
  }
}

/**
 * The pages of a partition of unknown size, in key order. Each is a snapshot of its own: records that are written meanwhile may be
 * seen or not.
 * @param options `limit` is the size of a page
 */
export function scanPages<T = Json>(
  records: Pick<RecordStore, 'list'>,
  partition: string,
  options: ListOptions = {},
): AsyncGenerator<Page<T>, void> {
  return pagesOf(
    (after) => records.list<T>(partition, { ...options, after }),
    (page) => page.records.at(-1)?.key,
    options.after,
  );
}

/** Every record of a partition, or of a prefix of it, page by page as `scanPages` reads them. */
export async function* scan<T = Json>(
  records: Pick<RecordStore, 'list'>,
  partition: string,
  options: ListOptions = {},
): AsyncGenerator<Stored<T>, void> {
  for await (const page of scanPages<T>(records, partition, options)) yield* page.records;
}

/** All of them at once, where it is known that they are few enough to be held. */
export async function scanAll<T = Json>(
  records: Pick<RecordStore, 'list'>,
  partition: string,
  options: ListOptions = {},
): Promise<Stored<T>[]> {
  const found: Stored<T>[] = [];
  for await (const page of scanPages<T>(records, partition, options)) {
    for (const record of page.records) found.push(record);
  }
  return found;
}

/** Whether fewer than `most` records have a prefix when it is looked. They are counted and not read. */
export async function hasRoom(records: Pick<Transaction, 'count'>, prefix: string, most: number): Promise<boolean> {
  return (await records.count(prefix, most)) < most;
}

/** Within a transaction, removes every record of a prefix that is there when it is looked. */
export async function removePrefix(tx: Pick<Transaction, 'list' | 'remove'>, prefix: string): Promise<void> {
  const pages = pagesOf(
    (after: string | undefined) => tx.list({ prefix, after }),
    (page) => page.records.at(-1)?.key,
  );
  for await (const page of pages) for (const { key } of page.records) tx.remove(key);
}

/** The names of every partition that begins with a prefix and holds a record. */
export async function* scanPartitions(
  records: Pick<RecordStore, 'partitions'>,
  prefix = '',
): AsyncGenerator<string, void> {
  const pages = pagesOf(
    (after: string | undefined) => records.partitions({ prefix, after }),
    (page) => page.names.at(-1),
  );
  for await (const page of pages) yield* page.names;
}
