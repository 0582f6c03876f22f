import { hasRedis, RedisServer } from '@slipway/storage/records/testing';
import { findS3Server, implementations, S3Server } from '@slipway/storage/blobs/testing';

/** Settings that make a server use some stores, with what serves them. */
export interface Engines {
  readonly env: Readonly<Record<string, string>>;
  /** Where they keep what servers store, besides a server's own folder. */
  readonly folders: readonly string[];
  stop(): Promise<void>;
}

export interface EngineChoice {
  readonly name: string;
  /** Why it cannot be used here; undefined when it can. */
  missing(): string | undefined;
  start(): Promise<Engines>;
}

/** The embedded default, and the distributed engine on a real Redis and a real S3 server. */
export const engineChoices: readonly EngineChoice[] = [
  {
    name: 'SQLite and files',
    missing: () => undefined,
    start: async () => ({ env: {}, folders: [], stop: async () => undefined }),
  },
  {
    name: 'Redis and S3',
    missing: () =>
      !hasRedis
        ? 'no redis-server'
        : findS3Server(implementations.minio) === undefined
          ? 'no S3 server (minio, by go install)'
          : undefined,
    start: startRedisAndS3,
  },
];

async function startRedisAndS3(): Promise<Engines> {
  const redis = await RedisServer.start();
  const s3 = await S3Server.start(findS3Server(implementations.minio) ?? '', implementations.minio);
  const { endpoint, bucket, accessKeyId, secretAccessKey } = s3.connection;
  return {
    env: {
      SLIPWAY_RECORDS: redis.url,
      SLIPWAY_BLOBS: 's3',
      SLIPWAY_S3_ENDPOINT: endpoint,
      SLIPWAY_S3_BUCKET: bucket,
      SLIPWAY_S3_ACCESS_KEY_ID: accessKeyId,
      SLIPWAY_S3_SECRET_ACCESS_KEY: secretAccessKey,
    },
    folders: [redis.folder, s3.folder],
    stop: async () => {
      await redis.dispose();
      await s3.dispose();
    },
  };
}
