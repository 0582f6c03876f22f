import { randomBytes } from 'node:crypto';
import { collect, type CollectReport, interlockOf } from '@slipway/registry/collector';
import { type Images, keys, openImages, registryPartition, type UploadRecord } from '@slipway/registry/images';
import { systemClock } from '@slipway/storage/clock';
import { openStorage, type Storage } from '@slipway/storage/engine';
import { scan } from '@slipway/storage/records';
import { readConfig } from '../server/config.ts';
import { storageConfig } from '../server/storage-config.ts';

const account = '000000000000';
const partition = registryPartition(account);
const lead = 25 * 3_600_000;

/** What was said about one tag: every push that moved it, in order. */
export interface PushedEvent {
  readonly tag: string;
  readonly digest: string;
  readonly previous: string | null;
}

/** What lies in the stores beside images. */
export interface Leftovers {
  /** Uploads that clients began and left; the server drops them after a day. */
  readonly openUploads: number;
  /** Staged bytes that no open upload claims; the server removes them after two days. */
  readonly unclaimedStaged: number;
}

/** A look into the stores of running servers, and a collector whose clock is a day ahead: leases are over as soon as they are given. */
export class SoakStores implements AsyncDisposable {
  readonly #storage: Storage;
  readonly #images: Images;
  readonly #stop = new AbortController();
  readonly #consuming: Promise<void>;
  readonly #delivered = new Set<number>();

  private constructor(storage: Storage) {
    this.#storage = storage;
    const { records, blobs } = storage;
    const clock = { ...systemClock, now: () => Date.now() + lead };
    this.#images = openImages({ records, blobs, clock, random: randomBytes, limits: { grace: 1000 } });
    this.#consuming = this.#consume().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  /** @param environment the variables of a server on these stores */
  static async open(environment: Readonly<Record<string, string>>): Promise<SoakStores> {
    return new SoakStores(await openStorage(storageConfig(readConfig(environment)), systemClock));
  }

  collect(): Promise<CollectReport> {
    const interlock = interlockOf(this.#storage.blobs, account, () => this.#storage.lossNoticed());
    return collect(this.#images.ports, account, { interlock });
  }

  async leftovers(): Promise<Leftovers> {
    const claimed = new Set<string>();
    let openUploads = 0;
    for await (const { value } of this.#all<UploadRecord>(keys.uploads)) {
      openUploads += 1;
      if (value.staged) claimed.add(value.staged.id);
    }
    const unclaimed = new Set<string>();
    // Claims all of it, so that nothing is removed: this only looks.
    await this.#storage.blobs.sweepStaged(0, async (id) => {
      if (!claimed.has(id)) unclaimed.add(id);
      return true;
    });
    return { openUploads, unclaimedStaged: unclaimed.size };
  }

  /** Every `image.pushed` with a tag, in the order of the log. */
  async pushes(): Promise<PushedEvent[]> {
    const pushes: PushedEvent[] = [];
    for (const event of await this.#events())
      if (event.type === 'image.pushed') pushes.push(event.data as unknown as PushedEvent);
    return pushes.filter(({ tag }) => tag !== null);
  }

  /** Events of the log that a consumer, there from the start, was never handed. */
  async undelivered(): Promise<number> {
    return (await this.#events()).filter(({ position }) => !this.#delivered.has(position)).length;
  }

  /** Names of the records that hold blobs and images; none once all images were removed and collected. */
  async rowsLeft(): Promise<string[]> {
    const rows: string[] = [];
    for (const prefix of ['blob|', 'link|', 'reference|', 'manifest|', 'content|', 'tag|', 'tagged|', 'sweep|'])
      for await (const { key } of this.#all(prefix)) rows.push(key);
    return rows;
  }

  async blobsLeft(): Promise<number> {
    let blobs = 0;
    for await (const _ of this.#storage.blobs.list()) blobs += 1;
    return blobs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#consuming;
    await this.#storage.close();
  }

  async #events() {
    const events = [];
    for (let after = 0; ;) {
      const page = await this.#storage.events.read(partition, 'registry', after, 1000);
      events.push(...page);
      if (page.length < 1000) return events;
      after = page.at(-1)?.position ?? after;
    }
  }

  async #consume(): Promise<void> {
    const { signal } = this.#stop;
    for await (const delivery of this.#storage.events.consume({ group: 'soak', topic: 'registry', signal })) {
      this.#delivered.add(delivery.position);
      await delivery.acknowledge();
    }
  }

  #all<T>(prefix: string) {
    return scan<T>(this.#storage.records, partition, { prefix });
  }
}
