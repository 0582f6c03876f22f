import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keys, registryPartition, type RepositoryRecord, type TagRecord } from '@slipway/registry/images';
import type { Digest } from '@slipway/storage/blobs';
import { systemClock } from '@slipway/storage/clock';
import { openStorage, type Storage } from '@slipway/storage/engine';
import type { Json } from '@slipway/storage/records';
import { freePort } from '@slipway/storage/testing';
import { check, ServerProcess } from '../testbed/index.ts';
import type { Comparison } from './comparison.ts';
import type { Target } from './load.ts';
import { manifestType, onConnections, plainRate, pullRate, pushImage, pushMany } from './registry-load.ts';
import { makeRepositories, targetOf } from './registry-target.ts';
import { quantile, short } from './results.ts';

const partition = registryPartition('000000000000');
const environment = { SLIPWAY_AGENT: 'off', SLIPWAY_LOG: 'error' };

interface Put {
  readonly key: string;
  readonly value: Json;
}

/** Writes records in batches, below a server that does not run. */
async function seed(data: string, rows: (storage: Storage) => AsyncIterable<Put>): Promise<void> {
  const storage = await openStorage(
    {
      records: { type: 'sqlite', file: join(data, 'records.sqlite') },
      blobs: { type: 'filesystem', root: join(data, 'blobs') },
    },
    systemClock,
  );
  try {
    let batch: Put[] = [];
    for await (const row of rows(storage)) {
      if (batch.push(row) < 2000) continue;
      await storage.records.commit(partition, { put: batch });
      batch = [];
    }
    await storage.records.commit(partition, { put: batch });
  } finally {
    await storage.close();
  }
}

/** A page of tags, and a push, in a repository with very many tags and in one with ten. */
export async function measureTags(comparison: Comparison, data: string, quick: boolean): Promise<void> {
  const [few, many] = ['bench/few', 'bench/many'];
  const count = quick ? 2000 : 100_000;
  const server = new ServerProcess(await freePort(), data, environment);
  await server.start();
  try {
    await makeRepositories(server, [few, many]);
    let target = await targetOf(server);
    for (const repository of [few, many])
      await pushImage(
        target,
        repository,
        Array.from({ length: 10 }, (_, index) => `v${index}`),
      );
    await server.stop();
    await seed(data, async function* ({ records }) {
      const known = await records.get<TagRecord>(partition, keys.tag(many, 'v0'));
      if (known === undefined) throw new Error('the pushed tag is not there');
      for (let index = 0; index < count - 10; index++) {
        const tag = `build-${index}`;
        yield { key: keys.tag(many, tag), value: known.value as unknown as Json };
        yield { key: keys.tagged(many, known.value.digest, tag), value: {} };
      }
    });
    await server.start();
    target = await targetOf(server);
    const tags = `${count.toLocaleString('en-US')} tags`;
    const names = [many, few];
    const seconds = quick ? 1 : 3;
    await comparison.compare(
      `tag list page of 5 in a repository with ${tags}; peer: ours with 10 tags`,
      'requests/s',
      'at least 0.83x (within 1.2x)',
      names,
      async (name) => {
        const { perSecond, p99 } = await plainRate(target, `/v2/${name}/tags/list?n=5`, 16, seconds);
        return { value: perSecond, p99 };
      },
    );
    await comparison.compare(
      `manifest push into a repository with ${tags}; peer: ours with 10 tags`,
      'ms',
      'at least 0.83x (within 1.2x)',
      names,
      async (name) => {
        const pushed = Array.from({ length: 50 }, (_, index) => `w${index}-${randomUUID()}`);
        return { value: ((await pushImage(target, name, pushed)).seconds / pushed.length) * 1000 };
      },
      { lessIsBetter: true },
    );
  } finally {
    await server.stop();
  }
}

/** What the server's processes need at most while very many large bodies come and go at once. */
export async function measureMemory(
  comparison: Comparison,
  server: ServerProcess,
  quick: boolean,
): Promise<readonly string[]> {
  const [parallel, size] = quick ? [20, 4 << 20] : [200, 24 << 20];
  const repository = 'bench/app';
  const target = await targetOf(server);
  const { blobs } = await pushMany(target, repository, 4, size, 2);
  const paths = blobs.map(({ digest }) => `/v2/${repository}/blobs/${digest}`);
  const before = memoryOf(server.pid ?? 0);
  let most = before;
  const sampling = setInterval(() => {
    most = Math.max(most, memoryOf(server.pid ?? 0));
  }, 500);
  try {
    const pulling = pullRate(target, paths, parallel, quick ? 3 : 30);
    await pushMany(target, repository, parallel, size, parallel);
    await pulling;
  } finally {
    clearInterval(sampling);
  }
  comparison.measured['memory'] = { before, most };
  comparison.add({
    what: `memory with ${parallel} uploads and ${parallel} downloads of ${size >> 20} MiB at once`,
    ours: `${short(most)} MiB at most, ${short(before)} MiB before`,
    peer: '',
    ratio: '',
    goal: 'under 400 MiB',
  });
  return [
    `Memory is the proportional set size of all processes of the server, read twice a second. The bodies are ${size >> 20} MiB instead of 1 GiB to end in bounded time: what is held in memory does not depend on a body's length.`,
  ];
}

/** Proportional memory of a process and its children, MiB. */
function memoryOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const own = Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) / 1024;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return children.reduce((sum, child) => sum + (child === '' ? 0 : memoryOf(Number(child))), own);
}

