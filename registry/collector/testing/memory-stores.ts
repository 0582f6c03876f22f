import { createHash } from 'node:crypto';
import {
  type BlobLocation,
  BlobMissing,
  type BlobStore,
  type Digest,
  DigestMismatch,
  type Staged,
} from '@slipway/storage/blobs';
import {
  type Batch,
  type Condition,
  ConditionFailed,
  type Json,
  type ListOptions,
  type RecordStore,
  type Stored,
} from '@slipway/storage/records';

/** Waits until the explorer lets the caller go on. */
export type Gate = (what: string) => Promise<void>;

const unused = (): never => {
  throw new Error('not part of the model');
};

/**
 * A record store in memory with the real one's meaning: every call is one instant, a commit is all or nothing. Each call waits at
 * the gate first, so that a schedule decides the order of all of them. `ignores` makes a broken store that overlooks conditions.
 */
export function memoryRecords(gate: Gate, ignores: (condition: Condition) => boolean = () => false) {
  const rows = new Map<string, Stored>();
  let version = 0;
  const holds = (condition: Condition): boolean => {
    if ('prefix' in condition) return ![...rows.keys()].some((key) => key.startsWith(condition.prefix));
    const row = rows.get(condition.key);
    if ('version' in condition) return row?.version === condition.version;
    if ('exists' in condition) return (row !== undefined) === condition.exists;
    return row !== undefined && JSON.stringify(row.value) === JSON.stringify(condition.equals);
  };
  const store = {
    async get(_partition: string, key: string) {
      await gate(`get ${key}`);
      return rows.get(key);
    },
    async getMany(_partition: string, keys: readonly string[]) {
      await gate('getMany');
      return new Map(keys.flatMap((key) => (rows.has(key) ? [[key, rows.get(key) as Stored] as const] : [])));
    },
    async list(_partition: string, { prefix = '', after = '', limit = 1000 }: ListOptions = {}) {
      await gate(`list ${prefix}`);
      const found = [...rows.values()]
        .filter(({ key }) => key.startsWith(prefix) && key > after)
        .sort((a, b) => (a.key < b.key ? -1 : 1));
      return { records: found.slice(0, limit), more: found.length > limit };
    },
    async commit(_partition: string, batch: Batch) {
      await gate('commit');
      const failed = (batch.require ?? []).filter((condition) => !ignores(condition) && !holds(condition));
      if (failed.length > 0) throw new ConditionFailed(failed);
      version += 1;
      for (const { key, value } of batch.put ?? [])
        rows.set(key, { key, value: structuredClone(value) as Json, version });
      for (const key of batch.remove ?? []) rows.delete(key);
      return { version };
    },
    version: () => Promise.resolve(version),
    follow: unused,
    partitions: unused,
    close: () => Promise.resolve(),
  };
  return { records: store as unknown as RecordStore, rows };
}

/** Blobs in memory. Without `generations` every copy of a digest lies at the same place, as in a store without that rule. */
export function memoryBlobs(gate: Gate, generations = true) {
  const staging = new Map<string, Buffer>();
  const sealed = new Map<string, Buffer>();
  let uploads = 0;
  const place = ({ digest, generation }: BlobLocation): string => (generations ? `${digest}.${generation}` : digest);
  const store = {
    async stage(): Promise<Staged> {
      uploads += 1;
      return { id: String(uploads), size: 0 };
    },
    async append(staged: Staged, body: AsyncIterable<Uint8Array>) {
      const parts: Uint8Array[] = [staging.get(staged.id) ?? Buffer.alloc(0)];
      for await (const chunk of body) parts.push(chunk);
      const bytes = Buffer.concat(parts);
      staging.set(staged.id, bytes);
      return { staged: { ...staged, size: bytes.length } };
    },
    async seal(staged: Staged, digest: Digest) {
      await gate('seal');
      const bytes = staging.get(staged.id) ?? Buffer.alloc(0);
      const actual: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      if (actual !== digest) throw new DigestMismatch(digest, actual);
      sealed.set(place({ digest, generation: staged.id }), bytes);
      return { digest, generation: staged.id, size: bytes.length };
    },
    async abandon(staged: Staged) {
      staging.delete(staged.id);
    },
    async remove(location: BlobLocation) {
      await gate('remove bytes');
      sealed.delete(place(location));
    },
    async open(location: BlobLocation) {
      if (!sealed.has(place(location))) throw new BlobMissing('gone');
      return unused();
    },
  };
  return {
    blobs: store as unknown as BlobStore,
    has: (location: BlobLocation): boolean => sealed.has(place(location)),
  };
}
