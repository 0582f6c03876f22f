import { createHash } from 'node:crypto';
import { send, type Answer } from './request.ts';

/** An image whose push was acknowledged. */
export interface PushedImage {
  readonly repository: string;
  readonly tag: string;
  readonly manifest: Buffer;
  readonly blobs: readonly Buffer[];
}

export interface TrafficOptions {
  /** Servers on one store; a request that gets no answer is repeated at another. */
  readonly origins: readonly string[];
  readonly authorization: string;
  /** Numbers in [0, 1); a seed's, so that a run can be repeated. */
  readonly random: () => number;
  /** Of bodies, how many are cut on the way. Default: a half. */
  readonly cutShare?: number;
  /** The longest blob, in bytes. Default 256 KiB. */
  readonly blobBytes?: number;
  /** How many layers images have in common, one of them in each. Default 4. */
  readonly sharedLayers?: number;
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const maxTries = 200;

export const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A client that loses its connection at random bytes and goes on as the specification says: it asks for the status and resumes. */
export class Traffic {
  /** Connections that were cut in a push, and in a pull. */
  pushCuts = 0;
  pullCuts = 0;
  /** Answers that a client must not get: 5xx, or a status that the specification does not give to the request. */
  readonly unexpected: string[] = [];
  readonly #options: TrafficOptions;
  readonly #shared: Buffer[];
  #at = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#shared = Array.from({ length: options.sharedLayers ?? 4 }, () => this.#bytes());
  }

