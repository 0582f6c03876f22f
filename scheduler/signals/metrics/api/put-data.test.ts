import { describe, expect, test } from 'vitest';

import { openCloudWatch } from '../testing/open-cloudwatch.ts';

type Api = ReturnType<typeof openCloudWatch>;
const namespace = { Namespace: 'App' };

/** JSON has seconds since the epoch. */
const seconds = (ms: number): number => ms / 1000;
const dayOf = ({ clock }: Api) => ({
  StartTime: seconds(clock.at - 20 * 3_600_000),
  EndTime: seconds(clock.at + 4 * 3_600_000),
});
const put = (api: Api, ...data: readonly object[]) => api.call('PutMetricData', { ...namespace, MetricData: data });
const statistics = async (api: Api, input: object = {}) =>
  (
    await api.call('GetMetricStatistics', {
      ...namespace,
      ...dayOf(api),
      MetricName: 'cpu',
      Period: 60,
      Statistics: ['Sum', 'SampleCount', 'Minimum', 'Maximum', 'Average'],
      ...input,
    })
  ).Datapoints;

describe('PutMetricData', () => {
  test('takes values, counted values and statistic sets, which GetMetricStatistics adds up', async () => {
    const api = openCloudWatch();
    const { at } = api.clock;
    await put(
      api,
      { MetricName: 'cpu', Value: 3 },
      { MetricName: 'cpu', Values: [1, 2], Counts: [2, 1], Timestamp: seconds(at) },
      { MetricName: 'cpu', StatisticValues: { SampleCount: 2, Sum: 9, Minimum: 4, Maximum: 5 }, Unit: 'None' },
    );
    expect(await statistics(api)).toEqual([
      { Timestamp: seconds(at), Unit: 'None', SampleCount: 6, Sum: 16, Minimum: 1, Maximum: 5, Average: 16 / 6 },
    ]);
    expect(await statistics(api, { Statistics: undefined, ExtendedStatistics: ['p90'] })).toEqual([]);
    expect(await statistics(api, { Unit: 'Percent' })).toEqual([]);
  });

  test('keeps what entities it is of to nobody, and says so where that matters', async () => {
    const api = openCloudWatch();
    const EntityMetricData = [
      { Entity: { KeyAttributes: { Type: 'Service' } }, MetricData: [{ MetricName: 'cpu', Value: 1 }] },
    ];
    await api.call('PutMetricData', { ...namespace, EntityMetricData });
    expect(await statistics(api)).toMatchObject([{ Sum: 1 }]);
    expect(
      await api.refusal('PutMetricData', { ...namespace, EntityMetricData, StrictEntityValidation: true }),
    ).toContain('InvalidParameterValueException: Metrics are of no entity here');
  });

  const one = 'MetricData.member.1';
  test.each([
    [{}, 'MissingRequiredParameterException: At least one of the parameters'],
    [
      { Value: 1, Values: [1] },
      `InvalidParameterCombinationException: The parameters ${one}.Value and ${one}.Values are mutually`,
    ],
    [{ Value: 1, Counts: [1] }, `InvalidParameterCombinationException: The parameter ${one}.Counts needs`],
    [{ Values: [1, 2], Counts: [1] }, 'InvalidParameterCombinationException: The parameters'],
    [
      { Values: [1], Counts: [0] },
      `InvalidParameterValueException: The value 0 for parameter ${one}.Counts.member.1 is invalid.`,
    ],
    [
      { Values: Array.from({ length: 151 }, () => 1) },
      `The collection ${one}.Values must not have a size greater than 150.`,
    ],
    [{ Values: [] }, `MissingRequiredParameterException: The parameter ${one}.Values must not be empty.`],
    [{ Value: 1e109 }, `InvalidParameterValueException: The value 1e+109 for parameter ${one}.Value is invalid.`],
    [{ StatisticValues: { SampleCount: 0, Sum: 1, Minimum: 1, Maximum: 1 } }, 'SampleCount is invalid. It is above 0.'],
    [{ StatisticValues: { SampleCount: 1, Sum: 1, Minimum: 2, Maximum: 1 } }, 'must not be above the parameter'],
    [
      { Value: 1, StorageResolution: 5 },
      `The value 5 for parameter ${one}.StorageResolution is invalid. It is 1 or 60.`,
    ],
    [{ Value: 1, Unit: 'Furlongs' }, 'ValidationException'],
    [
      { Value: 1, Dimensions: [{ Name: ':a', Value: 'b' }] },
      `for parameter ${one}.Dimensions.member.1.Name is invalid.`,
    ],
    [
      { Value: 1, Dimensions: [{ Name: 'a', Value: 'ü' }] },
      `for parameter ${one}.Dimensions.member.1.Value is invalid.`,
    ],
    [
      {
        Value: 1,
        Dimensions: [
          { Name: 'a', Value: 'b' },
          { Name: 'a', Value: 'c' },
        ],
      },
      'may have the name a twice.',
    ],
    [
      { Value: 1, Dimensions: Array.from({ length: 31 }, (_, n) => ({ Name: `d${n}`, Value: 'x' })) },
      'greater than 30.',
    ],
  ])('refuses %j', async (datum, sentence) => {
    const api = openCloudWatch();
    const said = await api.refusal('PutMetricData', { ...namespace, MetricData: [{ MetricName: 'cpu', ...datum }] });
    expect(said).toContain(sentence);
  });

  test('refuses times that are too old or too far ahead, too many data, and namespaces of AWS', async () => {
    const api = openCloudWatch();
    const at = (ms: number) => ({
      ...namespace,
      MetricData: [{ MetricName: 'cpu', Value: 1, Timestamp: seconds(api.clock.at + ms) }],
    });
    const hour = 3_600_000;
    expect(await api.refusal('PutMetricData', at(2 * hour + 1000))).toContain('no more than two hours in the future');
    expect(await api.refusal('PutMetricData', at(-14 * 24 * hour - 1000))).toContain('within the past two weeks');
    await api.call('PutMetricData', at(2 * hour));
    const many = Array.from({ length: 1001 }, () => ({ MetricName: 'cpu', Value: 1 }));
    expect(await api.refusal('PutMetricData', { ...namespace, MetricData: many })).toContain('greater than 1000');
    expect(await api.refusal('PutMetricData', { ...at(0), Namespace: 'AWS/ECS' })).toContain(
      'must not begin with AWS/',
    );
    expect(await api.refusal('PutMetricData', namespace)).toContain('The parameter MetricData is required.');
  });

  test('is allowed by namespace', async () => {
    const { access } = openCloudWatch();
    expect(await access('PutMetricData', { ...namespace, MetricData: [] })).toMatchObject([
      { action: 'cloudwatch:PutMetricData', resources: [{ arn: '*' }], context: { 'cloudwatch:namespace': 'App' } },
    ]);
  });
});

