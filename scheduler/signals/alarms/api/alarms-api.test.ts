import { fill, watchLists } from '@slipway/storage/records/testing';
import { describe, expect, test } from 'vitest';

import { mostAlarms } from '../store/index.ts';
import { alarmKeys, alarmsPartition } from '../store/keys.ts';
import { account, arnOf, openAlarms, simple } from '../testing/open-alarms.ts';

interface Named {
  readonly AlarmName: string;
}
const webhook = 'https://hooks.example.com/alarms';
const webhookArn = `arn:aws:slipway:us-east-1:${account}:webhook/${webhook}`;

describe('metric alarms', () => {
  test('are made, described as they are, changed without their state, and deleted', async () => {
    const { call, clock } = openAlarms();
    const given = {
      ...simple,
      AlarmDescription: 'too much',
      AlarmActions: [webhook],
      OKActions: [webhookArn],
      Dimensions: [{ Name: 'Service', Value: 'web' }],
      EvaluationPeriods: 3,
      DatapointsToAlarm: 2,
      TreatMissingData: 'breaching',
      Unit: 'Percent',
      Tags: [{ Key: 'team', Value: 'blue' }],
    };
    await call('PutMetricAlarm', given);
    const { MetricAlarms, CompositeAlarms } = await call('DescribeAlarms', {});
    const { Tags, ...shown } = given;
    const seconds = clock.now() / 1000;
    expect(CompositeAlarms).toEqual([]);
    expect(MetricAlarms).toEqual([
      {
        ...shown,
        AlarmArn: arnOf('load'),
        ActionsEnabled: true,
        InsufficientDataActions: [],
        StateValue: 'INSUFFICIENT_DATA',
        StateReason: 'Unchecked: Initial alarm creation',
        AlarmConfigurationUpdatedTimestamp: seconds,
        StateUpdatedTimestamp: seconds,
        StateTransitionedTimestamp: seconds,
      },
    ]);
    expect(await call('ListTagsForResource', { ResourceARN: arnOf('load') })).toEqual({ Tags });
    await call('SetAlarmState', { AlarmName: 'load', StateValue: 'ALARM', StateReason: 'testing' });
    await call('PutMetricAlarm', { ...simple, Statistic: undefined, ExtendedStatistic: 'p99' });
    const [changed] = (await call('DescribeAlarms', {})).MetricAlarms;
    expect(changed).toMatchObject({ StateValue: 'ALARM', StateReason: 'testing', ExtendedStatistic: 'p99' });
    expect(changed).not.toHaveProperty('DatapointsToAlarm');
    await call('DeleteAlarms', { AlarmNames: ['load'] });
    expect((await call('DescribeAlarms', {})).MetricAlarms).toEqual([]);
  });

  test('on one metric may be asked for by Metrics', async () => {
    const { call, refusal } = openAlarms();
    const { MetricName, Namespace, Statistic: Stat, Period, ...rest } = simple;
    const query = { Id: 'm1', MetricStat: { Metric: { MetricName, Namespace }, Stat, Period } };
    await call('PutMetricAlarm', { ...rest, Metrics: [query] });
    const [alarm] = (await call('DescribeAlarms', {})).MetricAlarms;
    expect(alarm.Metrics).toEqual([
      {
        ...query,
        ReturnData: true,
        MetricStat: { ...query.MetricStat, Metric: { MetricName, Namespace, Dimensions: [] } },
      },
    ]);
    expect(alarm).not.toHaveProperty('MetricName');
    const put = (Metrics: object[], more: object = {}): Promise<string> =>
      refusal('PutMetricAlarm', { ...rest, Metrics, ...more });
    expect(await put([query, { ...query, Id: 'm2' }])).toContain(
      'Exactly one query of Metrics must have ReturnData true',
    );
    expect(await put([query, { ...query, ReturnData: false }])).toContain('the same Id');
    expect(await put([{ Id: 'M', Expression: 'm1' }])).toContain('does not begin with a small letter');
    expect(await put([{ Id: 'e1' }])).toContain('exactly one of MetricStat and Expression');
    const other = { ...query, Id: 'm2', ReturnData: false, MetricStat: { ...query.MetricStat, Period: 300 } };
    const sum = { Id: 'e1', Expression: 'm1 +' };
    const hidden = { ...query, ReturnData: false };
    expect(await put([hidden, sum])).toContain("Error in expression 'e1'");
    expect(await put([hidden, other, { ...sum, Expression: 'm1 + m2' }])).toContain('all must have the same');
    expect(await put([query], { Period: 60 })).toBe(
      'InvalidParameterCombinationException: Period cannot be specified together with Metrics.',
    );
  });

  test.each([
    [
      { EvaluationPeriods: undefined },
      'MissingRequiredParameterException: The parameter EvaluationPeriods is required.',
    ],
    [{ Threshold: undefined }, 'The parameter Threshold is required.'],
    [{ ComparisonOperator: undefined }, 'The parameter ComparisonOperator is required.'],
    [{ Period: undefined }, 'The parameter Period is required.'],
    [{ MetricName: undefined }, 'Either MetricName with Namespace, or Metrics must be specified.'],
    [{ DatapointsToAlarm: 2 }, 'DatapointsToAlarm must be less than or equal to EvaluationPeriods.'],
    [{ Period: 61 }, 'Period must be 10, 20, 30 or a multiple of 60'],
    [{ EvaluationPeriods: 1441 }, 'Period times EvaluationPeriods is 86460 seconds: it may be 86400'],
    [{ Period: 3600, EvaluationPeriods: 169 }, 'InvalidParameterCombinationException: Period times EvaluationPeriods'],
    [{ TreatMissingData: 'good' }, "TreatMissingData 'good' is none of missing, ignore, breaching, notBreaching"],
    [{ ExtendedStatistic: 'p99' }, 'Exactly one of Statistic and ExtendedStatistic'],
    [{ Statistic: undefined, ExtendedStatistic: 'p101' }, "The statistic 'p101' is not known."],
    [{ EvaluateLowSampleCountPercentile: 'ignore' }, 'is not supported by this installation'],
    [
      { ComparisonOperator: 'LessThanLowerThreshold' },
      'is for anomaly detection, which is not supported by this installation',
    ],
    [{ ThresholdMetricId: 'ad1' }, 'ThresholdMetricId is not supported by this installation'],
    [{ EvaluationInterval: 60 }, 'EvaluationInterval is not supported by this installation'],
    [{ AlarmName: 'a\nb' }, 'AlarmName has control characters'],
    [
      { AlarmActions: ['arn:aws:sns:us-east-1:000000000000:topic'] },
      'SNS topics do not exist here. Name a webhook, arn:aws:slipway:',
    ],
    [
      { AlarmActions: ['arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:x'] },
      'Of scaling policies only those of ECS services',
    ],
    [{ AlarmActions: ['arn:aws:automate:us-east-1:ec2:stop'] }, 'Actions of EC2 and Systems Manager do nothing here'],
    [{ OKActions: ['http://plain.example.com'] }, 'It is nothing that can be acted on here'],
    [
      {
        Dimensions: [
          { Name: 'a', Value: '1' },
          { Name: 'a', Value: '2' },
        ],
      },
      'Dimensions name the same one twice',
    ],
  ])('what is wrong is said: %j', async (change, message) => {
    const { refusal } = openAlarms();
    expect(await refusal('PutMetricAlarm', { ...simple, ...change })).toContain(message);
  });
});

