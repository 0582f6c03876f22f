import {
  DescribeContainerInstancesCommand,
  DescribeTasksCommand,
  GetTaskProtectionCommand,
  ListTasksCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  StartTaskCommand,
  StopTaskCommand,
  UpdateTaskProtectionCommand,
  waitUntilTasksRunning,
  waitUntilTasksStopped,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { clusterKeys, clusterPartition, idOf } from '../state/index.ts';
import { account, openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
let cluster: string;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const run = (input: Partial<RunTaskCommandInput> & { taskDefinition: string | undefined }) =>
  api.ecs.send(new RunTaskCommand({ cluster, ...input }));

const describeTask = async (task: string | undefined) =>
  (await api.ecs.send(new DescribeTasksCommand({ cluster, tasks: [task ?? ''], include: ['TAGS'] }))).tasks?.[0];

describe('RunTask', () => {
  test('a task is placed, runs, stops, and says so in all its times and statuses', async () => {
    cluster = await api.newCluster();
    const instance = await api.addInstance({ cluster, attributes: { 'ecs.cpu-architecture': 'x86_64' } });
    const definition = await api.define({
      containerDefinitions: [{ name: 'main', image: 'busybox:1', cpu: 10, memory: 64 }],
    });
    const { tasks, failures } = await run({
      taskDefinition: definition.family,
      startedBy: 'me',
      tags: [{ key: 'a', value: '1' }],
      enableECSManagedTags: true,
    });
    expect(failures).toEqual([]);
    const [task] = tasks ?? [];
    expect(task).toMatchObject({
      taskArn: expect.stringMatching(
        new RegExp(`^arn:aws:ecs:us-east-1:000000000000:task/${cluster}/[0-9a-f]{32}$`),
      ) as string,
      clusterArn: `arn:aws:ecs:us-east-1:000000000000:cluster/${cluster}`,
      taskDefinitionArn: definition.taskDefinitionArn,
      containerInstanceArn: instance,
      lastStatus: 'PENDING',
      desiredStatus: 'RUNNING',
      healthStatus: 'UNKNOWN',
      group: `family:${definition.family}`,
      startedBy: 'me',
      launchType: 'EC2',
      cpu: '10',
      memory: '64',
      connectivity: 'CONNECTED',
      attributes: [{ name: 'ecs.cpu-architecture', value: 'x86_64' }],
      overrides: { containerOverrides: [{ name: 'main' }], inferenceAcceleratorOverrides: [] },
      attachments: [],
    });
    expect(task?.tags).toEqual([
      { key: 'a', value: '1' },
      { key: 'aws:ecs:clusterName', value: cluster },
    ]);
    expect(task?.containers).toEqual([
      expect.objectContaining({
        name: 'main',
        image: 'busybox:1',
        lastStatus: 'PENDING',
        cpu: '10',
        memory: '64',
        networkBindings: [],
      }),
    ]);
    expect(task).not.toHaveProperty('startedAt');

    await api.report(task?.taskArn ?? '', 'RUNNING');
    const waiter = { client: api.ecs, maxWaitTime: 5, minDelay: 1 };
    await waitUntilTasksRunning(waiter, { cluster, tasks: [task?.taskArn ?? ''] });
    expect(await describeTask(task?.taskArn)).toMatchObject({
      lastStatus: 'RUNNING',
      startedAt: expect.any(Date) as Date,
    });

    const stopped = await api.ecs.send(new StopTaskCommand({ cluster, task: task?.taskArn, reason: 'enough' }));
    expect(stopped.task).toMatchObject({
      desiredStatus: 'STOPPED',
      stopCode: 'UserInitiated',
      stoppedReason: 'enough',
    });
    await api.report(task?.taskArn ?? '', 'STOPPED', 143);
    await waitUntilTasksStopped(waiter, { cluster, tasks: [task?.taskArn ?? ''] });
    const end = await describeTask(task?.taskArn);
    expect(end).toMatchObject({
      lastStatus: 'STOPPED',
      stopCode: 'UserInitiated',
      stoppedReason: 'enough',
      stoppedAt: expect.any(Date) as Date,
    });
    expect(end?.containers?.[0]).toMatchObject({ lastStatus: 'STOPPED', exitCode: 143 });
    expect(end?.version).toBeGreaterThan(task?.version ?? 0);
  });

  test('without any instance it is refused as on ECS', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    await expect(run({ taskDefinition: taskDefinitionArn })).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: 'No Container Instances were found in your cluster.',
    });
  });

  test('tasks that fit are placed, the others are failures with their reason', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster, memory: 128 });
    const { taskDefinitionArn } = await api.define();
    const { tasks, failures } = await run({ taskDefinition: taskDefinitionArn, count: 3 });
    expect(tasks).toHaveLength(2);
    expect(failures).toMatchObject([{ reason: 'RESOURCE:MEMORY', detail: expect.any(String) as string }]);
    await api.addInstance({ cluster });
    const needy = await api.define({
      containerDefinitions: [{ name: 'main', image: 'b', memory: 6, privileged: true }],
    });
    const refused = await run({ taskDefinition: needy.taskDefinitionArn });
    expect(refused.failures).toMatchObject([{ reason: 'ATTRIBUTE' }]);
  });

  test('two tasks with one static host port do not share an instance', async () => {
    cluster = await api.newCluster();
    const instance = await api.addInstance({ cluster });
    const { taskDefinitionArn } = await api.define({
      containerDefinitions: [
        { name: 'main', image: 'b', memory: 6, portMappings: [{ containerPort: 80, hostPort: 8080 }] },
      ],
    });
    const { tasks, failures } = await run({ taskDefinition: taskDefinitionArn, count: 2 });
    expect(tasks).toHaveLength(1);
    expect(failures).toMatchObject([{ reason: 'RESOURCE:PORTS' }]);
    const described = await api.ecs.send(
      new DescribeContainerInstancesCommand({ cluster, containerInstances: [instance] }),
    );
    const remaining = Object.fromEntries(
      (described.containerInstances?.[0]?.remainingResources ?? []).map((item) => [item.name, item]),
    );
    expect(remaining['MEMORY']?.integerValue).toBe(1024 - 6);
    expect(remaining['PORTS']?.stringSetValue).toEqual(['22', '2375', '8080']);
  });

  test('constraints of the request and of the definition both hold', async () => {
    cluster = await api.newCluster();
    const a = await api.addInstance({ cluster, attributes: { zone: 'a', disk: 'ssd' } });
    await api.addInstance({ cluster, attributes: { zone: 'a' } });
    await api.addInstance({ cluster, attributes: { zone: 'b', disk: 'ssd' } });
    const definition = await api.define({
      placementConstraints: [{ type: 'memberOf', expression: 'attribute:disk == ssd' }],
    });
    const { tasks, failures } = await run({
      taskDefinition: definition.taskDefinitionArn,
      count: 2,
      placementConstraints: [{ type: 'memberOf', expression: 'attribute:zone == a' }, { type: 'distinctInstance' }],
    });
    expect(tasks?.map((task) => task.containerInstanceArn)).toEqual([a]);
    expect(failures).toHaveLength(1);
  });

  test('a retry with the same token starts nothing new, even when its tasks are over', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const { taskDefinitionArn } = await api.define();
    const request = { taskDefinition: taskDefinitionArn, count: 2, clientToken: 'once' };
    const first = await run(request);
    const second = await run(request);
    expect(second.tasks?.map((task) => task.taskArn).sort()).toEqual(first.tasks?.map((task) => task.taskArn).sort());
    expect((await api.ecs.send(new ListTasksCommand({ cluster }))).taskArns).toHaveLength(2);
    const gone = (first.tasks ?? []).map((task) => clusterKeys.task(idOf(task.taskArn ?? '')));
    await api.ports.records.commit(clusterPartition(account, cluster), { remove: gone });
    expect((await run(request)).tasks).toEqual([]);
    expect((await api.ecs.send(new ListTasksCommand({ cluster }))).taskArns).toEqual([]);
    await expect(run({ ...request, count: 1 })).rejects.toMatchObject({
      name: 'ConflictException',
      resourceIds: expect.arrayContaining([first.tasks?.[0]?.taskArn]) as string[],
    });
  });

  test('retries at the same time start one set of tasks', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const { taskDefinitionArn } = await api.define();
    const all = await Promise.all(
      Array.from({ length: 5 }, () => run({ taskDefinition: taskDefinitionArn, clientToken: 'rush' })),
    );
    expect(new Set(all.flatMap(({ tasks }) => tasks?.map((task) => task.taskArn))).size).toBe(1);
  });

  test('overrides change what is reserved and are read back', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const { taskDefinitionArn } = await api.define();
    const { tasks } = await run({
      taskDefinition: taskDefinitionArn,
      overrides: {
        containerOverrides: [
          { name: 'main', command: ['sleep', '1'], memory: 100, environment: [{ name: 'A', value: '1' }] },
        ],
      },
    });
    expect(tasks?.[0]).toMatchObject({
      memory: '100',
      overrides: {
        containerOverrides: [
          { name: 'main', command: ['sleep', '1'], memory: 100, environment: [{ name: 'A', value: '1' }] },
        ],
      },
    });
    expect(tasks?.[0]?.containers?.[0]?.memory).toBe('100');
  });

  test('sizes of overrides are held against those of the task; a soft limit may be the hard one', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster, attributes: { 'ecs.capability.task-cpu-mem-limit': '' } });
    const { taskDefinitionArn: taskDefinition } = await api.define({ memory: '128' });
    const main = (members: object) => ({ containerOverrides: [{ name: 'main', ...members }] });
    await expect(run({ taskDefinition, overrides: main({ memory: 129 }) })).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringContaining("its memory (129) is above the task's (128)") as string,
    });
    await expect(run({ taskDefinition, overrides: { memory: '32', ...main({}) } })).rejects.toThrow(/above the task's/);
    const { tasks } = await run({ taskDefinition, overrides: main({ memory: 128, memoryReservation: 128 }) });
    expect(tasks).toHaveLength(1);
  });

  test('empty texts of optional members ask for nothing', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const { taskDefinitionArn: taskDefinition } = await api.define();
    const { tasks } = await run({
      taskDefinition,
      group: '',
      startedBy: '',
      clientToken: '',
      launchType: '' as 'EC2',
      platformVersion: '',
      propagateTags: '' as 'NONE',
      overrides: { taskRoleArn: '', executionRoleArn: '', cpu: '', memory: '' },
    });
    expect(tasks?.[0]).toMatchObject({ group: expect.stringMatching(/^family:/) as string, launchType: 'EC2' });
    expect([tasks?.[0]?.startedBy, tasks?.[0]?.overrides?.taskRoleArn]).toEqual([undefined, undefined]);
  });

  test('propagated tags come from the definition, and its own tags win', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const { taskDefinitionArn } = await api.define({
      tags: [
        { key: 'a', value: 'definition' },
        { key: 'b', value: 'definition' },
      ],
    });
    const { tasks } = await run({
      taskDefinition: taskDefinitionArn,
      propagateTags: 'TASK_DEFINITION',
      tags: [{ key: 'a', value: 'own' }],
    });
    expect(tasks?.[0]?.tags).toEqual([
      { key: 'a', value: 'own' },
      { key: 'b', value: 'definition' },
    ]);
  });

  test('the resource is the resolved revision, the cluster a condition, and roles need iam:PassRole', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const role = 'arn:aws:iam::000000000000:role/task';
    const other = 'arn:aws:iam::000000000000:role/other';
    const definition = await api.define({ taskRoleArn: role });
    api.asked.length = 0;
    await run({ taskDefinition: definition.family, overrides: { taskRoleArn: 'other' } }).catch(() => undefined);
    expect(api.asked).toEqual([
      {
        action: 'ecs:RunTask',
        resources: [{ arn: definition.taskDefinitionArn, tags: {} }],
        context: { 'ecs:cluster': `arn:aws:ecs:us-east-1:000000000000:cluster/${cluster}` },
      },
      expect.objectContaining({ action: 'iam:PassRole', resources: [{ arn: role }] }),
      expect.objectContaining({ action: 'iam:PassRole', resources: [{ arn: other }] }),
    ]);
  });

  test.each<[string, Partial<RunTaskCommandInput>, string, RegExp]>([
    ['an unknown cluster', { cluster: 'nowhere' }, 'ClusterNotFoundException', /Cluster not found/],
    ['an unknown definition', { taskDefinition: 'nothing' }, 'ClientException', /TaskDefinition not found/],
    ['eleven tasks', { count: 11 }, 'InvalidParameterException', /count/],
    ['no tasks', { count: 0 }, 'InvalidParameterException', /count/],
    ['Fargate', { launchType: 'FARGATE' }, 'InvalidParameterException', /does not support launch_type FARGATE/],
    ['managed instances', { launchType: 'MANAGED_INSTANCES' }, 'InvalidParameterException', /MANAGED_INSTANCES/],
    ['a platform', { platformVersion: '1.4.0' }, 'InvalidParameterException', /platform version must be null/],
    [
      'a capacity provider that the cluster does not have',
      { capacityProviderStrategy: [{ capacityProvider: 'x' }] },
      'InvalidParameterException',
      /cannot contain a capacity provider that is not associated/,
    ],
    [
      'awsvpc',
      { networkConfiguration: { awsvpcConfiguration: { subnets: ['s'] } } },
      'InvalidParameterException',
      /not valid for the given networkMode/,
    ],
    ['tags of a service', { propagateTags: 'SERVICE' }, 'InvalidParameterException', /propagateTags/],
    [
      'an unknown strategy',
      { placementStrategy: [{ type: 'magic' as 'random' }] },
      'InvalidParameterException',
      /strategy/,
    ],
    [
      'packing by colour',
      { placementStrategy: [{ type: 'binpack', field: 'colour' }] },
      'InvalidParameterException',
      /binpack/,
    ],
    [
      'six strategies',
      { placementStrategy: Array.from({ length: 6 }, () => ({ type: 'random' as const })) },
      'InvalidParameterException',
      /at most 5/,
    ],
    [
      'an expression that does not parse',
      { placementConstraints: [{ type: 'memberOf', expression: '((' }] },
      'InvalidParameterException',
      /Invalid expression/,
    ],
    [
      'an override of an unknown container',
      { overrides: { containerOverrides: [{ name: 'x' }] } },
      'InvalidParameterException',
      /container named x is not/,
    ],
    [
      'overrides of 9000 characters',
      { overrides: { containerOverrides: [{ name: 'main', command: ['x'.repeat(9000)] }] } },
      'InvalidParameterException',
      /8192/,
    ],
    ['a token of 65 characters', { clientToken: 'x'.repeat(65) }, 'InvalidParameterException', /clientToken/],
  ])('refuses %s', async (_what, input, name, message) => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const { taskDefinitionArn } = await api.define();
    const refusal = run({ taskDefinition: taskDefinitionArn, ...input });
    await expect(refusal).rejects.toThrow(message);
    await expect(refusal).rejects.toMatchObject({ name });
    expect((await api.ecs.send(new ListTasksCommand({ cluster }))).taskArns).toEqual([]);
  });
});

