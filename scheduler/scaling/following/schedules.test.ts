import { describe, expect, test } from 'vitest';

import { openGroups } from '../testing/group-bench.ts';
import { nextOfRecurrence, parseRecurrence } from './recurrence.ts';

const next = (text: string, after: string, zone?: string): string | undefined => {
  const at = nextOfRecurrence(parseRecurrence(text, zone), { createdAt: 0 }, Date.parse(after));
  return at === undefined ? undefined : new Date(at).toISOString();
};

test.each([
  ['0 6 * * *', '2026-06-15T12:00:00Z', undefined, '2026-06-16T06:00:00.000Z'],
  ['0 6 * * 0', '2026-06-15T12:00:00Z', undefined, '2026-06-21T06:00:00.000Z'],
  ['0 6 * * 7', '2026-06-15T12:00:00Z', undefined, '2026-06-21T06:00:00.000Z'],
  ['0 6 * * 6-7', '2026-06-20T12:00:00Z', undefined, '2026-06-21T06:00:00.000Z'],
  ['0 6 * * MON-FRI', '2026-06-19T12:00:00Z', undefined, '2026-06-22T06:00:00.000Z'],
  ['0 6 * * 1/2', '2026-06-15T12:00:00Z', undefined, '2026-06-17T06:00:00.000Z'],
  // Of both day fields, the day that is one of either.
  ['0 6 1 * 2', '2026-06-29T12:00:00Z', undefined, '2026-06-30T06:00:00.000Z'],
  ['0 6 1 * 2', '2026-06-30T12:00:00Z', undefined, '2026-07-01T06:00:00.000Z'],
  ['30 6 1 JAN *', '2026-06-15T12:00:00Z', undefined, '2027-01-01T06:30:00.000Z'],
  ['0 6 * * *', '2026-06-15T12:00:00Z', 'Europe/Berlin', '2026-06-16T04:00:00.000Z'],
  ['0 22 29 2 *', '2026-06-15T12:00:00Z', 'Europe/Berlin', '2028-02-29T21:00:00.000Z'],
])('%s is due after %s in %s at %s', (text, after, zone, expected) => {
  expect(next(text, after, zone)).toBe(expected);
});

test.each([
  ['0 6 * *', undefined, /has five fields .* and not 4/],
  ['0 6 * * 8', undefined, /'8' is no day of week/],
  ['0 25 * * *', undefined, /hours/],
  ['0 6 L * *', undefined, /'L' is nothing that cron has/],
  ['0 6 * * *', 'Moon', /'Moon' is no time zone/],
])('%s in %s is refused', (text, zone, refusal) => {
  expect(() => parseRecurrence(text, zone)).toThrow(refusal);
});

const named = { AutoScalingGroupName: 'web', ScheduledActionName: 'morning' };
const morning = { ...named, Recurrence: '0 13 * * *', MinSize: 1, MaxSize: 3, DesiredCapacity: 2 };

async function open() {
  const bench = await openGroups();
  await bench.template();
  await bench.group();
  const put = (input: object): Promise<unknown> => bench.api.call('PutScheduledUpdateGroupAction', input);
  const shown = async () => (await bench.api.call('DescribeScheduledActions', {})).ScheduledUpdateGroupActions;
  return { ...bench, put, shown };
}

