import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../testbed/index.ts';
import type { Target } from './load.ts';
import { PlainConnection } from './plain-connection.ts';
import { quantile } from './results.ts';

/** A rate, and the time within which 99 of 100 requests were answered, in milliseconds. */
export interface Rate {
  readonly perSecond: number;
  readonly p99: number;
}

export const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** Whether the load comes from wrk; without it the plain connections of this process take its place. */
export async function hasWrk(): Promise<boolean> {
  return run('wrk', ['-v'], {}).then(
    ({ stdout }) => stdout.startsWith('wrk'),
    () => false,
  );
}

/** GET again and again, by wrk. @throws when an answer is not 2xx */
export async function wrkRate(target: Target, path: string, connections: number, seconds: number): Promise<Rate> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-wrk-'));
  try {
    const script = join(folder, 'report.lua');
    writeFileSync(
      script,
      'done = function(s, l, r) io.write(string.format("RESULT %d %d %d %d\\n", s.requests, s.duration, l:percentile(99), s.errors.status + s.errors.connect + s.errors.read + s.errors.timeout)) end\n',
    );
    const headers = Object.entries({ ...target.headers, accept: manifestType });
    const settings = ['-t', '2', '-c', String(connections), '-d', `${seconds}s`, '--timeout', '10s', '-s', script];
    const said = headers.flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const { stdout, stderr } = await run('wrk', [...settings, ...said, target.origin + path]);
    const found = /RESULT (\d+) (\d+) (\d+) (\d+)/.exec(stdout);
    if (found === null || found[4] !== '0')
      throw new Error(`wrk ${target.origin}${path}: ${found?.[4] ?? ''} failures\n${stdout}${stderr}`);
    return { perSecond: Number(found[1]) / (Number(found[2]) / 1e6), p99: Number(found[3]) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** GET again and again over plain connections. @throws when an answer is not 200 */
export async function plainRate(target: Target, path: string, connections: number, seconds: number): Promise<Rate> {
  const times: number[] = [];
  const headers = { ...target.headers, accept: manifestType };
  const { elapsed } = await onConnections(target, connections, async (connection) => {
    const until = performance.now() + seconds * 1000;
    for (let now = performance.now(); now < until;) {
      const { status } = await connection.request('GET', path, headers);
      if (status !== 200) throw new Error(`GET ${target.origin}${path}: ${status}`);
      const after = performance.now();
      times.push(after - now);
      now = after;
    }
  });
  return { perSecond: times.length / elapsed, p99: quantile(times, 0.99) };
}

export interface PushedBlob {
  readonly digest: string;
  readonly size: number;
}

/** Pushes `count` different blobs of `size` bytes, `parallel` at a time (POST, then one PUT), hashed before the clock starts. */
export async function pushMany(
  target: Target,
  repository: string,
  count: number,
  size: number,
  parallel: number,
): Promise<{ readonly perSecond: number; readonly blobs: readonly PushedBlob[] }> {
  const rest = randomBytes(Math.max(0, size - 16));
  const bodies = Array.from({ length: count }, () => {
    const first = randomBytes(Math.min(16, size));
    const digest = `sha256:${createHash('sha256').update(first).update(rest).digest('hex')}`;
    return { digest, size, parts: [first, rest] };
  });
  const queue = bodies.values();
  const { elapsed } = await onConnections(target, parallel, async (connection) => {
    for (const { digest, parts } of queue) {
      const start = await connection.request('POST', `/v2/${repository}/blobs/uploads/`, target.headers);
      const location = new URL(start.headers.get('location') ?? '', target.origin);
      location.searchParams.set('digest', digest);
      const headers = { ...target.headers, 'content-type': 'application/octet-stream' };
      const end = await connection.request('PUT', location.pathname + location.search, headers, parts);
      if (end.status !== 201) throw new Error(`PUT blob: ${end.status}`);
    }
  });
  return { perSecond: count / elapsed, blobs: bodies };
}

/** GETs of whole bodies for `seconds`. @returns bytes a second */
export async function pullRate(
  target: Target,
  paths: readonly string[],
  parallel: number,
  seconds: number,
): Promise<number> {
  let bytes = 0;
  let turn = 0;
  const { elapsed } = await onConnections(target, parallel, async (connection) => {
    const until = performance.now() + seconds * 1000;
    while (performance.now() < until) {
      const path = paths[turn++ % paths.length] ?? '';
      const { status, size } = await connection.request('GET', path, target.headers);
      if (status !== 200) throw new Error(`GET ${path}: ${status}`);
      bytes += size;
    }
  });
  return bytes / elapsed;
}

/** Pushes an image of one config and one layer. @returns its digest and that of its layer */
export async function pushImage(
  target: Target,
  repository: string,
  tags: readonly string[],
): Promise<{ readonly digest: string; readonly layer: string; readonly seconds: number }> {
  const { blobs } = await pushMany(target, repository, 2, 64, 1);
  const [config, layer] = blobs as [PushedBlob, PushedBlob];
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...pick(config) },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...pick(layer) }],
    }),
  );
  let answer: { readonly status: number } = { status: 0 };
  const { elapsed } = await onConnections(target, 1, async (connection) => {
    for (const tag of tags) {
      const headers = { ...target.headers, 'content-type': manifestType };
      answer = await connection.request('PUT', `/v2/${repository}/manifests/${tag}`, headers, [manifest]);
      if (answer.status !== 201) throw new Error(`PUT manifest: ${answer.status}`);
    }
  });
  return {
    digest: `sha256:${createHash('sha256').update(manifest).digest('hex')}`,
    layer: layer.digest,
    seconds: elapsed,
  };
}

const pick = ({ digest, size }: PushedBlob): PushedBlob => ({ digest, size });

/** Runs `work` on so many connections at once. @returns seconds from the first to the last of it */
export async function onConnections(
  target: Target,
  count: number,
  work: (connection: PlainConnection, index: number) => Promise<void>,
): Promise<{ readonly elapsed: number }> {
  const connections = await Promise.all(Array.from({ length: count }, () => PlainConnection.open(target.origin)));
  try {
    const started = performance.now();
    await Promise.all(connections.map(work));
    return { elapsed: (performance.now() - started) / 1000 };
  } finally {
    for (const connection of connections) connection.close();
  }
}
