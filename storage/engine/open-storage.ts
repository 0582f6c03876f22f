import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type BlobStore, BlobStoreError, type FilesystemBlobsConfig, openFilesystemBlobs } from '../blobs/index.ts';
import type { Clock } from '../clock/index.ts';
import { type EventLog, openEventLog } from '../events/index.ts';
import { type Leases, openLeases } from '../leases/index.ts';
import {
  type EventSource,
  openSqliteRecords,
  type RecordStore,
  type SqliteRecordsConfig,
  StoreUnavailable,
} from '../records/index.ts';

/** Which engines to use; a composition root picks by configuration. */
export interface StorageConfig {
  readonly records: { readonly type: 'sqlite' } & SqliteRecordsConfig;
  readonly blobs: { readonly type: 'filesystem' } & FilesystemBlobsConfig;
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
  /** For logs and for `slipway doctor`. */
  describe(): { readonly records: EngineReport; readonly blobs: EngineReport };
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
  const records = opened.adopt(await openRecords(config.records, clock), (store) => store.close());
  const blobs = opened.adopt(await openBlobs(config.blobs, clock), (store) => store.close());
  const closing = opened.move();
  return {
    records,
    blobs,
    events: openEventLog(records, clock, random),
    leases: openLeases(records, clock, random),
    describe: () => ({
      records: { name: `sqlite ${config.records.file}`, warnings: [] },
      blobs: { name: `files under ${config.blobs.root}`, warnings: [] },
    }),
    close: () => closing.disposeAsync(),
  };
}

async function openRecords(config: StorageConfig['records'], clock: Clock): Promise<RecordStore & EventSource> {
  const folder = dirname(config.file);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return await openSqliteRecords(config, clock);
  } catch (error) {
    const why = error instanceof StoreUnavailable ? error.message : `cannot use ${folder}: ${(error as Error).message}`;
    throw new StorageUnusable(`${why}. Name a folder that this user may write to.`, { cause: error });
  }
}

async function openBlobs(config: StorageConfig['blobs'], clock: Clock): Promise<BlobStore> {
  try {
    return await openFilesystemBlobs(config, clock);
  } catch (error) {
    if (!(error instanceof BlobStoreError)) throw error;
    throw new StorageUnusable(`${error.message}. Name a folder that this user may write to.`, { cause: error });
  }
}
