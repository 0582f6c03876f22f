import { createHash, randomUUID } from 'node:crypto';
import type { Writable } from 'node:stream';
import type { Clock } from '../clock/index.ts';
import {
  type Appended,
  type BlobLocation,
  BlobMissing,
  type BlobSource,
  type BlobStore,
  BlobStoreError,
  type Digest,
  DigestMismatch,
  type DirectAccess,
  type SealedBlob,
  type SideNotes,
  type Staged,
  StagedLost,
} from './blob-store.ts';
import { checkStamp, type Format, stampOf } from '../format/index.ts';
import { checkId, splitDigest } from './digest.ts';
import { PartBuffers, PartWriter } from './part-writer.ts';
import { checkRange } from './range.ts';
import { receive } from './receive.ts';
import { RunningHashes } from './running-hash.ts';
import { type Certificate, certify } from './s3-certify.ts';
import { S3Client, type S3Connection } from './s3-client.ts';
import { bytesInParts, readState, type S3State, writeState } from './s3-state.ts';
import { write } from './send-file.ts';
import { TransferBuffers } from './transfer-buffers.ts';
import { Turns } from './turns.ts';

export interface S3BlobsConfig extends S3Connection {
  /** Part buffers of 8 MiB that all uploads share. Default 24. */
  readonly partBuffers?: number;
}

export interface S3Blobs extends BlobStore, DirectAccess, SideNotes {
  /** What the store did when it was opened, check by check. */
  readonly certificate: Certificate;
}

/** Raised when the objects' names or what is in them change in a way that older servers would misread. */
const format: Format = { holds: 'blobs', version: 1 };
const formatKey = 'format';

/** Letters after the upload's id in the name of an object: `-` and 8 hexadecimal digits, new for every attempt to write one. */
const suffixLength = 9;

/**
 * Bytes in an S3-compatible store. While they arrive they go straight to the object that will be the blob, `blobs/<generation>`;
 * sealing completes it and writes a marker, `sealed/<generation>.<algorithm>.<hex>`, which only lists and sweeps read. No object that
 * was sealed is ever written again: each attempt to write has a name of its own.
 * @throws BlobStoreError when the bucket cannot be used, or fails a check without which nothing is safe
 * @throws FormatRefused when what lies there has a newer format, or is not ours
 */
