/**
 * `npm run bench:signals [-- --lines 10000000] [--quick] [--json FILE]`: the log store beside plain files of the same lines with the
 * same compression; behind it the metric store (`metrics.ts`). With `--usage` alone: what it costs that tasks report what they use. What
 * the API adds (decoding of requests, authorization) is not in it.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { parseArgs, promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { blobsOfLogs, StoredLogs } from '@slipway/scheduler/signals/logs/store';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import { programOf, victoriaLogs } from './log-peers.ts';
import { median, quantile, type Row, short, writeSection } from './results.ts';
import { kinds, sequence, serviceLines } from './service-lines.ts';
import { measureUsage } from './usage.ts';

const { values: options } = parseArgs({
  options: {
    files: { type: 'string', default: '/var/log/dpkg.log,/var/log/apt/term.log' },
    json: { type: 'string' },
    lines: { type: 'string' },
    quick: { type: 'boolean', default: false },
    usage: { type: 'boolean', default: false },
  },
});
const lines = Number(options.lines ?? (options.quick ? 200_000 : 10_000_000));
const account = '000000000000';
const streams = 20;
const day = 86_400_000;
/** Midnight: all lines are of one day. */
const begin = Math.floor(Date.now() / day) * day - day;
const perBatch = 2000;
const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-signals-'));
const rows: Row[] = [];
const measured: Record<string, number> = {};

const timestamp = (index: number): number => begin + Math.floor((index / lines) * (day - 1));

/** Lines are made once, and again and again taken from these, far apart: making them would cost more than storing them. */
const pool = Math.min(lines, 60_000);
const make = serviceLines(sequence(1));
const made: { readonly [kind: string]: readonly string[] } = Object.fromEntries(
  [...new Set(kinds)].map((kind) => [
    kind,
    Array.from({ length: pool }, (_, index) =>
      make(kind, new Date(timestamp(Math.floor((index / pool) * lines))).toISOString()),
    ),
  ]),
);
const rare = '{"level":"error","request":"0f00ba42","msg":"payment declined by issuer"}';
/** Batches go to the streams in turn; each stream has its kind of lines. */
const streamOf = (index: number): number => Math.floor(index / perBatch) % streams;
function lineAt(index: number): string {
  if (index % 200_003 === 100_001) return rare;
  const stream = streamOf(index);
  return made[kinds[stream % kinds.length]!]![
    (Math.floor(index / (perBatch * streams)) * perBatch + (index % perBatch) + stream * 7919) % pool
  ]!;
}

const needle = 'payment declined';
/** Part of the same lines: no filter knows parts of ids, so that everything is unpacked. */
const id = '0f00ba42';

async function timed<T>(
  work: () => Promise<T>,
): Promise<{ readonly seconds: number; readonly cpu: number; readonly value: T }> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  const value = await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpu: (user + system) / 1e6, value };
}

/** Wall time and processor time of a pipeline of other programs. */
async function shell(
  command: string,
): Promise<{ readonly seconds: number; readonly cpu: number; readonly output: string }> {
  const started = performance.now();
  const child = spawn('bash', ['-c', `TIMEFORMAT='%U %S'; time { ${command}; }`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  const [output, times] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [user = NaN, system = NaN] = times.trim().split(' ').map(Number);
  return { seconds: (performance.now() - started) / 1000, cpu: user + system, output: output.trim() };
}

const storage = await openStorage(
  {
    records: { type: 'sqlite', file: join(folder, 'records.db') },
    blobs: { type: 'filesystem', root: join(folder, 'blobs') },
  },
  systemClock,
);
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
/** There are no subscription filters. */
const noReceivers = {
  outbound: { fetch: () => Promise.reject(new Error('nobody is called')) },
  sealer: { seal: (text: string) => text, open: (text: string) => text },
};
/** A server that has read nothing yet. */
const server = (): StoredLogs =>
  new StoredLogs(
    {
      ...storage,
      clock: systemClock,
      random: randomBytes,
      log,
      metrics: { put: () => Promise.resolve() },
      ...noReceivers,
    },
    // Compaction is measured by itself, and the rate of a group is no part of it.
    { maxBytes: () => Infinity, groupRate: Number.MAX_SAFE_INTEGER, compaction: { settle: 0, age: 0, chunks: 0 } },
  );
const logs = server();

try {
  if (!options.usage) {
    await promisify(execFile)('zstd', ['--version']);
    await measureIngest();
    await measureCompaction();
    await measureFiles();
    await measureSearch();
    await measurePeer();
    await measureTail();
  }
} finally {
  await logs.close();
  await storage.close();
  rmSync(folder, { recursive: true, force: true });
}
const usage = await measureUsage(options.quick ? 2 : 10);
for (const row of [...rows, ...usage.rows])
  process.stdout.write(`${row.what}: ${row.ours} | ${row.peer} | ${row.ratio} | ${row.goal}\n`);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(measured, undefined, 2)}\n`);
if (!options.quick) writeSection(usage);
if (!options.quick && !options.usage)
  writeSection({
    name: 'signals',
    title: 'Logs',
    command: `npm run bench:signals -- --lines ${lines}`,
    notes: [
      `${lines.toLocaleString('en-US')} made-up lines of one day (\`service-lines.ts\`): of ${streams} streams of one group each has one kind, JSON with ids of 128 and 64 bits, access lines, logfmt, or Java's with stack traces; batches of ${perBatch}. SQLite and files on one disk; a batch is answered after its fsync and its commit.`,
      'Peers: bare loops that write the same lines as zstd frames of 4 MiB and sync each; the same lines as one zstd -3 file; `zstdcat | grep`, which uses two cores; VictoriaLogs, where it is installed (`go install`; Loki cannot be had so: its module replaces others by folders and forks that it does not bring). Processor time is that of all threads of the process.',
      `A search ends a page after 128 MiB or 300 ms and begins the next one with the blocks that reach into it. Work waiting for a core when it ended (load average of a minute): ${short(loadavg()[0] ?? 0)}.`,
      'What the API adds (decoding of requests, authorization) is not in it.',
    ],
    rows,
  });
