import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { Pool } from 'undici';

/** A registry to measure: how to reach it and how to prove who we are. */
export interface Target {
  readonly origin: string;
  /** Headers of an authenticated request. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Requests per second of one request repeated over `connections` for `seconds`. @throws on any answer but 200 */
export async function requestRate(
  target: Target,
  method: 'GET' | 'HEAD',
  path: string,
  connections: number,
  seconds: number,
): Promise<number> {
  const pool = new Pool(target.origin, { connections, pipelining: 1 });
  const until = performance.now() + seconds * 1000;
  let done = 0;
  const headers = { ...target.headers, accept: 'application/vnd.oci.image.manifest.v1+json' };
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      const answer = await pool.request({ method, path, headers });
      await answer.body.dump();
      if (answer.statusCode !== 200) throw new Error(`${method} ${target.origin}${path}: ${answer.statusCode}`);
      done++;
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: connections }, worker));
  const rate = done / ((performance.now() - started) / 1000);
  await pool.close();
  return rate;
}

/** Pushes blobs of `size` random bytes, `parallel` at a time (POST, then one PUT). @returns blobs a second and their digests */
export async function pushBlobs(
  target: Target,
  repository: string,
  count: number,
  size: number,
  parallel: number,
): Promise<{ readonly rate: number; readonly digests: readonly string[] }> {
  const blobs = Array.from({ length: Math.min(count, 64) }, () => randomBytes(size));
  // Each upload is its own blob: the same bytes with a counter in front, hashed before the clock starts.
  const bodies = Array.from({ length: count }, (_, index) => {
    const body = Buffer.from(blobs[index % blobs.length] ?? Buffer.alloc(size));
    body.writeUInt32BE(index, 0);
    randomBytes(8).copy(body, 4);
    return { body, digest: `sha256:${createHash('sha256').update(body).digest('hex')}` };
  });
  const pool = new Pool(target.origin, { connections: parallel });
  const queue = bodies.values();
  const worker = async (): Promise<void> => {
    for (const { body, digest } of queue) {
      const start = await pool.request({
        method: 'POST',
        path: `/v2/${repository}/blobs/uploads/`,
        headers: { ...target.headers, 'content-length': '0' },
      });
      await start.body.dump();
      const location = new URL(String(start.headers['location']), target.origin);
      location.searchParams.set('digest', digest);
      const end = await pool.request({
        method: 'PUT',
        path: location.pathname + location.search,
        headers: {
          ...target.headers,
          'content-type': 'application/octet-stream',
          'content-length': String(body.length),
        },
        body: body.length > 1 << 20 ? Readable.from(chunks(body)) : body,
      });
      const text = await end.body.text();
      if (end.statusCode !== 201) throw new Error(`PUT blob: ${end.statusCode} ${text}`);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: parallel }, worker));
  const rate = count / ((performance.now() - started) / 1000);
  await pool.close();
  return { rate, digests: bodies.map(({ digest }) => digest) };
}

/** Pulls blobs again and again for `seconds`. @returns bytes a second */
export async function pullBlobs(
  target: Target,
  repository: string,
  digests: readonly string[],
  parallel: number,
  seconds: number,
): Promise<number> {
  const pool = new Pool(target.origin, { connections: parallel });
  const until = performance.now() + seconds * 1000;
  let bytes = 0;
  let turn = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      const digest = digests[turn++ % digests.length] ?? '';
      const answer = await pool.request({
        method: 'GET',
        path: `/v2/${repository}/blobs/${digest}`,
        headers: target.headers,
      });
      if (answer.statusCode !== 200) throw new Error(`GET blob: ${answer.statusCode}`);
      for await (const chunk of answer.body) bytes += (chunk as Buffer).length;
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: parallel }, worker));
  const rate = bytes / ((performance.now() - started) / 1000);
  await pool.close();
  return rate;
}

/** Pushes a small image (empty config, one small layer). */
export async function pushSmallImage(target: Target, repository: string, tag: string): Promise<void> {
  const { digests } = await pushBlobs(target, repository, 2, 64, 1);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digests[0], size: 64 },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digests[1], size: 64 }],
  });
  const answer = await fetch(`${target.origin}/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    headers: { ...target.headers, 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    body: manifest,
  });
  if (answer.status !== 201) throw new Error(`PUT manifest: ${answer.status} ${await answer.text()}`);
}

function* chunks(body: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < body.length; offset += 1 << 18) yield body.subarray(offset, offset + (1 << 18));
}
