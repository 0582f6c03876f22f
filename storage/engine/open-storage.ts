import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  type BlobStore,
  BlobStoreError,
  type FilesystemBlobsConfig,
  openFilesystemBlobs,
  type S3BlobsConfig,
} from '../blobs/index.ts';
import type { Clock } from '../clock/index.ts';
import { type EventLog, openEventLog } from '../events/index.ts';
import { type Leases, openLeases } from '../leases/index.ts';
import { FormatRefused } from '../format/index.ts';
import {
  type EventSource,
  openSqliteRecords,
  type RecordStore,
  type RedisRecordsConfig,
  type SqliteRecordsConfig,
  StoreUnavailable,
} from '../records/index.ts';

/** Which engines to use; a composition root picks by configuration. Any two go together. */
export interface StorageConfig {
  readonly records:
    | ({ readonly type: 'sqlite' } & SqliteRecordsConfig)
    | ({ readonly type: 'redis' } & RedisRecordsConfig);
  readonly blobs: ({ readonly type: 'filesystem' } & FilesystemBlobsConfig) | ({ readonly type: 's3' } & S3BlobsConfig);
}

/** What an engine is and what an operator should know about it, in plain words. */
export interface EngineReport {
  readonly name: string;
  /** What is unsafe or wrong with how the engine is set up; empty when all is well. */
  readonly warnings: readonly string[];
}

export interface Storage {
  readonly records: RecordStore & EventSource;
  readonly events: EventLog;
  readonly leases: Leases;
  readonly blobs: BlobStore;
  /** For logs and for `slipway doctor`; asks the servers anew. */
  describe(): Promise<{ readonly records: EngineReport; readonly blobs: EngineReport }>;
  /**
   * Why acknowledged records seem to be gone (a Redis that lost its last writes); undefined while all is well. Whatever deletes
   * because nothing refers to it must stop then, until `slipway storage audit` has looked.
   */
  lossNoticed(): string | undefined;
  /** Flushes and releases everything. Stop what uses the storage first. */
  close(): Promise<void>;
}

/** The storage cannot be used as configured; the message says which part, why, and what to do. */
export class StorageUnusable extends Error {
  override readonly name = 'StorageUnusable';
}

/**
 * Opens the configured engines.
 * @param random numbers in [0, 1); not for secrets
 * @throws StorageUnusable when one of them cannot be used
 */
export async function openStorage(
  config: StorageConfig,
  clock: Clock,
  random: () => number = Math.random,
): Promise<Storage> {
  await using opened = new AsyncDisposableStack();
  const facts = await openRecords(config.records, clock);
  const { store: records } = opened.adopt(facts, ({ store }) => store.close());
  const bytes = await openBlobs(config.blobs, clock, random);
  const { store: blobs } = opened.adopt(bytes, ({ store }) => store.close());
  const closing = opened.move();
  return {
    records,
    blobs,
    events: openEventLog(records, clock, random),
    leases: openLeases(records, clock, random),
    describe: async () => ({ records: await facts.report(), blobs: await bytes.report() }),
    lossNoticed: facts.lossNoticed,
    close: () => closing.disposeAsync(),
  };
}

interface Opened<T> {
  readonly store: T;
  readonly report: () => Promise<EngineReport>;
}

async function openRecords(
  config: StorageConfig['records'],
  clock: Clock,
): Promise<Opened<RecordStore & EventSource> & { readonly lossNoticed: () => string | undefined }> {
  switch (config.type) {
    case 'sqlite': {
      const store = await openSqlite(config, clock);
      const report = async () => ({ name: `SQLite in ${config.file}`, warnings: [] });
      return { store, report, lossNoticed: () => undefined };
    }
    case 'redis': {
      // Loaded only where it is used: the client takes 26 MB.
      const { openRedisRecords } = await import('../records/redis-records.ts');
      const store = await openRedisRecords(config, clock).catch((error: unknown) => {
        throw unusable(error, (error as Error).message, 'Check the address, and that Redis runs.');
      });
      const where = [config.url].flat().map(withoutPassword).join(', ');
      const report = async () => ({ name: `Redis at ${where}`, warnings: await store.warnings() });
      return { store, report, lossNoticed: () => store.lossNoticed() };
    }
  }
}

async function openSqlite(config: SqliteRecordsConfig, clock: Clock): Promise<RecordStore & EventSource> {
  const folder = dirname(config.file);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return await openSqliteRecords(config, clock);
  } catch (error) {
    const why = error instanceof StoreUnavailable ? error.message : `cannot use ${folder}: ${(error as Error).message}`;
    throw unusable(error, why, 'Name a folder that this user may write to.');
  }
}

async function openBlobs(
  config: StorageConfig['blobs'],
  clock: Clock,
  random: () => number,
): Promise<Opened<BlobStore>> {
  try {
    switch (config.type) {
      case 'filesystem': {
        const store = await openFilesystemBlobs(config, clock);
        return { store, report: async () => ({ name: `files under ${config.root}`, warnings: [] }) };
      }
      case 's3': {
        // Loaded only where it is used: the client takes 31 MB.
        const { openS3Blobs } = await import('../blobs/s3-blobs.ts');
        const store = await openS3Blobs(config, clock, random);
        const failed = store.certificate.checks.filter(({ passed }) => !passed);
        const warnings = failed.map(({ name, detail }) => `the S3 store does not hold that ${name}: ${detail}`);
        return { store, report: async () => ({ name: `S3 at ${config.endpoint}, bucket ${config.bucket}`, warnings }) };
      }
    }
  } catch (error) {
    if (!(error instanceof BlobStoreError || error instanceof FormatRefused)) throw error;
    const advice =
      config.type === 's3'
        ? 'Check the endpoint, the keys and the bucket.'
        : 'Name a folder that this user may write to.';
    throw unusable(error, error.message, advice);
  }
}

/** A format that is refused says itself what to do. */
function unusable(error: unknown, why: string, advice: string): StorageUnusable {
  const message = error instanceof FormatRefused ? error.message : `${why}. ${advice}`;
  return new StorageUnusable(message, { cause: error });
}

function withoutPassword(address: string): string {
  const url = new URL(address);
  url.password = '';
  return url.toString();
}
