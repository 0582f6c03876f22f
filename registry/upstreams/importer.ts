import { LRUCache } from 'lru-cache';
import type { Digest } from '@slipway/storage/blobs';
import {
  type FoundManifest,
  type Images,
  inOwnMemory,
  isIndexType,
  parseManifest,
  parseTag,
  readManifest,
  type RepositoryName,
} from '../images/index.ts';
import { RemoteError, type RemoteManifest } from '../remote/index.ts';
import { Flights } from './flights.ts';
import type { Source, Transfers } from './transfers.ts';

/** Who imports images, as events name it. */
const importer = 'ecr.pull-through-cache';

export interface Importing {
  readonly source: Source;
  readonly account: string;
  readonly name: RepositoryName;
}

/** Takes images over from upstream, each once however many ask for it. */
export class Importer {
  readonly #images: Images;
  readonly #transfers: Transfers;
  readonly #mostParts: number;
  readonly #flights = new Flights();
  // A client that asked for a tag asks for its digest next, before the import can be done.
  readonly #recent = new LRUCache<string, RemoteManifest>({
    maxSize: 16 * 1024 * 1024,
    sizeCalculation: ({ bytes }) => bytes.length + 200,
    ttl: 60_000,
  });

  /** @param mostParts manifests that one import may take */
  constructor(images: Images, transfers: Transfers, mostParts: number) {
    this.#images = images;
    this.#mostParts = mostParts;
    this.#transfers = transfers;
  }

  /** A manifest that was seen a moment ago. */
  recent(account: string, name: string, digest: Digest): RemoteManifest | undefined {
    return this.#recent.get(`${account} ${name} ${digest}`);
  }

  remember(account: string, name: string, manifest: RemoteManifest): void {
    const kept = { ...manifest, bytes: inOwnMemory(manifest.bytes) };
    this.#recent.set(`${account} ${name} ${manifest.digest}`, kept);
  }

  /**
   * Everything below a manifest first, then the manifest in one commit: an image that is here is whole. An index is kept as well
   * when upstream has not all of what it lists; what is missing comes when somebody pulls it, or by {@link complete}.
   * @throws RemoteError, ImagesError
   */
  image(to: Importing, manifest: RemoteManifest, tag?: string): Promise<void> {
    return this.#import(to, manifest, tag, { left: this.#mostParts });
  }

  /** Asks again for what an index that is here lists and is not. @throws RemoteError, ImagesError */
  async complete(to: Importing, index: FoundManifest): Promise<void> {
    if (!isIndexType(index.mediaType)) return;
    const bytes = await this.#images.manifests.content(to.account, to.name, index.digest);
    const budget = { left: this.#mostParts };
    for (const { digest } of readManifest(bytes, index.mediaType).children) await this.#child(to, digest, budget);
  }

  #import(to: Importing, manifest: RemoteManifest, tag: string | undefined, budget: { left: number }): Promise<void> {
    const { account, name } = to;
    return this.#flights.share(`${account} ${name} ${manifest.digest} ${tag ?? ''}`, async () => {
      if (--budget.left < 0) throw new RemoteError('corrupt', `the image has more than ${this.#mostParts} parts`);
      const { blobs, children } = parseManifest(manifest.bytes, manifest.mediaType);
      let sparse = false;
      for (const { digest } of children) sparse = !(await this.#child(to, digest, budget)) || sparse;
      for (const { digest } of blobs) await this.#blob(to, digest);
      await this.#images.manifests.put({
        account,
        repository: name,
        bytes: manifest.bytes,
        contentType: manifest.mediaType,
        digest: manifest.digest,
        tags: tag === undefined ? [] : [parseTag(tag)],
        actor: importer,
        sparse,
      });
    });
  }

  /** What an index lists. False: upstream does not have it, or not whole. */
  async #child(to: Importing, digest: Digest, budget: { left: number }): Promise<boolean> {
    const { account, name, source } = to;
    if ((await this.#images.manifests.look(account, name, { kind: 'digest', digest })).manifest) return true;
    try {
      const known = this.recent(account, name, digest);
      await this.#import(to, known ?? (await source.remote.manifest(source.repository, digest)), undefined, budget);
      return true;
    } catch (error) {
      if (error instanceof RemoteError && error.code === 'not-found') return false;
      throw error;
    }
  }

  async #blob({ account, name, source }: Importing, digest: Digest): Promise<void> {
    if ((await this.#images.blobs.look(account, name, digest)).blob) return;
    await (
      await this.#transfers.bring(source, account, name, digest)
    ).stored;
  }
}
