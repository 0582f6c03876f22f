import { describe, expect, test } from 'vitest';

import { openLogsApi } from '../testing/open-logs-api.ts';

const account = '000000000000';
const arnOf = (group: string): string => `arn:aws:logs:us-east-1:${account}:log-group:${group}`;
const hour = 3_600_000;
const day = 24 * hour;
interface Named {
  readonly logGroupName: string;
  readonly logStreamName: string;
}
interface Message {
  readonly message: string;
  readonly timestamp: number;
  readonly eventId: string;
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

describe('events that are put', () => {
  test('come back in order, with when they were taken in', async () => {
    const api = openLogsApi();
    await api.withStream();
    const now = api.clock.at;
    expect(
      await api.put([
        [now - 2, 'first'],
        [now - 1, 'zwölf €'],
        [now - 1, 'third'],
      ]),
    ).toEqual({
      nextSequenceToken: expect.stringMatching(/^\d{56}$/),
    });
    const { events } = await api.call('GetLogEvents', { logGroupName: 'web', logStreamName: 'one' });
    expect(events).toEqual([
      { timestamp: now - 2, message: 'first', ingestionTime: now },
      { timestamp: now - 1, message: 'zwölf €', ingestionTime: now },
      { timestamp: now - 1, message: 'third', ingestionTime: now },
    ]);
  });

  test('too old, too new or expired ones are left out and said by their place', async () => {
    const api = openLogsApi();
    await api.withStream();
    const now = api.clock.at;
    const put = async (...times: number[]) =>
      (await api.put(times.map((time) => [time, String(time)]))).rejectedLogEventsInfo;
    expect(await put(now, now + 2 * hour)).toBe(undefined);
    expect(await put(now, now + 2 * hour + 1, now + 3 * hour)).toEqual({ tooNewLogEventStartIndex: 1 });
    expect(await put(now - 14 * day - 2, now - 14 * day - 1, now - 14 * day)).toEqual({ tooOldLogEventEndIndex: 2 });
    expect(await put(now - 20 * day)).toEqual({ tooOldLogEventEndIndex: 1 });
    await api.call('PutRetentionPolicy', { logGroupName: 'web', retentionInDays: 3 });
    expect(await put(now - 3 * day - 1, now - 3 * day)).toEqual({ expiredLogEventEndIndex: 1 });
    expect(await put(now - 15 * day)).toEqual({ tooOldLogEventEndIndex: 1, expiredLogEventEndIndex: 1 });
    const { events } = await api.call('GetLogEvents', { logGroupName: 'web', logStreamName: 'one' });
    expect(events.map(({ timestamp }: Message) => timestamp)).toEqual([
      now - 14 * day,
      now - 3 * day,
      now,
      now,
      now + 2 * hour,
    ]);
  });

  test('a batch that is out of bounds is refused as a whole', async () => {
    const api = openLogsApi();
    await api.withStream();
    const now = api.clock.at;
    const refusal = (events: [number, unknown][], more: object = {}) =>
      api.refusal('PutLogEvents', {
        logGroupName: 'web',
        logStreamName: 'one',
        logEvents: events.map(([timestamp, message]) => ({ timestamp, message })),
        ...more,
      });
    expect(
      await refusal([
        [now, 'a'],
        [now - 1, 'b'],
      ]),
    ).toBe('InvalidParameterException: Log events in a single PutLogEvents request must be in chronological order.');
    expect(
      await refusal([
        [now - day - 1, 'a'],
        [now, 'b'],
      ]),
    ).toContain('cannot span more than 24 hours');
    expect(await refusal([[now, 'x'.repeat(1_048_576 - 25)]])).toBe(
      'InvalidParameterException: Log event too large: 1048577 bytes exceeds limit of 1048576',
    );
    expect(
      await refusal([
        [now, 'x'.repeat(600_000)],
        [now, 'é'.repeat(300_000)],
      ]),
    ).toContain('Upload too large: 1200052 bytes');
    expect(await refusal([])).toContain('InvalidParameterException');
    expect(await refusal([[now, '']])).toContain('InvalidParameterException');
    expect(await refusal([[-1, 'a']])).toContain('InvalidParameterException');
    expect(await refusal([[1.5, 'a']])).toContain('InvalidParameterException');
    expect(await refusal(Array.from({ length: 10_001 }, () => [now, 'a']))).toContain('InvalidParameterException');
    expect(await refusal([[now, 'a']], { logStreamName: 'none' })).toBe(
      'ResourceNotFoundException: The specified log stream does not exist.',
    );
    expect(await refusal([[now - 20 * day, 'a']], { logStreamName: 'none' })).toContain('log stream does not exist');
    expect(await refusal([[now, 'a']], { logGroupName: 'none' })).toBe(
      'ResourceNotFoundException: The specified log group does not exist.',
    );
    expect((await api.call('GetLogEvents', { logGroupName: 'web', logStreamName: 'one' })).events).toEqual([]);
    // The largest that fit.
    await api.put([
      [now - day, 'x'],
      [now, 'x'.repeat(1_048_576 - 53)],
    ]);
    await api.put(Array.from({ length: 10_000 }, () => [now, 'a'] as const));
  });

  test('whoever says of which entity they are is told that there are none', async () => {
    const api = openLogsApi();
    await api.withStream();
    const answer = await api.call('PutLogEvents', {
      logGroupName: 'web',
      logStreamName: 'one',
      logEvents: [{ timestamp: api.clock.at, message: 'a' }],
      sequenceToken: 'whatever',
      entity: { keyAttributes: { Type: 'Service', Name: 'web' } },
    });
    expect(answer.rejectedEntityInfo).toEqual({ errorType: 'UnsupportedLogGroupType' });
    expect((await api.call('GetLogEvents', { logGroupName: 'web', logStreamName: 'one' })).events).toHaveLength(1);
  });
});

describe('reading a stream', () => {
  async function tenEvents() {
    const api = openLogsApi();
    await api.withStream();
    const now = api.clock.at;
    await api.put(Array.from({ length: 10 }, (_, index) => [now + index, `m${index}`] as const));
    const get = async (more: object) => {
      const page = await api.call('GetLogEvents', { logGroupName: 'web', logStreamName: 'one', ...more });
      return { ...page, messages: page.events.map(({ message }: Message) => message).join(' ') };
    };
    return { api, now, get };
  }

  test('forward to the end, where the same token comes again, and goes on with what is new', async () => {
    const { api, now, get } = await tenEvents();
    const first = await get({ startFromHead: true, limit: 4 });
    expect(first.messages).toBe('m0 m1 m2 m3');
    const second = await get({ startFromHead: true, limit: 4, nextToken: first.nextForwardToken });
    const third = await get({ limit: 4, nextToken: second.nextForwardToken });
    expect([second.messages, third.messages]).toEqual(['m4 m5 m6 m7', 'm8 m9']);
    const end = await get({ nextToken: third.nextForwardToken });
    expect([end.messages, end.nextForwardToken]).toEqual(['', third.nextForwardToken]);
    await api.put([[now + 20, 'new']]);
    expect((await get({ nextToken: end.nextForwardToken })).messages).toBe('new');
    // Whoever turns round at the end gets the events before it, the last one as well.
    expect((await get({ nextToken: end.nextBackwardToken, limit: 2 })).messages).toBe('m8 m9');
  });

  test('backward from the end by default, events ascending', async () => {
    const { get } = await tenEvents();
    const last = await get({ limit: 4 });
    expect(last.messages).toBe('m6 m7 m8 m9');
    const before = await get({ limit: 4, nextToken: last.nextBackwardToken });
    const first = await get({ limit: 4, nextToken: before.nextBackwardToken });
    expect([before.messages, first.messages]).toEqual(['m2 m3 m4 m5', 'm0 m1']);
    const end = await get({ limit: 4, nextToken: first.nextBackwardToken });
    expect([end.messages, end.nextBackwardToken]).toEqual(['', first.nextBackwardToken]);
    expect((await get({ limit: 1, nextToken: end.nextForwardToken })).messages).toBe('m0');
    expect((await get({ limit: 4, nextToken: before.nextForwardToken })).messages).toBe('m6 m7 m8 m9');
  });

  test('in a range whose end is not part of it', async () => {
    const { now, get } = await tenEvents();
    expect((await get({ startTime: now + 2, endTime: now + 4 })).messages).toBe('m2 m3');
    expect((await get({ startTime: now + 9, startFromHead: true })).messages).toBe('m9');
  });

  test('an empty stream has both tokens, and what comes is after them', async () => {
    const api = openLogsApi();
    await api.withStream();
    const one = { logGroupIdentifier: arnOf('web'), logStreamName: 'one' };
    const { events, nextForwardToken, nextBackwardToken } = await api.call('GetLogEvents', one);
    expect([events, typeof nextForwardToken, typeof nextBackwardToken]).toEqual([[], 'string', 'string']);
    await api.put([[api.clock.at, 'a']]);
    const page = await api.call('GetLogEvents', { ...one, nextToken: nextForwardToken });
    expect(page.events.map(({ message }: Message) => message)).toEqual(['a']);
    expect((await api.call('GetLogEvents', { ...one, nextToken: nextBackwardToken })).events).toEqual([]);
  });

  test.each(['x', 'f/1/s', `f/${'9'.repeat(56)}/s`, `g/${'0'.repeat(56)}/s`])('%s is no token', async (nextToken) => {
    const { api } = await tenEvents();
    const refusal = await api.refusal('GetLogEvents', { logGroupName: 'web', logStreamName: 'one', nextToken });
    expect(refusal).toBe('InvalidParameterException: The specified nextToken is invalid.');
  });
});

describe('filtering a group', () => {
  test('by pattern, streams and time, page by page, each event once under an id of its own', async () => {
    const api = openLogsApi();
    await api.withStream();
    await api.call('CreateLogStream', { logGroupName: 'web', logStreamName: 'two' });
    const now = api.clock.at;
    await api.put([
      [now, 'ERROR a'],
      [now + 2, 'ok'],
    ]);
    await api.put(
      [
        [now + 1, 'ERROR b'],
        [now + 3, '{"level":"error"}'],
      ],
      'two',
    );
    const filter = async (more: object) => {
      const page = await api.call('FilterLogEvents', { logGroupName: 'web', ...more });
      return page.events.map(({ message }: Message) => message);
    };
    expect(await filter({})).toEqual(['ERROR a', 'ERROR b', 'ok', '{"level":"error"}']);
    expect(await filter({ filterPattern: 'ERROR' })).toEqual(['ERROR a', 'ERROR b']);
    expect(await filter({ filterPattern: '{ $.level = "error" }' })).toEqual(['{"level":"error"}']);
    expect(await filter({ logStreamNames: ['one', 'none'] })).toEqual(['ERROR a', 'ok']);
    expect(await filter({ logStreamNamePrefix: 't' })).toEqual(['ERROR b', '{"level":"error"}']);
    // The end is part of the range, unlike that of GetLogEvents.
    expect(await filter({ startTime: now + 1, endTime: now + 2 })).toEqual(['ERROR b', 'ok']);
    const first = await api.call('FilterLogEvents', { logGroupIdentifier: arnOf('web'), limit: 3 });
    expect(first.events[0]).toEqual({
      logStreamName: 'one',
      timestamp: now,
      message: 'ERROR a',
      ingestionTime: now,
      eventId: expect.stringMatching(/^\d{56}$/),
    });
    expect(first.searchedLogStreams).toEqual([]);
    const second = await api.call('FilterLogEvents', { logGroupName: 'web', limit: 3, nextToken: first.nextToken });
    expect(second.events.map(({ message }: Message) => message)).toEqual(['{"level":"error"}']);
    expect(second).not.toHaveProperty('nextToken');
    const ids = [...first.events, ...second.events].map(({ eventId }: Message) => eventId);
    expect(new Set(ids).size).toBe(4);
    expect(ids.toSorted()).toEqual(ids);
  });

  test('what is wrong with a pattern is said with its character', async () => {
    const api = openLogsApi();
    await api.withStream();
    expect(await api.refusal('FilterLogEvents', { logGroupName: 'web', filterPattern: '{ $.a = }' })).toBe(
      'InvalidParameterException: Invalid filter pattern at character 9: \'}\' is no value. Write a number, a word, a "phrase", or a %regular expression%.',
    );
    expect(
      await api.refusal('FilterLogEvents', { logGroupName: 'web', logStreamNames: ['a'], logStreamNamePrefix: 'a' }),
    ).toContain('cannot be specified together');
    expect(await api.refusal('FilterLogEvents', { logGroupName: 'web', nextToken: 'x' })).toContain(
      'nextToken is invalid',
    );
    expect(await api.refusal('FilterLogEvents', { logGroupName: 'none' })).toContain('log group does not exist');
    expect(await api.refusal('FilterLogEvents', { logGroupName: 'web' }, '111122223333')).toContain(
      'log group does not exist',
    );
  });

  test('a pattern is tried on lines', async () => {
    const api = openLogsApi();
    const { matches } = await api.call('TestMetricFilter', {
      filterPattern: '[ip, ..., status = 4*, bytes]',
      logEventMessages: ['127.0.0.1 x 200 1', '127.0.0.1 "GET /" 404 15'],
    });
    expect(matches).toEqual([
      {
        eventNumber: 2,
        eventMessage: '127.0.0.1 "GET /" 404 15',
        extractedValues: { $ip: '127.0.0.1', $status: '404', $bytes: '15' },
      },
    ]);
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