describe('scheduled actions of groups', () => {
  test('are shown, changed, run again and again, and deleted', async () => {
    const bench = await open();
    await bench.put(morning);
    expect(await bench.shown()).toMatchObject([
      {
        ...morning,
        ScheduledActionARN: expect.stringMatching(
          /:scheduledUpdateGroupAction:[0-9a-f-]{36}:autoScalingGroupName\/web:scheduledActionName\/morning$/,
        ),
        StartTime: new Date('2026-06-15T13:00:00Z'),
      },
    ]);
    await bench.look();
    expect(await bench.described()).toMatchObject({ MinSize: 0, DesiredCapacity: 0 });
    bench.clock.at = Date.parse('2026-06-15T13:00:00Z');
    await bench.look();
    expect(await bench.described()).toMatchObject({ MinSize: 1, MaxSize: 3, DesiredCapacity: 2 });
    expect((await bench.activities())[0]?.Cause).toMatch(
      /a scheduled action update of AutoScalingGroup constraints to min: 1, max: 3, desired: 2 changing the desired capacity from 0 to 2/,
    );
    // A change keeps what it does not name.
    await bench.put({ ...named, MaxSize: 4 });
    expect(await bench.shown()).toMatchObject([
      { ...morning, MaxSize: 4, StartTime: new Date('2026-06-16T13:00:00Z') },
    ]);
    await bench.api.call('DeleteScheduledAction', named);
    expect(await bench.shown()).toEqual([]);
    expect(await bench.api.refusal('DeleteScheduledAction', named)).toBe(
      'ValidationError: Scheduled action name not found: morning',
    );
  });

  test('that run once are gone afterwards, and those of a suspended process change nothing', async () => {
    const bench = await open();
    await bench.put({ ...named, StartTime: new Date('2026-06-15T12:30:00Z'), DesiredCapacity: 1 });
    bench.clock.at = Date.parse('2026-06-15T12:30:00Z');
    await bench.look();
    expect(await bench.described()).toMatchObject({ DesiredCapacity: 1 });
    expect(await bench.shown()).toEqual([]);
    await bench.put({ ...named, StartTime: new Date('2026-06-15T13:30:00Z'), DesiredCapacity: 2 });
    await bench.api.call('SuspendProcesses', { AutoScalingGroupName: 'web', ScalingProcesses: ['ScheduledActions'] });
    bench.clock.at = Date.parse('2026-06-15T13:30:00Z');
    await bench.look();
    expect(await bench.described()).toMatchObject({ DesiredCapacity: 1 });
    expect(await bench.shown()).toEqual([]);
  });

  test('that were all missed leave the group as the last of them would have', async () => {
    const bench = await open();
    await bench.put({ ...named, ScheduledActionName: 'day', Recurrence: '0 8 * * *', DesiredCapacity: 3 });
    await bench.put({ ...named, ScheduledActionName: 'night', Recurrence: '0 20 * * *', DesiredCapacity: 1 });
    // Nobody led from noon until the evening of the next day: the night was due before the day, and after it again.
    bench.clock.at = Date.parse('2026-06-16T21:00:00Z');
    await bench.look();
    expect(await bench.described()).toMatchObject({ DesiredCapacity: 1 });
    bench.clock.at = Date.parse('2026-06-17T09:00:00Z');
    await bench.look();
    expect(await bench.described()).toMatchObject({ DesiredCapacity: 3 });
  });

  test('that contradict the bounds of then change nothing, and say so', async () => {
    const bench = await open();
    await bench.put({ ...named, StartTime: new Date('2026-06-15T12:30:00Z'), MinSize: 9 });
    bench.clock.at = Date.parse('2026-06-15T12:30:00Z');
    await bench.look();
    expect(await bench.described()).toMatchObject({ MinSize: 0, MaxSize: 4 });
    expect((await bench.activities())[0]).toMatchObject({
      StatusCode: 'Failed',
      StatusMessage: 'The scheduled action morning would set min: 9, max: 4, desired: 4, which contradict each other.',
    });
  });

  test('are put and deleted several at once, each with its own error', async () => {
    const bench = await open();
    const { FailedScheduledUpdateGroupActions } = await bench.api.call('BatchPutScheduledUpdateGroupAction', {
      AutoScalingGroupName: 'web',
      ScheduledUpdateGroupActions: [
        { ScheduledActionName: 'a', Recurrence: '0 1 * * *', MinSize: 1 },
        { ScheduledActionName: 'b', Recurrence: '0 1 * * *', MinSize: 2 },
        { ScheduledActionName: 'c', Recurrence: 'never', MinSize: 2 },
      ],
    });
    expect(FailedScheduledUpdateGroupActions).toMatchObject([
      { ScheduledActionName: 'b', ErrorCode: 'AlreadyExists' },
      { ScheduledActionName: 'c', ErrorCode: 'ValidationError' },
    ]);
    const { FailedScheduledActions } = await bench.api.call('BatchDeleteScheduledAction', {
      AutoScalingGroupName: 'web',
      ScheduledActionNames: ['a', 'none'],
    });
    expect(FailedScheduledActions).toMatchObject([{ ScheduledActionName: 'none', ErrorCode: 'ValidationError' }]);
    expect(await bench.shown()).toEqual([]);
  });

  test('are no longer those of a group that is made anew under its name', async () => {
    const bench = await open();
    await bench.put(morning);
    await bench.api.call('DeleteAutoScalingGroup', { AutoScalingGroupName: 'web', ForceDelete: true });
    await bench.look();
    await bench.group();
    expect(await bench.shown()).toEqual([]);
    bench.clock.at = Date.parse('2026-06-15T13:00:00Z');
    await bench.look();
    expect(await bench.described()).toMatchObject({ DesiredCapacity: 0 });
  });

  test.each([
    [{ AutoScalingGroupName: 'none' }, /AutoScalingGroup 'none' not found/],
    [{ Recurrence: undefined }, /^ValidationError: StartTime or Recurrence must be specified/],
    [
      { Recurrence: undefined, StartTime: new Date('2026-06-15T11:00:00Z') },
      /^ValidationError: Given start time is in the past$/,
    ],
    [{ EndTime: new Date('2026-06-15T12:30:00Z') }, /no time before EndTime/],
    [
      { MinSize: undefined, MaxSize: undefined, DesiredCapacity: undefined },
      /At least one of MinSize, MaxSize and Desired/,
    ],
    [{ MinSize: 4 }, /MinSize, 4, must not be greater than MaxSize, 3/],
    [{ DesiredCapacity: 7 }, /DesiredCapacity, 7, must be between/],
    [{ Recurrence: '* * *' }, /^ValidationError: Recurrence: .*five fields/],
    [{ MaxSize: 1001 }, /^ValidationError: .*'maxSize'.*less than or equal to 1000/],
  ])('%j is refused', async (wrong, refusal) => {
    const bench = await open();
    const input = Object.fromEntries(
      Object.entries({ ...morning, ...wrong }).filter(([, value]) => value !== undefined),
    );
    expect(await bench.api.refusal('PutScheduledUpdateGroupAction', input)).toMatch(refusal);
  });
});