const main = join(import.meta.dirname, '..', 'cli', 'main.ts');

/** `slipway gc` over a large registry of which a fifth is garbage, beside a server that answers pulls. */
export async function measureCollection(
  comparison: Comparison,
  data: string,
  quick: boolean,
): Promise<readonly string[]> {
  const manifests = Number(process.env['GCN'] ?? 100_000);
  const repository = 'bench/app';
  const server = new ServerProcess(await freePort(), data, environment);
  await server.start();
  try {
    await makeRepositories(server, [repository]);
    await pushImage(await targetOf(server), repository, ['v1']);
    await server.stop();
    const seeding = performance.now();
    await seed(data, ({ records }) => largeRegistry(records, repository, manifests));
    process.stdout.write(`records written in ${short((performance.now() - seeding) / 1000)} s\n`);
    await server.start();
    const target = await targetOf(server);
    const path = `/v2/${repository}/manifests/v1`;
    await pacedTimes(target, path, 2);
    const quiet = quantile(await pacedTimes(target, path, quick ? 2 : 10), 0.99);
    const ended = new AbortController();
    const busyTimes = pacedTimes(target, path, 600, ended.signal);
    const started = performance.now();
    const printed = await check(process.execPath, [main, 'gc', '--output', 'json'], {
      env: { SLIPWAY_DATA: data },
      timeout: 600_000,
    });
    const seconds = (performance.now() - started) / 1000;
    ended.abort();
    const busy = quantile(await busyTimes, 0.99);
    const reportOf = (text: string) =>
      (JSON.parse(text) as Record<string, { reviewed: number; removed: number }>)['000000000000'];
    const report = reportOf(printed);
    // The server's own collector may have had a part in it.
    const left = reportOf(
      await check(process.execPath, [main, 'gc', '--dry-run', '--output', 'json'], { env: { SLIPWAY_DATA: data } }),
    );
    if (left?.removed !== 0) throw new Error(`the collector left ${left?.removed ?? 0} blobs`);
    comparison.measured['gc'] = { seconds, quiet, busy, report };
    comparison.add({
      what: `gc over ${manifests.toLocaleString('en-US')} manifests and ${(manifests * 5).toLocaleString('en-US')} blobs, a fifth of them garbage`,
      ours: `${short(seconds)} s`,
      peer: '',
      ratio: '',
      goal: 'under 120 s',
    });
    comparison.add({
      what: 'manifest GET p99 at 500 requests/s meanwhile; peer: without gc',
      ours: `${short(busy)} ms`,
      peer: `${short(quiet)} ms`,
      ratio: `${short(busy / quiet)}x`,
      goal: 'at most 1.5x',
    });
    return [
      'GC: every one of the blobs is due for review at once (as after a day in which all were pushed). The garbage has records but no files: removing a file that is not there stands for removing one.',
    ];
  } finally {
    await server.stop();
  }
}

/** Milliseconds of requests that begin at a fixed rate, 500 a second, whether or not earlier ones were answered. */
async function pacedTimes(target: Target, path: string, seconds: number, signal?: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  const [connections, perSecond] = [25, 500];
  const began = performance.now();
  await onConnections(target, connections, async (connection, index) => {
    for (let turn = 0; turn < (seconds * perSecond) / connections; turn++) {
      if (signal?.aborted === true) return;
      const due = began + ((turn * connections + index) / perSecond) * 1000;
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      const from = Math.max(due, performance.now() - 1);
      const { status } = await connection.request('GET', path, { ...target.headers, accept: manifestType });
      if (status !== 200) throw new Error(`GET ${path}: ${status}`);
      times.push(performance.now() - from);
    }
  });
  return times;
}

/** Manifests with four blobs of their own each, and as many blobs that nothing needs; all due for review. */
async function* largeRegistry(records: Storage['records'], repository: string, manifests: number): AsyncGenerator<Put> {
  const found = await records.get<RepositoryRecord>(partition, keys.repository(repository));
  if (found === undefined) throw new Error('the repository is not there');
  const repositoryId = found.value.id;
  const past = systemClock.now() - 60_000;
  const digestOf = (text: string): Digest => `sha256:${createHash('sha256').update(text).digest('hex')}`;
  const size = 1000;
  function* blob(digest: Digest, manifest: Digest | undefined): Generator<Put> {
    const generation = digest.slice(7, 43);
    yield { key: keys.blob(digest), value: { generation, size } };
    yield { key: keys.review(past, digest), value: {} };
    if (manifest === undefined) return;
    const link = { generation, size, repositoryId, leaseUntil: past };
    yield { key: keys.link(digest, repository), value: link };
    yield { key: keys.reference(digest, repository, manifest), value: {} };
  }
  for (let index = 0; index < manifests; index++) {
    const digest = digestOf(`manifest ${index}`);
    const facts = { mediaType: manifestType, size, pushedAt: past, imageSize: size, tagCount: 1 };
    yield { key: keys.manifest(repository, digest), value: facts };
    const tag = { digest, mediaType: manifestType, size, pushedAt: past };
    yield { key: keys.tag(repository, `build-${index}`), value: tag };
    yield { key: keys.tagged(repository, digest, `build-${index}`), value: {} };
    for (let layer = 0; layer < 4; layer++) yield* blob(digestOf(`blob ${index} ${layer}`), digest);
    yield* blob(digestOf(`garbage ${index}`), undefined);
  }
}
