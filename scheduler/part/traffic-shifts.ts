import { type RecordStore, transact } from '@slipway/storage/records';

import type { TrafficShifts, WantedShift } from '../balancing/traffic/index.ts';
import type { ControlPlane } from '../control/index.ts';
import { isMeasured } from '../deployments/index.ts';
import {
  clusterKeys,
  clusterPartition,
  type MeasuredRecord,
  type ShiftLiveRecord,
  type ShiftRecord,
  toJson,
} from '../state/index.ts';

/** What services of the clusters that this server follows want of the rules of load balancers, and are told of it. */
export function trafficShifts(records: RecordStore, control: Pick<ControlPlane, 'clusters' | 'view'>): TrafficShifts {
  return {
    async read(account) {
      const names = control.clusters().flatMap(({ view }) => (view.account === account ? [view.name] : []));
      return (await Promise.all(names.map((name) => wantedOf(account, name)))).flat();
    },
    note: (account, cluster, live) =>
      transact(
        records,
        clusterPartition(account, cluster),
        async (tx) => {
          const wanted = await tx.get<ShiftRecord>(clusterKeys.shift(live.service));
          const before = await tx.get<ShiftLiveRecord>(clusterKeys.shiftLive(live.service));
          const isStale = before !== undefined && before.epoch > live.epoch;
          if (isStale || wanted?.sequence !== (live.problem?.sequence ?? live.sequence)) return;
          tx.put(clusterKeys.shiftLive(live.service), toJson(live));
        },
        { attempts: 20 },
      ),
    tell: (account, cluster, measured) =>
      transact(
        records,
        clusterPartition(account, cluster),
        async (tx) => {
          const wanted = await tx.get<ShiftRecord>(clusterKeys.shift(measured.service));
          const before = await tx.get<MeasuredRecord>(clusterKeys.measured(measured.service));
          const isStale = before !== undefined && before.epoch > measured.epoch;
          if (isStale || wanted?.sequence !== measured.sequence) return;
          tx.put(clusterKeys.measured(measured.service), toJson(measured));
        },
        { attempts: 20 },
      ),
  };

  async function wantedOf(account: string, cluster: string): Promise<readonly WantedShift[]> {
    const view = await control.view(account, cluster);
    const services = [...(view?.services.values() ?? [])]
      .filter(({ value }) => value.deployments.some(({ shifting }) => shifting !== undefined))
      .map(({ value }) => value);
    if (services.length === 0) return [];
    // What was counted stays after a deployment, and is asked for at every look: only where somebody needs it.
    const keys = services.flatMap((service) => [
      clusterKeys.shift(service.name),
      clusterKeys.shiftLive(service.name),
      ...(isMeasured(service) ? [clusterKeys.measured(service.name)] : []),
    ]);
    const rows = await records.getMany(clusterPartition(account, cluster), keys);
    return services.flatMap((service): WantedShift[] => {
      const { name } = service;
      const wanted = rows.get(clusterKeys.shift(name))?.value as ShiftRecord | undefined;
      const live = rows.get(clusterKeys.shiftLive(name))?.value as ShiftLiveRecord | undefined;
      const measured = rows.get(clusterKeys.measured(name))?.value as MeasuredRecord | undefined;
      return wanted === undefined ? [] : [{ cluster, wanted, live, isMeasured: isMeasured(service), measured }];
    });
  }
}
