import { describe, expect, test } from 'vitest';

import { openLogsApi } from '../testing/open-logs-api.ts';

const errors = {
  logGroupName: 'web',
  filterName: 'errors',
  filterPattern: '{ $.level = "error" }',
  metricTransformations: [
    { metricName: 'Errors', metricNamespace: 'web', metricValue: '$.n', unit: 'Count', dimensions: { Path: '$.path' } },
  ],
};
const plain = { metricName: 'm', metricNamespace: 'n', metricValue: '1' };

async function opened() {
  const api = openLogsApi();
  await api.withStream();
  const put = (more: object) => api.call('PutMetricFilter', { ...errors, ...more });
  const names = async (input: object): Promise<string[]> => {
    const found: string[] = [];
    let nextToken: unknown;
    do {
      const page = await api.call('DescribeMetricFilters', {
        ...input,
        ...(nextToken === undefined ? {} : { nextToken }),
      });
      found.push(...(page['metricFilters'] as { filterName: string }[]).map(({ filterName }) => filterName));
      nextToken = page['nextToken'];
    } while (nextToken !== undefined);
    return found;
  };
  return { api, put, names };
}

describe('metric filters', () => {
  test('are put, read back as they were written, and deleted', async () => {
    const { api, put } = await opened();
    await put({});
    expect(await api.call('DescribeMetricFilters', { logGroupName: 'web' })).toEqual({
      metricFilters: [{ ...errors, creationTime: api.clock.at }],
    });
    const { logGroups } = await api.call('DescribeLogGroups', {});
    expect((logGroups as { metricFilterCount: number }[])[0]?.metricFilterCount).toBe(1);
    await put({ metricTransformations: [{ ...plain, defaultValue: 0 }] });
    const { metricFilters } = await api.call('DescribeMetricFilters', { logGroupName: 'web' });
    expect(metricFilters).toMatchObject([{ metricTransformations: [{ ...plain, defaultValue: 0, unit: 'None' }] }]);
    const name = { logGroupName: 'web', filterName: 'errors' };
    await api.call('DeleteMetricFilter', name);
    expect(await api.refusal('DeleteMetricFilter', name)).toBe(
      'ResourceNotFoundException: The specified metric filter does not exist.',
    );
    expect(await api.refusal('PutMetricFilter', { ...errors, logGroupName: 'none' })).toContain(
      'log group does not exist',
    );
    expect(await api.refusal('DescribeMetricFilters', { logGroupName: 'none' })).toContain('log group does not exist');
  });

  test('are listed over all groups, page by page, and by what they count', async () => {
    const { api, put, names } = await opened();
    await api.call('CreateLogGroup', { logGroupName: 'api' });
    await put({ filterName: 'b' });
    await put({ filterName: 'a', metricTransformations: [plain] });
    await put({ filterName: 'c', logGroupName: 'api' });
    expect(await names({ limit: 1 })).toEqual(['c', 'a', 'b']);
    expect(await names({ logGroupName: 'web', limit: 1 })).toEqual(['a', 'b']);
    expect(await names({ filterNamePrefix: 'b' })).toEqual(['b']);
    expect(await names({ metricName: 'm', metricNamespace: 'n' })).toEqual(['a']);
    expect(await api.refusal('DescribeMetricFilters', { metricName: 'm' })).toContain('must be specified together');
  });

  test.each([
    ['a wrong pattern', { filterPattern: '{ $.a = }' }, /character 9/],
    ['nothing to count', { metricTransformations: [] }, /metricTransformations/],
    ['two metrics', { metricTransformations: [plain, plain] }, /metricTransformations/],
    [
      'a value that is none',
      { metricTransformations: [{ ...plain, metricValue: 'x' }] },
      /neither a number nor a field/,
    ],
    ['a value beyond all', { metricTransformations: [{ ...plain, metricValue: '1e300' }] }, /neither a number/],
    ['a field that is none', { metricTransformations: [{ ...plain, metricValue: '$x' }] }, /'\$x' is no field/],
    [
      'a field of terms',
      { filterPattern: 'ERROR', metricTransformations: [{ ...plain, metricValue: '$.x' }] },
      /patterns of terms have none/,
    ],
    ['a namespace of AWS', { metricTransformations: [{ ...plain, metricNamespace: 'AWS/ECS' }] }, /AWS's own/],
    ['a unit that is none', { metricTransformations: [{ ...plain, unit: 'Lines' }] }, /unit/],
    [
      'dimensions and a default value',
      { metricTransformations: [{ ...plain, defaultValue: 0, dimensions: { A: '$.a' } }] },
      /mutually exclusive/,
    ],
    [
      'four dimensions',
      { metricTransformations: [{ ...plain, dimensions: { A: '$.a', B: '$.b', C: '$.c', D: '$.d' } }] },
      /at most 3 dimensions/,
    ],
    ['a name with a colon', { filterName: 'a:b' }, /filterName/],
    ['lines that are rewritten', { applyOnTransformedLogs: true }, /applyOnTransformedLogs is not supported/],
  ])('are refused with %s', async (_what, more, why) => {
    const { api } = await opened();
    expect(await api.refusal('PutMetricFilter', { ...errors, ...more })).toMatch(why);
  });

  test('need rights on their group, or on all to list them all', async () => {
    const { api } = await opened();
    const on = async (name: string, input: object) =>
      (await api.access(name, input)).map(({ action, on: [arn] }) => `${action} ${arn}`);
    const group = 'arn:aws:logs:us-east-1:000000000000:log-group:web:log-stream:';
    expect(await on('PutMetricFilter', errors)).toEqual([`logs:PutMetricFilter ${group}`]);
    expect(await on('DeleteMetricFilter', errors)).toEqual([`logs:DeleteMetricFilter ${group}`]);
    expect(await on('DescribeMetricFilters', { logGroupName: 'web' })).toEqual([`logs:DescribeMetricFilters ${group}`]);
    expect(await on('DescribeMetricFilters', {})).toEqual([`logs:DescribeMetricFilters ${group.replace('web', '')}`]);
  });
});
