import type { RecordStore, Stored } from '@slipway/storage/records';

const pageSize = 10_000;

/** Every record under a prefix, in key order, page by page: for partitions of unknown size. */
export async function* scan<T>(
  records: RecordStore,
  partition: string,
  prefix: string,
  after?: string,
): AsyncGenerator<Stored<T>> {
  for (let last = after; ;) {
    const page = await records.list<T>(partition, {
      prefix,
      limit: pageSize,
      ...(last === undefined ? {} : { after: last }),
    });
    yield* page.records;
    last = page.records.at(-1)?.key;
    if (!page.more || last === undefined) return;
  }
}

/** The values of every record under a prefix. */
export async function scanAll<T>(records: RecordStore, partition: string, prefix: string): Promise<T[]> {
  const values: T[] = [];
  for await (const stored of scan<T>(records, partition, prefix)) values.push(stored.value);
  return values;
}
