import type { Log } from '@slipway/auth/contract';
import type { Delivery, EventLog } from '@slipway/storage/events';
import { lead, type Leases } from '@slipway/storage/leases';

import { listAccounts } from '../control/index.ts';
import { installationPartition } from '../state/index.ts';

import { imagePushed, imagePushedData, registryTopic } from './image-pushed.ts';
import { Roller, type RollerPorts } from './roller.ts';

/** Milliseconds before a failed step is tried again. */
const retryAfter = 1_000;

export interface TriggersOptions extends RollerPorts {
  readonly events: EventLog;
  readonly leases: Leases;
  /** Milliseconds between comparisons of all followed tags with what runs. Default 30,000. */
  readonly levelInterval?: number;
}

/** Rolls services when the images they follow change. */
export interface Triggers {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Push events start deployments at once; a level-triggered pass, on one server at a time, finds the same work when every
 * event was lost. Nothing runs before `start`.
 */
export const createTriggers = (options: TriggersOptions): Triggers => new PushTriggers(options);

class PushTriggers implements Triggers {
  readonly #options: TriggersOptions;
  readonly #roller: Roller;
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: TriggersOptions) {
    this.#options = options;
    this.#roller = new Roller(options);
  }

  start(): void {
    const { signal } = this.#stop;
    this.#running = Promise.all([this.#consume(signal), this.#compare(signal)]);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #consume(signal: AbortSignal): Promise<void> {
    const { events, clock, log } = this.#options;
    const group = 'deployments';
    while (!signal.aborted) {
      try {
        for await (const delivery of events.consume({ group, topic: registryTopic, signal }))
          await this.#take(delivery);
      } catch (error) {
        if (signal.aborted) return;
        interrupted(log)(error);
        await clock.sleep(retryAfter, signal).catch(() => {});
      }
    }
  }

  async #take(delivery: Delivery): Promise<void> {
    if (delivery.type !== imagePushed) return delivery.acknowledge();
    const parsed = imagePushedData.safeParse(delivery.data);
    if (!parsed.success) {
      const reason = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
      this.#options.log.error({ position: delivery.position, reason }, 'a push event cannot be read');
      return delivery.reject(reason);
    }
    const { account, repository, tag, actor } = parsed.data;
    if (tag === undefined || tag === null) return delivery.acknowledge();
    const pushed = { repository, tag, ...(actor === undefined ? {} : { actor }) };
    try {
      await this.#roller.rollAccount(account, { kind: 'push', pushed, at: delivery.time });
    } catch (error) {
      return delivery.reject(error instanceof Error ? error.message : String(error));
    }
    return delivery.acknowledge();
  }

  /** The level-triggered pass, on one server at a time. */
  #compare(signal: AbortSignal): Promise<void> {
    const { leases, clock, log, records, levelInterval = 30_000 } = this.#options;
    return lead(
      leases,
      { partition: installationPartition, name: 'triggers', clock, signal, interrupted: interrupted(log), retryAfter },
      async (_, over) => {
        while (!over.aborted) {
          for (const account of await listAccounts(records))
            await this.#roller.rollAccount(account, { kind: 'push' }).catch(() => {});
          await clock.sleep(levelInterval, over);
        }
      },
    );
  }
}

const interrupted =
  (log: Log) =>
  (err: unknown): void =>
    log.warn({ err }, 'following images was interrupted; trying again');
