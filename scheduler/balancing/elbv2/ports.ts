import type { Balancing, LoadBalancerRecord } from '../records/index.ts';

/** How a load balancer stands. */
export interface BalancerState {
  readonly code: 'provisioning' | 'active' | 'active_impaired' | 'failed';
  readonly reason?: string;
}

/** What the engines have done of what the records say. */
export interface Traffic {
  /**
   * Waits until every live engine serves a generation.
   * @returns why listeners are not bound, by their ids; or, in `silent`, what is wrong when not every engine answered in time
   */
  settled(
    account: string,
    generation: number,
  ): Promise<{ readonly unbound: Readonly<Record<string, string>>; readonly silent?: string }>;
  /** How load balancers stand; asked for once a request. */
  states(account: string, balancing: Balancing): Promise<(balancer: LoadBalancerRecord) => BalancerState>;
}

/** Machines that may be registered as targets by their ids. */
export interface InstanceDirectory {
  /** Where a machine is reached; `running` is false when it is not in a state that takes targets. Undefined for an unknown id. */
  find(
    account: string,
    id: string,
  ): Promise<{ readonly address: string; readonly zone: string; readonly running: boolean } | undefined>;
}
