import * as records from '@slipway/storage/records';
import type { RecordStore, Stored } from '@slipway/storage/records';

/** The rows of clusters are small: long pages mean few round trips. */
const limit = 10_000;

/** Every record under a prefix, in key order, page by page: for partitions of unknown size. */
export function scan<T>(
  store: RecordStore,
  partition: string,
  prefix: string,
  after?: string,
): AsyncGenerator<Stored<T>, void> {
  return records.scan<T>(store, partition, { prefix, after, limit });
}

/** The values of every record under a prefix. */
export async function scanAll<T>(store: RecordStore, partition: string, prefix: string): Promise<T[]> {
  const found = await records.scanAll<T>(store, partition, { prefix, limit });
  return found.map(({ value }) => value);
}
