import type { BlobSource, BlobStore } from '../blobs/index.ts';
import type { Storage, StorageConfig } from '../engine/index.ts';
import { type Batch, ConditionFailed, type EventSource, type RecordStore } from '../records/index.ts';
import type { Span, SpanOptions, Tracing } from './tracing.ts';

/**
 * The same storage, with a span for each commit and each call about a blob that a request or job makes; with Redis for reads of
 * records as well, since they cross the network. Storage that is not traced is not wrapped, so it costs nothing.
 */
export function traceStorage(storage: Storage, config: StorageConfig, tracing: Tracing): Storage {
  return {
    ...storage,
    records: traceRecords(storage.records, config.records.type, tracing),
    blobs: traceBlobs(storage.blobs, config.blobs.type, tracing),
  };
}

function traceRecords(
  records: RecordStore & EventSource,
  engine: StorageConfig['records']['type'],
  tracing: Tracing,
): RecordStore & EventSource {
  const options = (operation: string, partition: string): SpanOptions => ({
    kind: 'client',
    attributes: { 'db.system.name': engine, 'db.operation.name': operation, 'db.namespace': partition },
  });
  const commit: RecordStore['commit'] = async (partition, batch) => {
    const outcome = await tracing.step('records.commit', options('commit', partition), async (span) => {
      span?.set({ 'db.operation.batch.size': sizeOf(batch), 'slipway.events': batch.announce?.length ?? 0 });
      try {
        return { committed: await records.commit(partition, batch) };
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        // Somebody was faster, and whoever commits looks again: no failure of the store.
        span?.set({ 'slipway.outcome': 'condition-failed' });
        return { error };
      }
    });
    if ('error' in outcome) throw outcome.error;
    return outcome.committed;
  };
  if (engine !== 'redis') return instead(records, { commit });
  const reads: Pick<RecordStore, 'get' | 'getMany' | 'list' | 'count'> = {
    get: (partition, key) => tracing.step('records.get', options('get', partition), () => records.get(partition, key)),
    getMany: (partition, keys) =>
      tracing.step('records.getMany', options('getMany', partition), () => records.getMany(partition, keys)),
    list: (partition, page) =>
      tracing.step('records.list', options('list', partition), () => records.list(partition, page)),
    count: (partition, ...rest) =>
      tracing.step('records.count', options('count', partition), () => records.count(partition, ...rest)),
  };
  return instead(records, { commit, ...reads });
}

const sizeOf = ({ require, put, remove }: Batch): number =>
  (require?.length ?? 0) + (put?.length ?? 0) + (remove?.length ?? 0);

function traceBlobs(blobs: BlobStore, engine: StorageConfig['blobs']['type'], tracing: Tracing): BlobStore {
  const kind = engine === 's3' ? 'client' : 'internal';
  const step = <T>(
    name: string,
    digest: string | undefined,
    work: (span: Span | undefined) => Promise<T>,
  ): Promise<T> =>
    tracing.step(
      `blobs.${name}`,
      { kind, attributes: { 'slipway.blobs.engine': engine, 'slipway.digest': digest } },
      work,
    );
  const calls: Pick<BlobStore, 'append' | 'seal' | 'open' | 'remove'> = {
    append: (staged, ...rest) =>
      step('append', undefined, async (span) => {
        const appended = await blobs.append(staged, ...rest);
        span?.set({ 'slipway.bytes': appended.staged.size - staged.size, 'slipway.cut': 'cut' in appended });
        return appended;
      }),
    seal: (staged, digest, ...rest) =>
      step('seal', digest, async (span) => {
        span?.set({ 'slipway.bytes': staged.size });
        return blobs.seal(staged, digest, ...rest);
      }),
    open: async (location) => {
      const source = await step('open', location.digest, () => blobs.open(location));
      const pipe: BlobSource['pipe'] = (destination, range, signal) =>
        step('send', location.digest, async (span) => {
          span?.set({ 'slipway.bytes': range === undefined ? source.size : range.end - range.start + 1 });
          return source.pipe(destination, range, signal);
        });
      return instead(source, { pipe });
    },
    remove: (location) => step('remove', location.digest, () => blobs.remove(location)),
  };
  return instead(blobs, calls);
}

/** `target`, some of whose members are other ones. Whatever else it can do, optional powers included, it still can. */
function instead<T extends object>(target: T, members: Partial<T>): T {
  const bound = new Map<PropertyKey, unknown>();
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(members, name)) return members[name as keyof T];
      const member = Reflect.get(target, name, target) as unknown;
      if (typeof member !== 'function') return member;
      // Private members are found on the target only, so its methods must be called on it.
      if (!bound.has(name)) bound.set(name, (member as (...args: unknown[]) => unknown).bind(target));
      return bound.get(name);
    },
  });
}
