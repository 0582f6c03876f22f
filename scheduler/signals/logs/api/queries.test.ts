import { expect, test } from 'vitest';

import { openLogsApi } from '../testing/open-logs-api.ts';

type Row = Record<string, string>;
interface Results {
  readonly status: string;
  readonly results: readonly (readonly { readonly field: string; readonly value: string }[])[];
  readonly statistics: Record<string, number>;
  readonly nextToken?: string;
}

/** The API with a group `web` that has events, and queries over it. */
async function opened() {
  const api = openLogsApi();
  await api.withStream();
  const now = api.clock.at;
  const seconds = { startTime: now / 1000 - 3600, endTime: now / 1000 };
  const lines = ['GET / 200', '{"level":"error","ms":812}', '{"level":"info","ms":5}', 'GET /a 404'];
  await api.put(lines.map((line, index) => [now - 4000 + index * 1000, line]));
  const start = async (queryString: string, more: object = {}): Promise<string> =>
    ((await api.call('StartQuery', { logGroupName: 'web', ...seconds, queryString, ...more })) as { queryId: string })
      .queryId;
  const results = async (queryId: string, more: object = {}): Promise<Results> =>
    (await api.call('GetQueryResults', { queryId, ...more })) as unknown as Results;
  const rows = ({ results: found }: Results): Row[] =>
    found.map((row) => Object.fromEntries(row.map(({ field, value }) => [field, value])));
  /** What a query answers when it is done. */
  const ask = async (queryString: string, more: object = {}): Promise<Results> => {
    const id = await start(queryString, more);
    await api.queries.idle();
    return results(id);
  };
  return { ...api, now, seconds, lines, start, results, rows, ask };
}

test('a query is started, and its results are there when it is complete', async () => {
  const { ask, rows, lines, now } = await opened();
  const all = await ask('fields @timestamp, @message, @logStream, @log | sort @timestamp desc');
  expect(all).toMatchObject({
    status: 'Complete',
    queryLanguage: 'CWLI',
    statistics: {
      recordsMatched: 4,
      recordsScanned: 4,
      bytesScanned: lines.join('').length,
      logGroupsScanned: 1,
      estimatedRecordsSkipped: 0,
    },
  });
  expect(rows(all)).toMatchObject(
    lines
      .map((line, index) => ({
        '@timestamp': new Date(now - 4000 + index * 1000).toISOString().replace('T', ' ').replace('Z', ''),
        '@message': line,
        '@logStream': 'one',
        '@log': '000000000000:web',
      }))
      .toReversed(),
  );
  expect(rows(await ask('filter level = "error" | stats max(ms) as worst'))).toEqual([{ worst: '812' }]);
  expect(rows(await ask('fields @message', { limit: 1 }))).toHaveLength(1);
  // The whole of the last second's first instant, and nothing after it.
  const times = { startTime: now / 1000 - 3, endTime: now / 1000 - 2 };
  expect(rows(await ask('stats count(*) as n', times))).toEqual([{ n: '2' }]);
  expect(rows(await ask('stats count(*) as n', { startTime: 0, endTime: 1 }))).toEqual([]);
});

test('several groups are one query, by their names or identifiers', async () => {
  const { call, ask, rows, seconds } = await opened();
  await call('CreateLogGroup', { logGroupName: 'api' });
  await call('CreateLogStream', { logGroupName: 'api', logStreamName: 's' });
  await call('PutLogEvents', {
    logGroupName: 'api',
    logStreamName: 's',
    logEvents: [{ timestamp: seconds.endTime * 1000 - 1, message: 'x' }],
  });
  const query = 'stats count(*) as n by @log | sort @log asc';
  const expected = [
    { '@log': '000000000000:api', n: '1' },
    { '@log': '000000000000:web', n: '4' },
  ];
  expect(rows(await ask(query, { logGroupName: undefined, logGroupNames: ['web', 'api', 'web'] }))).toEqual(expected);
  const logGroupIdentifiers = ['web', `arn:aws:logs:us-east-1:000000000000:log-group:api`];
  expect(rows(await ask(query, { logGroupName: undefined, logGroupIdentifiers }))).toEqual(expected);
});

test('results come in pages when they are asked for so, and whole otherwise', async () => {
  const { start, results, rows, queries } = await opened();
  const id = await start('fields ms | filter ispresent(ms) | sort ms asc');
  await queries.idle();
  const first = await results(id, { maxItems: 1 });
  expect(rows(first)).toMatchObject([{ ms: '5' }]);
  const second = await results(id, { maxItems: 1, nextToken: first.nextToken });
  expect([rows(second)[0]?.['ms'], second.nextToken]).toEqual(['812', undefined]);
  expect(rows(await results(id))).toHaveLength(2);
  await expect(results(id, { nextToken: 'other' })).rejects.toMatchObject({ code: 'InvalidParameterException' });
});

