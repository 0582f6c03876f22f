import { describe, expect, test } from 'vitest';

import { openLogsApi } from '../testing/open-logs-api.ts';

const account = '000000000000';
const arnOf = (group: string): string => `arn:aws:logs:us-east-1:${account}:log-group:${group}`;

interface Named {
  readonly logGroupName: string;
  readonly logStreamName: string;
}

describe('log groups', () => {
  test('are made, described as they are, and deleted', async () => {
    const api = openLogsApi();
    await api.call('CreateLogGroup', { logGroupName: '/ecs/web', tags: { team: 'blue' } });
    await api.call('PutRetentionPolicy', { logGroupName: '/ecs/web', retentionInDays: 14 });
    const { logGroups } = await api.call('DescribeLogGroups', { logGroupNamePrefix: '/ecs/' });
    expect(logGroups).toEqual([
      {
        logGroupName: '/ecs/web',
        creationTime: api.clock.at,
        retentionInDays: 14,
        metricFilterCount: 0,
        arn: `${arnOf('/ecs/web')}:*`,
        storedBytes: 0,
        logGroupClass: 'STANDARD',
        logGroupArn: arnOf('/ecs/web'),
        deletionProtectionEnabled: false,
      },
    ]);
    await api.call('DeleteRetentionPolicy', { logGroupName: '/ecs/web' });
    expect((await api.call('DescribeLogGroups')).logGroups[0]).not.toHaveProperty('retentionInDays');
    expect(await api.refusal('CreateLogGroup', { logGroupName: '/ecs/web' })).toBe(
      'ResourceAlreadyExistsException: The specified log group already exists',
    );
    await api.call('DeleteLogGroup', { logGroupName: '/ecs/web' });
    expect(await api.refusal('DeleteLogGroup', { logGroupName: '/ecs/web' })).toBe(
      'ResourceNotFoundException: The specified log group does not exist.',
    );
  });

  test('are listed page by page, by prefix, pattern and identifier', async () => {
    const api = openLogsApi();
    for (const logGroupName of ['b/web', 'a/web', 'a/api', 'c']) await api.call('CreateLogGroup', { logGroupName });
    const names = async (input: object): Promise<string[]> =>
      (await api.call('DescribeLogGroups', input)).logGroups.map(({ logGroupName }: Named) => logGroupName);
    expect(await names({})).toEqual(['a/api', 'a/web', 'b/web', 'c']);
    expect(await names({ logGroupNamePrefix: 'a/' })).toEqual(['a/api', 'a/web']);
    expect(await names({ logGroupNamePattern: 'web' })).toEqual(['a/web', 'b/web']);
    expect(await names({ logGroupIdentifiers: ['c', arnOf('a/web'), 'none'] })).toEqual(['a/web', 'c']);
    const first = await api.call('DescribeLogGroups', { logGroupNamePattern: 'web', limit: 1 });
    expect(await names({ logGroupNamePattern: 'web', limit: 1, nextToken: first.nextToken })).toEqual(['b/web']);
    expect(await api.refusal('DescribeLogGroups', { nextToken: first.nextToken })).toBe(
      'InvalidParameterException: The specified nextToken is invalid.',
    );
    expect(await api.refusal('DescribeLogGroups', { logGroupNamePrefix: 'a', logGroupNamePattern: 'a' })).toContain(
      'mutually exclusive',
    );
    const { logGroups } = await api.call('ListLogGroups', { logGroupNamePattern: '^a/a|web' });
    expect(logGroups.map(({ logGroupName }: Named) => logGroupName)).toEqual(['a/api', 'a/web', 'b/web']);
  });

  test('that are protected stay until they no longer are', async () => {
    const api = openLogsApi();
    await api.call('CreateLogGroup', { logGroupName: 'web', deletionProtectionEnabled: true });
    expect(await api.refusal('DeleteLogGroup', { logGroupName: 'web' })).toContain(
      'ValidationException: The log group is protected',
    );
    await api.call('PutLogGroupDeletionProtection', {
      logGroupIdentifier: arnOf('web'),
      deletionProtectionEnabled: false,
    });
    await api.call('DeleteLogGroup', { logGroupName: 'web' });
  });

  test('have tags, by ARN and by name', async () => {
    const api = openLogsApi();
    await api.call('CreateLogGroup', { logGroupName: 'web', tags: { team: 'blue' } });
    await api.call('TagResource', { resourceArn: arnOf('web'), tags: { stage: 'test' } });
    await api.call('TagLogGroup', { logGroupName: 'web', tags: { team: 'red' } });
    expect((await api.call('ListTagsForResource', { resourceArn: arnOf('web') })).tags).toEqual({
      team: 'red',
      stage: 'test',
    });
    await api.call('UntagResource', { resourceArn: arnOf('web'), tagKeys: ['team'] });
    await api.call('UntagLogGroup', { logGroupName: 'web', tags: ['none'] });
    expect((await api.call('ListTagsLogGroup', { logGroupName: 'web' })).tags).toEqual({ stage: 'test' });
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, '']));
    expect(await api.refusal('TagResource', { resourceArn: arnOf('web'), tags: many })).toContain(
      'TooManyTagsException',
    );
    expect(await api.refusal('TagResource', { resourceArn: arnOf('web'), tags: { 'aws:x': '' } })).toContain(
      'reserved',
    );
    expect(await api.refusal('ListTagsForResource', { resourceArn: arnOf('none') })).toContain(
      'ResourceNotFoundException',
    );
    expect(await api.refusal('ListTagsForResource', { resourceArn: `${arnOf('web')}:*` })).toContain(
      'InvalidParameterException',
    );
    expect(await api.refusal('ListTagsForResource', { resourceArn: 'web' })).toContain(
      "'web' is not the ARN of a log group",
    );
    expect(
      await api.refusal('ListTagsForResource', { resourceArn: arnOf('web').replace(account, '111122223333') }),
    ).toContain('ResourceNotFoundException');
  });

  test('what nothing acts on is refused', async () => {
    const api = openLogsApi();
    const create = (more: object) => api.refusal('CreateLogGroup', { logGroupName: 'web', ...more });
    expect(await create({ kmsKeyId: 'arn:aws:kms:us-east-1:000000000000:key/1' })).toBe(
      'InvalidParameterException: kmsKeyId is not supported by this installation. Events are not encrypted with keys of KMS: encrypt the disk or the bucket. Leave kmsKeyId out.',
    );
    expect(await create({ logGroupClass: 'INFREQUENT_ACCESS' })).toContain('Every group is of the class STANDARD');
    expect(await create({ logGroupName: 'aws/web' })).toContain('reserved');
    expect(await create({ logGroupName: 'a b' })).toContain(
      "InvalidParameterException: 1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint",
    );
    expect(await api.refusal('PutRetentionPolicy', { logGroupName: 'web', retentionInDays: 2 })).toContain(
      'enum value set: [1, 3, 5',
    );
    expect(await api.refusal('PutRetentionPolicy', { logGroupName: 'web', retentionInDays: 7 })).toContain(
      'ResourceNotFoundException',
    );
    expect(await api.refusal('AssociateKmsKey', {})).toContain(
      'AssociateKmsKey is not supported by this installation.',
    );
    expect(await api.refusal('PutDestination', {})).toContain('Name a webhook');
  });
});

