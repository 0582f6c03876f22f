import { join } from 'node:path';
import type { StorageConfig } from '@slipway/storage/engine';
import type { ServerConfig } from './config.ts';

/** Bytes that all uploads of this server together may hold in memory, its workers included. */
const uploadBuffers = 24 * 1024 * 1024;

/** Which engines the configuration names, and where the embedded ones keep their files. */
export function storageConfig(config: ServerConfig): StorageConfig {
  return {
    records:
      config.records.type === 'sqlite' ? { type: 'sqlite', file: join(config.data, 'records.sqlite') } : config.records,
    blobs:
      config.blobs.type === 'filesystem'
        ? { type: 'filesystem', root: join(config.data, 'blobs'), bufferCeiling: uploadBuffers / config.workers }
        : config.blobs,
  };
}
