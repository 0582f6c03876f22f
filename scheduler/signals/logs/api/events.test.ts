import { describe, expect, test } from 'vitest';

import { openLogsApi } from '../testing/open-logs-api.ts';

const account = '000000000000';
const arnOf = (group: string): string => `arn:aws:logs:us-east-1:${account}:log-group:${group}`;
const hour = 3_600_000;
const day = 24 * hour;

interface Message {
  readonly message: string;
  readonly timestamp: number;
  readonly eventId: string;
}

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