describe('log streams', () => {
  test('are listed by name and by their last event, in both directions, page by page', async () => {
    const api = openLogsApi();
    await api.call('CreateLogGroup', { logGroupName: 'web' });
    for (const logStreamName of ['b', 'a/1', 'a/2', 'c'])
      await api.call('CreateLogStream', { logGroupName: 'web', logStreamName });
    const now = api.clock.at;
    await api.put([[now - 3, 'x']], 'c');
    await api.put([[now - 2, 'x']], 'a/1');
    await api.put([[now - 1, 'x']], 'b');
    const all = async (input: object): Promise<string[]> => {
      const names: string[] = [];
      let nextToken: string | undefined;
      do {
        const page = await api.call('DescribeLogStreams', { logGroupName: 'web', limit: 2, ...input, nextToken });
        names.push(...page.logStreams.map(({ logStreamName }: Named) => logStreamName));
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
      return names;
    };
    expect(await all({})).toEqual(['a/1', 'a/2', 'b', 'c']);
    expect(await all({ descending: true })).toEqual(['c', 'b', 'a/2', 'a/1']);
    expect(await all({ logStreamNamePrefix: 'a/' })).toEqual(['a/1', 'a/2']);
    expect(await all({ orderBy: 'LastEventTime', descending: true })).toEqual(['b', 'a/1', 'c', 'a/2']);
    expect(await all({ orderBy: 'LastEventTime' })).toEqual(['a/2', 'c', 'a/1', 'b']);
    const { logStreams } = await api.call('DescribeLogStreams', {
      logGroupIdentifier: arnOf('web'),
      logStreamNamePrefix: 'c',
    });
    expect(logStreams).toEqual([
      {
        logStreamName: 'c',
        creationTime: now,
        firstEventTimestamp: now - 3,
        lastEventTimestamp: now - 3,
        lastIngestionTime: now,
        uploadSequenceToken: expect.any(String),
        arn: `${arnOf('web')}:log-stream:c`,
        storedBytes: 0,
      },
    ]);
    expect(
      await api.refusal('DescribeLogStreams', {
        logGroupName: 'web',
        orderBy: 'LastEventTime',
        logStreamNamePrefix: 'a',
      }),
    ).toBe('InvalidParameterException: Cannot order by LastEventTime with a logStreamNamePrefix.');
    expect(await api.refusal('DescribeLogStreams', {})).toContain('Exactly one of');
    expect(await api.refusal('DescribeLogStreams', { logGroupName: 'web', limit: 51 })).toContain(
      'InvalidParameterException',
    );
  });

  test('are there once, and gone when they are deleted', async () => {
    const api = openLogsApi();
    const one = { logGroupName: 'web', logStreamName: 'one' };
    expect(await api.refusal('CreateLogStream', one)).toBe(
      'ResourceNotFoundException: The specified log group does not exist.',
    );
    await api.withStream();
    expect(await api.refusal('CreateLogStream', one)).toBe(
      'ResourceAlreadyExistsException: The specified log stream already exists',
    );
    expect(await api.refusal('CreateLogStream', { ...one, logStreamName: 'a:b' })).toContain(
      'InvalidParameterException',
    );
    await api.call('DeleteLogStream', one);
    expect(await api.refusal('DeleteLogStream', one)).toBe(
      'ResourceNotFoundException: The specified log stream does not exist.',
    );
    expect(await api.refusal('GetLogEvents', one)).toContain('log stream does not exist');
  });
});

describe('who may', () => {
  test('do what is asked for on the ARN of the group or of the stream, with the tags of the group', async () => {
    const api = openLogsApi();
    await api.call('CreateLogGroup', { logGroupName: 'web', tags: { team: 'blue' } });
    const stream = { logGroupName: 'web', logStreamName: 'web/app/1' };
    const events = { logEvents: [{ timestamp: 1, message: 'a' }] };
    const on = async (name: string, input: object) =>
      (await api.access(name, input)).map(({ action, on: [arn] }) => `${action} ${arn}`);
    const ofStream = `${arnOf('web')}:log-stream:web/app/1`;
    expect(await on('PutLogEvents', { ...stream, ...events })).toEqual([`logs:PutLogEvents ${ofStream}`]);
    expect(await on('CreateLogStream', stream)).toEqual([`logs:CreateLogStream ${ofStream}`]);
    expect(await on('GetLogEvents', { ...stream, unmask: true })).toEqual([
      `logs:GetLogEvents ${ofStream}`,
      `logs:Unmask ${arnOf('web')}:log-stream:`,
    ]);
    expect(await on('FilterLogEvents', { logGroupIdentifier: arnOf('web') })).toEqual([
      `logs:FilterLogEvents ${arnOf('web')}:log-stream:`,
    ]);
    expect(await on('DescribeLogGroups', {})).toEqual([`logs:DescribeLogGroups ${arnOf('')}:log-stream:`]);
    expect(await on('ListTagsForResource', { resourceArn: arnOf('web') })).toEqual([
      `logs:ListTagsForResource ${arnOf('web')}`,
    ]);
    expect(await api.access('CreateLogGroup', { logGroupName: 'new', tags: { team: 'red' } })).toEqual([
      {
        action: 'logs:CreateLogGroup',
        on: [`${arnOf('new')}:log-stream:`],
        tags: [undefined],
        context: { 'aws:TagKeys': ['team'], 'aws:RequestTag/team': 'red' },
      },
    ]);
    expect(await api.access('UntagResource', { resourceArn: arnOf('web'), tagKeys: ['team'] })).toMatchObject([
      { tags: [{ team: 'blue' }], context: { 'aws:TagKeys': ['team'] } },
    ]);
    const other = arnOf('web').replace(account, '111122223333');
    expect(await on('ListTagsForResource', { resourceArn: other })).toEqual([
      `logs:ListTagsForResource ${arnOf(other)}`,
    ]);
    expect(await on('StartLiveTail', { logGroupIdentifiers: [arnOf('web')] })).toEqual([
      `logs:StartLiveTail ${arnOf('web')}:log-stream:`,
    ]);
  });
});