test('a query that cannot be read is refused with its place', async () => {
  const { call, seconds } = await opened();
  const malformed = call('StartQuery', { logGroupName: 'web', ...seconds, queryString: 'fields a | nope' });
  await expect(malformed).rejects.toMatchObject({
    code: 'MalformedQueryException',
    message: expect.stringContaining('at character 12') as string,
    members: {
      queryCompileError: {
        location: { startCharOffset: 11, endCharOffset: 15 },
        message: expect.stringContaining("'nope' stands where a command must") as string,
      },
    },
  });
});

test('what makes no sense is refused before anything is read', async () => {
  const { refusal, seconds } = await opened();
  const asked = { logGroupName: 'web', ...seconds, queryString: '' };
  for (const [input, expected] of [
    [{ logGroupName: 'none' }, 'ResourceNotFoundException'],
    [{ logGroupName: undefined }, 'A query is over 1 to 50 log groups'],
    [{ logGroupNames: ['web'] }, 'Only one of logGroupName, logGroupNames and logGroupIdentifiers'],
    [{ logGroupName: undefined, logGroupNames: Array.from({ length: 51 }, (_, n) => `g${n}`) }, '50'],
    [{ endTime: 0 }, 'endTime is before startTime'],
    [{ startTime: seconds.startTime * 1000, endTime: seconds.endTime * 1000 }, 'seconds since 1970, not milliseconds'],
    [{ queryLanguage: 'SQL' }, 'The query language SQL is not supported'],
    [{ queryString: 'x'.repeat(10_001) }, '10000'],
    [{ queryString: 'x'.repeat(10 * 1024 * 1024) }, '10000'],
    [{ limit: 10_001 }, '10000'],
    [{ limit: 0 }, 'limit'],
  ] as const)
    expect(await refusal('StartQuery', { ...asked, ...input })).toContain(expected);
  for (const name of ['GetQueryResults', 'StopQuery', 'ListLogGroupsForQuery'])
    expect(await refusal(name, { queryId: 'nope' })).toContain('ResourceNotFoundException');
});

test('queries are described, the newest first, and forgotten after a day', async () => {
  const { call, start, queries, clock } = await opened();
  const first = await start('stats count(*)');
  await queries.idle();
  clock.at += 1000;
  const second = await start('fields @message');
  await queries.idle();
  const described = async (more: object = {}) =>
    (await call('DescribeQueries', more)) as unknown as { queries: readonly { queryId: string }[]; nextToken?: string };
  const all = await described();
  expect(all.queries).toMatchObject([
    { queryId: second, queryString: 'fields @message', status: 'Complete', logGroupName: 'web', queryDuration: 0 },
    { queryId: first, queryString: 'stats count(*)', createTime: clock.at - 1000 },
  ]);
  const page = await described({ maxResults: 1 });
  expect((await described({ maxResults: 1, nextToken: page.nextToken })).queries.map(({ queryId }) => queryId)).toEqual(
    [first],
  );
  expect((await described({ status: 'Running' })).queries).toEqual([]);
  expect((await described({ logGroupName: 'web', status: 'Complete' })).queries).toHaveLength(2);
  expect(await call('ListLogGroupsForQuery', { queryId: first })).toMatchObject({ logGroupIdentifiers: ['web'] });
  clock.at += 25 * 3_600_000;
  const third = await start('');
  await queries.idle();
  expect((await described()).queries.map(({ queryId }) => queryId)).toEqual([third]);
});

test('queries are saved under names, changed and removed', async () => {
  const { call, refusal } = await opened();
  const put = async (input: object) =>
    ((await call('PutQueryDefinition', input)) as { queryDefinitionId: string }).queryDefinitionId;
  const clientToken = 'a'.repeat(36);
  const id = await put({
    name: 'web/errors',
    queryString: 'filter level = "error"',
    logGroupNames: ['web'],
    clientToken,
  });
  expect(
    await put({ name: 'web/errors', queryString: 'filter level = "error"', logGroupNames: ['web'], clientToken }),
  ).toBe(id);
  const other = await put({ name: 'api', queryString: 'limit 1' });
  await put({ name: 'web/worst', queryString: 'sort ms desc', queryDefinitionId: id });
  const described = async (more: object = {}) => (await call('DescribeQueryDefinitions', more)) as object;
  expect(await described()).toMatchObject({
    queryDefinitions: [
      { queryDefinitionId: other, name: 'api', queryString: 'limit 1', logGroupNames: [] },
      { queryDefinitionId: id, name: 'web/worst', queryString: 'sort ms desc' },
    ],
  });
  expect(await described({ queryDefinitionNamePrefix: 'web/' })).toMatchObject({
    queryDefinitions: [{ name: 'web/worst' }],
  });
  const page = (await described({ maxResults: 1 })) as { nextToken: string };
  expect(await described({ maxResults: 1, nextToken: page.nextToken })).toMatchObject({
    queryDefinitions: [{ name: 'web/worst' }],
  });
  expect(await call('DeleteQueryDefinition', { queryDefinitionId: id })).toMatchObject({ success: true });
  expect(await refusal('DeleteQueryDefinition', { queryDefinitionId: id })).toContain('ResourceNotFoundException');
  expect(await refusal('DeleteQueryDefinition', { queryDefinitionId: '../x' })).toContain('ResourceNotFoundException');
  expect(await refusal('PutQueryDefinition', { name: 'a', queryString: 'b' })).toContain(
    'Invalid query at character 1',
  );
  expect(await refusal('PutQueryDefinition', { name: 'a', queryString: 'limit 1', queryDefinitionId: id })).toContain(
    'ResourceNotFoundException',
  );
});

