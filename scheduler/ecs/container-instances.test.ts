import {
  CreateServiceCommand,
  DeleteAttributesCommand,
  DeregisterContainerInstanceCommand,
  DescribeContainerInstancesCommand,
  DescribeTasksCommand,
  ListAttributesCommand,
  ListContainerInstancesCommand,
  PutAttributesCommand,
  RunTaskCommand,
  UpdateContainerInstancesStateCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
let cluster: string;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const list = async (input: object = {}) =>
  (await api.ecs.send(new ListContainerInstancesCommand({ cluster, ...input }))).containerInstanceArns ?? [];

const described = async (arn: string) =>
  (await api.ecs.send(new DescribeContainerInstancesCommand({ cluster, containerInstances: [arn] })))
    .containerInstances?.[0];

describe('container instances', () => {
  test('an instance shows what it registered, what remains, and how many tasks it has', async () => {
    cluster = await api.newCluster();
    const arn = await api.addInstance({
      cluster,
      cpu: 2048,
      memory: 4096,
      attributes: { 'ecs.os-type': 'linux', 'com.amazonaws.ecs.capability.docker-remote-api.1.21': '' },
    });
    const { taskDefinitionArn } = await api.define({
      containerDefinitions: [{ name: 'main', image: 'b', cpu: 100, memory: 512, memoryReservation: 256 }],
    });
    await api.ecs.send(new RunTaskCommand({ cluster, taskDefinition: taskDefinitionArn, count: 2 }));
    const instance = await described(arn);
    expect(instance).toMatchObject({
      containerInstanceArn: arn,
      status: 'ACTIVE',
      agentConnected: true,
      runningTasksCount: 0,
      pendingTasksCount: 2,
      attachments: [],
      registeredAt: expect.any(Date) as Date,
    });
    expect(instance?.registeredResources).toContainEqual({
      name: 'CPU',
      type: 'INTEGER',
      doubleValue: 0,
      longValue: 0,
      integerValue: 2048,
    });
    expect(instance?.remainingResources).toContainEqual({
      name: 'CPU',
      type: 'INTEGER',
      doubleValue: 0,
      longValue: 0,
      integerValue: 1848,
    });
    expect(instance?.remainingResources).toContainEqual({
      name: 'MEMORY',
      type: 'INTEGER',
      doubleValue: 0,
      longValue: 0,
      integerValue: 3584,
    });
    expect(instance?.attributes).toContainEqual({ name: 'ecs.os-type', value: 'linux' });
  });

  test('filters of the cluster query language choose instances; one that does not parse is refused', async () => {
    cluster = await api.newCluster();
    const a = await api.addInstance({ cluster, attributes: { stack: 'prod' } });
    const b = await api.addInstance({ cluster, attributes: { stack: 'test' } });
    const { taskDefinitionArn } = await api.define();
    await api.ecs.send(
      new RunTaskCommand({
        cluster,
        taskDefinition: taskDefinitionArn,
        group: 'g',
        placementConstraints: [{ type: 'memberOf', expression: 'attribute:stack == test' }],
      }),
    );
    expect(await list({ filter: 'attribute:stack == prod' })).toEqual([a]);
    expect(await list({ filter: 'task:group == g' })).toEqual([b]);
    expect(await list({ filter: 'runningTasksCount == 0' })).toEqual([a]);
    expect(new Set(await list({ filter: 'agentConnected == true' }))).toEqual(new Set([a, b]));
    await expect(list({ filter: 'attribute:stack ==' })).rejects.toThrow(/Invalid filter/);
  });

  test('pages join to the whole list', async () => {
    cluster = await api.newCluster();
    const all = new Set([
      await api.addInstance({ cluster }),
      await api.addInstance({ cluster }),
      await api.addInstance({ cluster }),
    ]);
    const first = await api.ecs.send(new ListContainerInstancesCommand({ cluster, maxResults: 2 }));
    const second = await api.ecs.send(
      new ListContainerInstancesCommand({ cluster, maxResults: 2, nextToken: first.nextToken }),
    );
    expect(second.nextToken).toBeUndefined();
    expect(new Set([...(first.containerInstanceArns ?? []), ...(second.containerInstanceArns ?? [])])).toEqual(all);
  });

  test('a draining instance takes no task, and one that is ACTIVE again does', async () => {
    cluster = await api.newCluster();
    const arn = await api.addInstance({ cluster });
    const { taskDefinitionArn } = await api.define();
    const put = (status: 'ACTIVE' | 'DRAINING') =>
      api.ecs.send(
        new UpdateContainerInstancesStateCommand({ cluster, containerInstances: [arn, '0'.repeat(32)], status }),
      );
    const { containerInstances, failures } = await put('DRAINING');
    expect(containerInstances).toMatchObject([{ containerInstanceArn: arn, status: 'DRAINING' }]);
    expect(failures).toMatchObject([{ reason: 'MISSING' }]);
    expect(await list({ status: 'DRAINING' })).toEqual([arn]);
    const run = () => api.ecs.send(new RunTaskCommand({ cluster, taskDefinition: taskDefinitionArn }));
    const refused = await run().catch((error: unknown) => error);
    expect(refused).not.toMatchObject({ tasks: [expect.anything()] });
    await put('ACTIVE');
    expect((await run()).tasks).toHaveLength(1);
  });

  test('an instance with tasks is deregistered only by force; its tasks end then', async () => {
    cluster = await api.newCluster();
    const arn = await api.addInstance({ cluster });
    const { taskDefinitionArn } = await api.define();
    const { tasks } = await api.ecs.send(new RunTaskCommand({ cluster, taskDefinition: taskDefinitionArn }));
    const remove = (force: boolean) =>
      api.ecs.send(new DeregisterContainerInstanceCommand({ cluster, containerInstance: arn, force }));
    await expect(remove(false)).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: 'Found running tasks on the instance.',
    });
    expect((await remove(true)).containerInstance).toMatchObject({ status: 'INACTIVE', agentConnected: false });
    const end = await api.ecs.send(new DescribeTasksCommand({ cluster, tasks: [tasks?.[0]?.taskArn ?? ''] }));
    expect(end.tasks?.[0]).toMatchObject({
      lastStatus: 'STOPPED',
      desiredStatus: 'STOPPED',
      stoppedReason: 'Container instance deregistration forced by user',
    });
    expect(await list()).toEqual([]);
    await expect(remove(true)).rejects.toMatchObject({ name: 'ClientException' });
  });

  test('a forced deregistration makes a service start its tasks elsewhere', async () => {
    cluster = await api.newCluster();
    const a = await api.addInstance({ cluster });
    const { taskDefinitionArn } = await api.define();
    await api.ecs.send(
      new CreateServiceCommand({ cluster, serviceName: 's', taskDefinition: taskDefinitionArn, desiredCount: 1 }),
    );
    const tasksOn = async (arn: string) => (await described(arn))?.pendingTasksCount;
    await expect.poll(() => tasksOn(a), { timeout: 60_000 }).toBe(1);
    const b = await api.addInstance({ cluster });
    await api.ecs.send(new DeregisterContainerInstanceCommand({ cluster, containerInstance: a, force: true }));
    await expect.poll(() => tasksOn(b), { timeout: 60_000 }).toBe(1);
  });
});

