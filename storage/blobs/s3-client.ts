import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Client } from 'minio';
import type { Clock } from '../clock/index.ts';
import { BlobMissing, BlobStoreError, StagedLost } from './blob-store.ts';

export interface S3Connection {
  /** `http://host:port` or `https://host`. */
  readonly endpoint: string;
  /** Must exist. Everything lies under `prefix` in it. */
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Default `us-east-1`. */
  readonly region?: string;
  /** Begins every key, without a slash at its end. Default `slipway`. */
  readonly prefix?: string;
  /** Where clients reach the store when that differs from `endpoint`; direct URLs point there. */
  readonly publicEndpoint?: string;
  /** Milliseconds after which a call without an answer counts as failed. Default 60,000. */
  readonly timeout?: number;
}

const attempts = 4;
const firstPause = 100;

export interface StoredObject {
  readonly key: string;
  readonly size: number;
  readonly modifiedAt: number;
}

/** The calls of S3 that the driver makes, each with a time limit and, where repeating is harmless, with retries. */
export class S3Client {
  readonly #client: Client;
  readonly #public: Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #timeout: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(connection: S3Connection, clock: Clock, random: () => number) {
    this.#agent =
      new URL(connection.endpoint).protocol === 'https:'
        ? new HttpsAgent({ keepAlive: true })
        : new HttpAgent({ keepAlive: true });
    this.#client = clientFor(connection.endpoint, connection, this.#agent);
    this.#public = clientFor(connection.publicEndpoint ?? connection.endpoint, connection);
    this.#bucket = connection.bucket;
    this.#prefix = `${connection.prefix ?? 'slipway'}/`;
    this.#timeout = connection.timeout ?? 60_000;
    this.#clock = clock;
    this.#random = random;
  }

  bucketExists(): Promise<boolean> {
    return this.#again('looking for the bucket', () => this.#client.bucketExists(this.#bucket));
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#again('writing an object', () => this.#send('PUT', key, '', bytes));
  }

  /** @throws BlobMissing */
  async head(key: string): Promise<{ readonly size: number }> {
    const { size } = await this.#again('looking at an object', () =>
      this.#client.statObject(this.#bucket, this.#prefix + key),
    );
    return { size };
  }

  /** Harmless when it is gone. */
  async remove(key: string): Promise<void> {
    await this.#again('removing an object', () => this.#client.removeObject(this.#bucket, this.#prefix + key));
  }

  /**
   * The bytes `[start, end]`, going on after a broken connection.
   * @throws BlobMissing
   * @throws BlobStoreError when they do not come, or not all of them
   */
  async *read(key: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    let position = start;
    for (let failures = 0; position <= end;) {
      try {
        const from = position;
        const body = await this.#again('reading an object', () =>
          this.#client.getPartialObject(this.#bucket, this.#prefix + key, from, end + 1 - from),
        );
        const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
        try {
          for (;;) {
            const step = await this.#limited('reading an object', () => chunks.next());
            if (step.done === true) break;
            position += step.value.byteLength;
            if (position > end + 1) throw new Error('the store sent more than was asked for');
            failures = 0;
            yield step.value;
          }
        } finally {
          body.destroy();
        }
        if (position <= end) throw new Error(`the store sent ${position - from} of ${end + 1 - from} bytes`);
      } catch (error) {
        if (error instanceof BlobMissing || ++failures >= attempts) throw toBlobError(error, 'reading an object');
        await this.#pause(failures);
      }
    }
  }

  /** All of a small object, or a small range of one. */
  async readWhole(key: string, start: number, end: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.read(key, start, end)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const found = this.#client.listObjectsV2(this.#bucket, this.#prefix + prefix, true);
    try {
      for await (const item of found as AsyncIterable<{ name: string; size: number; lastModified: Date }>) {
        yield { key: item.name.slice(this.#prefix.length), size: item.size, modifiedAt: item.lastModified.getTime() };
      }
    } catch (error) {
      throw toBlobError(error, 'listing');
    }
  }

  startUpload(key: string): Promise<string> {
    return this.#again('starting an upload', () =>
      this.#client.initiateNewMultipartUpload(this.#bucket, this.#prefix + key, {
        'content-type': 'application/octet-stream',
      }),
    );
  }

  /** Returns the part's ETag. @throws StagedLost when the upload is gone */
  async putPart(key: string, upload: string, part: number, bytes: Uint8Array): Promise<string> {
    const query = `partNumber=${part}&uploadId=${encodeURIComponent(upload)}`;
    const etag = await this.#again('writing a part', () => this.#send('PUT', key, query, bytes));
    if (etag === undefined) throw new BlobStoreError('unavailable', 'the store gave no ETag for a part');
    return etag;
  }

  /**
   * Puts the parts together under the key. Not repeated blindly: when the answer is lost, the object tells what happened.
   * @throws StagedLost when the upload or one of its parts is gone
   */
  async completeUpload(key: string, upload: string, etags: readonly string[], size: number): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#limited('completing an upload', () =>
          this.#client.completeMultipartUpload(
            this.#bucket,
            this.#prefix + key,
            upload,
            etags.map((etag, index) => ({ part: index + 1, etag })),
          ),
        );
        return;
      } catch (error) {
        const there = await this.head(key).catch((failure: unknown) => {
          if (failure instanceof BlobMissing) return undefined;
          throw failure;
        });
        if (there?.size === size) return;
        const failure = toBlobError(error, 'completing an upload');
        if (failure instanceof StagedLost || attempt >= attempts) throw failure;
        await this.#pause(attempt);
      }
    }
  }

  /** Harmless when it is gone. */
  async abortUpload(key: string, upload: string): Promise<void> {
    try {
      await this.#again('aborting an upload', () =>
        this.#client.abortMultipartUpload(this.#bucket, this.#prefix + key, upload),
      );
    } catch (error) {
      if (!(error instanceof StagedLost)) throw error;
    }
  }

  presign(key: string, seconds: number): Promise<string> {
    return this.#public.presignedGetObject(this.#bucket, this.#prefix + key, seconds);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(method: string, key: string, query: string, bytes: Uint8Array): Promise<string | undefined> {
    const response = await this.#client.makeRequestAsync(
      {
        method,
        bucketName: this.#bucket,
        objectName: this.#prefix + key,
        query,
        headers: { 'content-length': bytes.byteLength },
      },
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    );
    for await (const _ of response);
    return response.headers.etag?.replaceAll('"', '');
  }

  /** For calls that may be made twice. */
  async #again<T>(doing: string, call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#limited(doing, call);
      } catch (error) {
        const failure = toBlobError(error, doing);
        if (
          !(failure instanceof BlobStoreError) ||
          failure.code === 'full' ||
          attempt >= attempts ||
          isRefusal(error)
        ) {
          throw failure;
        }
        await this.#pause(attempt);
      }
    }
  }

  async #limited<T>(doing: string, call: () => Promise<T>): Promise<T> {
    const done = new AbortController();
    const late = this.#clock.sleep(this.#timeout, done.signal).then(
      () => {
        throw new BlobStoreError('unavailable', `${doing} failed: no answer in ${this.#timeout} ms`);
      },
      () => new Promise<never>(() => {}),
    );
    try {
      return await Promise.race([call(), late]);
    } finally {
      done.abort();
    }
  }

  /** Grows with each failure and is spread, so that many calls do not come back at once. */
  #pause(failures: number): Promise<void> {
    return this.#clock.sleep(firstPause * 2 ** (failures - 1) * (0.5 + this.#random()));
  }
}