test('a record is found by its pointer, with all its fields', async () => {
  const { ask, rows, call, refusal, lines, now } = await opened();
  const [{ '@ptr': pointer } = {}] = rows(await ask('filter ms > 100'));
  expect(await call('GetLogRecord', { logRecordPointer: pointer })).toMatchObject({
    logRecord: {
      '@timestamp': String(now - 3000),
      '@message': lines[1],
      '@logStream': 'one',
      '@log': '000000000000:web',
      '@ptr': pointer,
      level: 'error',
      ms: '812',
    },
  });
  expect(await refusal('GetLogRecord', { logRecordPointer: 'nope' })).toContain('InvalidParameterException');
  await call('DeleteLogStream', { logGroupName: 'web', logStreamName: 'one' });
  expect(await refusal('GetLogRecord', { logRecordPointer: pointer })).toContain('ResourceNotFoundException');
});

test('the fields of a group are told with how many events have them', async () => {
  const { call, seconds } = await opened();
  const fields = async (more: object) =>
    ((await call('GetLogGroupFields', { logGroupName: 'web', ...more })) as { logGroupFields: readonly object[] })
      .logGroupFields;
  const found = await fields({});
  expect(found).toContainEqual({ name: '@message', percent: 100 });
  expect(found).toContainEqual({ name: 'level', percent: 50 });
  expect(await fields({ time: seconds.endTime + 300 })).toEqual(found);
  expect(await fields({ time: seconds.endTime + 600 })).toEqual([]);
});

test('names of fields that are repeated in many paths do not make an answer of a line a thousand times as long', async () => {
  const { call, put, now, ask, rows } = await opened();
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`f${n}`, n]));
  await put([[now - 10, JSON.stringify({ ['n'.repeat(2000)]: many, short: 1 })]]);
  const { logGroupFields } = (await call('GetLogGroupFields', { logGroupName: 'web' })) as {
    readonly logGroupFields: readonly { readonly name: string }[];
  };
  expect(logGroupFields.map(({ name }) => name).filter((name) => !name.startsWith('@'))).toEqual([
    'level',
    'ms',
    'short',
  ]);
  const [{ '@ptr': pointer } = {}] = rows(await ask('filter short = 1'));
  const { logRecord } = (await call('GetLogRecord', { logRecordPointer: pointer })) as { readonly logRecord: Row };
  expect(Object.keys(logRecord).filter((name) => !name.startsWith('@'))).toEqual(['short']);
});

test('queries are asked for on every group, and their results too', async () => {
  const { access, start, queries, call } = await opened();
  await call('TagLogGroup', { logGroupName: 'web', tags: { team: 'blue' } });
  const arn = 'arn:aws:logs:us-east-1:000000000000:log-group:web:log-stream:';
  const on = (action: string) => [
    { action: `logs:${action}`, on: [arn], tags: [{ team: 'blue' }], context: undefined },
  ];
  const asked = { startTime: 0, endTime: 1, queryString: '' };
  expect(await access('StartQuery', { ...asked, logGroupNames: ['web', 'none'] })).toMatchObject([
    { action: 'logs:StartQuery', on: [arn, arn.replace('web', 'none')] },
  ]);
  const queryId = await start('');
  await queries.idle();
  for (const name of ['GetQueryResults', 'StopQuery', 'ListLogGroupsForQuery'])
    expect(await access(name, { queryId })).toEqual(on(name));
  expect(await access('GetQueryResults', { queryId: 'none' })).toMatchObject([{ on: ['*'] }]);
  expect(await access('GetLogGroupFields', { logGroupName: 'web' })).toMatchObject([{ on: [arn] }]);
  for (const name of ['PutQueryDefinition', 'DescribeQueryDefinitions', 'DeleteQueryDefinition'])
    expect(await access(name, { name: 'a', queryString: 'limit 1', queryDefinitionId: 'a' })).toMatchObject([
      { on: ['*'] },
    ]);
});
