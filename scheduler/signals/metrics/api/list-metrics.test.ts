import { describe, expect, test } from 'vitest';

import type { Sample } from '../store/index.ts';
import { openCloudWatch } from '../testing/open-cloudwatch.ts';

const account = '000000000000';
const day = 24 * 3_600_000;

/** An API to which some series were reported. */
async function withSeries(...samples: readonly (Partial<Sample> & { readonly name: string })[]) {
  const api = openCloudWatch();
  const { at } = api.clock;
  const usual = { namespace: 'App', dimensions: [], timestamp: at, resolution: 60, measured: 1 } as const;
  await api.metrics.put(
    account,
    samples.map((sample) => ({ ...usual, ...sample })),
  );
  const names = async (input: object): Promise<string[]> =>
    (await api.call('ListMetrics', input)).Metrics.map(({ MetricName }: { readonly MetricName: string }) => MetricName);
  return { ...api, names };
}
const dimensions = [
  { name: 'Host', value: 'a' },
  { name: 'Disk', value: 'b' },
];

describe('metrics are listed', () => {
  test('with their dimensions, by namespace, name and dimensions', async () => {
    const { call, names } = await withSeries(
      { name: 'cpu' },
      { name: 'disk', dimensions },
      { name: 'other', namespace: 'Else' },
    );
    const { Metrics } = await call('ListMetrics', { MetricName: 'disk' });
    const Dimensions = [
      { Name: 'Disk', Value: 'b' },
      { Name: 'Host', Value: 'a' },
    ];
    expect(Metrics).toEqual([{ Namespace: 'App', MetricName: 'disk', Dimensions }]);
    expect(await names({ Namespace: 'App' })).toEqual(['cpu', 'disk']);
    expect(await names({ Dimensions: [{ Name: 'Host' }] })).toEqual(['disk']);
    expect(await names({ Dimensions: [{ Name: 'Host', Value: 'b' }] })).toEqual([]);
    expect(await names({ OwningAccount: '111111111111' })).toEqual([]);
  });

  test('for two weeks after they reported last', async () => {
    const { clock, names } = await withSeries({ name: 'cpu' });
    clock.at += 3 * 3_600_000 + 1;
    expect(await names({ RecentlyActive: 'PT3H' })).toEqual([]);
    expect(await names({})).toEqual(['cpu']);
    clock.at += 14 * day;
    expect(await names({})).toEqual([]);
  });

  test('500 in a page, whose token is good for the same list only', async () => {
    const many = Array.from({ length: 501 }, (_, index) => ({ name: `m${index + 1000}` }));
    const { call, names, refusal } = await withSeries(...many);
    const { NextToken } = await call('ListMetrics', {});
    expect(await names({ NextToken })).toEqual(['m1500']);
    expect(await refusal('ListMetrics', { NextToken, Namespace: 'App' })).toBe(
      'InvalidNextToken: The next token specified is invalid.',
    );
  });

  test('what is not served is refused with what to do instead', async () => {
    const { refusal } = openCloudWatch();
    expect(await refusal('PutInsightRule', {})).toBe(
      'InvalidParameterValueException: PutInsightRule is not supported by this installation. Put what you want to count as a metric of its own.',
    );
  });
});
