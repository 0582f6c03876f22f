import type { Digest } from '@slipway/storage/blobs';
import { ConditionFailed } from '@slipway/storage/records';
import { LRUCache } from 'lru-cache';
import type { Context } from './context.ts';
import { keys, registryPartition } from './keys.ts';

/** When an image was pulled last: a fact nobody waits for, so pulls are noted in memory and written in batches. */
export interface Pulls {
  note(account: string, repository: string, digest: Digest): void;
  /** Writes what was noted since the last time. */
  flush(): Promise<void>;
}

interface Note {
  readonly account: string;
  readonly repository: string;
  readonly digest: Digest;
  readonly at: number;
}

export function createPulls(context: Context): Pulls {
  const { records, clock, limits } = context;
  const written = new LRUCache<string, number>({ max: 50_000 });
  let noted = new Map<string, Note>();

  const write = async ({ account, repository, digest, at }: Note): Promise<void> => {
    try {
      await records.commit(registryPartition(account), {
        require: [{ key: keys.manifest(repository, digest), exists: true }],
        put: [{ key: keys.pulled(repository, digest), value: at }],
      });
    } catch (error) {
      // The image is gone: there is nothing to remember.
      if (!(error instanceof ConditionFailed)) throw error;
    }
  };

  return {
    note(account, repository, digest) {
      const name = `${account}|${repository}|${digest}`;
      const at = clock.now();
      const before = written.get(name);
      if (before !== undefined && at - before < limits.pullInterval) return;
      written.set(name, at);
      noted.set(name, { account, repository, digest, at });
    },
    async flush() {
      const batch = noted;
      noted = new Map();
      await Promise.all([...batch.values()].map(write));
    },
  };
}
