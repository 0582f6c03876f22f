import type { Writable } from 'node:stream';

import { bucketPartition } from './keys.ts';
import type { StorePorts } from './ports.ts';
import type { ObjectRecord, StoredBlob } from './records.ts';
import type { Uploads } from './uploads.ts';

/** From and to, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** The bytes of an object, from whichever blobs they are in. */
export class Content {
  readonly #ports: StorePorts;
  readonly #uploads: Uploads;
  readonly #bucket: string;
  readonly #object: ObjectRecord;

  constructor(ports: StorePorts, uploads: Uploads, bucket: string, object: ObjectRecord) {
    this.#ports = ports;
    this.#uploads = uploads;
    this.#bucket = bucket;
    this.#object = object;
  }

  /** Writes a range to a socket, and does not end it. @throws what the blob store throws */
  async pipe(destination: Writable, range: ByteRange, signal: AbortSignal): Promise<void> {
    for await (const { blob, ...piece } of this.#pieces(range)) {
      const source = await this.#ports.blobs.open(blob);
      await source.pipe(destination, piece, signal);
    }
  }

  async *stream(range: ByteRange): AsyncGenerator<Uint8Array> {
    for await (const { blob, ...piece } of this.#pieces(range)) {
      const source = await this.#ports.blobs.open(blob);
      yield* source.stream(piece);
    }
  }

  async *#pieces({ start, end }: ByteRange): AsyncGenerator<ByteRange & { readonly blob: StoredBlob }> {
    let at = 0;
    for await (const blob of this.#blobs()) {
      const from = Math.max(start - at, 0);
      const to = Math.min(end - at, blob.size - 1);
      if (from <= to) yield { blob, start: from, end: to };
      at += blob.size;
      if (at > end) return;
    }
    // What is said to be there must be: a short answer would look whole to some.
    if (end >= start) throw new Error(`an object of ${bucketPartition(this.#bucket)} lacks bytes ${at} to ${end}`);
  }

  async *#blobs(): AsyncGenerator<StoredBlob> {
    const { blob, upload } = this.#object;
    if (blob !== undefined) yield blob;
    if (upload === undefined) return;
    for await (const part of this.#uploads.parts(this.#bucket, upload)) if (part.blob !== undefined) yield part.blob;
  }
}
