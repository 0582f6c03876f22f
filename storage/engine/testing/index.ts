import { findS3Server, implementations, S3Server } from '../../blobs/testing/index.ts';
import { hasRedis, RedisServer } from '../../records/testing/index.ts';
import type { StorageConfig } from '../index.ts';

const minio = findS3Server(implementations.minio);

/** Why Redis and S3 cannot be had here; undefined when they can. */
export const distributedMissing =
  minio === undefined
    ? 'no minio here (go install github.com/minio/minio)'
    : hasRedis
      ? undefined
      : 'no redis-server here';

/** A real Redis and a real S3 server, with nothing in them. */
export interface DistributedEngine extends AsyncDisposable {
  readonly storage: StorageConfig;
}

/** @throws Error when they cannot be had here */
export async function startDistributed(): Promise<DistributedEngine> {
  if (minio === undefined) throw new Error(distributedMissing);
  await using opened = new AsyncDisposableStack();
  const redis = opened.adopt(await RedisServer.start(), (it) => it.dispose());
  const s3 = opened.adopt(await S3Server.start(minio, implementations.minio), (it) => it.dispose());
  const closing = opened.move();
  return {
    storage: { records: { type: 'redis', url: redis.url }, blobs: { type: 's3', ...s3.connection } },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
