import { describe, expect, test } from 'vitest';
import { openScaling } from '../testing/scaling-bench.ts';

const target = { MinCapacity: 1, MaxCapacity: 10 };

describe('scheduled actions', () => {
  test('set the bounds at their time, move a count that lies outside, and tell of it', async () => {
    const bench = await openScaling();
    await bench.on('RegisterScalableTarget', target);
    await bench.on('PutScheduledAction', {
      ScheduledActionName: 'morning',
      Schedule: 'cron(0 8 * * ? *)',
      Timezone: 'Europe/Berlin',
      ScalableTargetAction: { MinCapacity: 5 },
    });
    await bench.on('PutScheduledAction', {
      ScheduledActionName: 'night',
      Schedule: 'cron(0 22 * * ? *)',
      Timezone: 'Europe/Berlin',
      ScalableTargetAction: { MinCapacity: 0, MaxCapacity: 3 },
    });
    await bench.look('2026-06-15T19:59:59Z');
    expect((await bench.service())?.desiredCount).toBe(2);
    await bench.look('2026-06-15T20:00:05Z');
    expect((await bench.service())?.desiredCount).toBe(2);
    const [registered] = (await bench.call('DescribeScalableTargets', { ServiceNamespace: 'ecs' })).ScalableTargets;
    expect(registered).toMatchObject({ MinCapacity: 0, MaxCapacity: 3 });
    // Above the maximum of the night: the action of the morning cannot hold, and says so.
    await bench.look('2026-06-16T06:00:01Z');
    expect((await bench.activities())[0]).toMatchObject({
      StatusCode: 'Failed',
      Cause: 'the scheduled action would set a minimum capacity of 5 above a maximum capacity of 3',
    });
    await bench.on('PutScheduledAction', {
      ScheduledActionName: 'morning',
      ScalableTargetAction: { MinCapacity: 5, MaxCapacity: 9 },
    });
    await bench.look('2026-06-17T06:00:01Z');
    expect((await bench.service())?.desiredCount).toBe(5);
    expect((await bench.activities())[0]).toMatchObject({
      StatusCode: 'Successful',
      Description: 'Setting desired count to 5.',
      Cause: 'minimum capacity was set to 5',
      StatusMessage: 'Successfully set desired count to 5. Change successfully fulfilled by ecs.',
      ResourceId: 'service/default/web',
    });
    expect(bench.lines.at(-1)).toEqual({
      message: 'ran a scheduled scaling action',
      fields: {
        cluster: 'default',
        service: 'web',
        action: 'morning',
        reason: 'minimum capacity was set to 5',
        desired: 5,
      },
    });
  });

  test('begin no deployment', async () => {
    const bench = await openScaling();
    await bench.on('RegisterScalableTarget', target);
    await bench.on('PutScheduledAction', {
      ScheduledActionName: 'once',
      Schedule: 'at(2026-06-15T13:00:00)',
      ScalableTargetAction: { MinCapacity: 4 },
    });
    const before = await bench.service();
    await bench.look('2026-06-15T13:00:00Z');
    const after = await bench.service();
    expect(after).toEqual({ ...before, desiredCount: 4, version: (before?.version ?? 0) + 1 });
  });

  test('that were missed run once, in the order of their times, and do not run again', async () => {
    const bench = await openScaling();
    await bench.on('RegisterScalableTarget', target);
    const at = (name: string, schedule: string, MinCapacity: number): Promise<unknown> =>
      bench.on('PutScheduledAction', {
        ScheduledActionName: name,
        Schedule: schedule,
        ScalableTargetAction: { MinCapacity, MaxCapacity: MinCapacity },
      });
    await at('a', 'rate(1 hour)', 3);
    await at('b', 'at(2026-06-15T15:30:00)', 7);
    await bench.look('2026-06-15T18:30:00Z');
    expect((await bench.activities()).map(({ Description }) => Description)).toEqual([
      'Setting desired count to 3.',
      'Setting desired count to 7.',
    ]);
    await bench.setDesired(8);
    await bench.look('2026-06-15T18:59:59Z');
    expect((await bench.service())?.desiredCount).toBe(8);
    await bench.look('2026-06-15T19:00:00Z');
    expect((await bench.service())?.desiredCount).toBe(3);
  });

  test('that fall into a suspension are not made up for', async () => {
    const bench = await openScaling();
    await bench.on('RegisterScalableTarget', { ...target, SuspendedState: { ScheduledScalingSuspended: true } });
    await bench.on('PutScheduledAction', {
      ScheduledActionName: 'once',
      Schedule: 'at(2026-06-15T13:00:00)',
      ScalableTargetAction: { MinCapacity: 4 },
    });
    await bench.look('2026-06-15T13:00:00Z');
    await bench.on('RegisterScalableTarget', { SuspendedState: { ScheduledScalingSuspended: false } });
    await bench.look('2026-06-15T13:05:00Z');
    expect((await bench.service())?.desiredCount).toBe(2);
    expect(await bench.activities()).toEqual([]);
  });

  test('go with their service', async () => {
    const bench = await openScaling();
    await bench.on('RegisterScalableTarget', target);
    await bench.on('PutScheduledAction', {
      ScheduledActionName: 'once',
      Schedule: 'at(2026-06-15T13:00:00)',
      ScalableTargetAction: { MinCapacity: 4 },
    });
    await bench.end();
    await bench.look('2026-06-15T13:00:00Z');
    expect((await bench.call('DescribeScalableTargets', { ServiceNamespace: 'ecs' })).ScalableTargets).toEqual([]);
    expect((await bench.call('DescribeScheduledActions', { ServiceNamespace: 'ecs' })).ScheduledActions).toEqual([]);
  });

  test('activities are told of for six weeks', async () => {
    const bench = await openScaling();
    await bench.on('RegisterScalableTarget', target);
    await bench.on('PutScheduledAction', {
      ScheduledActionName: 'once',
      Schedule: 'at(2026-06-15T13:00:00)',
      ScalableTargetAction: { MinCapacity: 4 },
    });
    await bench.look('2026-06-15T13:00:00Z');
    await bench.look('2026-07-27T12:59:59Z');
    expect(await bench.activities()).toHaveLength(1);
    await bench.look('2026-07-27T13:00:01Z');
    expect(await bench.activities()).toEqual([]);
  });
});