export async function openS3Blobs(
  config: S3BlobsConfig,
  clock: Clock,
  random: () => number,
  newId: () => string = randomUUID,
): Promise<S3Blobs> {
  const client = new S3Client(config, clock, random);
  try {
    if (!(await client.bucketExists()))
      throw new BlobStoreError('unavailable', `there is no bucket ${config.bucket}: make it first`);
    await checkFormat(client, `bucket ${config.bucket}`);
    const certificate = await certify(client, checkId(newId()));
    const broken = certificate.checks.filter(({ passed, essential }) => essential && !passed);
    if (broken.length > 0) {
      throw new BlobStoreError(
        'unavailable',
        `the store at ${config.endpoint} failed: ${broken.map(({ name, detail }) => `${name} (${detail})`).join(', ')}`,
      );
    }
    return new S3BlobStore(client, certificate, config.partBuffers ?? 24, clock, newId);
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Compares the stamp, and leaves one where there is none yet. Servers that start at once write the same. */
async function checkFormat(client: S3Client, where: string): Promise<void> {
  const found = await readText(client, formatKey);
  if (found === undefined) await client.put(formatKey, Buffer.from(stampOf(format)));
  else checkStamp(found, format, where);
}

async function readText(client: S3Client, key: string): Promise<string | undefined> {
  try {
    const { size } = await client.head(key);
    return size === 0 ? '' : (await client.readWhole(key, 0, size - 1)).toString();
  } catch (error) {
    if (error instanceof BlobMissing) return undefined;
    throw error;
  }
}

class S3BlobStore implements S3Blobs {
  readonly certificate: Certificate;
  readonly #client: S3Client;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #buffers: PartBuffers;
  readonly #received = new TransferBuffers(16 * 1024 * 1024, 256 * 1024);
  readonly #hashes = new RunningHashes();
  readonly #turns = new Turns();

  constructor(client: S3Client, certificate: Certificate, buffers: number, clock: Clock, newId: () => string) {
    this.#client = client;
    this.certificate = certificate;
    this.#buffers = new PartBuffers(buffers);
    this.#clock = clock;
    this.#newId = newId;
  }

  async stage(): Promise<Staged> {
    return { id: checkId(this.#newId()), size: 0 };
  }

  append(staged: Staged, body: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Appended> {
    return this.#turns.take(checkId(staged.id), signal, async (mine) => {
      const before = readState(staged);
      // That this state was recorded means that nobody goes back to the one before it.
      for (const key of before.spent) await this.#client.remove(key);
      let { generation, upload } = before;
      const etags = [...before.etags];
      const writer = new PartWriter(this.#buffers, etags.length + 1, async (part, bytes) => {
        if (upload === undefined) {
          generation = this.#fresh(staged.id);
          upload = await this.#client.startUpload(blobKey(generation));
          // For the sweeper: not every store lists uploads that were begun (MinIO names none but for an exact key).
          await this.#client.put(intentKey(generation), Buffer.from(upload));
        }
        etags[part - 1] = await this.#client.putPart(blobKey(generation!), upload, part, bytes);
      });
      try {
        if (before.tail !== undefined) await this.#readTail(staged.size, before, (bytes) => writer.write(bytes));
        const hash = this.#hashes.resume(staged.id, staged.size);
        this.#hashes.forget(staged.id);
        const received = await receive(body, {
          seen: (chunk) => hash?.update(chunk),
          write: (bytes) => writer.write(bytes),
          buffers: this.#received,
          signal: mine,
        });
        const size = staged.size + received.size;
        const rest = await writer.finish();
        let tail: string | undefined;
        if (rest.byteLength > 0) {
          const name = this.#fresh(staged.id);
          if (upload === undefined) generation = name;
          tail = upload === undefined ? blobKey(name) : `staging/${name}`;
          await this.#client.put(tail, rest);
        }
        if (hash) this.#hashes.keep(staged.id, size, hash);
        const state: S3State = {
          ...(generation !== undefined && { generation }),
          ...(upload !== undefined && { upload }),
          ...(tail !== undefined && { tail }),
          etags,
          spent: before.tail === undefined ? [] : [before.tail],
        };
        return { staged: writeState(staged.id, size, state), ...('cut' in received && { cut: received.cut }) };
      } finally {
        await writer.dispose();
      }
    });
  }

  seal(staged: Staged, digest: Digest): Promise<SealedBlob> {
    const { algorithm, hex } = splitDigest(digest);
    return this.#turns.take(checkId(staged.id), undefined, async () => {
      const state = readState(staged);
      const generation = state.generation ?? `${staged.id}-00000000`;
      const sealed: SealedBlob = { digest, generation, size: staged.size };
      const key = blobKey(generation);
      const hash = algorithm === 'sha256' ? this.#hashes.resume(staged.id, staged.size) : undefined;
      if (hash) compare(algorithm, hex, hash.digest('hex'));
      if (state.upload !== undefined) await this.#complete(staged, state, key);
      else if (staged.size === 0) await this.#client.put(key, new Uint8Array());
      const found = await this.#head(key);
      if (found === undefined) throw new StagedLost('the upload is gone');
      if (found.size !== staged.size) throw new StagedLost(`the store has ${found.size} bytes of ${staged.size}`);
      if (!hash) {
        // Another server took some of the bytes, or another algorithm is wanted: only reading tells.
        const actual = createHash(algorithm);
        for await (const chunk of this.#client.read(key, 0, staged.size - 1)) actual.update(chunk);
        compare(algorithm, hex, actual.digest('hex'));
      }
      await this.#client.put(markerKey(sealed), new Uint8Array());
      this.#hashes.forget(staged.id);
      await this.#tidy(state, key);
      return sealed;
    });
  }

  async abandon(staged: Staged): Promise<void> {
    await this.#turns.take(checkId(staged.id), undefined, async () => {
      const state = readState(staged);
      this.#hashes.forget(staged.id);
      if (state.upload !== undefined) await this.#client.abortUpload(blobKey(state.generation!), state.upload);
      for (const key of [...state.spent, ...(state.tail === undefined ? [] : [state.tail])])
        await this.#client.remove(key);
    });
  }

  async open(location: BlobLocation): Promise<BlobSource> {
    const found = await this.stat(location);
    if (found === undefined) throw new BlobMissing(`no blob ${location.digest} in generation ${location.generation}`);
    return new S3Source(this.#client, blobKey(location.generation), found.size);
  }

  async stat(location: BlobLocation): Promise<{ readonly size: number } | undefined> {
    splitDigest(location.digest);
    return this.#head(blobKey(checkId(location.generation)));
  }

  async remove(location: BlobLocation): Promise<void> {
    const marker = markerKey(location);
    await this.#client.remove(blobKey(checkId(location.generation)));
    await this.#client.remove(marker);
  }

  async *list(): AsyncIterable<SealedBlob & { readonly modifiedAt: number }> {
    for await (const { marker, ...blob } of this.#joined()) if (marker !== undefined) yield { ...marker, ...blob };
  }

  async sweepStaged(olderThan: number, isLive: (id: string) => Promise<boolean>): Promise<number> {
    const swept = new Set<string>();
    const sweep = async (name: string, since: number, drop: () => Promise<void>): Promise<void> => {
      const id = name.slice(0, -suffixLength);
      if (this.#clock.now() - since < olderThan || (await isLive(id))) return;
      await drop();
      swept.add(id);
    };
    for await (const { key, size, modifiedAt } of this.#client.list('uploads/')) {
      const generation = key.slice('uploads/'.length);
      await sweep(generation, modifiedAt, async () => {
        const upload = (await this.#client.readWhole(key, 0, size - 1)).toString();
        await this.#client.abortUpload(blobKey(generation), upload);
        await this.#client.remove(key);
      });
    }
    for await (const { key, modifiedAt } of this.#client.list('staging/')) {
      await sweep(key.slice('staging/'.length), modifiedAt, () => this.#client.remove(key));
    }
    for await (const { generation, modifiedAt, marker } of this.#joined()) {
      if (marker === undefined) await sweep(generation, modifiedAt, () => this.#client.remove(blobKey(generation)));
    }
    return swept.size;
  }

  directUrl(location: BlobLocation, options: { readonly expiresInSeconds: number }): Promise<string> {
    return this.#client.presign(blobKey(checkId(location.generation)), options.expiresInSeconds);
  }

  async readNote(name: string): Promise<string | undefined> {
    return readText(this.#client, `notes/${checkId(name)}`);
  }

  async writeNote(name: string, text: string): Promise<void> {
    await this.#client.put(`notes/${checkId(name)}`, Buffer.from(text));
  }

  async close(): Promise<void> {
    await this.#turns.all();
    this.#client.close();
  }

  /** Removes what an upload needed, but for the blob itself. */
  async #tidy(state: S3State, blob: string | undefined): Promise<void> {
    const keys = [...state.spent, state.tail, state.upload === undefined ? undefined : intentKey(state.generation!)];
    for (const key of keys) if (key !== undefined && key !== blob) await this.#client.remove(key);
  }

  #fresh(id: string): string {
    return `${id}-${createHash('sha1')
      .update(this.#newId())
      .digest('hex')
      .slice(0, suffixLength - 1)}`;
  }

  /** Hands on the recorded bytes after the last part. The object may hold more than was recorded, never less. */
  async #readTail(size: number, state: S3State, each: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    const length = size - bytesInParts(state.etags.length);
    try {
      for await (const chunk of this.#client.read(state.tail!, 0, length - 1)) await each(chunk);
    } catch (error) {
      if (error instanceof BlobMissing) throw new StagedLost('the upload is gone', { cause: error });
      throw error;
    }
  }

  /** Completes the multipart upload, unless an earlier call has. */
  async #complete(staged: Staged, state: S3State, key: string): Promise<void> {
    if ((await this.#head(key)) !== undefined) return;
    const etags = [...state.etags];
    if (state.tail !== undefined) {
      const chunks: Uint8Array[] = [];
      await this.#readTail(staged.size, state, async (bytes) => void chunks.push(bytes));
      etags.push(await this.#client.putPart(key, state.upload!, etags.length + 1, Buffer.concat(chunks)));
    }
    await this.#client.completeUpload(key, state.upload!, etags, staged.size);
  }

  async #head(key: string): Promise<{ readonly size: number } | undefined> {
    try {
      return await this.#client.head(key);
    } catch (error) {
      if (error instanceof BlobMissing) return undefined;
      throw error;
    }
  }

  /** All objects with their markers: both lists come in the order of the generations. */
  async *#joined(): AsyncGenerator<{
    readonly generation: string;
    readonly size: number;
    readonly modifiedAt: number;
    readonly marker: { readonly digest: Digest } | undefined;
  }> {
    const markers = this.#client.list('sealed/');
    let next = await markers.next();
    for await (const { key, size, modifiedAt } of this.#client.list('blobs/')) {
      const generation = key.slice('blobs/'.length);
      const markerOf = (): readonly string[] =>
        next.done === true ? [] : next.value.key.slice('sealed/'.length).split('.');
      while (next.done !== true && markerOf()[0]! < generation) next = await markers.next();
      const [of, algorithm, hex] = markerOf();
      const digest = `${algorithm}:${hex}` as Digest;
      yield { generation, size, modifiedAt, marker: of === generation ? { digest } : undefined };
    }
  }
}

class S3Source implements BlobSource {
  readonly size: number;
  readonly #client: S3Client;
  readonly #key: string;

  constructor(client: S3Client, key: string, size: number) {
    this.#client = client;
    this.#key = key;
    this.size = size;
  }

  stream(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array> {
    const { start, end } = checkRange(range, this.size);
    return this.#client.read(this.#key, start, end);
  }

  async read(range: { readonly start: number; readonly end: number }): Promise<Buffer> {
    const { start, end } = checkRange(range, this.size);
    const bytes = Buffer.allocUnsafeSlow(end - start + 1);
    let at = 0;
    for await (const chunk of this.#client.read(this.#key, start, end)) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return bytes;
  }

  async pipe(
    destination: Writable,
    range?: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): Promise<void> {
    for await (const chunk of this.stream(range)) {
      signal?.throwIfAborted();
      await write(destination, chunk, signal);
    }
  }
}

function blobKey(generation: string): string {
  return `blobs/${generation}`;
}

function intentKey(generation: string): string {
  return `uploads/${generation}`;
}

function markerKey({ digest, generation }: BlobLocation): string {
  const { algorithm, hex } = splitDigest(digest);
  return `sealed/${checkId(generation)}.${algorithm}.${hex}`;
}

function compare(algorithm: 'sha256' | 'sha512', expected: string, actual: string): void {
  if (actual !== expected) throw new DigestMismatch(`${algorithm}:${expected}`, `${algorithm}:${actual}`);
}
