import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openFilesystemBlobs, type SealedBlob } from '../blobs/index.ts';
import { bodyOf, collect, sha256 } from '../blobs/testing/contract.ts';
import { findS3Server, implementations, s3Missing, S3Server } from '../blobs/testing/s3-servers.ts';
import { systemClock } from '../clock/index.ts';
import { openStorage, type Storage } from '../engine/index.ts';
import { needs } from '../faults/needs.ts';
import type { Json } from '../records/index.ts';
import { redisMissing, RedisServer } from '../records/testing/redis-server.ts';
import { audit, type Finding, transfer, TransferFailed } from './index.ts';

async function put(storage: Pick<Storage, 'blobs'>, bytes: Uint8Array): Promise<SealedBlob> {
  const { staged } = await storage.blobs.append(await storage.blobs.stage(), bodyOf(bytes));
  return storage.blobs.seal(staged, sha256(bytes));
}

test('an audit finds what is missing, damaged and unreferenced, and repairs only the last', async () => {
  const root = await mkdtemp(join(tmpdir(), 'slipway-audit-'));
  const blobs = await openFilesystemBlobs({ root }, systemClock);
  const [good, missing, short, flipped, stray] = await Promise.all(
    Array.from({ length: 5 }, () => put({ blobs }, randomBytes(50_000))),
  );
  const path = ({ digest, generation }: SealedBlob): string => {
    const hex = digest.slice('sha256:'.length);
    return join(root, 'blobs', 'sha256', hex.slice(0, 2), `${hex}.${generation}`);
  };
  await unlink(path(missing!));
  await truncate(path(short!), 100);
  await writeFile(path(flipped!), randomBytes(50_000));
  const references = [good!, missing!, short!, flipped!].map((blob) => ({ ...blob, by: 'test' }));
  const look = async (repair: boolean) => {
    const findings: Finding[] = [];
    const run = audit({
      blobs,
      references: async function* () {
        yield* references;
      },
      isReferenced: async () => false,
      now: () => Date.now() + 2,
      grace: 1,
      repair,
    });
    for (;;) {
      const step = await run.next();
      if (step.done === true) return { findings, report: step.value };
      findings.push(step.value);
    }
  };
  const { findings, report } = await look(true);
  expect(report).toMatchObject({ blobs: 4, missing: 1, damaged: 2, unreferenced: 1, removed: 1 });
  expect(findings.map(({ kind, blob }) => [kind, blob.generation])).toEqual([
    ['missing', missing!.generation],
    ['damaged', short!.generation],
    ['damaged', flipped!.generation],
    ['unreferenced', stray!.generation],
  ]);
  expect(await blobs.stat(stray!)).toBeUndefined();
  expect(await blobs.stat(good!)).toBeDefined();
  expect((await look(false)).report).toMatchObject({ unreferenced: 0, missing: 1, damaged: 2 });
  await rm(root, { recursive: true });
});

const program = findS3Server(implementations.minio);

test(
  'an installation moves from sqlite and files to Redis and S3 and back, also when it is interrupted',
  { timeout: 180_000 },
  async (context) => {
    needs(context, redisMissing, s3Missing(program, implementations.minio));
    const folder = await mkdtemp(join(tmpdir(), 'slipway-transfer-'));
    const redis = await RedisServer.start();
    const s3 = await S3Server.start(program, implementations.minio);
    const local = (name: string) =>
      openStorage(
        {
          records: { type: 'sqlite', file: join(folder, name, 'records.db') },
          blobs: { type: 'filesystem', root: join(folder, name, 'blobs') },
        },
        systemClock,
      );
    const source = await local('source');
    const bytes = Array.from({ length: 6 }, (_, index) => randomBytes(index === 0 ? 6_000_000 : 10_000 + index));
    for (const [index, content] of bytes.entries()) {
      const { digest, generation } = await put(source, content);
      await source.records.commit('p/1', { put: [{ key: `blob/${index}`, value: { digest, generation } }] });
    }
    for (let n = 0; n < 3; n++) {
      const many = Array.from({ length: 400 }, (_, index) => ({
        key: `k${n}/${index}`,
        value: { n, index, list: [] },
      }));
      await source.records.commit(`p/${n}`, { put: many });
    }
    const relocate: Parameters<typeof transfer>[0]['relocate'] = async (_partition, key, value, where) =>
      key.startsWith('blob/') ? ((await where(value as never)) as unknown as Json) : value;
    const middle = await openStorage(
      { records: { type: 'redis', url: redis.url }, blobs: { type: 's3', ...s3.connection } },
      systemClock,
    );
    const stop = new AbortController();
    const interrupted = transfer({
      from: source,
      to: middle,
      relocate,
      signal: stop.signal,
      progress: ({ phase, done }) => {
        if (phase === 'blobs' && done === 3) stop.abort(new Error('interrupted'));
      },
    });
    await expect(interrupted).rejects.toThrow('interrupted');
    const resumed = await transfer({ from: source, to: middle, relocate });
    expect(resumed).toMatchObject({ partitions: 3, records: 1206, blobs: 6, blobsAlreadyThere: 3 });
    const target = await local('target');
    expect(await transfer({ from: middle, to: target, relocate })).toMatchObject({ records: 1206, blobs: 6 });
    for (const [index, content] of bytes.entries()) {
      const row = await target.records.get('p/1', `blob/${index}`);
      expect(sha256(await collect((await target.blobs.open(row!.value as never)).stream()))).toBe(sha256(content));
    }
    await target.records.commit('p/0', { put: [{ key: 'other', value: 1 }] });
    await expect(transfer({ from: middle, to: target, relocate })).rejects.toThrow(TransferFailed);
    for (const storage of [source, middle, target]) await storage.close();
    await redis.dispose();
    await s3.dispose();
    expect(await readdir(folder)).toEqual(['source', 'target']);
    await rm(folder, { recursive: true });
  },
);