describe('attributes', () => {
  test('custom attributes are put, listed, replaced and deleted', async () => {
    cluster = await api.newCluster();
    const arn = await api.addInstance({ cluster });
    const id = arn.split('/').at(-1);
    const put = (value: string) =>
      api.ecs.send(
        new PutAttributesCommand({
          cluster,
          attributes: [{ name: 'stack', value, targetId: id, targetType: 'container-instance' }],
        }),
      );
    const listed = async () =>
      (
        await api.ecs.send(
          new ListAttributesCommand({ cluster, targetType: 'container-instance', attributeName: 'stack' }),
        )
      ).attributes;
    expect((await put('test')).attributes?.[0]?.targetId).toBe(arn);
    await put('prod');
    expect(await listed()).toEqual([{ name: 'stack', value: 'prod', targetId: arn }]);
    expect(await list({ filter: 'attribute:stack == prod' })).toEqual([arn]);
    await api.ecs.send(new DeleteAttributesCommand({ cluster, attributes: [{ name: 'stack', targetId: arn }] }));
    expect(await listed()).toEqual([]);
  });

  test.each([
    ['a reserved name', { name: 'ecs.os-type', value: 'x' }, 'InvalidParameterException'],
    ['a bad name', { name: 'a b', value: 'x' }, 'InvalidParameterException'],
    ['a bad value', { name: 'a', value: ' x' }, 'InvalidParameterException'],
    ['an unknown target', { name: 'a', value: 'x', targetId: '0'.repeat(32) }, 'TargetNotFoundException'],
  ])('PutAttributes refuses %s', async (_what, attribute, name) => {
    cluster = await api.newCluster();
    const arn = await api.addInstance({ cluster });
    await expect(
      api.ecs.send(new PutAttributesCommand({ cluster, attributes: [{ targetId: arn, ...attribute }] })),
    ).rejects.toMatchObject({ name });
  });

  test('an instance has at most ten custom attributes', async () => {
    cluster = await api.newCluster();
    const targetId = await api.addInstance({ cluster });
    const attributes = Array.from({ length: 10 }, (_, n) => ({ name: `a${n}`, targetId }));
    await api.ecs.send(new PutAttributesCommand({ cluster, attributes }));
    await expect(
      api.ecs.send(new PutAttributesCommand({ cluster, attributes: [{ name: 'one-more', targetId }] })),
    ).rejects.toMatchObject({ name: 'AttributeLimitExceededException' });
  });
});
