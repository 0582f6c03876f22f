import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { systemClock } from '@slipway/storage/clock';
import { openStorage, type Storage } from '@slipway/storage/engine';
import { hasRedis, RedisServer } from '@slipway/storage/records/testing';
import { Redis } from 'ioredis';
import { median, render, type Row, type Section, short, writeSection } from './results.ts';

/** The storage engines beside bare loops that do the same writes, in one run. */
const { values: options } = parseArgs({
  options: {
    json: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    uploads: { type: 'string', default: '50' },
    'upload-size': { type: 'string', default: '128' },
  },
});
const rounds = Number(options.rounds);
const mebibyte = 1024 * 1024;
const rows: Row[] = [];
const measured: Record<string, unknown> = {};
const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-storage-'));
const delay = monitorEventLoopDelay({ resolution: 5 });

async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (count / (performance.now() - started)) * 1000;
}

/** Ours and the peer in turns; the ratio is the median of the rounds' own ratios. */
async function compare(
  what: string,
  unit: string,
  goal: string,
  ours: (round: number) => Promise<number>,
  peer: (round: number) => Promise<number>,
): Promise<void> {
  const pairs: { ours: number; peer: number }[] = [];
  for (let round = 0; round <= rounds; round++) {
    const [first, second] = round % 2 === 0 ? [ours, peer] : [peer, ours];
    const a = await first(round);
    const b = await second(round);
    // The first round warms up.
    if (round > 0) pairs.push(round % 2 === 0 ? { ours: a, peer: b } : { ours: b, peer: a });
  }
  const ratios = pairs.map((pair) => pair.ours / pair.peer);
  rows.push({
    what,
    ours: `${short(median(pairs.map((pair) => pair.ours)))} ${unit}`,
    peer: `${short(median(pairs.map((pair) => pair.peer)))} ${unit}`,
    ratio: `${short(median(ratios))}x (${short(Math.min(...ratios))} to ${short(Math.max(...ratios))})`,
    goal,
  });
  measured[what] = pairs;
}

async function writers(
  count: number,
  each: number,
  write: (writer: number, n: number) => Promise<unknown>,
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, writer) => {
      for (let n = 0; n < each; n++) await write(writer, n);
    }),
  );
}

const value = { name: 'x'.repeat(180), n: 1 };

async function commits(storage: Storage, count: number, each: number, round: number): Promise<number> {
  return perSecond(count * each, () =>
    writers(count, each, (writer, n) =>
      storage.records.commit('bench', { put: [{ key: `${round}/${count}/${writer}/${n}`, value }] }),
    ),
  );
}