describe('StartTask, StopTask, ListTasks, DescribeTasks', () => {
  test('StartTask puts one task on each instance that is named, and reports those that are not there', async () => {
    cluster = await api.newCluster();
    const a = await api.addInstance({ cluster });
    const b = await api.addInstance({ cluster, memory: 32 });
    const { taskDefinitionArn } = await api.define();
    const missing = '0'.repeat(32);
    const { tasks, failures } = await api.ecs.send(
      new StartTaskCommand({ cluster, taskDefinition: taskDefinitionArn, containerInstances: [a, b, missing] }),
    );
    expect(tasks?.map((task) => task.containerInstanceArn)).toEqual([a]);
    expect(failures).toMatchObject([
      { arn: `arn:aws:ecs:us-east-1:000000000000:container-instance/${cluster}/${missing}`, reason: 'MISSING' },
      { arn: b, reason: 'RESOURCE:MEMORY' },
    ]);
  });

  test('tasks are listed by what is asked for, stopping ones only when asked', async () => {
    cluster = await api.newCluster();
    const instance = await api.addInstance({ cluster });
    const [a, b] = [await api.define(), await api.define()];
    const first = await run({ taskDefinition: a.taskDefinitionArn, startedBy: 'x' });
    const second = await run({ taskDefinition: b.taskDefinitionArn });
    const [taskA, taskB] = [first.tasks?.[0]?.taskArn, second.tasks?.[0]?.taskArn];
    const list = async (input: object) => (await api.ecs.send(new ListTasksCommand({ cluster, ...input }))).taskArns;
    expect(new Set(await list({}))).toEqual(new Set([taskA, taskB]));
    expect(await list({ family: a.family })).toEqual([taskA]);
    expect(await list({ startedBy: 'x' })).toEqual([taskA]);
    expect(await list({ containerInstance: instance })).toHaveLength(2);
    expect(await list({ launchType: 'EXTERNAL' })).toEqual([]);
    await api.ecs.send(new StopTaskCommand({ cluster, task: taskB }));
    expect(await list({})).toEqual([taskA]);
    expect(await list({ desiredStatus: 'STOPPED' })).toEqual([taskB]);
    expect(await list({ desiredStatus: 'PENDING' })).toEqual([]);
    await expect(list({ serviceName: 'nothing' })).rejects.toMatchObject({ name: 'ServiceNotFoundException' });
    await expect(list({ daemonName: 'd' })).rejects.toThrow("'daemonName' is not supported");
    await expect(list({ startedBy: 'x', family: a.family })).rejects.toMatchObject({
      name: 'InvalidParameterException',
    });
  });

  test('pages of ListTasks join to the whole list', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const { taskDefinitionArn } = await api.define();
    await run({ taskDefinition: taskDefinitionArn, count: 7 });
    const seen: string[] = [];
    let nextToken: string | undefined;
    do {
      const page = await api.ecs.send(
        new ListTasksCommand({ cluster, maxResults: 3, ...(nextToken ? { nextToken } : {}) }),
      );
      seen.push(...(page.taskArns ?? []));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    expect(new Set(seen).size).toBe(7);
  });

  test('unknown tasks are MISSING; malformed ones, other clusters and empty lists are refused', async () => {
    cluster = await api.newCluster();
    const describeTasks = (tasks: string[]) => api.ecs.send(new DescribeTasksCommand({ cluster, tasks }));
    const { tasks, failures } = await describeTasks(['0'.repeat(32)]);
    expect(tasks).toEqual([]);
    expect(failures).toMatchObject([{ reason: 'MISSING' }]);
    await expect(describeTasks([])).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: 'Tasks cannot be empty.',
    });
    await expect(describeTasks(['short'])).rejects.toThrow(/taskId length should be one of \[32,36\]/);
    await expect(describeTasks([`arn:aws:ecs:us-east-1:000000000000:task/other/${'0'.repeat(32)}`])).rejects.toThrow(
      `Identifier is for cluster other. Your cluster is ${cluster}`,
    );
  });

  test('StopTask of an unknown task is refused; stopping twice keeps the first reason', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    await expect(api.ecs.send(new StopTaskCommand({ cluster, task: '0'.repeat(32) }))).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: 'The referenced task was not found.',
    });
    const { taskDefinitionArn } = await api.define();
    const { tasks } = await run({ taskDefinition: taskDefinitionArn });
    await api.ecs.send(new StopTaskCommand({ cluster, task: tasks?.[0]?.taskArn }));
    const again = await api.ecs.send(new StopTaskCommand({ cluster, task: tasks?.[0]?.taskArn, reason: 'other' }));
    expect(again.task?.stoppedReason).toBe('Task stopped by user');
  });

  test('only tasks of services can be protected', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const { taskDefinitionArn } = await api.define();
    const { tasks } = await run({ taskDefinition: taskDefinitionArn });
    const ids = [tasks?.[0]?.taskArn ?? '', '0'.repeat(32)];
    const put = await api.ecs.send(new UpdateTaskProtectionCommand({ cluster, tasks: ids, protectionEnabled: true }));
    expect(put.failures?.map(({ reason }) => reason)).toEqual(['TASK_NOT_VALID', 'MISSING']);
    const got = await api.ecs.send(new GetTaskProtectionCommand({ cluster, tasks: ids }));
    expect(got.protectedTasks).toEqual([]);
  });
});
