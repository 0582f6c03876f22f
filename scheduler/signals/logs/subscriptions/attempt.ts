import { tellWebhook, webhookOf, type WebhookPorts } from '@slipway/auth/outbound';

import { parsePattern } from '../patterns/index.ts';
import type { LogsDamaged } from '../store/contract.ts';
import type { EventBlobs } from '../store/event-blobs.ts';

import { batchesOf } from './batches.ts';
import { type Batch, deliveryIdOf, payloadOf } from './payload.ts';
import { subscriptionSecret, type SubscriptionSecretPorts } from './secrets.ts';
import type { Standing, Work } from './standing.ts';

export type AttemptPorts = WebhookPorts & SubscriptionSecretPorts;

/** Calls of one filter at the same time: of different streams, or of any where the filter says `Random`. */
const mostCalls = 4;

/** Tells the receiver of a filter some files, call by call; tried again it makes those calls that were not taken. */
export class Attempt {
  readonly work: Work;
  readonly #account: string;
  readonly #ports: AttemptPorts;
  readonly #blobs: EventBlobs;
  readonly #standing: Standing;
  readonly #taken = new Set<number>();
  #damage: { readonly error: LogsDamaged; readonly events: number }[] = [];
  #events = 0;
  #news = { events: 0, bytes: 0 };

  constructor(account: string, ports: AttemptPorts, blobs: EventBlobs, standing: Standing, work: Work) {
    this.#account = account;
    this.#ports = ports;
    this.#blobs = blobs;
    this.#standing = standing;
    this.work = work;
  }

  /** Events that were taken. */
  get total(): number {
    return this.#events;
  }

  /** What could not be read, the last time that it was tried. */
  get damage(): readonly { readonly error: LogsDamaged; readonly events: number }[] {
    return this.#damage;
  }

  /** What was taken since this was asked last. */
  takeNews(): { readonly events: number; readonly bytes: number } {
    const news = this.#news;
    this.#news = { events: 0, bytes: 0 };
    return news;
  }

  /** Whether a filter lets the same through to the same receiver. */
  isFor({ filter }: Standing): boolean {
    const own = this.#standing.filter;
    return filter.pattern === own.pattern && filter.destination === own.destination;
  }

  /**
   * @returns why something was not taken; undefined: all is told
   * @throws BlobMissing, StoreUnavailable, LogsTooNew; what `over` was aborted with
   */
  async run(over: AbortSignal): Promise<string | undefined> {
    const { group: id, name, filter } = this.#standing;
    const secret = await subscriptionSecret(this.#ports, this.#account, { group: filter.group, filter: name });
    const calls = new Calls();
    let number = 0;
    const wanted = { id, group: filter.group, filter: name, pattern: parsePattern(filter.pattern) };
    this.#damage = [];
    const damaged = (error: LogsDamaged, events: number): void => void this.#damage.push({ error, events });
    try {
      for await (const batch of batchesOf(this.#blobs, this.work.files, wanted, damaged)) {
        const at = number++;
        if (this.#taken.has(at)) continue;
        await calls.room(filter.distribution === 'Random' ? undefined : batch.stream);
        if (calls.failure !== undefined) break;
        calls.begin(batch.stream, async () => {
          const failure = await this.#tell(batch, secret, over);
          if (failure === undefined) this.#took(at, batch);
          return failure;
        });
      }
    } finally {
      // Also when something cannot be read: the next attempt must not be under way beside these.
      await calls.end();
    }
    over.throwIfAborted();
    return calls.failure;
  }

  async #tell(batch: Batch, secret: string, over: AbortSignal): Promise<string | undefined> {
    const { filter } = this.#standing;
    const url = webhookOf(filter.destination);
    if (url === undefined) return 'It is no webhook.';
    const payload = await payloadOf(this.#account, batch);
    return tellWebhook(this.#ports, url, { id: deliveryIdOf(filter.id, batch), payload, secret }, over);
  }

  #took(at: number, { events }: Batch): void {
    this.#taken.add(at);
    this.#events += events.length;
    this.#news.events += events.length;
    this.#news.bytes += events.reduce((sum, { message }) => sum + Buffer.byteLength(message), 0);
  }
}

/** Calls under way; after the first failure none begins. */
class Calls {
  readonly #running = new Map<object, { readonly stream: string; readonly call: Promise<void> }>();
  failure: string | undefined;

  /** Waits until another call may begin, of this stream. */
  async room(stream: string | undefined): Promise<void> {
    for (;;) {
      const calls = [...this.#running.values()];
      const own = calls.filter((one) => one.stream === stream);
      if (own.length > 0) await Promise.all(own.map(({ call }) => call));
      else if (calls.length >= mostCalls) await Promise.race(calls.map(({ call }) => call));
      else return;
    }
  }

  begin(stream: string, make: () => Promise<string | undefined>): void {
    const name = {};
    this.#running.set(name, { stream, call: this.#make(name, make) });
  }

  async #make(name: object, make: () => Promise<string | undefined>): Promise<void> {
    try {
      const failure = await make();
      this.failure ??= failure;
    } catch (error) {
      this.failure ??= `It could not be called: ${(error as Error).name}`;
    } finally {
      this.#running.delete(name);
    }
  }

  async end(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ call }) => call));
  }
}