describe('composite alarms', () => {
  test('are made of others, listed with their relatives, and kept whole', async () => {
    const { call, refusal } = openAlarms();
    for (const AlarmName of ['a', 'b']) await call('PutMetricAlarm', { ...simple, AlarmName });
    await call('PutCompositeAlarm', {
      AlarmName: 'both',
      AlarmRule: 'ALARM(a) AND ALARM("b")',
      AlarmActions: [webhook],
    });
    await call('PutCompositeAlarm', { AlarmName: 'top', AlarmRule: `ALARM("${arnOf('both')}")` });
    const names = async (input: object): Promise<readonly string[][]> => {
      const { MetricAlarms, CompositeAlarms } = await call('DescribeAlarms', input);
      return [MetricAlarms, CompositeAlarms].map((list: readonly Named[]) => list.map(({ AlarmName }) => AlarmName));
    };
    expect(await names({})).toEqual([['a', 'b'], []]);
    expect(await names({ AlarmTypes: ['CompositeAlarm'] })).toEqual([[], ['both', 'top']]);
    expect(await names({ AlarmTypes: ['CompositeAlarm', 'MetricAlarm'], AlarmNamePrefix: 'b' })).toEqual([
      ['b'],
      ['both'],
    ]);
    expect(await names({ ChildrenOfAlarmName: 'both' })).toEqual([['a', 'b'], []]);
    expect(await names({ ParentsOfAlarmName: 'both' })).toEqual([[], ['top']]);
    expect(await refusal('DescribeAlarms', { ParentsOfAlarmName: 'a', StateValue: 'OK' })).toContain(
      'can only be specified alone',
    );
    expect(await refusal('PutCompositeAlarm', { AlarmName: 'both', AlarmRule: 'OK(top)' })).toBe(
      'InvalidParameterValueException: AlarmRule would make the alarm depend on itself: both -> top -> both.',
    );
    expect(await refusal('PutCompositeAlarm', { AlarmName: 'x', AlarmRule: 'ALARM(none)' })).toBe(
      'ResourceNotFound: Alarms that do not exist: none.',
    );
    expect(await refusal('PutCompositeAlarm', { AlarmName: 'x', AlarmRule: 'ALARM(a) &' })).toBe(
      "InvalidParameterValueException: AlarmRule: Expected AND, OR or the end, not '&', at character 10 of the rule.",
    );
    expect(await refusal('PutCompositeAlarm', { AlarmName: 'a', AlarmRule: 'TRUE' })).toContain('is of the other kind');
    const policy = `arn:aws:autoscaling:us-east-1:${account}:scalingPolicy:1`;
    expect(await refusal('PutCompositeAlarm', { AlarmName: 'x', AlarmRule: 'TRUE', OKActions: [policy] })).toContain(
      'Composite alarms cannot scale services',
    );
    await call('PutMetricAlarm', { ...simple, AlarmName: 'a', AlarmActions: [policy] });
    expect(await refusal('PutCompositeAlarm', { AlarmName: 'x', AlarmRule: 'TRUE', ActionsSuppressor: 'a' })).toContain(
      'ActionsSuppressor is not supported by this installation',
    );
    expect(await refusal('DeleteAlarms', { AlarmNames: ['a'] })).toContain(
      'the rule of the composite alarm both names it',
    );
    expect(await refusal('DeleteAlarms', { AlarmNames: ['none'] })).toBe(
      'ResourceNotFound: Alarms that do not exist: none.',
    );
    await call('DeleteAlarms', { AlarmNames: ['a', 'b', 'both', 'top'] });
    expect(await names({ AlarmTypes: ['CompositeAlarm', 'MetricAlarm'] })).toEqual([[], []]);
  });
});

