import { systemClock } from '@slipway/storage/clock';
import { checkpoint, memoryData, memoryRecords } from '@slipway/storage/records/memory';
import { expect, test, vi } from 'vitest';

import { accountKeys, accountPartition } from '../state/index.ts';
import { ClusterViews } from '../views/index.ts';
import { Definitions } from './definitions.ts';

const account = '000000000000';
const log = { info: () => {}, warn: () => {}, error: () => {} };
const arn = `arn:aws:ecs:us-east-1:${account}:task-definition/web:1`;

test('a revision that a store lost and gave out again is what was registered last', async () => {
  const data = memoryData();
  const records = memoryRecords(systemClock, data);
  const register = (image: string): Promise<unknown> =>
    records.commit(accountPartition(account), {
      put: [{ key: accountKeys.taskDefinition('web', 1), value: { arn, image } }],
    });
  const definitions = new Definitions(records);
  const views = new ClusterViews({ records, clock: systemClock, log, placement: { seed: 1 } });
  const { feed, release } = views.hold(account, 'default');
  feed.whenDoubted(() => definitions.forget());
  try {
    await feed.first;
    const lose = checkpoint(data);
    await register('api');
    expect(await definitions.find(account, arn)).toMatchObject({ image: 'api' });
    lose();
    await register('job');
    await vi.waitFor(async () => expect(await definitions.find(account, arn)).toMatchObject({ image: 'job' }), {
      timeout: 30_000,
    });
  } finally {
    await release();
  }
});

test('what is being read while everything is forgotten is not kept', async () => {
  const answers = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()];
  let asked = 0;
  const definitions = new Definitions({ get: () => answers[asked++]!.promise } as never);
  const first = definitions.find(account, arn);
  definitions.forget();
  answers[0]!.resolve({ value: { image: 'lost' } });
  expect(await first).toEqual({ image: 'lost' });
  const second = definitions.find(account, arn);
  answers[1]!.resolve({ value: { image: 'there' } });
  expect(await second).toEqual({ image: 'there' });
  expect(await definitions.find(account, arn)).toEqual({ image: 'there' });
  expect(asked).toBe(2);
});
