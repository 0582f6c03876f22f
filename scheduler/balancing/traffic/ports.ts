import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type { Leases } from '@slipway/storage/leases';
import type { RecordStore } from '@slipway/storage/records';

import type { Networks } from '../../network/records/index.ts';
import type { Certificate } from '../../routing/index.ts';
import type { RandomBytes } from '../../state/index.ts';
import type { TrafficEngine } from '../engines/index.ts';
import type { Probe } from '../health/index.ts';
import type { Balancers } from '../records/index.ts';

import type { TrafficShifts } from './shifts.ts';
import type { BalancedTasks } from './tasks.ts';

/** An engine that this server tells what to do. */
export interface LocalEngine {
  /** The same after a restart: engines are known by it. */
  readonly id: string;
  /** Adopts the engine's process, or starts one. */
  readonly open: () => Promise<TrafficEngine>;
}

/** What carries the traffic of one account needs. */
export interface TrafficOptions {
  readonly account: string;
  readonly records: RecordStore;
  readonly balancers: Balancers;
  readonly networks: Networks;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly probe: Probe;
  readonly tasks: BalancedTasks;
  readonly shifts: TrafficShifts;
  /** A certificate with its key, or undefined when it is gone. */
  readonly certificate: (account: string, arn: string) => Promise<Certificate | undefined>;
  readonly timing?: Partial<TrafficTiming>;
}

/** Milliseconds. */
export interface TrafficTiming {
  /** Between an engine's reports while nothing happens. */
  readonly report: number;
  /** After which an engine that said nothing counts as gone. */
  readonly gone: number;
  /** How long a caller waits for engines. */
  readonly patience: number;
  /** Between commits of what engines have counted. */
  readonly numbers: number;
  /** Between looks at what still drains. */
  readonly drain: number;
}

export const defaultTiming: TrafficTiming = {
  report: 5_000,
  gone: 20_000,
  patience: 30_000,
  numbers: 5_000,
  drain: 100,
};
