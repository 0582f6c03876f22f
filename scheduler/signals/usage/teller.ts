import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import type { ClusterView } from '../../views/index.ts';
import { everyMinute, type MetricStore, putSamples, type Sample } from '../metrics/index.ts';

import { claimsOf, forgetClaims } from './claims.ts';
import type { UsageCollector } from './collector.ts';
import { countSamples, countsOnHost } from './counts.ts';
import type { InstanceUsage } from './ledger.ts';
import { dimensions, insightsOf, usageSamples } from './samples.ts';

export interface UsageOptions {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly collector: UsageCollector;
  readonly metrics: Pick<MetricStore, 'put'>;
  /** How often images of each repository were pulled through this process since this was asked last. */
  readonly pulls: () => readonly { readonly account: string; readonly repository: string; readonly count: number }[];
  /** Every cluster that is followed; `epoch` where this process leads it. */
  readonly clusters: () => readonly {
    readonly view: Pick<ClusterView, 'account' | 'name' | 'cluster' | 'instances' | 'tasks' | 'services'>;
    readonly epoch: number | undefined;
  }[];
}

/**
 * What agents that are connected to this process say of their tasks, told to the metric store once a minute; what is counted of the
 * clusters that this process leads; and pulls of images (Amazon ECR user guide, "Amazon ECR repository metrics").
 */
export class UsageTeller {
  readonly #options: UsageOptions;

  constructor(options: UsageOptions) {
    this.#options = options;
  }

  /** Tells what came in each minute once that is over, until the signal aborts. What a process that ends has not told is lost. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    await everyMinute(clock, signal, (at) =>
      this.tell(at, signal).catch((err: unknown) => log.warn({ err }, 'cannot tell what tasks have used in a minute')),
    );
  }

  /** Tells everything that came since the last call. @param at when the minute began, milliseconds since the epoch */
  async tell(at: number, signal: AbortSignal): Promise<void> {
    const usage = Map.groupBy(
      this.#options.collector.ledger.cut(),
      ({ instance }) => `${instance.account}/${instance.cluster}`,
    );
    const samples = new Map<string, Sample[]>();
    for (const { view, epoch } of this.#options.clusters()) {
      const part = usage.get(`${view.account}/${view.name}`) ?? [];
      if (part.length === 0 && epoch === undefined) continue;
      const own = samples.getOrInsertComputed(view.account, () => []);
      own.push(...(await this.#ofCluster(view, epoch !== undefined, part, at)));
    }
    for (const { account, repository, count } of this.#options.pulls())
      samples
        .getOrInsertComputed(account, () => [])
        .push({
          namespace: 'AWS/ECR',
          name: 'RepositoryPullCount',
          dimensions: dimensions({ RepositoryName: repository }),
          unit: 'Count',
          timestamp: at,
          resolution: 60,
          measured: count,
        });
    for (const [account, all] of samples) await putSamples(this.#options, account, all, signal);
  }

  async #ofCluster(
    view: ReturnType<UsageOptions['clusters']>[number]['view'],
    leads: boolean,
    part: readonly InstanceUsage[],
    at: number,
  ): Promise<Sample[]> {
    const { account, name, cluster } = view;
    const { records, collector } = this.#options;
    const claims = await claimsOf(records, account, name);
    const instances = [...view.instances.values()].map(({ value }) => value);
    const hosts = new Map(
      instances.filter(({ status }) => status === 'ACTIVE' || status === 'DRAINING').map((host) => [host.id, host]),
    );
    const insights = insightsOf(cluster);
    const mine = part.filter(({ instance }) => (claims.get(instance.id) ?? collector.self) === collector.self);
    const tasks = [...view.tasks.values()].map(({ value }) => value);
    const busy = new Set(tasks.flatMap((task) => (countsOnHost(task) ? (task.instanceId ?? []) : [])));
    const samples = usageSamples({ name, insights, hosts, busy }, mine, at);
    if (!leads) return samples;
    const gone = [...claims.keys()].filter((id) => !view.instances.has(id));
    await forgetClaims(records, account, name, gone);
    const services = [...view.services.values()].map(({ value }) => value);
    return [...samples, ...countSamples({ name, insights, instances, tasks, services }, at)];
  }
}
