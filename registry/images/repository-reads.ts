import type { RecordStore } from '@slipway/storage/records';
import { LRUCache } from 'lru-cache';
import { keys, registryPartition } from './keys.ts';
import type { LinkRecord, ManifestRecord, RepositoryRecord, TagRecord } from './records.ts';

/** How long a change of a repository's settings by another server may go unnoticed by pulls here. Milliseconds. */
const age = 1000;

type Row = TagRecord | ManifestRecord | LinkRecord;

interface Pair {
  readonly repository: RepositoryRecord | undefined;
  /** Whatever lies under the key that was asked for. */
  readonly value: Row | undefined;
}

/**
 * Repositories as pulls see them: every pull asks for the same few, so they are remembered for a moment. Changes made by this
 * server are seen at once. Whatever writes reads the records themselves.
 */
export class RepositoryReads {
  readonly #records: RecordStore;
  readonly #known = new LRUCache<string, { readonly repository: RepositoryRecord; readonly until: number }>({
    max: 10_000,
  });
  readonly #now: () => number;

  constructor(records: RecordStore, now: () => number) {
    this.#records = records;
    this.#now = now;
  }

  /** The repository if it is remembered. */
  recent(account: string, name: string): RepositoryRecord | undefined {
    const known = this.#known.get(`${account}|${name}`);
    return known !== undefined && known.until > this.#now() ? known.repository : undefined;
  }

  /** The repository and one more record, in one read; the repository may be remembered. */
  async with(account: string, name: string, key: string): Promise<Pair> {
    const partition = registryPartition(account);
    const recent = this.recent(account, name);
    if (recent !== undefined)
      return { repository: recent, value: (await this.#records.get<Row>(partition, key))?.value };
    const found = await this.#records.getMany<RepositoryRecord | Row>(partition, [keys.repository(name), key]);
    const repository = found.get(keys.repository(name))?.value as RepositoryRecord | undefined;
    if (repository) this.#known.set(`${account}|${name}`, { repository, until: this.#now() + age });
    return { repository, value: found.get(key)?.value as Row | undefined };
  }

  forget(account: string, name: string): void {
    this.#known.delete(`${account}|${name}`);
  }
}
