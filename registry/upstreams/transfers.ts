import type { Digest } from '@slipway/storage/blobs';
import { blobNotFound, type Images, type RepositoryName } from '../images/index.ts';
import { type Remote, type RemoteBlob, RemoteError } from '../remote/index.ts';
import { Spool } from './spool.ts';
import { type IncomingBlob, Transfer } from './transfer.ts';

/** A repository of another registry. */
export interface Source {
  /** Host, as rules name it. */
  readonly host: string;
  readonly remote: Remote;
  readonly repository: string;
}

/** How often in a row a fetch is begun again that brought nothing, and how often at all. */
const fruitless = 3;
const again = 20;

/** Blobs that are on their way from upstream. Whoever wants one that is under way already shares its fetch. */
export class Transfers {
  readonly #images: Images;
  readonly #folder: string;
  readonly #under = new Map<string, Promise<Transfer>>();

  /** @param folder for bytes that are not stored yet */
  constructor(images: Images, folder: string) {
    this.#images = images;
    this.#folder = folder;
  }

  /**
   * Fetches a blob into a repository, which must exist. Resolves when upstream has begun to send it; it is stored whether or not
   * anybody reads along.
   * @throws RemoteError when upstream does not send it; BlobStoreError
   */
  async bring(source: Source, account: string, name: RepositoryName, digest: Digest): Promise<IncomingBlob> {
    const key = `${account} ${name} ${digest}`;
    const present = this.#under.get(key);
    if (present) return present;
    const begun = this.#begin(source, account, name, digest);
    this.#under.set(key, begun);
    const over = (): boolean => this.#under.delete(key);
    begun.then(({ stored }) => stored.then(over, over), over);
    return begun;
  }

  /** Waits for what is under way, whatever comes of it. */
  async settled(): Promise<void> {
    while (this.#under.size > 0)
      await Promise.allSettled([...this.#under.values()].map(async (begun) => (await begun).stored));
  }

  async #begin(source: Source, account: string, name: RepositoryName, digest: Digest): Promise<Transfer> {
    const { blobs, uploads } = this.#images;
    const first = await source.remote.blob(source.repository, digest);
    const spool = await Spool.open(this.#folder).catch(async (error: unknown) => {
      await first.cancel();
      throw error;
    });
    return new Transfer(spool, {
      size: first.size,
      source: this.#whole(source, digest, first),
      store: async (bytes) => {
        try {
          const { cut } = await uploads.whole(account, name, digest, bytes);
          if (cut !== undefined) throw cut;
        } finally {
          await first.cancel();
        }
      },
      reopen: async () => {
        const { blob } = await blobs.look(account, name, digest);
        if (blob === undefined) throw blobNotFound(digest, name);
        return blobs.open(blob);
      },
    });
  }

  /** All bytes of a blob in order; what breaks off goes on where it was. */
  async *#whole(source: Source, digest: Digest, first: RemoteBlob): AsyncGenerator<Uint8Array> {
    const { clock } = this.#images.ports;
    let at = 0;
    let failures = 0;
    for (let part: RemoteBlob | undefined = first, attempt = 1; ; attempt++) {
      const before = at;
      try {
        part ??= await source.remote.blob(source.repository, digest, at);
        if (part.from > at) throw new RemoteError('corrupt', `it goes on at ${part.from} instead of ${at}`);
        for await (const bytes of behind(part, at)) {
          at += bytes.byteLength;
          yield bytes;
        }
        if (first.size === undefined || at === first.size) return;
        throw new RemoteError('unavailable', `it ended after ${at} of ${first.size} bytes`);
      } catch (cause) {
        failures = at > before ? 1 : failures + 1;
        if (failures >= fruitless || attempt >= again)
          throw new RemoteError('unavailable', `the blob ${digest} breaks off`, { cause });
        await clock.sleep(200 * failures);
      }
      part = undefined;
    }
  }
}

/** The bytes of a part from a position on. */
async function* behind({ from, bytes }: RemoteBlob, position: number): AsyncGenerator<Uint8Array> {
  let at = from;
  for await (const some of bytes) {
    const known = Math.max(0, position - at);
    at += some.byteLength;
    if (known < some.byteLength) yield known === 0 ? some : some.subarray(known);
  }
}
