import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { expect, test } from 'vitest';

import type { ControlPlane } from '../control/index.ts';
import {
  clusterKeys,
  clusterPartition,
  type MeasuredRecord,
  type ShiftLiveRecord,
  type ShiftRecord,
  toJson,
} from '../state/index.ts';

import { trafficShifts } from './traffic-shifts.ts';

const account = '000000000000';
const partition = clusterPartition(account, 'default');

/** A service in a deployment whose steps are judged. */
const judged = {
  status: 'ACTIVE',
  judge: {},
  deployments: [
    { status: 'PRIMARY', cause: { kind: 'api' }, shifting: { stage: 'SCALE_UP', strategy: { type: 'CANARY' } } },
    { status: 'ACTIVE', completedAt: 1 },
  ],
};

/** A cluster with services by name: whether a deployment of theirs shifts traffic. @param more of each service */
function openShifts(services: Readonly<Record<string, boolean>>, more: object = {}) {
  const records = memoryRecords(systemClock);
  const view = {
    account,
    name: 'default',
    services: new Map(
      Object.entries(services).map(([name, shifts]) => [
        name,
        { value: { name, deployments: [{}, shifts ? { shifting: {} } : {}], ...more } },
      ]),
    ),
  };
  const control = {
    clusters: () => [{ view }, { view: { ...view, account: '111111111111' } }],
    view: () => Promise.resolve(view),
  } as unknown as Pick<ControlPlane, 'clusters' | 'view'>;
  const shifts = trafficShifts(records, control);
  const want = (service: string, sequence: number) => {
    const value: ShiftRecord = { service, sequence, rules: [] };
    return records.commit(partition, { put: [{ key: clusterKeys.shift(service), value: toJson(value) }] });
  };
  const live = (sequence: number, more: Partial<ShiftLiveRecord> = {}): ShiftLiveRecord => ({
    service: 'web',
    sequence,
    epoch: 1,
    at: 1_000,
    ...more,
  });
  const noted = async () => (await records.get<ShiftLiveRecord>(partition, clusterKeys.shiftLive('web')))?.value;
  return { records, shifts, want, live, noted };
}

test('what services want is read where a deployment shifts traffic, with what came of it', async () => {
  const { shifts, want, live } = openShifts({ web: true, plain: false, none: true });
  for (const name of ['web', 'plain']) await want(name, 3);
  await shifts.note(account, 'default', live(3));
  expect(await shifts.read(account)).toEqual([
    {
      cluster: 'default',
      wanted: { service: 'web', sequence: 3, rules: [] },
      live: live(3),
      isMeasured: false,
      measured: undefined,
    },
  ]);
});

test('nothing is noted for a sequence that is not wanted any more, or over what a later leader wrote', async () => {
  const { records, shifts, want, live, noted } = openShifts({ web: true });
  const note = async (record: ShiftLiveRecord): Promise<ShiftLiveRecord | undefined> => {
    await shifts.note(account, 'default', record);
    return noted();
  };
  expect(await note(live(1))).toBeUndefined();
  await want('web', 1);
  expect(await note(live(1))).toEqual(live(1));
  await want('web', 2);
  expect(await note(live(1, { at: 2_000 }))).toEqual(live(1));
  const problem = { sequence: 1, reason: 'no memory' };
  expect(await note(live(1, { problem }))).toEqual(live(1));
  const waits = live(1, { problem: { ...problem, sequence: 2 }, epoch: 2 });
  expect(await note(waits)).toEqual(waits);
  expect(await note(live(2))).toEqual(waits);
  expect(await note(live(2, { epoch: 2 }))).toEqual(live(2, { epoch: 2 }));
  await records.commit(partition, { remove: [clusterKeys.shift('web')] });
  expect(await note(live(2, { epoch: 3 }))).toEqual(live(2, { epoch: 2 }));
});

test('what engines have counted is written in the same way, and read with the rest', async () => {
  const { records, shifts, want } = openShifts({ web: true }, judged);
  const counted = (sequence: number, epoch = 1): MeasuredRecord => ({
    service: 'web',
    epoch,
    sequence,
    engines: {},
    sums: {},
    before: {},
    bounds: [1],
    at: 1_000,
  });
  const tell = async (record: MeasuredRecord): Promise<unknown> => {
    await shifts.tell(account, 'default', record);
    return (await records.get<MeasuredRecord>(partition, clusterKeys.measured('web')))?.value;
  };
  expect(await tell(counted(1))).toBeUndefined();
  await want('web', 1);
  expect(await tell(counted(1, 2))).toEqual(counted(1, 2));
  expect(await tell({ ...counted(1), at: 2_000 })).toEqual(counted(1, 2));
  await want('web', 2);
  expect(await tell(counted(1, 3))).toEqual(counted(1, 2));
  expect(await tell(counted(2, 3))).toEqual(counted(2, 3));
  expect(await shifts.read(account)).toMatchObject([{ isMeasured: true, measured: { sequence: 2, epoch: 3 } }]);
  // Nobody reads it on when the deployment is over.
  const over = openShifts({ web: true });
  await over.want('web', 1);
  await over.shifts.tell(account, 'default', counted(1));
  expect(await over.shifts.read(account)).toMatchObject([{ isMeasured: false, measured: undefined }]);
});