async function measureSqlite(storage: Storage): Promise<void> {
  const bare = new DatabaseSync(join(folder, 'bare.db'));
  bare.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER, v TEXT) WITHOUT ROWID; CREATE INDEX t_n ON t (n);
    CREATE TABLE version (n INTEGER); INSERT INTO version VALUES (0)`);
  const next = bare.prepare('UPDATE version SET n = n + 1 RETURNING n');
  const insert = bare.prepare('INSERT INTO t VALUES (?, ?, ?)');
  const commit = (key: string): void => {
    bare.exec('BEGIN IMMEDIATE');
    insert.run(key, next.get()!['n']!, JSON.stringify(value));
    bare.exec('COMMIT');
  };
  for (const [lanes, each] of [
    [1, 1500],
    [64, 250],
  ] as const) {
    await compare(
      `sqlite: commits of one record, ${lanes} ${lanes === 1 ? 'writer' : 'writers'}`,
      'commits/s',
      'at least 0.7x',
      (round) => commits(storage, lanes, each, round),
      (round) =>
        perSecond(1500, async () => {
          for (let n = 0; n < 1500; n++) commit(`${round}/${lanes}/${n}`);
        }),
    );
  }
  bare.close();
}

async function measureRedis(): Promise<void> {
  const server = await RedisServer.start();
  const blobs = { type: 'filesystem', root: join(folder, 'redis-blobs') } as const;
  const storage = await openStorage({ records: { type: 'redis', url: server.url }, blobs }, systemClock);
  const bare = new Redis(server.url, { enableAutoPipelining: true });
  /** The writes of one of our commits, without its checks: the record, the order of the keys, the order of the changes, the version. */
  const bareCommit = (
    name: string,
    entries: readonly (readonly [string, string])[],
    version: number,
  ): Promise<unknown> =>
    bare
      .multi()
      .hincrby(`${name}:version`, 'n', 1)
      .hset(`${name}:rec`, ...entries.flat())
      .zadd(`${name}:keys`, ...entries.flatMap(([key]) => [0, key]))
      .zadd(`${name}:live`, ...entries.flatMap(([key]) => [version, key]))
      .exec();
  const text = JSON.stringify(value);
  for (const [count, each] of [
    [1, 1500],
    [64, 250],
  ] as const) {
    await compare(
      `redis (always): commits of one record, ${count} ${count === 1 ? 'writer' : 'writers'}`,
      'commits/s',
      'at least 0.6x',
      (round) => commits(storage, count, each, round),
      (round) =>
        perSecond(count * each, () =>
          writers(count, each, (writer, n) => bareCommit('bare', [[`${round}/${writer}/${n}`, text]], n)),
        ),
    );
  }
  const small = { task: 'x'.repeat(60) };
  await compare(
    'redis (always): record changes in commits of 200, 8 writers',
    'changes/s',
    'at least 100,000/s of ours',
    (round) =>
      perSecond(8 * 30 * 200, () =>
        writers(8, 30, (writer, n) =>
          storage.records.commit('batches', {
            put: Array.from({ length: 200 }, (_, index) => ({
              key: `${round % 2}/${writer}/${n}/${index}`,
              value: small,
            })),
          }),
        ),
      ),
    (round) =>
      perSecond(8 * 30 * 200, () =>
        writers(8, 30, (writer, n) =>
          bareCommit(
            'bare-batches',
            Array.from(
              { length: 200 },
              (_, index) => [`${round % 2}/${writer}/${n}/${index}`, JSON.stringify(small)] as const,
            ),
            n,
          ),
        ),
      ),
  );
  bare.disconnect();
  await storage.close();
  await server.dispose();
}

const piece = randomBytes(64 * 1024);

async function* body(megabytes: number): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < megabytes * 16; n++) {
    // As from a socket: each piece on a turn of its own, in memory of its own.
    await new Promise(setImmediate);
    yield Buffer.from(piece);
  }
}

function digestOf(megabytes: number): `sha256:${string}` {
  const hash = createHash('sha256');
  for (let n = 0; n < megabytes * 16; n++) hash.update(piece);
  return `sha256:${hash.digest('hex')}`;
}

async function upload(storage: Storage, megabytes: number, digest: `sha256:${string}`) {
  const { staged } = await storage.blobs.append(await storage.blobs.stage(), body(megabytes));
  return storage.blobs.seal(staged, digest);
}

async function bareUpload(path: string, megabytes: number): Promise<void> {
  const file = await open(path, 'w');
  const hash = createHash('sha256');
  for await (const chunk of body(megabytes)) {
    hash.update(chunk);
    await file.write(chunk);
  }
  await file.sync();
  await file.close();
  hash.digest();
}

async function measureBlobs(storage: Storage): Promise<void> {
  const size = 64;
  const digest = digestOf(size);
  await compare(
    'files: ingest of 64 MiB (bare: hash, write, fsync)',
    'MiB/s',
    'at least 0.85x',
    () => perSecond(size, async () => storage.blobs.remove(await upload(storage, size, digest))),
    () =>
      perSecond(size, async () => {
        await bareUpload(join(folder, 'bare'), size);
        await unlink(join(folder, 'bare'));
      }),
  );
  const sealed = await upload(storage, size, digest);
  const source = await storage.blobs.open(sealed);
  await bareUpload(join(folder, 'bare'), size);
  const sink = (): Writable => new Writable({ write: (_chunk, _encoding, done) => setImmediate(done) });
  await compare(
    'files: egress of 64 MiB x 8 (bare: a file stream)',
    'MiB/s',
    'at least 0.9x',
    () =>
      perSecond(size * 8, async () => void (await Promise.all(Array.from({ length: 8 }, () => source.pipe(sink()))))),
    () =>
      perSecond(
        size * 8,
        async () =>
          void (await Promise.all(
            Array.from({ length: 8 }, () => pipeline(createReadStream(join(folder, 'bare')), sink())),
          )),
      ),
  );
}

async function measureMemory(storage: Storage): Promise<void> {
  const [count, size] = [Number(options.uploads), Number(options['upload-size'])];
  const digest = digestOf(size);
  let peak = 0;
  const sampling = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);
  const sealed = await Promise.all(Array.from({ length: count }, () => upload(storage, size, digest)));
  clearInterval(sampling);
  for (const blob of sealed) await storage.blobs.remove(blob);
  rows.push({
    what: `peak memory of the process, ${count} parallel uploads of ${size} MiB (clients included)`,
    ours: `${short(peak / mebibyte)} MiB`,
    peer: '',
    ratio: '',
    goal: 'under 512 MiB',
  });
  measured['peak memory'] = peak;
}

try {
  const storage = await openStorage(
    {
      records: { type: 'sqlite', file: join(folder, 'records.db') },
      blobs: { type: 'filesystem', root: join(folder, 'blobs') },
    },
    systemClock,
  );
  await measureBlobs(storage);
  const idle = new Worker(
    `const { monitorEventLoopDelay } = require('node:perf_hooks'); const { parentPort } = require('node:worker_threads');
     const delay = monitorEventLoopDelay({ resolution: 5 }); delay.enable();
     parentPort.once('message', () => { parentPort.postMessage(delay.percentile(99) / 1e6); });`,
    { eval: true },
  );
  delay.enable();
  await measureMemory(storage);
  // Commits beside uploads: what the event loop of a busy server sees.
  const digest = digestOf(256);
  await Promise.all([upload(storage, 256, digest), upload(storage, 256, digest), commits(storage, 64, 100, 99)]);
  delay.disable();
  const idleDelay = new Promise<number>((resolve) => idle.once('message', resolve));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
  idle.postMessage('done');
  const machine = await idleDelay;
  rows.push({
    what: 'event-loop delay during the parallel uploads and commits, p99',
    ours: `${short(delay.percentile(99) / 1e6)} ms`,
    peer: `${short(machine)} ms`,
    ratio: `${short(delay.percentile(99) / 1e6 / machine)}x`,
    goal: 'under 20 ms',
  });
  measured['event-loop delay p99'] = delay.percentile(99) / 1e6;
  await measureSqlite(storage);
  await storage.close();
  if (hasRedis) await measureRedis();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const section: Section = {
  name: 'storage',
  title: 'Storage engines',
  command: `npm run bench:storage -- --rounds ${rounds} --uploads ${options.uploads} --upload-size ${options['upload-size']}`,
  notes: [
    'Peers are bare loops on the same disk in the same run that do the same writes without the checks: on SQLite (WAL, FULL) one transaction with the record, an index of versions and the version itself, one after the other as one connection must; on Redis (appendonly, appendfsync always) MULTI with the record, the order of the keys, the version and the entry in the change feed (no row has conditions, on either side); hash, write and fsync for files; createReadStream for egress. In turns, median of the rounds, ratios of each round.',
    'Event-loop delay: the peer is an idle thread of the same process, which shows what the machine itself adds.',
  ],
  rows,
};
writeSection(section);
process.stdout.write(`${render(section)}\n`);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(measured, undefined, 2)}\n`);
