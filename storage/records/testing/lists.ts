import type { RecordStore } from '../record-store.ts';

/** What a store was asked for while it was watched: rows that lists gave. The store stays the same one, for whoever holds it. */
export function watchLists(records: RecordStore): { rows: number } {
  const seen = { rows: 0 };
  const list = records.list.bind(records);
  records.list = async (...asked) => {
    const page = await list(...asked);
    seen.rows += page.records.length;
    return page as never;
  };
  return seen;
}

/** Writes so many rows, whatever they mean: an account at its limit. */
export async function fill(records: RecordStore, partition: string, keys: readonly string[]): Promise<void> {
  const some = 5_000;
  for (let from = 0; from < keys.length; from += some)
    await records.commit(partition, { put: keys.slice(from, from + some).map((key) => ({ key, value: {} })) });
}
