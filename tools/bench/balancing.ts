/**
 * `npm run bench:balancing [-- --short] [--json FILE]`: what a request through our engines costs beside HAProxy and nginx as one writes them
 * by hand, in turns on the same back end; how soon a change is live; what 1,000 target groups with 10,000 targets take.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { certificateFor, groupOf } from '@slipway/scheduler/balancing/engines/testing';
import { freePort } from '@slipway/storage/testing';
import { checkLoad, drivenEngine } from './balancing/driven.ts';
import { type Kind, type Lane, laneTo } from './balancing/lanes.ts';
import {
  engineProxy,
  type EngineProxy,
  hasNginx,
  plainHaproxy,
  plainNginx,
  type Proxy,
  targetOf,
} from './balancing/proxies.ts';
import { median, quantile, type Row, short, spread, writeSection } from './results.ts';

const args = process.argv.slice(2);
const brief = args.includes('--short');
const jsonAt = args.indexOf('--json');
const rounds = brief ? 2 : 11;
const connections = 16;

await using opened = new AsyncDisposableStack();
const folder = opened.adopt(mkdtempSync(join(tmpdir(), 'slipway-bench-lb-')), (it) =>
  rmSync(it, { recursive: true, force: true }),
);
const placeOf = (name: string): string => {
  const path = join(folder, name);
  mkdirSync(path, { mode: 0o700 });
  return path;
};
const backEnd = spawn(process.execPath, [join(import.meta.dirname, 'balancing', 'backend.ts')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
opened.defer(() => void backEnd.kill());
const port = await new Promise<number>((resolve) =>
  backEnd.stdout.once('data', (text: Buffer) => resolve(Number(text.toString()))),
);
const certificate = certificateFor('bench', 'bench.example.com');
const use = async <T extends Proxy>(proxy: Promise<T>): Promise<T> => opened.adopt(await proxy, (it) => it.stop());
const haproxy = await use(engineProxy('haproxy', placeOf('haproxy'), port, certificate));
const embedded = await use(engineProxy('embedded', placeOf('embedded'), port, certificate));
const peer = await use(plainHaproxy(placeOf('peer'), port, certificate));
const nginx = hasNginx ? await use(plainNginx(placeOf('nginx'), port, certificate)) : undefined;

const host = 'Host: bench.example.com\r\n';
const get = (path: string): string => `GET ${path} HTTP/1.1\r\n${host}User-Agent: bench\r\n\r\n`;
// Many short rounds: a median of them says more on a machine that does other things too.
const scale = brief ? 0.25 : 0.5;
const kinds: readonly Kind[] = [
  { what: 'GET, 100 bytes', count: 1600, request: get('/'), bodyBytes: 100 },
  {
    what: 'POST 4 KiB',
    count: 800,
    request: `POST / HTTP/1.1\r\n${host}Content-Length: 4096\r\n\r\n${'y'.repeat(4096)}`,
    bodyBytes: 100,
  },
  { what: 'GET, 200 KB', count: 240, request: get('/large'), bodyBytes: 200 << 10 },
  { what: 'GET, 100 bytes, over TLS', count: 1600, isSecure: true, request: get('/'), bodyBytes: 100 },
  {
    what: 'GET, 100 bytes, over TLS, each over a new connection',
    count: 160,
    isSecure: true,
    isFresh: true,
    request: get('/'),
    bodyBytes: 100,
  },
  {
    what: 'WebSocket message, 100 bytes both ways',
    count: 3200,
    upgrade: `GET /ws HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    request: 'm'.repeat(100),
    bodyBytes: 100,
  },
];

/** One round of a kind over lanes that are open. @returns requests a second, and microseconds of the proxy's processor time for each */
async function measure(
  proxy: Proxy,
  kind: Kind,
  lanes: readonly Lane[],
): Promise<{ readonly rate: number; readonly cpu: number }> {
  const each = Math.max(kind.isFresh === true ? 2 : 10, Math.round((kind.count * scale) / lanes.length));
  // Connections to the back end that were let go of meanwhile are there again.
  await Promise.all(lanes.map((lane) => lane.ask(kind.isFresh === true ? 1 : 5)));
  const [cpu, begun] = [proxy.cpu(), performance.now()];
  await Promise.all(lanes.map((lane) => lane.ask(each)));
  const seconds = (performance.now() - begun) / 1000;
  const total = each * lanes.length;
  return { rate: total / seconds, cpu: (proxy.cpu() - cpu) / total / 1e-6 };
}

const rows: Row[] = [];
const measured: Record<string, unknown> = {};
function add(row: Row): void {
  rows.push(row);
  process.stdout.write(`${row.what}: ${row.ours} | ${row.peer} | ${row.ratio} | ${row.goal}\n`);
}

