import { verifyDelivery } from '@slipway/auth/kit';
import { expect, test } from 'vitest';

import { alarmSecret } from '../actions/index.ts';
import { alarmKeys, alarmsPartition } from '../store/index.ts';
import { account, arnOf, openAlarms, simple } from '../testing/open-alarms.ts';

const url = 'https://hooks.example.com/alarms';

/** Kinds and summaries, oldest first. */
async function historyOf(world: ReturnType<typeof openAlarms>): Promise<string[]> {
  const { AlarmHistoryItems } = await world.call('DescribeAlarmHistory', {
    ScanBy: 'TimestampAscending',
    AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
  });
  return AlarmHistoryItems.map(
    (item: { readonly AlarmName: string; readonly HistorySummary: string }) =>
      `${item.AlarmName}: ${item.HistorySummary}`,
  );
}

test('an alarm follows its metric, tells its webhook of each change, and says why', async () => {
  const world = openAlarms();
  await world.call('PutMetricAlarm', { ...simple, AlarmActions: [url], OKActions: [url] });
  const stop = await world.keep();
  await world.pass(60);
  await world.report(5);
  await world.pass(90);
  const [alarm] = (await world.call('DescribeAlarms', {})).MetricAlarms;
  expect(alarm).toMatchObject({ StateValue: 'ALARM' });
  expect(alarm.StateReason).toMatch(/^Threshold Crossed: 1 out of the last 1 datapoint \[5.0 \(01\/01\/24 /);
  expect(JSON.parse(alarm.StateReasonData)).toMatchObject({
    statistic: 'Average',
    recentDatapoints: [5],
    threshold: 3,
  });
  await world.report(1);
  await world.pass(90);
  expect(world.told.map(({ body }) => JSON.parse(body).NewStateValue)).toEqual(['ALARM', 'OK']);
  const [first] = world.told;
  const secret = await alarmSecret({ ...world, random: (size) => Buffer.alloc(size) }, account, 'load');
  const signed = { secret, id: first?.id ?? '', body: Buffer.from(first?.body ?? ''), now: world.clock.now() };
  expect(verifyDelivery(first?.signature, signed)).toBeDefined();
  expect(JSON.parse(first?.body ?? '')).toMatchObject({
    AlarmName: 'load',
    AlarmArn: arnOf('load'),
    OldStateValue: 'INSUFFICIENT_DATA',
    Trigger: { MetricName: 'load', Threshold: 3, Period: 60 },
  });
  await world.pass(300);
  expect(await world.stateOf('load')).toBe('INSUFFICIENT_DATA');
  expect(await historyOf(world)).toEqual([
    'load: Alarm "load" created',
    'load: Alarm updated from INSUFFICIENT_DATA to ALARM',
    `load: Successfully executed action ${url}`,
    'load: Alarm updated from ALARM to OK',
    `load: Successfully executed action ${url}`,
    'load: Alarm updated from OK to INSUFFICIENT_DATA',
  ]);
  await stop();
});

test('what happened while no server ran is seen in its order, once', async () => {
  const world = openAlarms();
  await world.call('PutMetricAlarm', { ...simple, Period: 10, AlarmActions: [url], TreatMissingData: 'notBreaching' });
  const stop = await world.keep();
  await world.pass(60);
  await world.report(1);
  await world.pass(20);
  expect(await world.stateOf('load')).toBe('OK');
  await stop();
  const before = (await historyOf(world)).length;
  await world.pass(10);
  await world.report(9);
  await world.pass(10);
  await world.report(1);
  await world.pass(30);
  expect((await historyOf(world)).length).toBe(before);
  const again = await world.keep();
  await world.pass(20);
  const changes = (await historyOf(world)).slice(before).filter((line) => line.includes('updated from'));
  expect(changes).toEqual(['load: Alarm updated from OK to ALARM', 'load: Alarm updated from ALARM to OK']);
  await again();
  const third = await world.keep();
  await world.pass(60);
  expect(world.told).toHaveLength(1);
  await third();
});

test('two servers fire once, and the other goes on when one ends', async () => {
  const world = openAlarms();
  await world.call('PutMetricAlarm', { ...simple, AlarmActions: [url] });
  const stops = [await world.keep(), await world.keep()];
  await world.pass(60);
  await world.report(5);
  await world.pass(90);
  expect(world.told).toHaveLength(1);
  await stops[0]?.();
  await world.report(1);
  await world.pass(120);
  expect(await world.stateOf('load')).toBe('OK');
  await stops[1]?.();
});

test('a state that was set by hand is told, and goes with the next evaluation', async () => {
  const world = openAlarms();
  await world.call('PutMetricAlarm', { ...simple, AlarmActions: [url] });
  const stop = await world.keep();
  await world.pass(90);
  await world.call('SetAlarmState', { AlarmName: 'load', StateValue: 'ALARM', StateReason: 'testing' });
  await world.pass(1);
  expect(world.told).toHaveLength(1);
  await world.pass(70);
  expect(await world.stateOf('load')).toBe('INSUFFICIENT_DATA');
  await stop();
});

test('an action that cannot be told is tried again as the same delivery, and given up in the end', async () => {
  const world = openAlarms();
  await world.call('PutMetricAlarm', { ...simple, TreatMissingData: 'ignore', AlarmActions: [url] });
  world.webhooks.answer = () => new Response('', { status: 503 });
  const stop = await world.keep();
  await world.call('SetAlarmState', { AlarmName: 'load', StateValue: 'ALARM', StateReason: 'testing' });
  await world.pass(25);
  expect(world.told).toHaveLength(2);
  await stop();
  const again = await world.keep();
  await world.pass(3600);
  expect(world.told).toHaveLength(10);
  expect(new Set(world.told.map(({ id }) => id)).size).toBe(1);
  expect(await historyOf(world)).toContain(
    `load: Failed to execute action ${url}. Received error: "It answered with HTTP status 503."`,
  );
  await again();
});

test('a slow webhook of one alarm keeps no other from being told', async () => {
  const world = openAlarms();
  for (const AlarmName of ['load', 'other'])
    await world.call('PutMetricAlarm', { ...simple, AlarmName, AlarmActions: [`${url}/${AlarmName}`] });
  let release: () => void = () => {};
  world.webhooks.answer = () =>
    world.told.length === 1 ? new Promise((resolve) => (release = () => resolve(new Response('')))) : new Response('');
  const stop = await world.keep();
  for (const AlarmName of ['load', 'other'])
    await world.call('SetAlarmState', { AlarmName, StateValue: 'ALARM', StateReason: 'testing' });
  await world.pass(1);
  expect(world.told.map((one) => one.url)).toEqual([`${url}/load`, `${url}/other`]);
  release();
  await world.pass(1);
  expect((await historyOf(world)).filter((line) => line.includes('Successfully'))).toHaveLength(2);
  await stop();
});

test('alarms whose actions are switched off change in silence', async () => {
  const world = openAlarms();
  await world.call('PutMetricAlarm', { ...simple, AlarmActions: [url], ActionsEnabled: false });
  const stop = await world.keep();
  await world.call('SetAlarmState', { AlarmName: 'load', StateValue: 'ALARM', StateReason: 'testing' });
  await world.pass(1);
  expect(world.told).toEqual([]);
  await stop();
});

test('a composite alarm follows its children at once, over several levels; one that was set stays until a child changes', async () => {
  const world = openAlarms();
  for (const AlarmName of ['a', 'b'])
    await world.call('PutMetricAlarm', { ...simple, AlarmName, TreatMissingData: 'ignore' });
  await world.call('PutCompositeAlarm', { AlarmName: 'both', AlarmRule: 'ALARM(a) AND ALARM(b)', AlarmActions: [url] });
  await world.call('PutCompositeAlarm', { AlarmName: 'top', AlarmRule: 'NOT OK(both)' });
  const stop = await world.keep();
  const set = (AlarmName: string, StateValue: string): Promise<unknown> =>
    world.call('SetAlarmState', { AlarmName, StateValue, StateReason: 'testing' });
  await world.pass(1);
  expect(await Promise.all([world.stateOf('both'), world.stateOf('top')])).toEqual(['OK', 'OK']);
  await set('a', 'ALARM');
  await world.pass(1);
  expect(await world.stateOf('both')).toBe('OK');
  await set('b', 'ALARM');
  await world.pass(1);
  expect(await Promise.all([world.stateOf('both'), world.stateOf('top')])).toEqual(['ALARM', 'ALARM']);
  const [both] = (await world.call('DescribeAlarms', { AlarmTypes: ['CompositeAlarm'] })).CompositeAlarms;
  expect(both.StateReason).toContain(`${arnOf('b')} transitioned to ALARM at `);
  expect(world.told.map(({ body }) => JSON.parse(body).AlarmRule)).toEqual(['ALARM(a) AND ALARM(b)']);
  await set('both', 'OK');
  await world.pass(120);
  expect(await world.stateOf('both')).toBe('OK');
  await set('a', 'OK');
  await world.pass(1);
  await set('a', 'ALARM');
  await world.pass(1);
  expect(await world.stateOf('both')).toBe('ALARM');
  await stop();
});

test('a period of five minutes is looked at each minute, over the last five', async () => {
  const world = openAlarms();
  await world.call('PutMetricAlarm', { ...simple, Period: 300, Statistic: 'Sum', Threshold: 8 });
  const stop = await world.keep();
  await world.pass(120);
  for (let minute = 0; minute < 3; minute++) {
    await world.report(3);
    await world.pass(60);
  }
  await world.pass(15);
  // 9 in three minutes of a window that no multiple of five minutes begins.
  expect(await world.stateOf('load')).toBe('ALARM');
  await stop();
});

test('an alarm on metric math follows what its expression comes to', async () => {
  const world = openAlarms();
  const { MetricName, Namespace, Period, Statistic: Stat, ...rest } = simple;
  const metric = { Id: 'm1', ReturnData: false, MetricStat: { Metric: { MetricName, Namespace }, Period, Stat } };
  await world.call('PutMetricAlarm', { ...rest, Metrics: [metric, { Id: 'e1', Expression: 'm1 * 10' }] });
  const stop = await world.keep();
  await world.pass(60);
  await world.report(0.2);
  await world.pass(90);
  expect(await world.stateOf('load')).toBe('OK');
  await world.report(0.4);
  await world.pass(90);
  expect(await world.stateOf('load')).toBe('ALARM');
  const [alarm] = (await world.call('DescribeAlarms', {})).MetricAlarms;
  expect(alarm.Metrics[1]).toEqual({ Id: 'e1', Expression: 'm1 * 10', ReturnData: true });
  await stop();
});

test('what is older than 30 days goes from the history', async () => {
  const world = openAlarms();
  await world.call('PutMetricAlarm', simple);
  const old = { alarm: 'load', composite: false, kind: 'Action', summary: 'old', data: '{}' };
  for (const days of [29, 31]) {
    const at = world.clock.now() - days * 86_400_000;
    const key = alarmKeys.historyItem(at, String(days));
    await world.records.commit(alarmsPartition(account), {
      put: [{ key, value: { ...old, at, summary: `${days} days` } }],
    });
  }
  const stop = await world.keep();
  await world.pass(20);
  expect(await historyOf(world)).toEqual(['load: 29 days', 'load: Alarm "load" created']);
  await stop();
});
