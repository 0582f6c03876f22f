import { AwsError, type Call, type Principal } from '@slipway/auth/contract';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { describe, expect, test } from 'vitest';

import { createCluster } from '../../cluster/index.ts';
import { serverReach } from '../../reach/index.ts';
import { LogsThrottled, type Shipment, TaskLogs } from '../../signals/logs/index.ts';
import { MemoryLogs } from '../../signals/logs/store/testing/index.ts';
import {
  accountKeys,
  accountPartition,
  type ClusterRecord,
  clusterKeys,
  clusterPartition,
  toJson,
} from '../../state/index.ts';
import { execSession } from '../testing/exec-session.ts';
import { LogRecorder, recordSession, type RecordPorts } from './index.ts';

const account = '000000000000';
const ref = { account, cluster: 'default' };
const role = 'arn:aws:iam::000000000000:role/app';
const session = execSession({ command: ['sh', '-c', 'echo $HOME'], interactive: true });
const call = { account: '', requestId: 'r' } as unknown as Call;

/** A clock on which nobody waits. */
const hurried: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(1, signal) };

async function open(
  configuration: ClusterRecord['configuration'],
  task: { readonly taskRoleArn?: string; readonly logConfiguration?: object } = { taskRoleArn: role },
) {
  const records = memoryRecords(hurried);
  const logs = new MemoryLogs(Date.now);
  await logs.createGroup(account, 'sessions', { tags: {}, logGroupClass: 'STANDARD' });
  const denied = new Set<string>();
  const seen: Principal[] = [];
  const authorizer = {
    authorize: async (principal: Principal, { action }: { readonly action: string }) => {
      seen.push(principal);
      return { allowed: !denied.has(action), reason: 'no policy allows it' };
    },
  };
  const region = 'us-east-1';
  const random = (size: number): Uint8Array => new Uint8Array(size);
  const base = { records, clock: hurried, random, region, reach: serverReach({}) };
  await createCluster(base, ref, { tags: {}, settings: [], ...(configuration === undefined ? {} : { configuration }) });
  const { logConfiguration, ...more } = task;
  const arn = `arn:aws:ecs:${region}:${account}:task-definition/app:1`;
  await records.commit(accountPartition(account), {
    put: [
      {
        key: accountKeys.taskDefinition('app', 1),
        value: toJson({
          arn,
          family: 'app',
          revision: 1,
          status: 'ACTIVE',
          definition: {
            family: 'app',
            ...more,
            containerDefinitions: [{ name: 'main', image: 'i', logConfiguration }],
          },
        }),
      },
    ],
  });
  await records.commit(clusterPartition(account, 'default'), {
    put: [{ key: clusterKeys.task(session.taskId), value: { id: session.taskId, taskDefinition: arn } }],
  });
  const ports: RecordPorts = {
    ...base,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    taskLogs: new TaskLogs({ logs, authorizer, clock: hurried, region }),
    taskRole: async (roleArn) => ({ type: 'assumed-role', account, arn: roleArn, id: 'AROA', delegated: true }),
  };
  const messages = async (group: string): Promise<string[]> =>
    (await logs.read(account, group, session.id, { direction: 'forward', limit: 100 })).events.map(
      ({ message }) => message,
    );
  return { logs, denied, seen, messages, record: () => recordSession(ports, ref, session, call) };
}

const override = {
  executeCommandConfiguration: {
    logging: 'OVERRIDE' as const,
    logConfiguration: { cloudWatchLogGroupName: 'sessions' },
  },
};

describe('what a session shows', () => {
  test('is logged into the group of the cluster, line by line, with the rights of the task, beginning with who ran what', async () => {
    const { record, messages, seen } = await open(override);
    const recorder = await record();
    recorder?.write(Buffer.from('$ echo \u00e4\r\n'));
    const [first, second] = [Buffer.from('\u20ac').subarray(0, 1), Buffer.from('\u20ac').subarray(1)];
    recorder?.write(first);
    recorder?.write(second);
    await recorder?.end();
    expect(await messages('sessions')).toEqual([
      `arn:aws:iam::000000000000:user/ann in main of arn:aws:ecs:us-east-1:000000000000:task/default/${session.taskId}: sh -c 'echo $HOME'`,
      '$ echo \u00e4',
      '\u20ac',
    ]);
    expect(new Set(seen.map(({ arn }) => arn))).toEqual(new Set([role]));
  });

  test.each<[string, { taskRoleArn?: string }, string[], RegExp]>([
    ['a task without a role', {}, [], /has no role/],
    ['a role that may not begin', { taskRoleArn: role }, ['logs:CreateLogStream'], /not authorized to perform/],
    ['a role that may not write', { taskRoleArn: role }, ['logs:PutLogEvents'], /not authorized to perform/],
  ])('with OVERRIDE, %s has no session', async (_what, task, refused, message) => {
    const { record, denied } = await open(override, task);
    for (const action of refused) denied.add(action);
    await expect(record()).rejects.toThrow(message);
  });

  test('is logged by default where the container logs, and the role may', async () => {
    const logConfiguration = { logDriver: 'awslogs', options: { 'awslogs-group': 'sessions' } };
    const one = await open(undefined, { taskRoleArn: role, logConfiguration });
    await (await one.record())?.end();
    expect(await one.messages('sessions')).toHaveLength(1);
    for (const action of ['logs:PutLogEvents', 'logs:CreateLogStream']) {
      one.denied.add(action);
      expect(await one.record()).toBeUndefined();
    }
    expect(await (await open(undefined)).record()).toBeUndefined();
    const never = { executeCommandConfiguration: { logging: 'NONE' as const } };
    expect(await (await open(never, { taskRoleArn: role, logConfiguration })).record()).toBeUndefined();
  });

  test('waits while the log is slow, is tried again, and says when it cannot be logged any more', async () => {
    const shipped: Shipment[] = [];
    const answers = [new LogsThrottled('slow down', 1), new Error('the store is away')];
    const recorder = await LogRecorder.begin(
      {
        clock: hurried,
        ship: async (shipment) => {
          const answer = answers.shift();
          if (answer !== undefined) throw answer;
          shipped.push(shipment);
        },
      },
      'begin',
    );
    const drained = new Promise<void>((resolve) => (recorder.drained = resolve));
    for (let line = 0; line < 3_000; line++) recorder.write(Buffer.from(`${'x'.repeat(1_000)}\n`));
    expect(recorder.isFull).toBe(true);
    await drained;
    await recorder.end();
    expect(shipped.flatMap(({ events }) => events)).toHaveLength(3_001);
    expect(shipped.map(({ first }) => first)).toEqual([1, 2, 1_002, 2_002]);
    const refused = new AwsError('AccessDeniedException', 'no more');
    let refuses = false;
    const ship = () => (refuses ? Promise.reject(refused) : Promise.resolve());
    const broken = await LogRecorder.begin({ clock: hurried, ship }, 'begin');
    refuses = true;
    broken.write(Buffer.from('more\n'));
    // Nobody need have listened when it happened.
    await broken.end();
    expect(await broken.failure).toBe('no more');
    await expect(LogRecorder.begin({ clock: hurried, ship }, 'begin')).rejects.toThrow('no more');
  });

  test('waits also when its lines are short: each takes more memory than it has characters', async () => {
    const recorder = await LogRecorder.begin({ clock: hurried, ship: () => Promise.resolve() }, 'begin');
    for (let line = 0; line < 20_000; line++) recorder.write(Buffer.from('y\n'));
    expect(recorder.isFull).toBe(true);
    await recorder.end();
    expect(recorder.isFull).toBe(false);
  });
});