  /** Pushes an image of a layer of its own and one that other images have too. Returns when the push is acknowledged. */
  async push(repository: string, tag: string): Promise<PushedImage> {
    const config = Buffer.from(JSON.stringify({ tag, salt: this.#options.random() }));
    const shared = this.#shared[Math.floor(this.#options.random() * this.#shared.length)] as Buffer;
    const blobs = [config, this.#bytes(), shared];
    const [first, ...layers] = blobs.map((bytes) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: digestOf(bytes),
      size: bytes.length,
    }));
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: { ...first, mediaType: 'application/vnd.oci.image.config.v1+json' },
        layers,
      }),
    );
    for (let turn = 0; turn < maxTries; turn++) {
      for (const bytes of blobs) await this.#pushBlob(repository, bytes);
      const { status, body } = await this.#ask('PUT', `/v2/${repository}/manifests/${tag}`, {
        headers: { 'content-type': manifestType },
        body: manifest,
      });
      if (status === 201) return { repository, tag, manifest, blobs };
      // The lease of a blob ended while we were slow: push it again. Anything else is not for us to repeat.
      if (!body.toString().includes('MANIFEST_BLOB_UNKNOWN'))
        this.#expect(status, [201], `PUT manifest ${String(body)}`);
    }
    throw new Error(`the image ${repository}:${tag} could not be pushed`);
  }

  /** Pulls an image, with cuts, and compares every byte. @returns what is wrong; undefined when it is intact */
  async check(image: PushedImage): Promise<string | undefined> {
    const { repository, manifest, blobs } = image;
    const found = await this.#ask('GET', `/v2/${repository}/manifests/${digestOf(manifest)}`);
    if (found.status !== 200 || !found.body.equals(manifest))
      return `${repository}:${image.tag}: manifest ${found.status}`;
    for (const bytes of blobs) {
      const path = `/v2/${repository}/blobs/${digestOf(bytes)}`;
      let pulled = Buffer.alloc(0);
      for (let turn = 0; pulled.length < bytes.length; turn++) {
        if (turn > maxTries) return `${path}: no whole answer`;
        const left = bytes.length - pulled.length;
        const cut = this.#cutAt(left);
        const {
          status,
          body,
          cut: wasCut,
        } = await this.#ask('GET', path, {
          headers: pulled.length > 0 ? { range: `bytes=${pulled.length}-` } : {},
          ...(cut === undefined ? {} : { cutReceivedAfter: cut }),
        });
        if (status !== (pulled.length > 0 ? 206 : 200)) return `${path}: ${status} after ${pulled.length} bytes`;
        if (wasCut) this.pullCuts += 1;
        pulled = Buffer.concat([pulled, body]);
      }
      if (!pulled.equals(bytes)) return `${path}: other bytes than were pushed`;
    }
    return undefined;
  }

  /** Deletes an image by its digest; one that is gone is fine. */
  async remove({ repository, manifest }: PushedImage): Promise<void> {
    const { status } = await this.#ask('DELETE', `/v2/${repository}/manifests/${digestOf(manifest)}`);
    this.#expect(status, [202, 404], 'DELETE manifest');
  }

  async #pushBlob(repository: string, bytes: Buffer): Promise<void> {
    const digest = digestOf(bytes);
    const head = await this.#ask('HEAD', `/v2/${repository}/blobs/${digest}`);
    if (head.status === 200) return;
    for (let turn = 0; turn < maxTries; turn++) {
      const start = await this.#ask('POST', `/v2/${repository}/blobs/uploads/`, { body: Buffer.alloc(0) });
      this.#expect(start.status, [202], 'POST upload');
      const location = String(start.headers['location']);
      if (await this.#sendBody(location, bytes, digest)) return;
    }
    throw new Error(`the blob ${digest} could not be pushed`);
  }

  /** @returns false when the upload is gone and has to begin anew */
  async #sendBody(location: string, bytes: Buffer, digest: string): Promise<boolean> {
    let offset = 0;
    for (let turn = 0; turn < maxTries; turn++) {
      const rest = bytes.subarray(offset);
      const cut = this.#cutAt(rest.length);
      const whole = cut === undefined;
      const answer = await this.#ask(
        whole ? 'PUT' : 'PATCH',
        whole ? `${location}?digest=${digest}` : location,
        {
          headers: {
            'content-type': 'application/octet-stream',
            ...(rest.length > 0 ? { 'content-range': `${offset}-${bytes.length - 1}` } : {}),
          },
          body: rest,
          ...(cut === undefined ? {} : { cutSentAfter: cut }),
        },
        !whole,
      );
      if (answer.status === 201) return true;
      if (!whole) this.pushCuts += 1;
      // 416 and 404 are what a client gets whose earlier request is still being read, or whose answer was lost.
      this.#expect(answer.status, [0, 202, 404, 416], 'upload');
      const status = await this.#ask('GET', location);
      if (status.status === 404) return false;
      this.#expect(status.status, [204], 'GET upload');
      // `0-0` stands for none and for one: what is refused at the one is tried at the other.
      const last = Number(/-(\d+)$/.exec(String(status.headers['range']))?.[1] ?? 0);
      offset = last > 0 ? last + 1 : answer.status === 416 && offset === 0 ? 1 : 0;
    }
    return false;
  }

  /** Repeats at the next server what got no answer, unless the silence was ours. */
  async #ask(method: string, path: string, options: Parameters<typeof send>[2] = {}, ownCut = false): Promise<Answer> {
    const { origins, authorization } = this.#options;
    for (let turn = 0; ; turn++) {
      const origin = origins[this.#at % origins.length] as string;
      const answer = await send(method, origin + path, { ...options, headers: { authorization, ...options.headers } });
      if (answer.status >= 500) this.unexpected.push(`${method} ${path}: ${answer.status} ${String(answer.body)}`);
      const silent = answer.status === 0 || (answer.cut && options.cutReceivedAfter === undefined);
      if (!silent || ownCut) return answer;
      this.#at += 1;
      if (turn > maxTries) throw new Error(`${method} ${path}: no server answers`);
      await new Promise((resolve) => setTimeout(resolve, 20 + turn * 5));
    }
  }

  #expect(status: number, expected: readonly number[], what: string): void {
    if (!expected.includes(status)) this.unexpected.push(`${what}: ${status}`);
  }

  #cutAt(length: number): number | undefined {
    const { random, cutShare = 0.5 } = this.#options;
    return length > 1 && random() < cutShare ? 1 + Math.floor(random() * (length - 1)) : undefined;
  }

  #bytes(): Buffer {
    const { random, blobBytes = 256 * 1024 } = this.#options;
    const bytes = Buffer.alloc(1 + Math.floor(random() * blobBytes));
    for (let at = 0; at + 4 <= bytes.length; at += 64) bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
    bytes.write(String(random()), 0);
    return bytes;
  }
}

/** What a test draws its random numbers from: named in the test's title, and given back in `SLIPWAY_TEST_SEED` to run it again. */
export const testSeed = Number(process.env['SLIPWAY_TEST_SEED'] ?? Date.now() % 1_000_000);

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
