import type { RecordStore, Stored } from '@slipway/storage/records';

import { bucketPartition, objectKeys } from './keys.ts';
import type { ObjectRecord } from './records.ts';

export interface ListingRequest {
  readonly prefix: string;
  /** Keys that have it behind the prefix are listed as one. Empty: none. */
  readonly delimiter: string;
  /** Keys, and keys that stand for many, up to this one are left out. */
  readonly after: string;
  /** Entries at most. */
  readonly limit: number;
}

export type Entry =
  | { readonly key: string; readonly object: ObjectRecord }
  /** What several keys have in common, up to the delimiter. */
  | { readonly key: string; readonly object: undefined };

export interface Listing {
  /** In the order of their UTF-8 bytes. */
  readonly entries: readonly Entry[];
  /** Whether there are further ones, after the last. */
  readonly more: boolean;
}

/** Rows of one read: the largest list, and the one behind it that says that there is more. */
const page = 1001;
/** Rows of a read where entries stand for so many that the most of a large read is passed over. */
const least = 32;
/** Rows that may be read for an entry. */
const worth = 100;
/** Behind a prefix, this is after whatever a key can have there. */
const farthest = '\u{10ffff}'.repeat(257);

/** A page of a bucket's keys. However many keys an entry stands for, they are passed over and not read. */
export async function list(
  records: Pick<RecordStore, 'list'>,
  bucket: string,
  { prefix, delimiter, after, limit }: ListingRequest,
): Promise<Listing> {
  const entries: Entry[] = [];
  if (limit === 0) return { entries, more: false };
  let common = after !== '' && commonOf(after, prefix, delimiter) === after ? after : undefined;
  let from = common === undefined ? after : common + farthest;
  let size = Math.min(page, limit + 1);
  for (;;) {
    const before = entries.length;
    const { records: rows, more } = await records.list<ObjectRecord>(bucketPartition(bucket), {
      prefix: objectKeys.object(prefix),
      ...(from === '' ? {} : { after: objectKeys.object(from) }),
      limit: size,
    });
    for (const row of rows) {
      const key = keyOf(row);
      if (common !== undefined && key.startsWith(common)) continue;
      if (entries.length === limit) return { entries, more: true };
      common = commonOf(key, prefix, delimiter);
      entries.push(common === undefined ? { key, object: row.value } : { key: common, object: undefined });
    }
    const last = rows.at(-1);
    if (!more || last === undefined) return { entries, more: false };
    const key = keyOf(last);
    from = common !== undefined && key.startsWith(common) ? common + farthest : key;
    const isWorth = (entries.length - before) * worth >= rows.length;
    size = isWorth ? Math.min(page, 2 * size) : Math.max(least, Math.ceil(size / 4));
  }
}

const keyOf = ({ key }: Stored<ObjectRecord>): string => key.slice(objectKeys.objects.length);

function commonOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '' || !key.startsWith(prefix)) return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at === -1 ? undefined : key.slice(0, at + delimiter.length);
}
