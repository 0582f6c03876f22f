import type { Log } from '@slipway/auth/contract';
import { transact, type Transaction } from '@slipway/storage/records';

import type { Led } from '../../control/index.ts';
import type { GroupRates } from '../../balancing/numbers/index.ts';
import { changeServiceWithin } from '../../services/index.ts';
import type { Alarms, PointReader } from '../../signals/alarms/index.ts';
import type { MetricStore } from '../../signals/metrics/index.ts';
import type { Readings } from '../../signals/usage/index.ts';
import { clusterPartition } from '../../state/index.ts';
import type { PolicyPorts } from './policies.ts';

/** What is measured of services as it comes in. */
export interface FreshNumbers {
  readonly readings: Pick<Readings, 'read' | 'want' | 'forget'>;
  /** How often a target group was asked in the last looks, or undefined. */
  rates(account: string, group: string, looks: number): GroupRates | undefined;
}

/** What scaling works with. */
export interface ScalerPorts extends PolicyPorts {
  readonly log: Log;
  readonly alarms: PolicyPorts['alarms'] & Pick<Alarms, 'all'>;
  /** The datapoints of alarms. */
  readonly points: PointReader;
  readonly fresh: FreshNumbers;
  /** What was measured of services, for forecasts. */
  readonly metrics: Pick<MetricStore, 'read'>;
}

/** Sets the count of a service within a commit: as UpdateService does, no deployment begins. */
export const setDesired = (tx: Transaction, service: string, desired: number, now: number): Promise<unknown> =>
  changeServiceWithin(
    tx,
    service,
    (before) => ({ ...before, desiredCount: desired, steady: false, version: before.version + 1 }),
    now,
  );

/** One commit in the cluster's partition, under the fence of its leader. @throws StaleEpoch */
export const commit = <T>(
  { records }: ScalerPorts,
  { view, held }: Led,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> => transact(records, clusterPartition(view.account, view.name), work, { fence: held, attempts: 100 });
