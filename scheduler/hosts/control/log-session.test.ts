import { AwsError } from '@slipway/auth/contract';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { MemoryLogs } from '../../signals/logs/store/testing/index.ts';
import { LogsThrottled } from '../../signals/logs/index.ts';
import type { TaskRecord } from '../../state/index.ts';
import { AgentBench, type Peer } from '../testing/agent-peer.ts';
import { type TestControlPlane, until } from '../testing/bench.ts';
import { account, principalOf } from '../testing/callers.ts';
import { encodeLogBatch, type LogEntry } from '../wire/index.ts';

/** A store that can be away. */
class FailingLogs extends MemoryLogs {
  fails: (() => Error) | undefined;

  override async ship(...given: Parameters<MemoryLogs['ship']>): ReturnType<MemoryLogs['ship']> {
    if (this.fails !== undefined) throw this.fails();
    return super.ship(...given);
  }
}

type Place = Partial<Pick<TaskRecord, 'lastStatus' | 'desiredStatus' | 'launchType'>> & {
  readonly role?: string;
  readonly on?: string;
};

const settings = { tags: { team: 'x' }, logGroupClass: 'STANDARD' } as const;
const executionRole = 'arn:aws:iam::000000000000:role/execution';

describe('the log connection', { timeout: 120_000 }, () => {
  const logs = new FailingLogs(Date.now);
  const asked: string[] = [];
  const denied = new Set<string>();
  let bench: AgentBench;
  let plane: TestControlPlane;
  let instance: string;
  let peer: Peer;
  let ids = 0;

  beforeAll(async () => {
    bench = await AgentBench.open({
      logs,
      mayLog: (principal, { action, resources }) => {
        asked.push(`${principal.arn.split('/').at(-1)} ${action} ${resources[0]?.arn} ${resources[0]?.tags?.['team']}`);
        return denied.has(action)
          ? { allowed: false, reason: `no identity-based policy allows the ${action} action`, explicit: false }
          : { allowed: true, reason: '' };
      },
      taskCredentials: (roleArn) => {
        if (roleArn !== executionRole) throw new AwsError('NoSuchEntityException', 'The role cannot be found.');
        return Promise.resolve({
          accessKeyId: 'KEY',
          secretAccessKey: 'secret',
          sessionToken: 'token',
          expiresAt: Date.now() + 3_600_000,
          principal: principalOf('two'),
        });
      },
    });
    ({ plane } = bench);
    instance = await bench.register();
    await logs.createGroup(account, 'web', settings);
  });
  beforeEach(() => {
    asked.length = 0;
    denied.clear();
    logs.fails = undefined;
    peer = bench.connect(instance, { kind: 'logs' });
  });
  afterEach(() => peer.ws.terminate());
  afterAll(() => bench[Symbol.asyncDispose]());

  const place = async (
    options: Record<string, string>,
    { role = executionRole, on = instance, ...more }: Place = {},
  ): Promise<TaskRecord> => {
    const definition = await plane.register({
      ...(role === '' ? {} : { executionRoleArn: role }),
      containerDefinitions: [
        {
          name: 'main',
          image: 'web',
          memory: 32,
          logConfiguration: { logDriver: 'awslogs', options: { 'awslogs-region': 'eu-west-1', ...options } },
        },
        { name: 'quiet', image: 'web', memory: 32 },
      ],
    });
    return plane.place(definition, on, more);
  };
  const prefixed = { 'awslogs-group': 'web', 'awslogs-stream-prefix': 'app' };
  const entry = (
    task: TaskRecord,
    first: number,
    lines: readonly string[],
    more: Partial<LogEntry> = {},
  ): LogEntry => ({
    taskArn: task.arn,
    containerName: 'main',
    first,
    events: lines.map((message) => ({ timestamp: Date.now(), message })),
    resume: `after ${first + lines.length - 1}`,
    ...more,
  });
  const opened = async (): Promise<void> => void (await peer.frame('HeartbeatMessage'));
  const answered = async (type: string, id: number) =>
    (await peer.frame(type, ({ message }) => message['id'] === id)).message as Record<string, unknown>;
  const ship = async (...entries: LogEntry[]) => {
    await opened();
    const id = ++ids;
    peer.ws.send(await encodeLogBatch({ id, entries }));
    return (await answered('LogAnswer', id))['entries'];
  };
  const open = async (taskArn: string) => {
    await opened();
    const id = ++ids;
    peer.send('LogOpenRequest', { id, taskArn });
    const { id: _, taskArn: __, ...rest } = await answered('LogOpenAnswer', id);
    return rest;
  };
  const lines = async (group: string, stream: string): Promise<string[]> =>
    (await logs.read(account, group, stream, { direction: 'forward', limit: 100 })).events.map(
      ({ message }) => message,
    );

  test('lines of a task are acknowledged when they are stored, and stored once', async () => {
    const task = await place(prefixed);
    const stream = `app/main/${task.id}`;
    const of = { taskArn: task.arn, containerName: 'main' };
    expect(await open(task.arn)).toEqual({ marks: [] });
    expect(await lines('web', stream)).toEqual([]);
    expect(await ship(entry(task, 1, ['one', 'two']))).toEqual([{ ...of, last: 2 }]);
    expect(await ship(entry(task, 1, ['one', 'two', 'three']))).toEqual([{ ...of, last: 3 }]);
    peer.ws.terminate();
    peer = bench.connect(instance, { kind: 'logs' });
    expect(await open(task.arn)).toEqual({ marks: [{ containerName: 'main', last: 3, resume: 'after 3' }] });
    expect(await lines('web', stream)).toEqual(['one', 'two', 'three']);
    const arn = `arn:aws:logs:us-east-1:000000000000:log-group:web:log-stream:${stream}`;
    expect(asked.slice(0, 2)).toEqual([`two logs:CreateLogStream ${arn} x`, `two logs:PutLogEvents ${arn} x`]);
  });

  test('a task that is not on this instance, or has no such driver, is refused entry by entry', async () => {
    const [mine, theirs] = [await place(prefixed), await place(prefixed, { on: await bench.register() })];
    const stopped = await place(prefixed, { lastStatus: 'STOPPED', desiredStatus: 'STOPPED' });
    const answer = await ship(
      entry(theirs, 1, ['x']),
      { ...entry(mine, 1, ['x']), containerName: 'quiet' },
      { ...entry(mine, 1, ['x']), taskArn: 'arn:aws:ecs:us-east-1:000000000000:task/other/1' },
      entry(mine, 1, ['taken']),
      entry(stopped, 1, ['its last words']),
    );
    const refused = { refused: { code: 'AccessDeniedException' } };
    expect(answer).toMatchObject([refused, refused, refused, { last: 1 }, { last: 1 }]);
    expect(await open(theirs.arn)).toMatchObject({
      reason: expect.stringContaining('is not on this container instance'),
    });
    expect(await lines('web', `app/main/${mine.id}`)).toEqual(['taken']);
    await expect(lines('web', `app/main/${theirs.id}`)).rejects.toThrow('has no stream');
  });

  test('a group that is not there stops the start as on ECS, unless it may be made or the container need not wait', async () => {
    const missing =
      'failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.';
    const on = async (options: Record<string, string>, more: Place = {}) =>
      open((await place({ 'awslogs-stream-prefix': 'app', ...options }, more)).arn);
    expect(await on({ 'awslogs-group': 'none' })).toEqual({
      marks: [],
      reason: `CannotStartContainerError: Error response from daemon: failed to initialize logging driver: ${missing}`,
    });
    expect(await on({ 'awslogs-group': 'none' }, { launchType: 'FARGATE' })).toEqual({
      marks: [],
      reason: `ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: ${missing}`,
    });
    expect(await on({ 'awslogs-group': 'none', mode: 'non-blocking' })).toEqual({ marks: [] });
    expect(await on({ 'awslogs-group': 'made', 'awslogs-create-group': 'true' })).toEqual({ marks: [] });
    expect(await logs.group(account, 'made')).toMatchObject({ name: 'made' });
    denied.add('logs:CreateLogGroup');
    expect(await on({ 'awslogs-group': 'none', 'awslogs-create-group': 'true' })).toMatchObject({
      reason: expect.stringMatching(
        /AccessDeniedException: User: arn:\S+user\/two is not authorized to perform: logs:CreateLogGroup on resource: arn:aws:logs:us-east-1:000000000000:log-group:none:log-stream: because no identity-based policy/,
      ),
    });
    expect(await logs.group(account, 'none')).toBeUndefined();
  });

  test('without an execution role the rights of the container instance count; a role that cannot be assumed has none', async () => {
    const task = await place(prefixed, { role: '' });
    expect(await ship(entry(task, 1, ['x']))).toMatchObject([{ last: 1 }]);
    expect(asked.map((one) => one.split(' ', 2).join(' '))).toEqual([
      'one logs:PutLogEvents',
      'one logs:CreateLogStream',
    ]);
    denied.add('logs:PutLogEvents');
    expect(await ship(entry(task, 2, ['y']))).toMatchObject([{ refused: { code: 'AccessDeniedException' } }]);
    const other = await place(prefixed, { role: `${executionRole}-gone` });
    expect(await open(other.arn)).toMatchObject({ reason: expect.stringContaining('unable to assume the role') });
  });

  test('without a prefix the stream has the id of the container, as soon as that is known', async () => {
    const task = await place({ 'awslogs-group': 'web' });
    expect(await open(task.arn)).toEqual({ marks: [] });
    expect(await ship(entry(task, 1, ['x']))).toMatchObject([{ refused: { retryAfter: expect.any(Number) } }]);
    const runtimeId = 'ab'.repeat(32);
    const running = (id: string, version: number) => {
      const named = task.containers.map((one) => (one.name === 'main' ? { ...one, runtimeId: id } : one));
      return plane.putTask({ ...task, containers: named, version });
    };
    // A host that says so would write what another task says.
    const other = await place(prefixed);
    await running(`app/main/${other.id}`, task.version + 1);
    expect(await ship(entry(other, 1, ['its own']))).toMatchObject([{ last: 1 }]);
    expect(await ship(entry(task, 1, ['x']))).toMatchObject([{ refused: { retryAfter: expect.any(Number) } }]);
    await running(runtimeId, task.version + 2);
    await until(async () => {
      const [{ last } = {}] = (await ship(entry(task, 1, ['x']))) as { last?: number }[];
      return last;
    }, 'the line');
    expect(await lines('web', runtimeId)).toEqual(['x']);
    expect(await lines('web', `app/main/${other.id}`)).toEqual(['its own']);
  });

  test('a group that is deleted while a task runs takes no lines any more; the stream comes again with it', async () => {
    await logs.createGroup(account, 'short', settings);
    const task = await place({ ...prefixed, 'awslogs-group': 'short' });
    expect(await ship(entry(task, 1, ['one']))).toMatchObject([{ last: 1 }]);
    await logs.deleteGroup(account, 'short');
    const refused = { code: 'ResourceNotFoundException', message: 'The specified log group does not exist.' };
    expect(await ship(entry(task, 2, ['two']))).toMatchObject([{ refused }]);
    await logs.createGroup(account, 'short', settings);
    expect(await ship(entry(task, 3, ['three'], { dropped: 1, gap: true }))).toMatchObject([{ last: 3 }]);
    expect(await lines('short', `app/main/${task.id}`)).toEqual(['three']);
    expect(plane.control.logCounts()).toMatchObject({ dropped: 1, gaps: 1 });
  });

  test('a store that is away or slow is not the end of lines; old ones are left out as PutLogEvents does', async () => {
    const task = await place(prefixed);
    expect(await open(task.arn)).toEqual({ marks: [] });
    logs.fails = () => new LogsThrottled('too fast', 250);
    expect(await ship(entry(task, 1, ['x']))).toMatchObject([{ refused: { retryAfter: 250 } }]);
    logs.fails = () => new Error('the disk is full');
    expect(await ship(entry(task, 1, ['x']))).toMatchObject([{ refused: { retryAfter: expect.any(Number) } }]);
    logs.fails = undefined;
    const old = { timestamp: Date.now() - 15 * 86_400_000, message: 'old' };
    const { leftOut } = plane.control.logCounts();
    expect(
      await ship(entry(task, 1, [], { events: [old, { timestamp: Date.now(), message: 'x' }, old] })),
    ).toMatchObject([{ last: 3 }]);
    expect(await lines('web', `app/main/${task.id}`)).toEqual(['x']);
    expect(plane.control.logCounts().leftOut - leftOut).toBe(2);
  });

  test('a host that does not own the instance gets no connection, and what is no batch ends one', async () => {
    const stranger = bench.connect(instance, { kind: 'logs', who: 'two' });
    expect(await until(() => stranger.refused, 'a refusal')).toMatchObject({ status: 403 });
    await opened();
    peer.ws.send(Buffer.from('not zstd'));
    expect(await until(() => peer.closed, 'the end')).toMatchObject({ code: 1008 });
  });

  test('what is no JSON ends a connection, in whatever characters, and nothing else', async () => {
    await opened();
    // The error says all of it, which is longer than the reason of a close may be.
    peer.ws.send('€'.repeat(40));
    expect(await until(() => peer.closed, 'the end')).toMatchObject({ code: 1011 });
  });

  test('what is said of lost lines is acknowledged and counted once, also before the first line', async () => {
    const task = await place(prefixed);
    const { dropped } = plane.control.logCounts();
    expect(await ship(entry(task, 1, [], { dropped: 3 }))).toMatchObject([{ last: 0 }]);
    expect(await ship(entry(task, 1, ['one'], { dropped: 2 }))).toMatchObject([{ last: 1 }]);
    expect(plane.control.logCounts().dropped - dropped).toBe(5);
  });
});
