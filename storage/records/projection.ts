import type { Clock } from '../clock/index.ts';
import type { Change, RecordStore } from './record-store.ts';

/** A record that came, changed or went. */
export type RecordChange = Exclude<Change, { readonly kind: 'reset' }>;

export interface Projection {
  /**
   * Takes over the partition as it is now. It is asked first, and again whenever the feed has a gap or the store has failed.
   * @param version the partition's, taken before: what is committed while this reads is reported again
   */
  load(version: number): Promise<void> | void;
  /** Takes over changes, in the order of their commits; `version` is that of the last one. */
  apply(changes: readonly RecordChange[], version: number): Promise<void> | void;
  /** Following was interrupted, by the store or by one of the above; it begins anew after `retryAfter`. For the log. */
  interrupted(error: unknown): void;
  /** Milliseconds. */
  readonly retryAfter: number;
}

/**
 * Keeps what is worked out from a partition up to date: loads it, follows its feed, and loads it anew when it must. Resolves when
 * the signal aborts; it never rejects.
 */
export async function project(
  records: Pick<RecordStore, 'version' | 'follow'>,
  partition: string,
  projection: Projection,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const load = async (): Promise<number> => {
    const version = await records.version(partition);
    await projection.load(version);
    return version;
  };
  while (!signal.aborted) {
    try {
      const loaded = await load();
      for await (const changes of records.follow(partition, { after: loaded, signal })) {
        if (signal.aborted) return;
        if (changes.some(({ kind }) => kind === 'reset')) break;
        await projection.apply(changes as readonly RecordChange[], changes.at(-1)?.version ?? loaded);
      }
    } catch (error) {
      if (signal.aborted) return;
      projection.interrupted(error);
      await clock.sleep(projection.retryAfter, signal).catch(() => undefined);
    }
  }
}
