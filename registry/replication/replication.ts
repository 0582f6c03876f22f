import type { Outbound } from '@slipway/auth/outbound';
import type { Log } from '@slipway/auth/contract';
import type { Digest } from '@slipway/storage/blobs';
import type { Delivery, EventLog } from '@slipway/storage/events';
import type { Tracing } from '@slipway/storage/telemetry';
import { type Images, ImagesError } from '../images/index.ts';
import type { PullPolicy } from '../scanning/index.ts';
import { type Backfills, createBackfills, type Destination } from './backfills.ts';
import { copyImage, failureCodeOf } from './copy.ts';
import { replicator } from './mark.ts';
import { destinationsOf, runBackfill } from './run-backfill.ts';
import { writeStatus } from './statuses.ts';
import { createTargets, type ReplicationTarget, type Targets } from './targets.ts';

export interface ReplicationOptions {
  readonly images: Images;
  readonly events: EventLog;
  /** Whether findings of a scan forbid that an image leaves; such a copy is tried again later, as any that failed. */
  readonly policy: PullPolicy;
  /** This installation's own region. */
  readonly region: string;
  /** The installations that destinations mean. */
  readonly targets: readonly ReplicationTarget[];
  /** The guarded client's; it must be open to the networks of the targets. */
  readonly fetch: Outbound['stream'];
  readonly log: Log;
  /** Milliseconds after which an image that could not be copied is tried again. Default 5 minutes. */
  readonly retryAfter?: number;
  /** Each copy is a trace of its own, which its target goes on with. Default: no traces. */
  readonly tracing?: Tracing | undefined;
}

export interface Replication {
  readonly targets: Targets;
  readonly backfills: Backfills;
  start(): void;
  stop(): Promise<void>;
}

interface Pushed {
  readonly account: string;
  readonly repository: string;
  readonly digest: Digest;
  readonly tag?: string | null;
  readonly actor: string;
}

/**
 * Copies what is pushed to other installations. It works on the event log, so nothing is lost when this server stops: each
 * push is delivered until it has arrived everywhere, to one server at a time; what arrives twice changes nothing.
 */
export function createReplication(options: ReplicationOptions): Replication {
  const { images, events, log } = options;
  const targets = createTargets(options.targets, options.region, options.fetch);
  const backfills = createBackfills(images);
  const stopping = new AbortController();
  const consumers: Promise<void>[] = [];
  const redeliverAfter = options.retryAfter ?? 300_000;

  /** @throws what kept the image from arriving */
  const copy = async (
    {
      account,
      repository,
      digest,
      tags,
    }: { account: string; repository: string; digest: Digest; tags: readonly string[] },
    destination: Destination,
  ): Promise<void> => {
    const remote = targets.remote(account, destination);
    const note = (status: 'IN_PROGRESS' | 'COMPLETE' | 'FAILED', failureCode?: string): Promise<void> =>
      writeStatus(images, account, repository, digest, {
        ...destination,
        status,
        ...(failureCode === undefined ? {} : { failureCode }),
      });
    if (remote === undefined) return note('FAILED', 'DestinationNotConfigured');
    await note('IN_PROGRESS');
    try {
      const attributes = {
        'slipway.repository': repository,
        'slipway.digest': digest,
        'slipway.destination': `${destination.registryId}/${destination.region}`,
      };
      const send = (): Promise<void> => copyImage(options, remote, { account, repository, digest, tags });
      await (options.tracing === undefined
        ? send()
        : options.tracing.run('replicate image', { kind: 'consumer', attributes }, send));
    } catch (error) {
      // Gone before it was its turn: there is nothing to copy any more.
      if (error instanceof ImagesError && error.code === 'ManifestNotFound') return;
      await note('FAILED', failureCodeOf(error));
      throw error;
    }
    await note('COMPLETE');
  };

  const pushed = async (delivery: Delivery): Promise<void> => {
    const image = delivery.data as unknown as Pushed;
    if (!['image.pushed', 'image.restored'].includes(delivery.type) || image.actor === replicator) return;
    const { replication = [] } = await images.repositories.registry(image.account);
    const destinations = destinationsOf(replication, image.repository);
    const { account, repository, digest, tag } = image;
    if (destinations.length === 0) return;
    // What comes back from the archive comes with all its tags.
    const tags =
      delivery.type === 'image.restored'
        ? ((await images.manifests.listOne(account, repository, digest))?.tags ?? [])
        : typeof tag === 'string'
          ? [tag]
          : [];
    const outcomes = await Promise.allSettled(
      destinations.map((destination) => copy({ account, repository, digest, tags }, destination)),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  };

  const backfill = async (delivery: Delivery): Promise<void> => {
    const { account, id } = delivery.data as { account: string; id: string };
    const { replication = [] } = await images.repositories.registry(account);
    await runBackfill({
      images,
      backfills,
      account,
      id,
      rules: replication,
      signal: stopping.signal,
      copy: (repository, { digest, tags }, destination) => copy({ account, repository, digest, tags }, destination),
    });
  };

  const consume = async (topic: string, handle: (delivery: Delivery) => Promise<void>): Promise<void> => {
    const { signal } = stopping;
    for await (const delivery of events.consume({ group: 'replication', topic, signal, redeliverAfter })) {
      try {
        await handle(delivery);
        if (!signal.aborted) await delivery.acknowledge();
      } catch (error) {
        log.warn({ err: error, attempt: delivery.attempt, data: delivery.data }, 'an image could not be replicated');
        await delivery.reject(error instanceof Error ? error.message : 'unknown');
      }
    }
  };

  return {
    targets,
    backfills,
    start() {
      consumers.push(consume('registry', pushed), consume('replication', backfill));
    },
    async stop() {
      stopping.abort();
      await Promise.allSettled(consumers);
    },
  };
}
