import { balancingPartition, type Balancing, type EngineRecord, type LoadBalancerRecord } from '../records/index.ts';

import { defaultTiming, type TrafficOptions, type TrafficTiming } from './ports.ts';

/** How a load balancer stands (ELB API reference, LoadBalancerState). */
export interface BalancerState {
  readonly code: 'provisioning' | 'active' | 'active_impaired' | 'failed';
  readonly reason?: string;
}

/** Why nothing is carried. */
export const noEngine =
  'no traffic engine is running: start a server with load balancing on this installation, and see its log';

/** What engines have said of themselves, for whoever waits for them. */
export class EngineReports {
  readonly #options: Pick<TrafficOptions, 'records' | 'balancers' | 'clock'>;
  readonly #timing: TrafficTiming;

  constructor(options: Pick<TrafficOptions, 'records' | 'balancers' | 'clock' | 'timing'>) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
  }

  /** Every engine that is known, with whether it was heard of lately. */
  async engines(account: string): Promise<readonly (EngineRecord & { readonly isLive: boolean })[]> {
    const live = new Set((await this.live(account)).map(({ id }) => id));
    return (await this.#options.balancers.engines(account)).map((one) => ({ ...one, isLive: live.has(one.id) }));
  }

  /** Engines that were heard of lately. */
  async live(account: string): Promise<readonly EngineRecord[]> {
    const { balancers, clock } = this.#options;
    const now = clock.now();
    return (await balancers.engines(account)).filter(({ seenAt }) => now - seenAt < this.#timing.gone);
  }

  /**
   * Waits until every live engine serves a generation.
   * @returns why listeners are not bound, by their ids; or, in `silent`, what is wrong when not every engine answered in time
   */
  async settled(
    account: string,
    generation: number,
  ): Promise<{ readonly unbound: Readonly<Record<string, string>>; readonly silent?: string }> {
    const { records, clock } = this.#options;
    const over = new AbortController();
    const { signal } = over;
    const ended = clock.sleep(this.#timing.patience, signal).then(
      () => 'late' as const,
      () => 'over' as const,
    );
    const partition = balancingPartition(account);
    const changes = records
      .follow(partition, { after: await records.version(partition), signal })
      [Symbol.asyncIterator]();
    try {
      for (;;) {
        const answer = await this.#answered(account, generation);
        if (answer !== undefined) return answer;
        const next = changes.next().then(({ done }) => (done === true ? ('over' as const) : ('changed' as const)));
        const what = await Promise.race([next, ended]);
        if (what === 'changed') continue;
        next.catch(() => undefined);
        return (
          (await this.#answered(account, generation)) ?? {
            unbound: {},
            silent: await this.#silence(account, generation),
          }
        );
      }
    } finally {
      over.abort();
      await changes.return?.().catch(() => undefined);
    }
  }

  /** How load balancers stand, by what engines have said until now. */
  async states(account: string, balancing: Balancing): Promise<(balancer: LoadBalancerRecord) => BalancerState> {
    const engines = await this.live(account);
    const now = this.#options.clock.now();
    // Engines of the first load balancer are being started.
    const isNew = ({ createdAt }: LoadBalancerRecord): boolean => now - createdAt < this.#timing.patience;
    return (balancer) =>
      engines.length === 0 && isNew(balancer) ? { code: 'provisioning' } : stateOf(balancing, balancer, engines);
  }

  /** What engines answer to a generation; undefined while one of them has yet to. Where nothing is to be served none need run. */
  async #answered(account: string, generation: number): Promise<ReturnType<typeof answered>> {
    const engines = await this.live(account);
    if (engines.length > 0) return answered(engines, generation);
    const { carried } = await this.#options.balancers.read(account);
    return carried.all('loadbalancer').length === 0 ? { unbound: {} } : undefined;
  }

  async #silence(account: string, generation: number): Promise<string> {
    const engines = await this.live(account);
    const late = engines.filter((one) => one.generation < generation).map(({ id }) => id);
    return engines.length === 0
      ? noEngine
      : `the traffic engine ${late.join(', ')} has not answered for ${this.#timing.patience / 1000} seconds`;
  }
}

/** What these engines, one or more, answer to a generation; undefined while one of them has yet to. */
function answered(
  engines: readonly EngineRecord[],
  generation: number,
): { readonly unbound: Readonly<Record<string, string>>; readonly silent?: string } | undefined {
  const refused = engines.find((one) => one.refused !== undefined && one.refused.generation >= generation);
  if (refused?.refused !== undefined)
    return { unbound: {}, silent: `the traffic engine ${refused.id} refuses it: ${refused.refused.reason}` };
  if (engines.some((one) => one.generation < generation)) return undefined;
  return { unbound: Object.assign({}, ...engines.map(({ unbound }) => unbound)) as Record<string, string> };
}

function stateOf(balancing: Balancing, balancer: LoadBalancerRecord, engines: readonly EngineRecord[]): BalancerState {
  if (engines.length === 0) return { code: 'failed', reason: noEngine };
  const version = balancing.versionOf('loadbalancer', balancer.id) ?? 0;
  const behind = engines.find((one) => one.generation < version);
  if (behind !== undefined) return { code: 'provisioning' };
  for (const { port, id } of balancing.listenersOf(balancer.id))
    for (const engine of engines) {
      const reason = engine.unbound[id];
      if (reason !== undefined)
        return { code: 'active_impaired', reason: `port ${port} is not served by ${engine.id}: ${reason}` };
    }
  return { code: 'active' };
}
