import { describe, expect, test } from 'vitest';

import { openCloudWatch } from '../testing/open-cloudwatch.ts';

type Api = ReturnType<typeof openCloudWatch>;
const minute = 60_000;

/** Three minutes of two metrics of an API that has them. */
async function withPoints(): Promise<Api> {
  const api = openCloudWatch();
  await api.metrics.put(
    '000000000000',
    [1, 2, 3].flatMap((value) =>
      ['a', 'b'].map((host) => ({
        namespace: 'App',
        name: 'cpu',
        dimensions: [{ name: 'Host', value: host }],
        timestamp: api.clock.at - value * minute,
        resolution: 60 as const,
        measured: host === 'a' ? value : 10 * value,
      })),
    ),
  );
  return api;
}
const metric = (Id: string, host: string, more: object = {}) => ({
  Id,
  MetricStat: {
    Metric: { Namespace: 'App', MetricName: 'cpu', Dimensions: [{ Name: 'Host', Value: host }] },
    Period: 60,
    Stat: 'Sum',
  },
  ...more,
});
const request = (api: Api, ...MetricDataQueries: readonly object[]) => ({
  MetricDataQueries,
  StartTime: (api.clock.at - 60 * minute) / 1000,
  EndTime: (api.clock.at + 60 * minute) / 1000,
});
const get = (api: Api, ...queries: readonly object[]) => api.call('GetMetricData', request(api, ...queries));

describe('GetMetricData', () => {
  test('answers metrics and expressions of them, newest first', async () => {
    const api = await withPoints();
    const { MetricDataResults } = await get(api, metric('a', 'a'), metric('b', 'b', { ReturnData: false }), {
      Id: 'e',
      Expression: 'a + b',
    });
    const Timestamps = [1, 2, 3].map((ago) => (api.clock.at - ago * minute) / 1000);
    expect(MetricDataResults).toEqual([
      { Id: 'a', Label: 'a cpu', Timestamps, Values: [1, 2, 3], StatusCode: 'Complete' },
      { Id: 'e', Label: 'e', Timestamps, Values: [11, 22, 33], StatusCode: 'Complete' },
    ]);
  });

  test('has a result for each series of a list, and labels as they were asked for', async () => {
    const api = await withPoints();
    const quiet = { ReturnData: false };
    const { MetricDataResults } = await get(
      api,
      metric('a', 'a', { Label: "${PROP('Dim.Host')}: ${MAX} of ${DATAPOINT_COUNT} ${NO}" }),
      metric('b', 'b', quiet),
      metric('none', 'c', { Label: '${LAST}' }),
      { Id: 'e', Expression: 'METRICS() / 2' },
    );
    expect(MetricDataResults.map(({ Label }: { readonly Label: string }) => Label)).toEqual([
      'a: 3 of 3 ${NO}',
      '--',
      'a cpu',
      'b cpu',
      'c cpu',
    ]);
  });

  test('takes no lists of lists without end, however few points are in them', async () => {
    const api = openCloudWatch();
    const quiet = { ReturnData: false };
    const many = (of: string): string => `[${Array.from({ length: 600 }, () => of).join(',')}]`;
    const series = metric('m', 'none', quiet);
    const list = { Id: 'e', Expression: many('m') };
    const asked = (...more: readonly object[]) => request(api, series, ...more);
    const lists = { Id: 'f', Expression: many('e') };
    expect(await api.refusal('GetMetricData', asked({ ...list, ...quiet }, lists))).toContain(
      "Error in expression 'f': a list has at most 1000 time series (at character 1)",
    );
    expect(await api.refusal('GetMetricData', asked(list, { Id: 'g', Expression: 'e' }))).toContain(
      'The queries return more than 1000 time series.',
    );
    expect((await api.call('GetMetricData', asked(list))).MetricDataResults).toHaveLength(600);
  });

  test('works out long expressions of long expressions, in whatever order they are given', async () => {
    const api = await withPoints();
    const quiet = { ReturnData: false };
    const long = Array.from({ length: 40 }, (_, index) => ({
      Id: `e${index + 1}`,
      Expression: `e${index}${' + 1'.repeat(500)}`,
      ReturnData: index === 39,
    }));
    const { MetricDataResults } = await get(api, ...long.toReversed(), metric('e0', 'a', quiet));
    expect(MetricDataResults).toMatchObject([{ Id: 'e40', Values: [20_001, 20_002, 20_003] }]);
  });

  test('goes on where a page was full', async () => {
    const api = await withPoints();
    const asked = {
      ...request(api, metric('a', 'a'), metric('b', 'b')),
      ScanBy: 'TimestampAscending',
      MaxDatapoints: 4,
    };
    const first = await api.call('GetMetricData', asked);
    expect(first.MetricDataResults).toMatchObject([
      { Id: 'a', Values: [3, 2, 1], StatusCode: 'Complete' },
      { Id: 'b', Values: [30], StatusCode: 'PartialData' },
    ]);
    const second = await api.call('GetMetricData', { ...asked, NextToken: first.NextToken });
    expect(second.MetricDataResults).toMatchObject([{ Id: 'b', Values: [20, 10], StatusCode: 'Complete' }]);
    expect(second).not.toHaveProperty('NextToken');
    const other = { ...asked, ScanBy: 'TimestampDescending', NextToken: first.NextToken };
    expect(await api.refusal('GetMetricData', other)).toContain('InvalidNextToken');
  });

  test.each([
    [
      { Id: 'A', Expression: 'TIME_SERIES(1)' },
      'The value A for parameter MetricDataQueries.member.1.Id is not valid.',
    ],
    [{ Id: 'a' }, 'Exactly one of the parameters MetricDataQueries.member.1.MetricStat and'],
    [metric('a', 'a', { AccountId: '111111111111' }), 'accounts are not linked here'],
    [metric('a', 'a', { Period: 7 }), 'The value 7 for parameter MetricDataQueries.member.1.Period is not valid'],
    [
      { Id: 'a', Expression: 'b +' },
      "ValidationError: Error in expression 'a': the expression ends too early (at character 4)",
    ],
    [{ Id: 'a', Expression: 'b' }, "Error in expression 'a': there is no query with the id b (at character 1)"],
    [{ Id: 'a', Expression: 'a + 1' }, "Error in expression 'a': it is part of itself"],
    [{ Id: 'a', Expression: '1' }, "Error in expression 'a': the expression returns a number"],
    [{ Id: 'a', MetricStat: { Metric: { Namespace: 'App' }, Period: 60, Stat: 'Sum' } }, 'MetricName is required.'],
    [
      { Id: 'a', MetricStat: { Metric: { Namespace: 'App', MetricName: 'cpu' }, Period: 60, Stat: 'Median' } },
      'The value Median for parameter MetricDataQueries.member.1.MetricStat.Stat is not supported.',
    ],
  ])('refuses %j', async (query, sentence) => {
    const api = openCloudWatch();
    expect(await api.refusal('GetMetricData', request(api, query))).toContain(sentence);
  });

  test('refuses ids that come twice, and more points than it reads', async () => {
    const api = openCloudWatch();
    expect(await api.refusal('GetMetricData', request(api, metric('a', 'a'), metric('a', 'b')))).toContain(
      'is not unique',
    );
    const year = { ...request(api, metric('a', 'a')), StartTime: 1_700_000_000 };
    expect(await api.refusal('GetMetricData', year)).toContain('Increase Period');
  });
});