interface Sample {
  readonly rate: number[];
  readonly cpu: number[];
}

/** In turns, each round begun by another one, so that what else the machine does meets all alike. */
async function rounded(kind: Kind, proxies: readonly Proxy[]): Promise<readonly Sample[]> {
  const samples = proxies.map((): Sample => ({ rate: [], cpu: [] }));
  const lanes = proxies.map((proxy) => Array.from({ length: connections }, () => laneTo(proxy, kind)));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < proxies.length; turn++) {
      const i = (turn + round) % proxies.length;
      const { rate, cpu } = await measure(proxies[i]!, kind, lanes[i]!);
      samples[i]!.rate.push(rate);
      samples[i]!.cpu.push(cpu);
    }
  }
  for (const lane of lanes.flat()) lane.close();
  return samples;
}

const figure = ({ rate, cpu }: Sample): string => `${short(median(cpu))} µs, ${short(median(rate))}/s`;
const ratioOf = (one: Sample, other: Sample): string => {
  const all = one.cpu.map((value, i) => value / other.cpu[i]!);
  return `${short(median(all))}x (${short(quantile(all, 0.25))} to ${short(quantile(all, 0.75))})`;
};

for (const kind of kinds) {
  const [ours, node, plain, other] = await rounded(kind, [
    haproxy,
    embedded,
    peer,
    ...(nginx === undefined ? [] : [nginx]),
  ]);
  measured[kind.what] = { haproxy: ours, embedded: node, peer: plain, nginx: other };
  add({
    what: `${kind.what}: HAProxy engine`,
    ours: figure(ours!),
    peer: figure(plain!),
    ratio: ratioOf(ours!, plain!),
    goal: 'at most 1.05x',
  });
  add({
    what: `${kind.what}: embedded engine`,
    ours: figure(node!),
    peer: figure(plain!),
    ratio: ratioOf(node!, plain!),
    goal: 'at most 5x',
  });
  if (other !== undefined)
    add({
      what: `${kind.what}: nginx`,
      ours: figure(other),
      peer: figure(plain!),
      ratio: ratioOf(other, plain!),
      goal: '',
    });
}

/** A thousand rules that do not match, before the default action that does. */
const rules = Array.from({ length: 1000 }, (_, i) => ({
  id: `rule/${i}`,
  conditions: [
    { kind: 'host-header' as const, values: [`h${i}.example.com`], regexValues: [] },
    { kind: 'path-pattern' as const, values: [`/p${i}/*`], regexValues: [] },
  ],
  action: { kind: 'forward' as const, targetGroups: [{ id: 'g', weight: 1 }] },
}));
for (const engine of [haproxy, embedded]) {
  const kind = kinds[0]!;
  const ruled = { ...engine, plain: await freePort() };
  const listener = { ...engine.usual.listeners[0]!, id: 'ruled', port: ruled.plain, rules };
  await engine.apply({ listeners: [...engine.usual.listeners, listener] });
  const [without, withRules] = await rounded(kind, [engine, ruled]);
  measured[`${engine.kind}, 1,000 rules`] = { without, withRules };
  add({
    what: `${kind.what}, behind 1,000 rules: ${engine.kind} engine, beside a listener of it without`,
    ours: figure(withRules!),
    peer: figure(without!),
    ratio: ratioOf(withRules!, without!),
    goal: 'about 1x',
  });
  await engine.apply({});
}

/** How long changes take while requests go on. */
async function changes(
  engine: EngineProxy,
  count: number,
  change: (i: number) => Parameters<EngineProxy['apply']>[0],
): Promise<number[]> {
  const load = underLoad(engine);
  const took: number[] = [];
  for (let i = 0; i < count; i++) took.push(await engine.apply(change(i)));
  await load.end();
  return took;
}

/** One client that asks all the time. */
function underLoad(proxy: Proxy): { readonly end: () => Promise<void> } {
  const over = new AbortController();
  const load = (async () => {
    while (!over.signal.aborted) {
      const lane = laneTo(proxy, kinds[0]!);
      // A reload ends kept connections in good order, between two requests.
      await lane.ask(50).catch(() => undefined);
      lane.close();
    }
  })();
  return {
    end: async () => {
      over.abort();
      await load;
    },
  };
}

