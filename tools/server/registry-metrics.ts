import { Counter, Gauge, type Registry } from '@prometheus-io/client';
import type { CollectReport } from '@slipway/registry/collector';
import { type Images, keys, type Meter, registryPartition } from '@slipway/registry/images';

/** The registry's own numbers; requests are counted by the gateway. */
export class RegistryMetrics implements Meter {
  readonly #received: Counter;
  readonly #sent: Counter;
  readonly #lookups: Counter<'result'>;
  readonly #freed: Counter;
  readonly #removed: Counter;
  readonly #kept: Counter<'reason'>;
  readonly #upstream: Counter<'upstream' | 'cause'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
    this.#received = counter('slipway_registry_received_bytes_total', 'Bytes of blobs that uploads brought');
    this.#sent = counter('slipway_registry_sent_bytes_total', 'Bytes of blobs sent from here, redirects not counted');
    this.#lookups = new Counter({
      name: 'slipway_registry_manifest_lookups_total',
      help: 'Pulls of manifests by whether the bytes were in memory',
      labelNames: ['result'],
      registers,
    });
    this.#freed = counter('slipway_registry_collector_freed_bytes_total', 'Bytes that the collector freed');
    this.#removed = counter('slipway_registry_collector_removed_total', 'Blobs that the collector removed');
    this.#kept = new Counter({
      name: 'slipway_registry_collector_kept_total',
      help: 'Blobs that the collector looked at and kept, by reason',
      labelNames: ['reason'],
      registers,
    });
    this.#upstream = new Counter({
      name: 'slipway_registry_upstream_failures_total',
      help: 'Times that the registry of a pull-through cache rule did not give what it was asked for, by cause',
      labelNames: ['upstream', 'cause'],
      registers,
    });
    // There from the start, so that a first one is an increase.
    for (const result of ['hit', 'miss']) this.#lookups.inc({ result }, 0);
    for (const reason of ['referenced', 'leased', 'grace']) this.#kept.inc({ reason }, 0);
  }

  received(bytes: number): void {
    this.#received.inc(bytes);
  }

  sent(bytes: number): void {
    this.#sent.inc(bytes);
  }

  looked(hit: boolean): void {
    this.#lookups.inc({ result: hit ? 'hit' : 'miss' });
  }

  upstreamFailed(upstream: string, cause: string): void {
    this.#upstream.inc({ upstream, cause });
  }

  collected({ referenced, leased, released, removed, freedBytes }: CollectReport): void {
    this.#freed.inc(freedBytes);
    this.#removed.inc(removed);
    this.#kept.inc({ reason: 'referenced' }, referenced);
    this.#kept.inc({ reason: 'leased' }, leased);
    this.#kept.inc({ reason: 'grace' }, released);
  }
}

/** How many are counted at most: beyond it the number says "very many". */
const countedUploads = 10_000;

/** Uploads open in one account, counted in the records when somebody asks: register it in one process of an installation only. */
export function gaugeOpenUploads(registry: Registry, images: Images, account: string): void {
  const gauge: Gauge = new Gauge({
    name: 'slipway_registry_uploads_open',
    help: `Uploads under way, at most ${countedUploads}`,
    registers: [registry],
    collect: async () => {
      const page = await images.context.records.list(registryPartition(account), {
        prefix: keys.uploads,
        limit: countedUploads,
      });
      gauge.set(page.records.length);
    },
  });
}

/** How many repositories are shown at most, so that a scrape stays small; beyond it the largest are not looked for. */
const shownRepositories = 1000;

/** Images and bytes by repository, added up from the counters when somebody asks: register it in one process of an installation only. */
export function gaugeRepositories(registry: Registry, images: Images, account: string): void {
  const gauge = (name: string, help: string, of: 'images' | 'bytes'): void => {
    const made: Gauge<'repository'> = new Gauge({
      name,
      help,
      labelNames: ['repository'],
      registers: [registry],
      collect: async () => {
        const { repositories } = await images.repositories.list(account, { limit: shownRepositories });
        const counts = await Promise.all(
          repositories.map(async ({ name: repository }) => ({
            repository,
            count: await images.repositories.count(account, repository),
          })),
        );
        made.reset();
        for (const { repository, count } of counts) made.set({ repository }, count[of]);
      },
    });
  };
  gauge('slipway_registry_repository_images', 'Images in a repository', 'images');
  gauge('slipway_registry_repository_bytes', 'Compressed bytes of images in a repository, as ECR counts them', 'bytes');
}
