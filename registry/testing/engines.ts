import { findS3Server, implementations, S3Server } from '@slipway/storage/blobs/testing';
import type { StorageConfig } from '@slipway/storage/engine';
import { hasRedis, RedisServer } from '@slipway/storage/records/testing';

/** Engines to run a registry on; `storage` is undefined for SQLite and files in the registry's own folder. */
export interface Engines extends AsyncDisposable {
  readonly storage?: StorageConfig;
}

const minio = findS3Server(implementations.minio);

/** Why Redis and S3 cannot be had here; undefined when they can. */
export const distributedMissing =
  minio === undefined
    ? 'no minio here (go install github.com/minio/minio)'
    : hasRedis
      ? undefined
      : 'no redis-server here';

export const engineNames = ['SQLite and files', 'Redis and S3'] as const;

export type EngineName = (typeof engineNames)[number];

/** Why an engine cannot be had here; under CI that is a failure, so nothing is reported missing there. */
export const missingEngine = (name: EngineName): string | undefined =>
  name === 'Redis and S3' && process.env['CI'] === undefined ? distributedMissing : undefined;

export async function startEngines(name: EngineName): Promise<Engines> {
  if (name === 'SQLite and files') return { [Symbol.asyncDispose]: async () => {} };
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