for (const kind of ['haproxy', 'embedded'] as const) {
  const driven = await drivenEngine(kind, placeOf(`driven-${kind}`), port);
  const load = underLoad(driven.proxy);
  const took: number[] = [];
  for (let i = 0; i < (brief ? 10 : 200); i++) {
    took.push(await driven.replaceTarget());
    await sleep(30);
  }
  await load.end();
  await driven.stop();
  measured[`${kind}, from commits`] = took;
  add({
    what: `a target is replaced, from the commit (fsync included) until the driver has it live, under load: ${kind} engine`,
    ours: `p50 ${short(median(took))} ms, p99 ${short(quantile(took, 0.99))} ms`,
    peer: '',
    ratio: '',
    goal: 'p99 under 100 ms',
  });
}
for (const engine of [haproxy, embedded]) {
  const listeners = await changes(engine, brief ? 2 : 12, (i) => ({
    listeners: engine.usual.listeners.map((one) => ('rules' in one ? { ...one, rules: rules.slice(i, i + 5) } : one)),
  }));
  measured[`${engine.kind}, changes`] = { listeners };
  add({
    what: `the rules of a listener change, under load: ${engine.kind} engine`,
    ours: spread(listeners, 'ms'),
    peer: '',
    ratio: '',
    goal: '',
  });
  await engine.apply({});
}

const manyGroups = Array.from({ length: brief ? 50 : 1000 }, (_, i) =>
  groupOf(
    `group/${i}`,
    Array.from({ length: 10 }, (_, j) => targetOf(1024 + ((i * 10 + j) % 60_000), i * 10 + j)),
  ),
);
const manyRules = manyGroups.map(({ id }, i) => ({
  id: `rule/${i}`,
  conditions: [{ kind: 'host-header' as const, values: [`h${i}.example.com`], regexValues: [] }],
  action: { kind: 'forward' as const, targetGroups: [{ id, weight: 1 }] },
}));
for (const engine of [haproxy, embedded]) {
  const before = engine.memory();
  const given = (groups: typeof manyGroups) => ({
    targetGroups: [...engine.usual.targetGroups, ...groups],
    listeners: engine.usual.listeners.map((one, i) => (i === 0 && 'rules' in one ? { ...one, rules: manyRules } : one)),
  });
  const first = await engine.apply(given(manyGroups));
  const memory = (engine.memory() - before) / (1 << 20);
  const next: number[] = [];
  for (let i = 0; i < (brief ? 1 : 5); i++) {
    const [one, ...others] = manyGroups;
    next.push(
      await engine.apply(
        given([{ ...one!, targets: [...one!.targets.slice(1), targetOf(2000 + i, 100_000 + i)] }, ...others]),
      ),
    );
  }
  measured[`${engine.kind}, many`] = { first, memory, next };
  add({
    what: `${manyGroups.length.toLocaleString('en-US')} target groups of 10 targets at once: ${engine.kind} engine`,
    ours: `${short(first)} ms, ${short(memory)} MiB more`,
    peer: '',
    ratio: '',
    goal: '',
  });
  add({
    what: `one of those targets is replaced: ${engine.kind} engine`,
    ours: spread(next, 'ms'),
    peer: '',
    ratio: '',
    goal: '',
  });
  await engine.apply({});
}

const checks = await checkLoad(placeOf('checks'), {
  groups: brief ? 10 : 1000,
  targets: 10,
  backEnd: port,
  interval: brief ? 5 : 30,
});
measured['checks'] = checks;
add({
  what: `${brief ? '100' : '10,000'} targets of ${brief ? '10' : '1,000'} groups are checked every ${brief ? 5 : 30} s`,
  ours: `${short(checks.share * 100)} % of a core; all of them new: ${short(checks.cpuUntilHealthy)} s of a core, ${short(checks.secondsUntilHealthy)} s`,
  peer: '',
  ratio: '',
  goal: '',
});

if (!brief) {
  writeSection({
    name: 'balancing',
    title: 'Load balancing',
    command: `npm run bench:balancing`,
    notes: [
      `Peer: HAProxy as one writes it by hand for one service (forwarded headers, trace id, retries, requests that must not be repeated over connections of their own), in the same run; ${hasNginx ? 'nginx likewise, but with kept connections for every method' : 'nginx is not installed'}. The first figure is processor time of the proxy's processes for each request, then requests a second over ${connections} connections; ratios are of processor time, round by round, ${rounds} rounds in turns over connections that are kept, median (the middle half).`,
      'Client, proxies and back end share the machine: rates say little, ratios of processor time do.',
      'A change counts until the engine has said that it is live in the process that takes new connections; of targets from the call that commits it to SQLite on the disk, of all else from the call to the engine.',
      `Work waiting for a core when it ended (load average of a minute): ${short(loadavg()[0]!)}.`,
    ],
    rows,
  });
}
if (jsonAt !== -1) writeFileSync(args[jsonAt + 1] ?? 'balancing.json', `${JSON.stringify(measured, undefined, 2)}\n`);
