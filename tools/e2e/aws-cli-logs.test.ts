import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { AwsCli, inTurn, missingAwsCli, missingSecondAwsCli, secondAwsCli } from '../testbed/aws-cli.ts';
import { run } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

const missing = await missingAwsCli();
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

/** `logs tail` is in version 2 only. */
const noTail = await missingSecondAwsCli();
/** Boto3 lies beside the AWS command line that was installed for tests, or in the machine's own Python. */
const python = ['/opt/slipway-test-awscli/bin/python'].find((path) => existsSync(path)) ?? 'python3';
const boto = await run(python, ['-c', 'import boto3']).catch(() => ({ code: 1 }));
const noBoto = boto.code === 0 ? undefined : 'boto3 is not on this machine (pip install boto3)';
for (const lacking of [noTail, noBoto]) if (lacking !== undefined && process.env['CI']) throw new Error(lacking);

vi.setConfig({ testTimeout: 600_000 });

const folder = mkdtempSync(join(tmpdir(), 'slipway-logs-'));
let server: ServerProcess;
let aws: AwsCli;

beforeAll(async () => {
  server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  await server.start();
  aws = new AwsCli(server.aws());
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Events {
  readonly events: readonly { readonly message: string }[];
  readonly nextForwardToken: string;
}
const messages = ({ events }: Events): string[] => events.map(({ message }) => message);

test.skipIf((missing ?? noTail) !== undefined)(
  `the AWS CLI keeps a log as the AWS documentation has it, versions 1 and 2 in turn, also over a killed server${missing || noTail ? ` (${missing ?? noTail})` : ''}`,
  async () => {
    const json = inTurn(aws, new AwsCli(server.aws(), secondAwsCli));
    const logs = <T>(...args: string[]): Promise<T> => json<T>(['logs', ...args]);
    const group = ['--log-group-name', '/ecs/web'];
    const stream = [...group, '--log-stream-name', 'web/app/1'];
    await logs('create-log-group', ...group, '--tags', 'team=blue');
    await logs('put-retention-policy', ...group, '--retention-in-days', '14');
    await logs('create-log-stream', ...stream);
    const now = Date.now();
    const lines = ['GET / 200', 'ERROR no such file', 'GET /a 404', '{"level":"error","ms":812}'];
    const file = join(folder, 'events.json');
    writeFileSync(
      file,
      JSON.stringify(lines.map((message, index) => ({ timestamp: now - 4000 + index * 1000, message }))),
    );
    await logs('put-log-events', ...stream, '--log-events', `file://${file}`);

    // What was answered is there whatever happens to the server.
    await server.stop('SIGKILL');
    await server.start();
    // The CLI reads on with each forward token, until one comes again.
    expect(messages(await logs('get-log-events', ...stream, '--start-from-head'))).toEqual(lines);
    const last = await logs<Events>('get-log-events', ...stream, '--limit', '1', '--no-paginate');
    expect(messages(last)).toEqual(lines.slice(3));
    const end = await logs<Events>('get-log-events', ...stream, '--next-token', last.nextForwardToken, '--no-paginate');
    expect([messages(end), end.nextForwardToken]).toEqual([[], last.nextForwardToken]);

    const filter = (pattern: string, ...more: string[]) =>
      logs<Events>('filter-log-events', ...group, '--filter-pattern', pattern, ...more);
    expect(messages(await filter('ERROR'))).toEqual(lines.slice(1, 2));
    expect(messages(await filter('?ERROR ?404', '--page-size', '1'))).toEqual(lines.slice(1, 3));
    expect(messages(await filter('{ $.level = "error" && $.ms > 500 }'))).toEqual(lines.slice(3));
    expect(messages(await filter('[method, path, status = 4*]', '--log-stream-name-prefix', 'web/'))).toEqual(
      lines.slice(2, 3),
    );

    await asksQueries(group, lines, now);

    // Debian's version 2 knows of no classes yet.
    const describe = ['logs', 'describe-log-groups', '--log-group-name-prefix', '/ecs/'];
    const described = await aws.json<{ logGroups: object[] }>(describe);
    expect(described.logGroups).toMatchObject([
      { logGroupName: '/ecs/web', retentionInDays: 14, logGroupClass: 'STANDARD' },
    ]);
    const [{ logGroupArn }] = described.logGroups as [{ logGroupArn: string }];
    await logs('tag-resource', '--resource-arn', logGroupArn, '--tags', 'stage=test');
    expect((await logs<{ tags: object }>('list-tags-for-resource', '--resource-arn', logGroupArn)).tags).toEqual({
      team: 'blue',
      stage: 'test',
    });
    const streams = await logs<{ logStreams: object[] }>(
      'describe-log-streams',
      ...group,
      '--order-by',
      'LastEventTime',
      '--descending',
    );
    expect(streams.logStreams).toMatchObject([
      { logStreamName: 'web/app/1', arn: `${logGroupArn}:log-stream:web/app/1` },
    ]);

    const bad = await aws.run(['logs', 'filter-log-events', ...group, '--filter-pattern', '{ $.a = }']);
    expect(bad.stderr).toContain(
      'An error occurred (InvalidParameterException) when calling the FilterLogEvents operation',
    );
    expect(bad.stderr).toContain('at character 9');
    const late = ['--log-events', `timestamp=${now + 3 * 3_600_000},message=later`];
    expect(await logs('put-log-events', ...stream, ...late)).toMatchObject({
      rejectedLogEventsInfo: { tooNewLogEventStartIndex: 0 },
    });
    const refused = await aws.run([
      'logs',
      'put-subscription-filter',
      ...group,
      '--filter-name',
      'a',
      '--filter-pattern',
      '',
      '--destination-arn',
      'arn:aws:lambda:us-east-1:000000000000:function:a',
    ]);
    expect(refused.stderr).toContain('Lambda functions do not exist here. Name a webhook');

    await logs('delete-log-stream', ...stream);
    await logs('delete-log-group', ...group);
    const gone = await aws.run(['logs', 'get-log-events', ...stream]);
    expect(gone.stderr).toContain(
      '(ResourceNotFoundException) when calling the GetLogEvents operation: The specified log group does not exist.',
    );
  },
);

/** Queries of CloudWatch Logs Insights, started and asked for as the AWS documentation has it. */
async function asksQueries(group: readonly string[], lines: readonly string[], now: number): Promise<void> {
  const times = ['--start-time', String(Math.floor(now / 1000) - 3600), '--end-time', String(Math.ceil(now / 1000))];
  const start = ['logs', 'start-query', ...group, ...times, '--query-string'];
  const query = 'parse @message "* *" as method, rest | filter @message like "GET" | stats count(*) as n by method';
  const { queryId } = await aws.json<{ queryId: string }>([...start, query]);
  const { results } = await vi.waitFor(
    async () => {
      const found = await aws.json<QueryResults>(['logs', 'get-query-results', '--query-id', queryId]);
      expect(found).toMatchObject({ status: 'Complete', statistics: { recordsMatched: 2 } });
      return found;
    },
    { timeout: 180_000 },
  );
  expect(results).toEqual([
    [
      { field: 'method', value: 'GET' },
      { field: 'n', value: String(lines.filter((line) => line.startsWith('GET')).length) },
    ],
  ]);
  const wrong = await aws.run([...start, 'fields a | nope']);
  expect(wrong.stderr).toContain('(MalformedQueryException) when calling the StartQuery operation');
  expect(wrong.stderr).toContain('at character 12');
}

interface QueryResults {
  readonly status: string;
  readonly results: readonly (readonly { readonly field: string; readonly value: string }[])[];
}

test.skipIf(missing !== undefined)(
  `slipway logs shows what the tasks of a service wrote, of all its revisions, and says what is missing${missing === undefined ? '' : ` (${missing})`}`,
  async () => {
    const slipway = (...args: string[]) =>
      run(process.execPath, [join(import.meta.dirname, '../cli/main.ts'), 'logs', ...args], { env: server.aws() });
    const define = (options: object) =>
      aws.json([
        'ecs',
        'register-task-definition',
        '--family',
        'shown',
        '--container-definitions',
        JSON.stringify([{ name: 'app', image: 'web', memory: 32, ...options }]),
      ]);
    const logging = (group: string, prefix: string) => ({
      logConfiguration: {
        logDriver: 'awslogs',
        options: { 'awslogs-group': group, 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': prefix },
      },
    });
    await define({});
    const service = ['--service-name', 'shown', '--desired-count', '0'];
    await aws.json(['ecs', 'create-service', ...service, '--task-definition', 'shown']);
    const silent = await slipway('shown');
    expect([silent.code, silent.stderr]).toEqual([
      1,
      expect.stringContaining('no container of default/shown has the log driver awslogs (shown:1)'),
    ]);
    const use = async (options: object): Promise<void> => {
      await define(options);
      await aws.json(['ecs', 'update-service', '--service', 'shown', '--task-definition', 'shown']);
    };
    await use(logging('shown', 'one'));
    const groupless = await slipway('shown');
    expect([groupless.code, groupless.stderr]).toEqual([
      1,
      expect.stringContaining('the log group shown does not exist: aws logs create-log-group --log-group-name shown'),
    ]);
    const group = ['--log-group-name', 'shown'];
    await aws.json(['logs', 'create-log-group', ...group]);
    const nothing = await slipway('shown');
    expect([nothing.code, nothing.stdout, nothing.stderr]).toEqual([0, '', expect.stringContaining('no lines of')]);
    const now = Date.now();
    for (const [stream, at, message] of [
      ['one/app/11111111111111111111111111111111', 2, 'second "quoted"'],
      ['one/app/22222222222222222222222222222222', 1, 'first'],
      ['one/other/33333333333333333333333333333333', 1, 'of another container'],
    ] as const) {
      const to = [...group, '--log-stream-name', stream];
      await aws.json(['logs', 'create-log-stream', ...to]);
      const events = JSON.stringify([{ timestamp: now - 10_000 + at, message }]);
      await aws.json(['logs', 'put-log-events', ...to, '--log-events', events]);
    }
    expect((await slipway('default/shown')).stdout).toMatch(
      /^\S+Z app\/22222222 {2}first\n\S+Z app\/11111111 {2}second "quoted"\n$/,
    );
    const found = await slipway('shown', '--grep', '"quoted"', '--output', 'json');
    expect(
      found.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).toEqual([
      {
        time: new Date(now - 9_998).toISOString(),
        group: 'shown',
        stream: 'one/app/11111111111111111111111111111111',
        container: 'app',
        task: '11111111111111111111111111111111',
        message: 'second "quoted"',
      },
    ]);
    expect((await slipway('shown', '--since', '1s')).stdout).toBe('');
    const counted = await slipway('shown', '--query', 'stats count(*) as n by @logStream', '--output', 'json');
    expect(
      counted.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).toEqual([
      { '@logStream': 'one/app/11111111111111111111111111111111', n: '1' },
      { '@logStream': 'one/app/22222222222222222222222222222222', n: '1' },
    ]);
    expect(counted.stderr).toContain('2 of 3 lines of default/shown');
    expect((await slipway('shown', '--query', 'fields @message | sort @message')).stdout).toMatch(
      /^@message\nfirst\nsecond "quoted"\n$/,
    );
    const unread = await slipway('shown', '--query', 'fields a | nope');
    expect([unread.code, unread.stderr]).toEqual([1, expect.stringContaining('Invalid query at character 12')]);
    expect((await slipway('shown', '--query', 'limit 1', '--follow')).code).toBe(2);
    const bad = await slipway('shown', '--filter', '{ $.a = }');
    expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining('InvalidParameterException')]);
    expect((await slipway('shown', '--since', 'soon')).code).toBe(2);
    expect((await slipway('shown', '--grep', 'a', '--filter', 'b')).code).toBe(2);
    expect((await slipway('not-there')).stderr).toContain('there is no service not-there in the cluster default');
    expect((await slipway('0'.repeat(32))).stderr).toContain('there is no task');
    expect((await slipway('--help')).stdout).toContain('slipway logs web --follow');

    const program = join(import.meta.dirname, '../cli/main.ts');
    await following(process.execPath, [program, 'logs', 'shown', '--follow'], async (printed) => {
      const shows = (words: string) => vi.waitFor(() => expect(printed()).toContain(words), { timeout: 180_000 });
      await shows('second');
      const to = [...group, '--log-stream-name', 'one/app/22222222222222222222222222222222'];
      const events = JSON.stringify([{ timestamp: Date.now(), message: 'third' }]);
      await aws.json(['logs', 'put-log-events', ...to, '--log-events', events]);
      await shows('third');
      expect(printed().match(/first|second|third/g)).toEqual(['first', 'second', 'third']);
    });
  },
);

/** A program that goes on until it is stopped: what it has printed so far. */
async function following(
  command: string,
  args: readonly string[],
  use: (printed: () => string) => Promise<void>,
): Promise<void> {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'], PYTHONUNBUFFERED: '1', AWS_CONFIG_FILE: '/dev/null', ...server.aws() },
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (printed += text.toString()));
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    await use(() => printed);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

/** Puts a line into a stream of its own group, both made for it. */
async function logged(name: string): Promise<(message: string) => Promise<void>> {
  const group = ['--log-group-name', name];
  const stream = [...group, '--log-stream-name', 'one'];
  await aws.json(['logs', 'create-log-group', ...group]);
  await aws.json(['logs', 'create-log-stream', ...stream]);
  return async (message) => {
    await aws.json(['logs', 'put-log-events', ...stream, '--log-events', `timestamp=${Date.now()},message=${message}`]);
  };
}

test.skipIf((missing ?? noTail) !== undefined)(
  `aws logs tail --follow shows what was, and what comes, each line once${missing || noTail ? ` (${missing ?? noTail})` : ''}`,
  async () => {
    const log = await logged('tailed');
    await log('before');
    const args = [
      '--endpoint-url',
      server.endpoint,
      'logs',
      'tail',
      'tailed',
      '--follow',
      '--since',
      '1h',
      '--format',
      'short',
    ];
    await following(secondAwsCli, args, async (printed) => {
      await vi.waitFor(() => expect(printed()).toContain('before'), 180_000);
      await log('after');
      await vi.waitFor(() => expect(printed()).toContain('after'), 180_000);
      await log('last');
      await vi.waitFor(() => expect(printed()).toContain('last'), 180_000);
      expect(printed().match(/before|after|last/g)).toEqual(['before', 'after', 'last']);
    });
  },
);

test.skipIf(missing !== undefined)(
  `aws logs start-live-tail prints what comes and matches, over the variables of slipway env alone${missing === undefined ? '' : ` (${missing})`}`,
  async () => {
    const log = await logged('streamed');
    const described = ['logs', 'describe-log-groups', '--log-group-name-prefix', 'streamed'];
    const { logGroups } = await aws.json<{ readonly logGroups: readonly { readonly logGroupArn: string }[] }>(
      described,
    );
    const of = ['--log-group-identifiers', logGroups[0]?.logGroupArn ?? '', '--log-event-filter-pattern', 'wanted'];
    await following('aws', ['logs', 'start-live-tail', ...of], async (printed) => {
      // It says nothing when it begins: what was put before that is not shown.
      for (let round = 0; round < 60 && !printed().includes('wanted'); round++) {
        await log(`other-${round}`);
        await log(`wanted-${round}`);
      }
      await log('wanted-last');
      await vi.waitFor(() => expect(printed()).toContain('wanted-last'), 180_000);
      const lines = printed().trimEnd().split('\n');
      expect(lines).toEqual([...new Set(lines)]);
      expect(lines.filter((line) => !/^wanted-(?:\d+|last)$/.test(line))).toEqual([]);
    });
  },
);

/** A live tail as boto3 has it. A query of what was found comes last. */
const liveTail = `
import sys, time, boto3
logs = boto3.client('logs', endpoint_url=sys.argv[1], region_name='us-east-1')
def ask():
    now = int(time.time()) + 1
    def results(query):
        id = logs.start_query(logGroupIdentifiers=[arn], startTime=now - 600, endTime=now, queryString=query)['queryId']
        found = {'status': 'Scheduled'}
        while found['status'] in ('Scheduled', 'Running'):
            time.sleep(0.1)
            found = logs.get_query_results(queryId=id)
        return id, found['status'], [{field['field']: field['value'] for field in row} for row in found['results']]
    id, status, rows = results('stats count(*) as n by @message')
    print(status, rows, flush=True)
    pointer = results('filter @message = "wanted"')[2][0]['@ptr']
    print('record', logs.get_log_record(logRecordPointer=pointer)['logRecord']['@message'], flush=True)
    print('field', logs.get_log_group_fields(logGroupIdentifier=arn)['logGroupFields'][0], flush=True)
    saved = logs.put_query_definition(name='live/all', queryString='limit 10')['queryDefinitionId']
    print('saved', [one['name'] for one in logs.describe_query_definitions()['queryDefinitions']], flush=True)
    logs.delete_query_definition(queryDefinitionId=saved)
    print('described', sorted(one['queryString'] for one in logs.describe_queries(logGroupName='live')['queries']), flush=True)
    try:
        logs.stop_query(queryId=id)
    except logs.exceptions.InvalidParameterException as error:
        print('over', error, flush=True)
    try:
        results('fields a | nope')
    except logs.exceptions.MalformedQueryException as error:
        print('malformed', error.response['queryCompileError']['location'], flush=True)
arn = logs.describe_log_groups(logGroupNamePrefix='live')['logGroups'][0]['logGroupArn']
for event in logs.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern='wanted')['responseStream']:
    if 'sessionStart' in event:
        print('started', event['sessionStart']['logGroupIdentifiers'] == [arn], flush=True)
    for line in event.get('sessionUpdate', {}).get('sessionResults', []):
        print(line['logStreamName'], line['message'], flush=True)
        ask()
`;

test.skipIf((missing ?? noBoto) !== undefined)(
  `boto3 follows a live tail, and asks queries about it${missing || noBoto ? ` (${missing ?? noBoto})` : ''}`,
  async () => {
    const log = await logged('live');
    await following(python, ['-c', liveTail, server.endpoint], async (printed) => {
      await vi.waitFor(() => expect(printed()).toContain('started True'), 180_000);
      await log('other');
      await log('wanted');
      await vi.waitFor(() => expect(printed()).toContain('one wanted'), 180_000);
      await vi.waitFor(() => expect(printed()).toContain('malformed'), 180_000);
      expect(printed().slice(printed().indexOf('one wanted')).trimEnd().split('\n')).toEqual([
        'one wanted',
        "Complete [{'@message': 'other', 'n': '1'}, {'@message': 'wanted', 'n': '1'}]",
        'record wanted',
        "field {'name': '@timestamp', 'percent': 100}",
        "saved ['live/all']",
        `described ['filter @message = "wanted"', 'stats count(*) as n by @message']`,
        expect.stringContaining('The query is not running any more'),
        "malformed {'startCharOffset': 11, 'endCharOffset': 15}",
      ]);
    });
  },
);
