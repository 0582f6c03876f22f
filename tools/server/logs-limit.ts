import { statfsSync } from 'node:fs';
import type { ServerConfig } from './config.ts';

const most = 10 * 2 ** 30;

/** Bytes that logs may take: what is set, or 10 GiB, or a tenth of the disk that blobs lie on where that is less. */
export function logsLimit(config: Pick<ServerConfig, 'logsMaxBytes' | 'blobs' | 'data'>): number {
  if (config.logsMaxBytes !== undefined) return config.logsMaxBytes;
  if (config.blobs.type !== 'filesystem') return most;
  const { blocks, bsize } = statfsSync(config.data);
  return Math.min(most, Math.floor((blocks * bsize) / 10));
}