test('alarms are found by name, state, action and metric, page by page', async () => {
  const { call, refusal } = openAlarms();
  for (let index = 0; index < 5; index++)
    await call('PutMetricAlarm', {
      ...simple,
      AlarmName: `a${index}`,
      ...(index === 4 ? { AlarmActions: [webhook], MetricName: 'other' } : {}),
    });
  await call('SetAlarmState', { AlarmName: 'a3', StateValue: 'OK', StateReason: '' });
  const names = async (input: object): Promise<string[]> =>
    (await call('DescribeAlarms', input)).MetricAlarms.map(({ AlarmName }: Named) => AlarmName);
  expect(await names({ AlarmNames: ['a3', 'a1', 'none'] })).toEqual(['a1', 'a3']);
  expect(await names({ StateValue: 'OK' })).toEqual(['a3']);
  expect(await names({ ActionPrefix: 'https://' })).toEqual(['a4']);
  const { NextToken } = await call('DescribeAlarms', { MaxRecords: 2 });
  expect(await names({ MaxRecords: 3, NextToken })).toEqual(['a2', 'a3', 'a4']);
  expect(await refusal('DescribeAlarms', { NextToken, StateValue: 'OK' })).toBe(
    'InvalidNextToken: The next token specified is invalid.',
  );
  const { MetricAlarms } = await call('DescribeAlarmsForMetric', { Namespace: 'App', MetricName: 'other' });
  expect(MetricAlarms.map(({ AlarmName }: Named) => AlarmName)).toEqual(['a4']);
  expect(
    (await call('DescribeAlarmsForMetric', { Namespace: 'App', MetricName: 'load', Period: 300 })).MetricAlarms,
  ).toEqual([]);
});