if (!options.usage) await import('./metrics.ts');

/** Batches from all streams at once, answered when they are durable; beside it frames in a file, synced one by one. */
async function measureIngest(): Promise<void> {
  await logs.createGroup(account, 'web', { tags: {}, logGroupClass: 'STANDARD' });
  for (let stream = 0; stream < streams; stream++) await logs.createStream(account, 'web', `web/app/${stream}`);
  let bytes = 0;
  const batch = (first: number): { timestamp: number; message: string }[] => {
    const events = [];
    for (let index = first; index < Math.min(lines, first + perBatch); index++) {
      const message = lineAt(index);
      bytes += Buffer.byteLength(message) + 1;
      events.push({ timestamp: timestamp(index), message });
    }
    return events;
  };
  const plain = createWriteStream(join(folder, 'plain.log'));
  const ours = await timed(() =>
    Promise.all(
      Array.from({ length: streams }, async (_, stream) => {
        for (let first = stream * perBatch; first < lines; first += streams * perBatch)
          await logs.put(account, 'web', `web/app/${stream}`, batch(first));
      }),
    ),
  );
  let at = 0;
  const block = (): string => {
    const parts: string[] = [];
    for (let size = 0; size < 4 * 2 ** 20 && at < lines; at++) {
      const one = lineAt(at);
      size += one.length + 1;
      parts.push(one);
    }
    return parts.length === 0 ? '' : `${parts.join('\n')}\n`;
  };
  await pipeline(Readable.from(texts(block)), plain);
  at = 0;
  const file = await open(join(folder, 'peer.zst'), 'w');
  const compress = promisify(zstdCompress);
  /** Enough of them for a rate. */
  const some = Math.max(1, Math.floor(lines / 5));
  const peer = await timed(async () => {
    while (at < some) {
      const frame = Buffer.from(block());
      await file.write(await compress(frame, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }));
      await file.sync();
    }
  });
  await file.close();
  const rate = lines / ours.cpu;
  const peerRate = at / peer.cpu;
  measured['ingestPerCpuSecond'] = rate;
  measured['ingestPerSecond'] = lines / ours.seconds;
  measured['bytes'] = bytes;
  rows.push({
    what: `lines taken in, mean ${Math.round(bytes / lines)} bytes, for each second of processor time`,
    ours: `${short(rate)} lines/s`,
    peer: `${short(peerRate)} lines/s`,
    ratio: `${short(rate / peerRate)}x`,
    goal: 'at least 200,000 lines/s',
  });
}

function* texts(next: () => string): Generator<string, void> {
  for (let some = next(); some !== ''; some = next()) yield some;
}

async function stored(): Promise<number> {
  let size = 0;
  for await (const blob of storage.blobs.list()) size += blob.size;
  return size;
}

/** What the holder of the lease does. */
async function upkeep(thorough: boolean): Promise<void> {
  const stop = new AbortController();
  const lease = await storage.leases.acquire(`logs/${account}`, 'keeper', { signal: stop.signal });
  const round = logs.keeper.round(account, lease);
  await round.quick(stop.signal);
  if (thorough) await round.thorough(stop.signal);
  await lease.release();
}

/** Bytes of the segments of a group. */
async function segmentsOf(name: string): Promise<number> {
  const group = await logs.group(account, name);
  let bytes = 0;
  for await (const { size, by } of blobsOfLogs(storage.records))
    if (by.includes(`: segment/${group?.id}/`)) bytes += size;
  return bytes;
}