function clientFor(endpoint: string, connection: S3Connection, agent?: HttpAgent | HttpsAgent): Client {
  const url = new URL(endpoint);
  const useSSL = url.protocol === 'https:';
  return new Client({
    endPoint: url.hostname,
    port: url.port === '' ? (useSSL ? 443 : 80) : Number(url.port),
    useSSL,
    accessKey: connection.accessKeyId,
    secretKey: connection.secretAccessKey,
    region: connection.region ?? 'us-east-1',
    pathStyle: true,
    retryOptions: { disableRetry: true },
    ...(agent && { transportAgent: agent as HttpAgent }),
  });
}

/** An answer of the store that repeating the call does not change (its code is in the error; S3 API reference, "Error responses"). */
function isRefusal(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return (
    typeof code === 'string' &&
    ['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'NoSuchBucket'].includes(code)
  );
}

function toBlobError(error: unknown, doing: string): BlobStoreError | BlobMissing | StagedLost {
  if (error instanceof BlobStoreError || error instanceof BlobMissing || error instanceof StagedLost) return error;
  const { code, message } = error as { code?: unknown; message?: string };
  const text = `${doing} failed: ${typeof code === 'string' ? `${code}: ` : ''}${message ?? String(error)}`;
  switch (code) {
    case 'NoSuchKey':
    case 'NotFound':
      return new BlobMissing(text, { cause: error });
    case 'NoSuchUpload':
    case 'InvalidPart':
      return new StagedLost(text, { cause: error });
    case 'XMinioStorageFull':
    case 'QuotaExceeded':
    case 'InsufficientStorage':
      return new BlobStoreError('full', text, { cause: error });
    default:
      return new BlobStoreError('unavailable', text, { cause: error });
  }
}