test('the history tells of what users and states did, of deleted alarms too', async () => {
  const { call, clock } = openAlarms();
  await call('PutMetricAlarm', simple);
  clock.step(clock.monotonic() + 1000);
  await call('SetAlarmState', {
    AlarmName: 'load',
    StateValue: 'ALARM',
    StateReason: 'testing',
    StateReasonData: '{"a":1}',
  });
  clock.step(clock.monotonic() + 1000);
  await call('DisableAlarmActions', { AlarmNames: ['load', 'none'] });
  clock.step(clock.monotonic() + 1000);
  await call('DeleteAlarms', { AlarmNames: ['load'] });
  const history = async (input: object): Promise<string[]> =>
    (await call('DescribeAlarmHistory', input)).AlarmHistoryItems.map(
      (item: { readonly HistoryItemType: string; readonly HistorySummary: string }) =>
        `${item.HistoryItemType}: ${item.HistorySummary}`,
    );
  const all = [
    'ConfigurationUpdate: Alarm "load" deleted',
    'ConfigurationUpdate: Alarm "load" updated',
    'StateUpdate: Alarm updated from INSUFFICIENT_DATA to ALARM',
    'ConfigurationUpdate: Alarm "load" created',
  ];
  expect(await history({})).toEqual(all);
  expect(await history({ ScanBy: 'TimestampAscending', AlarmName: 'load' })).toEqual(all.toReversed());
  expect(await history({ HistoryItemType: 'StateUpdate' })).toEqual([all[2]]);
  expect(await history({ StartDate: clock.now() / 1000 - 1 })).toEqual(all.slice(0, 2));
  expect(await history({ AlarmTypes: ['CompositeAlarm'] })).toEqual([]);
  const first = await call('DescribeAlarmHistory', { MaxRecords: 1 });
  expect(await history({ NextToken: first.NextToken })).toEqual(all.slice(1));
});

test('tags are changed by ARN', async () => {
  const { call, refusal, access } = openAlarms();
  await call('PutMetricAlarm', { ...simple, Tags: [{ Key: 'team', Value: 'blue' }] });
  const ResourceARN = arnOf('load');
  await call('TagResource', { ResourceARN, Tags: [{ Key: 'stage', Value: 'test' }] });
  await call('UntagResource', { ResourceARN, TagKeys: ['team'] });
  expect(await call('ListTagsForResource', { ResourceARN })).toEqual({ Tags: [{ Key: 'stage', Value: 'test' }] });
  expect(await refusal('ListTagsForResource', { ResourceARN: arnOf('none') })).toContain(
    'ResourceNotFoundException: There is no alarm',
  );
  expect(await refusal('TagResource', { ResourceARN, Tags: [{ Key: 'aws:x', Value: '' }] })).toContain('reserved');
  const [asked] = await access('TagResource', { ResourceARN, Tags: [{ Key: 'a', Value: 'b' }] });
  expect(asked).toMatchObject({
    action: 'cloudwatch:TagResource',
    resources: [{ arn: ResourceARN, tags: { stage: 'test' } }],
    context: { 'aws:RequestTag/a': 'b' },
  });
  expect((await access('DescribeAlarms', {}))[0]).toMatchObject({
    action: 'cloudwatch:DescribeAlarms',
    resources: [{ arn: arnOf('*') }],
  });
});

test('reason data that is no JSON is refused, and so is an alarm that is not there', async () => {
  const { call, refusal } = openAlarms();
  const set = { AlarmName: 'load', StateValue: 'OK', StateReason: '' };
  expect(await refusal('SetAlarmState', set)).toBe('ResourceNotFound: Alarms that do not exist: load.');
  await call('PutMetricAlarm', simple);
  expect(await refusal('SetAlarmState', { ...set, StateReasonData: '{' })).toBe(
    'InvalidFormatFault: StateReasonData was not syntactically valid JSON',
  );
});

test('an account has so many alarms, and whether one more may be is told without reading them', async () => {
  const { call, records, refusal } = openAlarms();
  const keys = Array.from({ length: mostAlarms - 1 }, (_, index) => alarmKeys.alarm(`alarm ${index}`));
  await fill(records, alarmsPartition(account), keys);
  const seen = watchLists(records);
  await call('PutMetricAlarm', { ...simple, AlarmName: 'last' });
  expect(await refusal('PutMetricAlarm', { ...simple, AlarmName: 'over' })).toMatch(/^LimitExceededFault: .*10000/);
  await call('PutMetricAlarm', { ...simple, AlarmName: 'last', Threshold: 7 });
  expect(seen.rows).toBe(0);
});