describe('GetMetricStatistics', () => {
  test('answers percentiles within their error, by periods', async () => {
    const api = openCloudWatch();
    await put(api, { MetricName: 'cpu', Values: Array.from({ length: 100 }, (_, index) => index + 1) });
    const [point] = await statistics(api, { Period: 3600, Statistics: undefined, ExtendedStatistics: ['p90', 'tm50'] });
    expect(Math.abs(point.ExtendedStatistics.p90 - 90)).toBeLessThan(1);
    expect(Math.abs(point.ExtendedStatistics.tm50 - 25.5)).toBeLessThan(0.6);
  });

  test.each([
    [
      { Period: 45 },
      'InvalidParameterValueException: The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60',
    ],
    [
      { StartTime: 2e9, EndTime: 2e9 },
      'InvalidParameterCombinationException: The parameter StartTime must be less than',
    ],
    [
      { Period: 30 },
      'InvalidParameterCombinationException: You have requested up to 2,880 datapoints, which exceeds the limit of 1,440.',
    ],
    [{ ExtendedStatistics: ['p9'] }, 'InvalidParameterCombinationException: Exactly one of the parameters'],
    [
      { Statistics: undefined, ExtendedStatistics: ['p900'] },
      'The value p900 for parameter ExtendedStatistics is invalid.',
    ],
    [{ Statistics: ['Median'] }, 'ValidationException'],
  ])('refuses %j', async (wrong, sentence) => {
    const api = openCloudWatch();
    const input = { ...namespace, ...dayOf(api), MetricName: 'cpu', Period: 60, Statistics: ['Sum'], ...wrong };
    expect(await api.refusal('GetMetricStatistics', input)).toContain(sentence);
  });
});
