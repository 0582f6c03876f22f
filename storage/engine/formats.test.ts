import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Redis } from 'ioredis';
import { Client } from 'minio';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { findS3Server, implementations, s3Missing, S3Server } from '../blobs/testing/s3-servers.ts';
import { systemClock } from '../clock/index.ts';
import { needs } from '../faults/needs.ts';
import { FormatRefused } from '../format/index.ts';
import { redisMissing, RedisServer } from '../records/testing/redis-server.ts';
import { openStorage, type StorageConfig, StorageUnusable } from './index.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-formats-'));
let count = 0;
let folder: string;
let file: string;

beforeEach(() => {
  folder = join(root, String(++count));
  file = join(folder, 'records.db');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const config = (other: Partial<StorageConfig> = {}): StorageConfig => ({
  records: { type: 'sqlite', file },
  blobs: { type: 'filesystem', root: join(folder, 'blobs') },
  ...other,
});

async function openOnce(other?: Partial<StorageConfig>): Promise<void> {
  const storage = await openStorage(config(other), systemClock);
  await storage.records.commit('p', { put: [{ key: 'a', value: 1 }] });
  await storage.close();
}

/** Why the storage does not open; the refusal says itself what to do, and nothing beside it does. */
async function refusal(other?: Partial<StorageConfig>): Promise<string> {
  const refused = (await openStorage(config(other), systemClock).catch((error: unknown) => error)) as Error;
  expect(refused).toBeInstanceOf(StorageUnusable);
  expect(refused.cause).toBeInstanceOf(FormatRefused);
  expect(refused.message).not.toMatch(/this user may write|Check the/);
  return refused.message;
}

const newer = /has format 99, which a newer version of Slipway wrote; .* Start the newer version again, or restore/;
const foreign = /does not hold (records|blobs) of Slipway \(.*\)\. Name another place/;

describe('SQLite', () => {
  const removeFile = (): void => {
    for (const part of ['', '-wal', '-shm']) rmSync(`${file}${part}`, { force: true });
  };
  const inFile = (sql: string): void => {
    const db = new DatabaseSync(file);
    db.exec(sql);
    db.close();
  };

  test('a newer file is refused and left as it is', async () => {
    await openOnce();
    inFile('PRAGMA user_version = 99');
    const before = readFileSync(file);
    expect(await refusal()).toMatch(newer);
    expect(readFileSync(file)).toEqual(before);
  });

  test("another program's database is refused, whatever its numbers, and not even made a WAL", async () => {
    await openOnce();
    for (const sql of [
      'CREATE TABLE bookmark (url TEXT)',
      'CREATE TABLE bookmark (url TEXT); PRAGMA user_version = 1',
      'PRAGMA application_id = 7',
    ]) {
      removeFile();
      inFile(sql);
      const before = readFileSync(file);
      expect(await refusal()).toMatch(foreign);
      expect(readFileSync(file)).toEqual(before);
    }
  });

  test('a file that is no database is refused', async () => {
    await openOnce();
    removeFile();
    writeFileSync(file, 'one two three '.repeat(100));
    expect(await refusal()).toMatch(foreign);
  });

  test('a file from before there were stamps is taken over', async () => {
    await openOnce();
    inFile('PRAGMA application_id = 0');
    await openOnce();
    const db = new DatabaseSync(file);
    expect(db.prepare('PRAGMA application_id').get()).toEqual({ application_id: 0x534c4950 });
    db.close();
  });

  test('several that open a new file at once all find it theirs', async () => {
    const opened = await Promise.allSettled([openOnce(), openOnce(), openOnce(), openOnce()]);
    expect(opened.map(({ status }) => status)).toEqual(Array(4).fill('fulfilled'));
  });
});

describe('files', () => {
  test('a newer folder and a foreign one are refused', async () => {
    await openOnce();
    for (const [stamp, why] of [
      ['{"slipway":"blobs","format":99}', newer],
      ['{"slipway":"blobs"}', foreign],
      ['{"slipway":"blobs","format":0}', foreign],
      ['{"slipway":"records","format":1}', foreign],
      ['null', foreign],
      ['', foreign],
    ] as const) {
      writeFileSync(join(folder, 'blobs', 'format.json'), stamp);
      expect(await refusal()).toMatch(why);
    }
  });

  test('a folder from before there were stamps is taken over', async () => {
    await openOnce();
    rmSync(join(folder, 'blobs', 'format.json'));
    await openOnce();
    expect(JSON.parse(readFileSync(join(folder, 'blobs', 'format.json'), 'utf8'))).toEqual({
      slipway: 'blobs',
      format: 1,
    });
  });
});

test('Redis: a newer prefix and a foreign one are refused, another prefix beside it is not', async (context) => {
  needs(context, redisMissing);
  const server = await RedisServer.start();
  const client = new Redis(server.url);
  try {
    const key = 'slipway:{slipway-0}:format';
    const records = { type: 'redis', url: server.url } as const;
    await openOnce({ records });
    expect(JSON.parse((await client.get(key)) ?? '')).toEqual({ slipway: 'records', format: 1 });
    await client.set(key, '{"slipway":"records","format":99}');
    expect(await refusal({ records })).toMatch(newer);
    await openOnce({ records: { ...records, prefix: 'second' } });
    await client.del(key);
    await client.lpush(key, 'x');
    expect(await refusal({ records })).toMatch(foreign);
    await client.del(key);
    await openOnce({ records });
  } finally {
    client.disconnect();
    await server.dispose();
  }
});

test.for(Object.values(implementations))(
  'S3 on $name: a newer bucket is refused, and a foreign one',
  async (kind, context) => {
    const program = findS3Server(kind);
    needs(context, s3Missing(program, kind));
    const server = await S3Server.start(program, kind);
    try {
      const { endpoint, accessKeyId, secretAccessKey, bucket } = server.connection;
      const client = new Client({
        endPoint: '127.0.0.1',
        port: Number(new URL(endpoint).port),
        useSSL: false,
        accessKey: accessKeyId,
        secretKey: secretAccessKey,
        region: 'us-east-1',
      });
      const blobs = { type: 's3', ...server.connection } as const;
      await openOnce({ blobs });
      await openOnce({ blobs });
      await client.putObject(bucket, 'slipway/format', '{"slipway":"blobs","format":99}');
      expect(await refusal({ blobs })).toMatch(newer);
      await client.putObject(bucket, 'slipway/format', '');
      expect(await refusal({ blobs })).toMatch(foreign);
    } finally {
      await server.dispose();
    }
  },
);
