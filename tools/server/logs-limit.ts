import { statfsSync } from 'node:fs';
import type { ServerConfig } from './config.ts';

type Disk = Pick<ServerConfig, 'blobs' | 'data'>;

/** So many bytes, or a part of the disk that blobs lie on where that is less. */
function shareOfDisk({ blobs, data }: Disk, most: number, parts: number): number {
  if (blobs.type !== 'filesystem') return most;
  const { blocks, bsize } = statfsSync(data);
  return Math.min(most, Math.floor((blocks * bsize) / parts));
}

/** Bytes that logs may take: what is set, or 10 GiB, or a tenth of the disk that blobs lie on where that is less. */
export const logsLimit = (config: Disk & Pick<ServerConfig, 'logsMaxBytes'>): number =>
  config.logsMaxBytes ?? shareOfDisk(config, 10 * 2 ** 30, 10);

/** Bytes that metrics may take: what is set, or 2 GiB, or a twentieth of that disk where that is less. */
export const metricsLimit = (config: Disk & Pick<ServerConfig, 'metricsMaxBytes'>): number =>
  config.metricsMaxBytes ?? shareOfDisk(config, 2 * 2 ** 30, 20);