/** Everything into segments; then what it takes on disk. */
async function measureCompaction(): Promise<void> {
  const before = await stored();
  const work = await timed(() => upkeep(true));
  const bytes = measured['bytes'] ?? 0;
  const segments = await segmentsOf('web');
  const plain = join(folder, 'plain.log');
  await shell(`zstd -q -3 -f ${plain} -o ${join(folder, 'plain.zst')}`);
  const peer = statSync(join(folder, 'plain.zst')).size;
  measured['storedPerByte'] = segments / bytes;
  measured['chunksPerByte'] = before / bytes;
  rows.push(
    {
      what: 'bytes stored per byte of lines, in segments with their tables and word filters',
      ours: `${short(segments / bytes)} (${short(before / bytes)} as chunks)`,
      peer: short(peer / bytes),
      ratio: `${short(segments / peer)}x`,
      goal: 'under 0.15',
    },
    {
      what: 'lines compacted, for each second of processor time',
      ours: `${short(lines / work.cpu)} lines/s`,
      peer: '',
      ratio: '',
      goal: '',
    },
  );
  if (((await logs.group(account, 'web'))?.storedBytes ?? 0) < bytes) throw new Error('not everything was compacted');
}

/** Log files that lie on this machine, a group each, in two halves as they would come in a day. */
async function measureFiles(): Promise<void> {
  for (const [index, path] of options.files
    .split(',')
    .filter((name) => existsSync(name))
    .entries()) {
    const group = `file-${index}`;
    const all = readFileSync(path, 'utf8')
      .split('\n')
      .filter((message) => message !== '');
    const bytes = all.reduce((sum, message) => sum + Buffer.byteLength(message) + 1, 0);
    await logs.createGroup(account, group, { tags: {}, logGroupClass: 'STANDARD' });
    await logs.createStream(account, group, 's');
    const middle = Math.floor(all.length / 2);
    for (const [from, to] of [
      [0, middle],
      [middle, all.length],
    ] as const) {
      for (let at = from; at < to; at += perBatch) {
        const events = all.slice(at, Math.min(to, at + perBatch));
        await logs.put(
          account,
          group,
          's',
          events.map((message, place) => ({ timestamp: begin + 37 * (at + place), message })),
        );
      }
      await upkeep(false);
    }
    await upkeep(true);
    const { output } = await shell(`zstd -3 -c ${path} | wc -c`);
    const segments = await segmentsOf(group);
    rows.push({
      what: `the same of ${basename(path)} of this machine (${short(bytes / 1e6)} MB, mean ${Math.round(bytes / all.length)} bytes)`,
      ours: short(segments / bytes),
      peer: short(Number(output) / bytes),
      ratio: `${short(segments / Number(output))}x`,
      goal: 'under 0.15',
    });
  }
}

async function found(
  terms: readonly string[],
  range: { readonly start?: number; readonly end?: number } = {},
): Promise<number> {
  let count = 0;
  // What another search remembers of blocks is no part of this one.
  const fresh = server();
  for (let after: string | undefined; ;) {
    const page = await fresh.scan(account, 'web', { terms, ...range, limit: 10_000, after });
    count += page.events.length;
    if (page.next === undefined) return count;
    after = page.next;
  }
}

/** Ours and the peer in turns. */
async function measureSearch(): Promise<void> {
  const packed = join(folder, 'plain.zst');
  const hours = { start: begin + 10 * 3_600_000, end: begin + 11 * 3_600_000 };
  const searches = {
    all: () => found([needle]),
    hour: () => found([needle], hours),
    words: () => found(['"payment declined by issuer"']),
    id: () => found([id]),
  };
  type Times = { readonly seconds: number; readonly cpu: number };
  const times = {
    grep: [] as Times[],
    grepId: [] as Times[],
    all: [] as Times[],
    hour: [] as Times[],
    words: [] as Times[],
    id: [] as Times[],
  };
  for (let round = 0; round < (options.quick ? 1 : 3); round++) {
    const grep = await shell(`zstdcat ${packed} | grep -c -F '${needle}'`);
    times.grep.push(grep);
    times.grepId.push(await shell(`zstdcat ${packed} | grep -c -F '${id}'`));
    for (const name of ['all', 'hour', 'words', 'id'] as const) {
      const search = await timed(searches[name]);
      times[name].push(search);
      if (name !== 'hour' && search.value !== Number(grep.output))
        throw new Error(`${name} found ${search.value} lines, grep ${grep.output}`);
    }
  }
  const middle = (name: keyof typeof times): Times => ({
    seconds: median(times[name].map(({ seconds }) => seconds)),
    cpu: median(times[name].map(({ cpu }) => cpu)),
  });
  const grep = middle('grep');
  measured['searchSeconds'] = middle('all').seconds;
  measured['grepSeconds'] = grep.seconds;
  measured['hourSeconds'] = middle('hour').seconds;
  const row = (what: string, name: keyof typeof times, goal: string, peer = grep): Row => ({
    what,
    ours: `${short(middle(name).seconds)} s (${short(middle(name).cpu)} s of a core)`,
    peer: `${short(peer.seconds)} s (${short(peer.cpu)} s of a core)`,
    ratio: `${short(peer.seconds / middle(name).seconds)}x (${short(peer.cpu / middle(name).cpu)}x of a core)`,
    goal,
  });
  rows.push(
    row(`${needle}: found in all lines, by the filters of letters`, 'all', 'at least 1x'),
    row('the same in an hour of the day', 'hour', 'at least 10x'),
    row('"payment declined by issuer" with its quotes, by the word filters', 'words', ''),
    row(`${id}, a part of an id: everything is unpacked`, 'id', 'at least 1x', middle('grepId')),
  );
}

