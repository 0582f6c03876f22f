import {
  type Appended,
  type BlobLocation,
  BlobMissing,
  type BlobSource,
  type BlobStore,
  type Digest,
  type SealedBlob,
  type Staged,
} from '@slipway/storage/blobs';

/** Blobs in memory, which tests may damage: as much of a blob store as files of events ask for. */
export class MemoryBlobs implements BlobStore {
  readonly sealed = new Map<string, { readonly digest: Digest; bytes: Buffer }>();
  readonly #staged = new Map<string, Buffer[]>();
  #ids = 0;

  stage(): Promise<Staged> {
    return Promise.resolve({ id: `blob-${++this.#ids}`, size: 0 });
  }

  async append(staged: Staged, body: AsyncIterable<Uint8Array>): Promise<Appended> {
    const parts = this.#staged.get(staged.id) ?? [];
    this.#staged.set(staged.id, parts);
    let { size } = staged;
    try {
      for await (const part of body) {
        parts.push(Buffer.from(part));
        size += part.byteLength;
      }
    } catch (cut) {
      return { staged: { ...staged, size }, cut };
    }
    return { staged: { ...staged, size } };
  }

  seal({ id, size }: Staged, digest: Digest): Promise<SealedBlob> {
    this.sealed.set(id, { digest, bytes: Buffer.concat(this.#staged.get(id) ?? []) });
    this.#staged.delete(id);
    return Promise.resolve({ digest, generation: id, size });
  }

  abandon({ id }: Staged): Promise<void> {
    this.#staged.delete(id);
    return Promise.resolve();
  }

  open({ generation }: BlobLocation): Promise<BlobSource> {
    const found = this.sealed.get(generation);
    if (found === undefined) return Promise.reject(new BlobMissing(`no blob ${generation}`));
    const { bytes } = found;
    async function* stream(range = { start: 0, end: bytes.length - 1 }): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(range.start, range.end + 1);
    }
    const read = ({ start, end }: { readonly start: number; readonly end: number }): Promise<Buffer> => {
      const own = Buffer.allocUnsafeSlow(end - start + 1);
      bytes.copy(own, 0, start, end + 1);
      return Promise.resolve(own);
    };
    const pipe = (): Promise<void> => Promise.reject(new Error('not here'));
    return Promise.resolve({ size: bytes.length, stream, read, pipe });
  }

  stat({ generation }: BlobLocation): Promise<{ readonly size: number } | undefined> {
    const found = this.sealed.get(generation);
    return Promise.resolve(found && { size: found.bytes.length });
  }

  remove({ generation }: BlobLocation): Promise<void> {
    this.sealed.delete(generation);
    return Promise.resolve();
  }

  async *list(): AsyncGenerator<SealedBlob & { readonly modifiedAt: number }> {
    for (const [generation, { digest, bytes }] of this.sealed)
      yield { digest, generation, size: bytes.length, modifiedAt: 0 };
  }

  sweepStaged(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
