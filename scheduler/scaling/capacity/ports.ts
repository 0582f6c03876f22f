import type { Log } from '@slipway/auth/contract';

import type { EcsPorts } from '../../cluster/index.ts';
import type { MetricStore } from '../../signals/metrics/index.ts';
import type { NextMachines } from '../groups/index.ts';

/** A group as its capacity provider sees it; what it wants is capacity, of which a machine may be more than one. */
export interface SizedGroup {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly desired: number;
  /** What machines count, by their types: see `nextType`. */
  readonly types?: readonly string[];
  readonly weights?: readonly number[];
  readonly failures: number;
  readonly zones: readonly string[];
  /** Names of processes. */
  readonly suspended: readonly string[];
}

/** A machine of a group. */
export interface SizedMachine {
  readonly id: string;
  /** Of the container instance that its agent registers. */
  readonly instance: string;
  readonly cluster: string;
  readonly zone: string;
  /** The launch template and its version that it was made from. */
  readonly template: { readonly id: string; readonly version: number };
  readonly instanceType: string;
  /** How much of the group's capacity it is; without it, one. */
  readonly weight?: number;
  readonly state: 'Pending' | 'InService' | 'Terminating' | 'Warming' | 'Warmed';
  /** From scale-in. */
  readonly protected: boolean;
  /** Since when it is in that state; milliseconds since the epoch. */
  readonly stateAt: number;
}

/** What a capacity provider asks of Auto Scaling groups. */
export interface SizedGroups {
  byName(account: string, name: string): Promise<SizedGroup | undefined>;
  instancesOf(account: string, group: string): Promise<readonly SizedMachine[]>;
  setDesired(account: string, name: string, desired: number, why: string): Promise<unknown>;
  protect(account: string, group: string, ids: readonly string[], on: boolean): Promise<unknown>;
  terminate(
    account: string,
    id: string,
    options: { readonly decrement: boolean; readonly why: string; readonly returns?: boolean },
  ): Promise<unknown>;
}

/** What managed scaling runs on. */
export interface CapacityPorts extends EcsPorts {
  readonly log: Log;
  readonly groups: SizedGroups;
  /** What a group's next machines would be made from; undefined when none can be made. */
  readonly nextMachines: (account: string, group: string) => Promise<NextMachines | undefined>;
  readonly metrics: Pick<MetricStore, 'put'>;
}
