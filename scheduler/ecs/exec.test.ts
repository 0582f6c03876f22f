import {
  CreateClusterCommand,
  CreateServiceCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ExecuteCommandCommand,
  type ExecuteCommandCommandInput,
  RunTaskCommand,
  SubmitTaskStateChangeCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { scanAll } from '@slipway/storage/records';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { changeInstance } from '../cluster/index.ts';
import { clusterKeys, clusterPartition, type ExecSessionRecord, idOf } from '../state/index.ts';
import { account, openApi, type TestApi } from './testing/open-api.ts';

const cluster = 'exec';
const ref = { account, cluster };
const runtimeId = 'cd'.repeat(32);
const notEnabled = /execute command was not enabled when the task was run or the execute command agent isn't running/;

let api: TestApi;
let instance: string;
beforeAll(async () => {
  api = await openApi();
  await api.ecs.send(new CreateClusterCommand({ clusterName: cluster }));
  instance = await api.addInstance({ cluster, attributes: { 'slipway.capability.exec': '' } });
});
afterAll(() => api[Symbol.asyncDispose]());

const sidecar = [
  { name: 'main', image: 'busybox', memory: 16 },
  { name: 'side', image: 'busybox', memory: 16 },
];

/** A task that runs, on the instance. */
async function running(enableExecuteCommand: boolean | undefined, names = ['main']): Promise<string> {
  const definition = await api.define({ containerDefinitions: sidecar.filter(({ name }) => names.includes(name)) });
  const taskDefinition = definition.taskDefinitionArn ?? '';
  const { tasks } = await api.ecs.send(new RunTaskCommand({ cluster, taskDefinition, enableExecuteCommand }));
  const task = tasks?.[0]?.taskArn ?? '';
  const containers = names.map((containerName) => ({ containerName, runtimeId, status: 'RUNNING' }));
  await api.ecs.send(new SubmitTaskStateChangeCommand({ cluster, task, status: 'RUNNING', containers }));
  return task;
}

const execute = (task: string, input: Partial<ExecuteCommandCommandInput> = {}) =>
  api.ecs.send(new ExecuteCommandCommand({ cluster, task, command: 'sh', interactive: true, ...input }));

const described = async (task: string) =>
  (await api.ecs.send(new DescribeTasksCommand({ cluster, tasks: [task] }))).tasks?.[0];

const sessions = async () =>
  (
    await scanAll<ExecSessionRecord>(api.ports.records, clusterPartition(account, cluster), {
      prefix: clusterKeys.execs,
      limit: 100,
    })
  ).map(({ value }) => value);

describe('ExecuteCommand', () => {
  test('gives a session with a token, which the records keep as a hash; asks for the right on the task, with its conditions', async () => {
    const task = await running(true);
    api.asked.length = 0;
    const answer = await execute(task, { command: `sh -c 'echo "a  b"' x\\ y` });
    expect(answer).toMatchObject({
      clusterArn: `arn:aws:ecs:us-east-1:000000000000:cluster/${cluster}`,
      taskArn: task,
      containerArn: (await described(task))?.containers?.[0]?.containerArn,
      containerName: 'main',
      interactive: true,
      session: {
        sessionId: expect.stringMatching(/^ecs-execute-command-[0-9a-z]{17}$/) as string,
        tokenValue: expect.stringMatching(/^[\w-]{43}$/) as string,
      },
    });
    const { sessionId = '', streamUrl, tokenValue = '' } = answer.session ?? {};
    expect(streamUrl).toBe(
      `${api.url.replace('http:', 'ws:')}/exec/ws?session=${sessionId}&cluster=000000000000%2Fexec`,
    );
    expect(api.asked.filter(({ action }) => action === 'ecs:ExecuteCommand')).toEqual([
      {
        action: 'ecs:ExecuteCommand',
        resources: [{ arn: task, tags: {} }],
        context: {
          'ecs:cluster': `arn:aws:ecs:us-east-1:000000000000:cluster/${cluster}`,
          'ecs:task': task,
          'ecs:container-name': 'main',
        },
      },
    ]);
    const kept = (await sessions()).find(({ id }) => id === sessionId);
    expect(kept).toMatchObject({ taskId: idOf(task), runtimeId, command: ['sh', '-c', 'echo "a  b"', 'x y'] });
    expect(JSON.stringify(kept)).not.toContain(tokenValue);
  });

  test('is refused as on AWS', async () => {
    const task = await running(true);
    const several = await running(true, ['main', 'side']);
    const cases: [string, Partial<ExecuteCommandCommandInput>, string, RegExp][] = [
      [task, { cluster: 'nowhere' }, 'InvalidParameterException', /cluster/i],
      ['0'.repeat(32), {}, 'InvalidParameterException', /The referenced task was not found/],
      [several, {}, 'InvalidParameterException', /several containers/],
      [several, { container: 'third' }, 'InvalidParameterException', /not one of the task's/],
      [task, { command: ' ' }, 'InvalidParameterException', /names no program/],
      [task, { command: 'sh "' }, 'InvalidParameterException', /quote/],
      [task, { command: 'x'.repeat(9_000) }, 'InvalidParameterException', /8192 bytes/],
      [await running(undefined), {}, 'InvalidParameterException', notEnabled],
      [await running(false), {}, 'InvalidParameterException', notEnabled],
    ];
    for (const [of, input, name, message] of cases) {
      const refusal = execute(of, input);
      await expect(refusal).rejects.toThrow(message);
      await expect(refusal).rejects.toMatchObject({ name });
    }
    expect((await execute(several, { container: 'side', interactive: false })).containerName).toBe('side');
    api.denied.add('ecs:ExecuteCommand');
    await expect(execute(task)).rejects.toMatchObject({ name: 'AccessDeniedException' });
    api.denied.clear();
    await api.report(task, 'STOPPED', 0);
    await expect(execute(task)).rejects.toThrow(notEnabled);
  });

  test('needs an agent of the host that is there, and that can', async () => {
    const task = await running(true);
    const agents = async () => (await described(task))?.containers?.[0]?.managedAgents;
    expect(await agents()).toEqual([
      { name: 'ExecuteCommandAgent', lastStatus: 'RUNNING', lastStartedAt: expect.any(Date) as Date },
    ]);
    const change = (of: { agentConnected: boolean; attributes: { name: string }[] }) =>
      changeInstance(api.ports, ref, idOf(instance), (current) => ({ ...current, ...of }));
    const attributes = [{ name: 'slipway.capability.exec' }];
    await change({ agentConnected: false, attributes });
    await expect(execute(task)).rejects.toMatchObject({ name: 'TargetNotConnectedException' });
    await change({ agentConnected: true, attributes: [] });
    await expect(execute(task)).rejects.toMatchObject({
      name: 'TargetNotConnectedException',
      message: expect.stringContaining('does not serve ECS Exec') as string,
    });
    expect(await agents()).toMatchObject([{ name: 'ExecuteCommandAgent', lastStatus: 'STOPPED' }]);
    await change({ agentConnected: true, attributes });
  });

  test('a service says whether its tasks have it, and the right to say so has a condition', async () => {
    const { taskDefinitionArn: taskDefinition } = await api.define();
    const serviceName = 'shell';
    api.asked.length = 0;
    await api.ecs.send(
      new CreateServiceCommand({ cluster, serviceName, taskDefinition, desiredCount: 1, enableExecuteCommand: true }),
    );
    expect(api.asked[0]?.context).toMatchObject({ 'ecs:enable-execute-command': 'true' });
    const service = async () =>
      (await api.ecs.send(new DescribeServicesCommand({ cluster, services: [serviceName] }))).services?.[0];
    expect((await service())?.enableExecuteCommand).toBe(true);
    api.asked.length = 0;
    await api.ecs.send(new UpdateServiceCommand({ cluster, service: serviceName, enableExecuteCommand: false }));
    expect(api.asked[0]?.context).toMatchObject({ 'ecs:enable-execute-command': 'false' });
    await api.ecs.send(new UpdateServiceCommand({ cluster, service: serviceName, desiredCount: 0 }));
    expect((await service())?.enableExecuteCommand).toBe(false);
  });
});