/** VictoriaLogs with the same lines, where it is installed. */
async function measurePeer(): Promise<void> {
  const program = programOf('victoria-logs');
  if (program === undefined) return;
  function* batches() {
    for (let first = 0; first < lines; first += perBatch)
      yield Array.from({ length: Math.min(perBatch, lines - first) }, (_, at) => ({
        stream: `web/app/${streamOf(first)}`,
        timestamp: timestamp(first + at),
        message: lineAt(first + at),
      }));
  }
  const peer = await victoriaLogs(program, folder, batches());
  try {
    const all = await peer.search(needle, begin, begin + day);
    const hour = await peer.search(needle, begin + 10 * 3_600_000, begin + 11 * 3_600_000);
    if (all.found !== Math.ceil((lines - 100_001) / 200_003)) throw new Error(`${peer.name} found ${all.found} lines`);
    const times = (of: { readonly seconds: number; readonly cpu: number }): string =>
      `${short(of.seconds)} s (${short(of.cpu)} s of a core)`;
    const bytes = measured['bytes'] ?? NaN;
    const row = (what: string, ours: string, theirs: string, ratio: number): Row => ({
      what: `beside ${peer.name}: ${what}`,
      ours,
      peer: theirs,
      ratio: `${short(ratio)}x`,
      goal: '',
    });
    const [rate, stored, search, hours] = ['ingestPerCpuSecond', 'storedPerByte', 'searchSeconds', 'hourSeconds'].map(
      (name) => measured[name] ?? NaN,
    ) as [number, number, number, number];
    rows.push(
      row(
        'lines for each second of processor time (ours is durable when it is answered)',
        `${short(rate)} lines/s`,
        `${short(peer.linesPerCpuSecond)} lines/s`,
        rate / peer.linesPerCpuSecond,
      ),
      row('bytes stored per byte', short(stored), short(peer.stored / bytes), stored / (peer.stored / bytes)),
      row(`${needle}, anywhere in a line`, `${short(search)} s`, times(all), all.seconds / search),
      row('the same in an hour', `${short(hours)} s`, times(hour), hour.seconds / hours),
    );
  } finally {
    await peer.stop();
  }
}

/** From the call that puts a line to the follower that has it. */
async function measureTail(): Promise<void> {
  const stop = new AbortController();
  const arrived = new Map<string, number>();
  const following = (async () => {
    for await (const { events } of logs.tail(account, [{ group: 'web' }], stop.signal))
      for (const { message } of events) arrived.set(message, performance.now());
  })();
  const sent = new Map<string, number>();
  const puts: Promise<void>[] = [];
  while (!arrived.has('begun')) {
    await logs.put(account, 'web', 'web/app/0', [{ timestamp: Date.now(), message: 'begun' }]);
  }
  for (let n = 0; n < (options.quick ? 20 : 200); n++) {
    const message = `tailed ${n}`;
    sent.set(message, performance.now());
    puts.push(logs.put(account, 'web', 'web/app/0', [{ timestamp: Date.now(), message }]));
    await systemClock.sleep(25);
  }
  await Promise.all(puts);
  const deadline = performance.now() + 30_000;
  while (arrived.size < sent.size + 1 && performance.now() < deadline) await systemClock.sleep(10);
  stop.abort();
  await following;
  const delays = Array.from(sent, ([message, at]) => (arrived.get(message) ?? Infinity) - at);
  measured['tailP99'] = quantile(delays, 0.99);
  rows.push({
    what: 'live tail: from the put to the follower, p99',
    ours: `${short(quantile(delays, 0.99))} ms (p50 ${short(quantile(delays, 0.5))})`,
    peer: '',
    ratio: '',
    goal: 'under 500 ms',
  });
}
