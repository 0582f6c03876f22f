import type { Clock } from '@slipway/storage/clock';
import { type Json, type RecordStore, scanPages } from '@slipway/storage/records';
import type { Denial, DenialSink, Log } from '../contract/index.ts';
import { type Identity, resourceAccount } from '../identity/index.ts';
import { type Rate, RateLimiter } from '../rates/index.ts';
import { denialPartition, keys } from './keys.ts';
import { type DenialRecord, recordOf, resourcesOf } from './records.ts';

export interface DenialsPorts {
  readonly records: RecordStore;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly identity: Pick<Identity, 'explain'>;
  readonly log: Log;
}

/** A refusal can be explained for this long. Milliseconds. */
export const keptFor = 3_600_000;
/**
 * Refusals that are kept, of one principal and of all: each is a write, and whoever has no rights can be refused as often as it is served. Of
 * an hour that is 7,400 of a process at most, and no caller takes more than a few from the others.
 */
const ofOne: Rate = { burst: 20, perSecond: 0.1 };
const ofAll: Rate = { burst: 200, perSecond: 2 };
/** Refusals that wait to be written; each holds what its request was about. */
const mostWaiting = 100;
const atOnce = 20;

/** Keeps why requests were refused, for an hour, so that whoever looks after policies can be asked with the id of a request. */
export class Denials implements DenialSink {
  readonly #ports: DenialsPorts;
  readonly #one: RateLimiter;
  readonly #all: RateLimiter;
  readonly #waiting: Denial[] = [];
  #writing: Promise<void> | undefined;

  constructor(ports: DenialsPorts) {
    this.#ports = ports;
    this.#one = new RateLimiter(ofOne, ports.clock);
    this.#all = new RateLimiter(ofAll, ports.clock);
  }

  /** What is too much is not kept: the audit line has it all the same. */
  write(denial: Denial): void {
    const { account, arn, id } = denial.call.principal;
    if (account === '' || this.#waiting.length >= mostWaiting) return;
    // All sessions of a role are one: whoever takes it on makes as many as it likes.
    if (this.#one.take(id.split(':', 1)[0] || arn) !== 0 || this.#all.take('') !== 0) return;
    this.#waiting.push(denial);
    this.#start();
  }

  /** The refusal of a request; undefined when there was none, when it is more than an hour old, or was not kept. @throws StoreUnavailable */
  async find(account: string, requestId: string): Promise<DenialRecord | undefined> {
    const { records, clock } = this.#ports;
    const found = await records.get<DenialRecord>(denialPartition, keys.denial(account, requestId));
    return found === undefined || found.value.at + keptFor <= clock.now() ? undefined : found.value;
  }

  /** Removes what is too old; call it now and then. @returns how many refusals */
  async sweep(): Promise<number> {
    const { records, clock } = this.#ports;
    const limit = clock.now() - keptFor;
    let removed = 0;
    for await (const page of scanPages<DenialRecord>(records, denialPartition, { prefix: keys.all, limit: 500 })) {
      const over = page.records.filter(({ value }) => value.at <= limit).map(({ key }) => key);
      if (over.length > 0) await records.commit(denialPartition, { remove: over });
      removed += over.length;
    }
    return removed;
  }

  /** Resolves when everything that was told before is written, or given up. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  #start(): void {
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
      // One may have come while the last ones were done.
      if (this.#waiting.length > 0) this.#start();
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const some = this.#waiting.splice(0, atOnce);
      try {
        const put: { key: string; value: Json }[] = [];
        for (const denial of some) {
          const record = await this.#record(denial);
          put.push({
            key: keys.denial(denial.call.principal.account, record.requestId),
            value: record as unknown as Json,
          });
        }
        await this.#ports.records.commit(denialPartition, { put });
      } catch (err) {
        // Nobody waits for it, and the audit lines have what was decided.
        this.#ports.log.warn({ err, refusals: some.length }, 'refusals could not be kept for explanations');
      }
    }
  }

  async #record(denial: Denial): Promise<DenialRecord> {
    const { access, call } = denial;
    const { principal } = call;
    const resources = resourcesOf(denial);
    // What others' resources are guarded by, how they are tagged, and whether there are any, is told within their accounts alone.
    const own = resources.filter((one) => (resourceAccount(one) ?? principal.account) === principal.account);
    // A request about nothing in particular is about the caller's own account.
    const explanations =
      own.length === 0 && resources.length > 0
        ? []
        : await this.#ports.identity.explain(principal, { ...access, resources: own }, call);
    return recordOf(denial, explanations);
  }
}
