import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';

import { openLogsApi } from '../testing/open-logs-api.ts';

const webhook = 'arn:aws:slipway:us-east-1:000000000000:webhook/https://search.example.com/events?of=web';
const filter = {
  logGroupName: 'web',
  filterName: 'to-search',
  filterPattern: '{ $.level = "error" }',
  destinationArn: webhook,
};

async function opened() {
  const api = openLogsApi();
  await api.withStream();
  return api;
}

describe('subscription filters', () => {
  test('are put once their receiver has answered, read back as they were written, and deleted', async () => {
    const api = await opened();
    await api.call('PutSubscriptionFilter', filter);
    expect(await api.call('DescribeSubscriptionFilters', { logGroupName: 'web' })).toEqual({
      subscriptionFilters: [{ ...filter, distribution: 'ByLogStream', creationTime: api.clock.at }],
    });
    const [call] = api.calls;
    expect(call?.url).toBe('https://search.example.com/events?of=web');
    const { data } = (JSON.parse(call?.body ?? '') as { readonly awslogs: { readonly data: string } }).awslogs;
    expect(JSON.parse(gunzipSync(Buffer.from(data, 'base64')).toString())).toEqual({
      messageType: 'CONTROL_MESSAGE',
      owner: 'CloudwatchLogs',
      logGroup: '',
      logStream: '',
      subscriptionFilters: [],
      logEvents: [
        {
          id: '',
          timestamp: api.clock.at,
          message: 'CWL CONTROL MESSAGE: Checking health of destination webhook.',
        },
      ],
    });
    const name = { logGroupName: 'web', filterName: 'to-search' };
    await api.call('DeleteSubscriptionFilter', name);
    expect(await api.refusal('DeleteSubscriptionFilter', name)).toBe(
      'ResourceNotFoundException: The specified subscription filter does not exist.',
    );
    expect(await api.call('DescribeSubscriptionFilters', { logGroupName: 'web' })).toEqual({ subscriptionFilters: [] });
  });

  test('are two of a group, listed by prefix and page by page', async () => {
    const api = await opened();
    await api.call('PutSubscriptionFilter', { ...filter, filterName: 'b' });
    await api.call('PutSubscriptionFilter', { ...filter, filterName: 'a', distribution: 'Random' });
    expect(await api.refusal('PutSubscriptionFilter', { ...filter, filterName: 'c' })).toBe(
      'LimitExceededException: A log group has at most 2 subscription filters.',
    );
    const list = (input: object) => api.call('DescribeSubscriptionFilters', { logGroupName: 'web', ...input });
    const first = await list({ limit: 1 });
    expect(first).toMatchObject({ subscriptionFilters: [{ filterName: 'a', distribution: 'Random' }] });
    const second = await list({ limit: 1, nextToken: first['nextToken'] });
    expect(second).toMatchObject({ subscriptionFilters: [{ filterName: 'b' }] });
    expect(second['nextToken']).toBeUndefined();
    expect(await list({ filterNamePrefix: 'b' })).toMatchObject({ subscriptionFilters: [{ filterName: 'b' }] });
    expect(await api.refusal('DescribeSubscriptionFilters', { logGroupName: 'none' })).toContain('does not exist');
  });

  test('whose receiver does not answer are not put', async () => {
    const api = await opened();
    api.webhooks.answer = () => new Response('', { status: 404 });
    expect(await api.refusal('PutSubscriptionFilter', filter)).toBe(
      'InvalidParameterException: Could not deliver test message to specified destination. ' +
        'Check if the destination is valid. It answered with HTTP status 404.',
    );
    expect(await api.call('DescribeSubscriptionFilters', { logGroupName: 'web' })).toEqual({ subscriptionFilters: [] });
  });

  const arn = (service: string, resource: string): string => `arn:aws:${service}:us-east-1:000000000000:${resource}`;
  test.each([
    [
      'a function',
      { destinationArn: arn('lambda', 'function:f') },
      /Lambda functions do not exist here. Name a webhook/,
    ],
    ['a Kinesis stream', { destinationArn: arn('kinesis', 'stream/s') }, /Kinesis streams do not exist here/],
    [
      'a Firehose stream',
      { destinationArn: arn('firehose', 'deliverystream/s') },
      /Firehose streams do not exist here/,
    ],
    ['a destination', { destinationArn: arn('logs', 'destination:d') }, /Destinations of other accounts/],
    ['something else', { destinationArn: arn('sqs', 'q') }, /nothing that can be told events/],
    ['a private address', { destinationArn: 'https://127.0.0.1/' }, /Invalid destinationArn/],
    ['plain HTTP', { destinationArn: 'http://search.example.com/' }, /nothing that can be told events/],
    ['a role', { roleArn: 'arn:aws:iam::000000000000:role/r' }, /roleArn is not supported.*signed/],
    ['a wrong pattern', { filterPattern: '{ $.a = }' }, /character 9/],
    ['another distribution', { distribution: 'Even' }, /distribution/],
    ['a group that is not there', { logGroupName: 'none' }, /log group does not exist/],
    ['lines that are rewritten', { applyOnTransformedLogs: true }, /applyOnTransformedLogs is not supported/],
  ])('are refused with %s', async (_what, more, why) => {
    const api = await opened();
    expect(await api.refusal('PutSubscriptionFilter', { ...filter, ...more })).toMatch(why);
    expect(api.calls).toEqual([]);
  });

  test('need rights on their group', async () => {
    const api = await opened();
    const on = async (name: string, input: object) =>
      (await api.access(name, input)).map(({ action, on: [of] }) => `${action} ${of}`);
    const group = 'arn:aws:logs:us-east-1:000000000000:log-group:web:log-stream:';
    for (const name of ['PutSubscriptionFilter', 'DescribeSubscriptionFilters', 'DeleteSubscriptionFilter'])
      expect(await on(name, filter)).toEqual([`logs:${name} ${group}`]);
  });
});
