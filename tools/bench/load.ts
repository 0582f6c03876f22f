import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { Pool } from 'undici';

/** A registry to measure: how to reach it and how to prove who we are. */
export interface Target {
  readonly origin: string;
  /** Headers of an authenticated request. */
  readonly headers: Readonly<Record<string, string>>;
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
