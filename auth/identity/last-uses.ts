import { LRUCache } from 'lru-cache';
import { growingTo } from '../kit/index.ts';
import { type Json, scanPages } from '@slipway/storage/records';
import type { IdentityPorts } from './accounts.ts';
import { keys, usesPartitionOf } from './keys.ts';

/** When an access key or a role last made a request that was signed well, and to what. */
export interface LastUse {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Signing name. */
  readonly service: string;
  readonly region: string;
}

/** A use is written at most this long after it was made, with all others of that time in one commit. Milliseconds. */
const writeAfter = 60_000;
/** What was written is not written again for this long, however often it is used: AWS tells uses to within hours. Milliseconds. */
const rewriteAfter = 900_000;
/** Uses older than this are forgotten, as IAM does (user guide, "IAM access advisor"). Milliseconds. */
const trackedFor = 400 * 86_400_000;
const remembered = 20_000;

/**
 * The last use of access keys (by key id) and of roles (by unique id). Noting one costs a map's entry; what was noted is written now and
 * then, in a partition of its own, so that no request waits for it and no mirror of identities is disturbed by it. Other servers and
 * what was killed in between see uses up to a quarter of an hour late.
 */
export class LastUses {
  readonly #base: IdentityPorts;
  readonly #noted = new LRUCache<string, LastUse & { readonly account: string }>(growingTo(remembered));
  readonly #written = new LRUCache<string, number>(growingTo(remembered));
  readonly #unwritten = new Set<string>();
  readonly #closing = new AbortController();
  #writing: Promise<void> | undefined;

  constructor(base: IdentityPorts) {
    this.#base = base;
  }

  /** @param id of the access key or the role */
  note(account: string, id: string, service: string, region: string): void {
    const at = this.#base.clock.now();
    this.#noted.set(id, { at, service, region, account });
    if (at - (this.#written.get(id) ?? 0) < rewriteAfter || this.#closing.signal.aborted) return;
    this.#unwritten.add(id);
    this.#writing ??= this.#writeLater().finally(() => (this.#writing = undefined));
  }

  /** Undefined when it was never used, or longer ago than is tracked. @throws StoreUnavailable */
  async find(account: string, id: string): Promise<LastUse | undefined> {
    const noted = this.#noted.get(id);
    const stored = (await this.#base.records.get<LastUse>(usesPartitionOf(account), keys.use(id)))?.value;
    const newest = noted !== undefined && noted.at >= (stored?.at ?? 0) ? noted : stored;
    if (newest === undefined || this.#base.clock.now() - newest.at > trackedFor) return undefined;
    return { at: newest.at, service: newest.service, region: newest.region };
  }

  /** Forgets uses of long ago and of what is gone. @returns how many */
  async sweep(account: string, stands: (id: string) => boolean): Promise<number> {
    const { records, clock } = this.#base;
    let removed = 0;
    for await (const page of scanPages<LastUse>(records, usesPartitionOf(account))) {
      const over = page.records.filter(
        ({ key, value }) => !stands(key.slice(keys.use('').length)) || clock.now() - value.at > trackedFor,
      );
      if (over.length > 0) await records.commit(usesPartitionOf(account), { remove: over.map(({ key }) => key) });
      removed += over.length;
    }
    return removed;
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
    await this.#write();
  }

  async #writeLater(): Promise<void> {
    try {
      await this.#base.clock.sleep(writeAfter, this.#closing.signal);
    } catch {
      return; // Closing writes the rest.
    }
    await this.#write();
  }

  /** A store that fails loses uses and nothing else: the next request notes them again. */
  async #write(): Promise<void> {
    const byAccount = Map.groupBy(this.#unwritten, (id) => this.#noted.get(id)?.account ?? '');
    this.#unwritten.clear();
    for (const [account, ids] of byAccount) {
      const rows = ids.flatMap((id) => {
        const noted = this.#noted.get(id);
        if (noted === undefined) return [];
        const value: LastUse = { at: noted.at, service: noted.service, region: noted.region };
        return [{ id, key: keys.use(id), value: value as unknown as Json }];
      });
      if (rows.length === 0) continue;
      try {
        await this.#base.records.commit(usesPartitionOf(account), {
          put: rows.map(({ key, value }) => ({ key, value })),
        });
        for (const { id, value } of rows) this.#written.set(id, (value as unknown as LastUse).at);
      } catch {
        continue;
      }
    }
  }
}
