import {
  CreateServiceCommand,
  type CreateServiceCommandInput,
  DeleteServiceCommand,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  ListServicesCommand,
  ListTagsForResourceCommand,
  ListTasksCommand,
  UpdateServiceCommand,
  UpdateTaskProtectionCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { changeInstance } from '../cluster/index.ts';
import { idOf } from '../state/index.ts';
import { account, openApi, type TestApi } from './testing/open-api.ts';
import { playAgent } from './testing/play-agent.ts';
import { createService, describeService } from './testing/services.ts';

let api: TestApi;
let cluster: string;
beforeAll(async () => {
  api = await openApi({ replaceLostAfter: 500 });
});
afterAll(() => api[Symbol.asyncDispose]());

const create = (input: Partial<CreateServiceCommandInput>) => createService(api, { cluster, ...input });
const described = (service?: string) => describeService(api, cluster, service);

const tasksOf = async (desiredStatus: 'RUNNING' | 'STOPPED' = 'RUNNING'): Promise<string[]> =>
  (await api.ecs.send(new ListTasksCommand({ cluster, serviceName: 'web', desiredStatus }))).taskArns ?? [];

const waiter = () => ({ client: api.ecs, maxWaitTime: 20, minDelay: 1, maxDelay: 1 });

describe('services', () => {
  test('a service reads back as it was created, with the defaults of ECS', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    const { service } = await create({ taskDefinition: taskDefinitionArn });
    expect(service).toEqual({
      serviceArn: `arn:aws:ecs:us-east-1:000000000000:service/${cluster}/web`,
      serviceName: 'web',
      clusterArn: `arn:aws:ecs:us-east-1:000000000000:cluster/${cluster}`,
      status: 'ACTIVE',
      desiredCount: 0,
      runningCount: 0,
      pendingCount: 0,
      launchType: 'EC2',
      taskDefinition: taskDefinitionArn,
      deploymentConfiguration: {
        deploymentCircuitBreaker: { enable: false, rollback: false },
        maximumPercent: 200,
        minimumHealthyPercent: 100,
        strategy: 'ROLLING',
        bakeTimeInMinutes: 0,
      },
      deploymentController: { type: 'ECS' },
      deployments: [
        {
          id: expect.stringMatching(/^ecs-svc\/\d{19}$/) as string,
          status: 'PRIMARY',
          taskDefinition: taskDefinitionArn,
          desiredCount: 0,
          pendingCount: 0,
          runningCount: 0,
          failedTasks: 0,
          createdAt: expect.any(Date) as Date,
          updatedAt: expect.any(Date) as Date,
          launchType: 'EC2',
          rolloutState: 'IN_PROGRESS',
          rolloutStateReason: expect.stringMatching(/^ECS deployment ecs-svc\/\d{19} in progress\.$/) as string,
        },
      ],
      currentServiceDeployment: expect.stringMatching(
        new RegExp(`:service-deployment/${cluster}/web/[A-Za-z0-9]{21}$`),
      ) as string,
      currentServiceRevisions: [
        {
          arn: expect.stringMatching(new RegExp(`:service-revision/${cluster}/web/\\d{19}$`)) as string,
          requestedTaskCount: 0,
          runningTaskCount: 0,
          pendingTaskCount: 0,
        },
      ],
      events: [],
      loadBalancers: [],
      serviceRegistries: [],
      createdAt: expect.any(Date) as Date,
      createdBy: 'arn:aws:iam::000000000000:user/admin',
      placementConstraints: [],
      placementStrategy: [],
      schedulingStrategy: 'REPLICA',
      tags: [],
      enableECSManagedTags: false,
      propagateTags: 'NONE',
      enableExecuteCommand: false,
      availabilityZoneRebalancing: 'ENABLED',
    });
  });

  test('zones are evened out where that is possible, and where that is asked for; an update that rules it out ends it', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    const zones = async (name: string): Promise<string | undefined> =>
      (await described(name)).availabilityZoneRebalancing;
    const make = (serviceName: string, input: Partial<CreateServiceCommandInput>) =>
      create({ serviceName, taskDefinition: taskDefinitionArn, ...input });
    await make('packed', { placementStrategy: [{ type: 'binpack', field: 'memory' }] });
    await make('spread', { placementStrategy: [{ type: 'spread', field: 'attribute:ecs.availability-zone' }] });
    expect([await zones('packed'), await zones('spread')]).toEqual(['DISABLED', 'ENABLED']);
    const update = (input: object) => api.ecs.send(new UpdateServiceCommand({ cluster, service: 'spread', ...input }));
    const none = { maximumPercent: 100, minimumHealthyPercent: 50 };
    const both = { deploymentConfiguration: none, availabilityZoneRebalancing: 'ENABLED' };
    await expect(update(both)).rejects.toThrow(/maximumPercent is 100/);
    await update({ deploymentConfiguration: none });
    expect(await zones('spread')).toBe('DISABLED');
    await update({ deploymentConfiguration: { maximumPercent: 200 } });
    expect(await zones('spread')).toBe('DISABLED');
    await update({ availabilityZoneRebalancing: 'ENABLED' });
    expect(await zones('spread')).toBe('ENABLED');
    await update({ availabilityZoneRebalancing: 'DISABLED' });
    expect(await zones('spread')).toBe('DISABLED');
  });

  test("what was given reads back the same, placement in ECS's own spelling", async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    await create({
      taskDefinition: taskDefinitionArn,
      deploymentConfiguration: {
        maximumPercent: 150,
        minimumHealthyPercent: 50,
        deploymentCircuitBreaker: { enable: true, rollback: true },
      },
      placementConstraints: [{ type: 'memberOf', expression: 'attribute:zone == a' }, { type: 'distinctInstance' }],
      placementStrategy: [
        { type: 'spread', field: 'host' },
        { type: 'binpack', field: 'MEMORY' },
      ],
      healthCheckGracePeriodSeconds: 30,
      propagateTags: 'SERVICE',
      enableECSManagedTags: true,
      tags: [{ key: 'team', value: 'a' }],
    });
    expect(await described()).toMatchObject({
      deploymentConfiguration: {
        maximumPercent: 150,
        minimumHealthyPercent: 50,
        deploymentCircuitBreaker: {
          enable: true,
          rollback: true,
          resetOnHealthyTask: true,
          thresholdConfiguration: { type: 'BOUNDED_PERCENT', value: 50 },
        },
      },
      placementConstraints: [{ type: 'memberOf', expression: 'attribute:zone == a' }, { type: 'distinctInstance' }],
      placementStrategy: [
        { type: 'spread', field: 'instanceId' },
        { type: 'binpack', field: 'memory' },
      ],
      healthCheckGracePeriodSeconds: 30,
      propagateTags: 'SERVICE',
      enableECSManagedTags: true,
      tags: [{ key: 'team', value: 'a' }],
    });
  });

  test('the waiter services-stable returns after a host died for good, and the host says what to do', async () => {
    cluster = await api.newCluster();
    const dead = await api.addInstance({ cluster });
    await api.define({ family: 'survivor' });
    await create({ taskDefinition: 'survivor', desiredCount: 1 });
    await vi.waitFor(async () => expect(await tasksOf()).toHaveLength(1), { timeout: 60_000 });
    const [lost = ''] = await tasksOf();
    await api.report(lost, 'RUNNING');
    await waitUntilServicesStable(waiter(), { cluster, services: ['web'] });

    await api.addInstance({ cluster });
    await changeInstance(api.ports, { account, cluster }, idOf(dead), (instance) => {
      const { connectionId, ...rest } = instance;
      return connectionId === undefined
        ? instance
        : { ...rest, agentConnected: false, connectivityChangedAt: Date.now() };
    });
    const others = async (): Promise<string[]> => (await tasksOf()).filter((task) => task !== lost);
    await vi.waitFor(async () => expect(await others()).toHaveLength(1), { timeout: 60_000 });
    for (const task of await others()) await api.report(task, 'RUNNING');
    await vi.waitFor(async () => expect(await tasksOf('STOPPED')).toEqual([lost]), { timeout: 60_000 });
    await waitUntilServicesStable(waiter(), { cluster, services: ['web'] });
    expect(await described()).toMatchObject({ runningCount: 1, desiredCount: 1 });
    const { containerInstances } = await api.ecs.send(
      new DescribeContainerInstancesCommand({ cluster, containerInstances: [dead] }),
    );
    const command = `aws ecs deregister-container-instance --cluster ${cluster} --container-instance ${idOf(dead)} --force`;
    expect(containerInstances?.[0]?.statusReason).toContain(command);
  });

  test('the waiter services-stable waits for the roll-out of a first and of a second revision', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const first = await api.define({ family: 'rolled' });
    await create({
      taskDefinition: 'rolled',
      desiredCount: 2,
      propagateTags: 'SERVICE',
      tags: [{ key: 'team', value: 'a' }],
    });
    using _ = playAgent(api, cluster, 'web');
    await waitUntilServicesStable(waiter(), { cluster, services: ['web'] });
    const stable = await described();
    expect(stable).toMatchObject({ runningCount: 2, pendingCount: 0, taskDefinition: first.taskDefinitionArn });
    expect(stable.deployments).toHaveLength(1);

    const second = await api.define({ family: 'rolled' });
    const { service } = await api.ecs.send(
      new UpdateServiceCommand({ cluster, service: 'web', taskDefinition: 'rolled' }),
    );
    expect(service?.deployments?.map(({ status }) => status)).toEqual(['PRIMARY', 'ACTIVE']);
    expect(service?.taskDefinition).toBe(second.taskDefinitionArn);
    await waitUntilServicesStable(waiter(), { cluster, services: ['web'] });
    const rolled = await described();
    expect(rolled.deployments).toMatchObject([
      { status: 'PRIMARY', taskDefinition: second.taskDefinitionArn, runningCount: 2, rolloutState: 'COMPLETED' },
    ]);
    expect(rolled.events?.some(({ message }) => message === '(service web) has reached a steady state.')).toBe(true);

    const [task = ''] = await tasksOf();
    const protection = await api.ecs.send(
      new UpdateTaskProtectionCommand({ cluster, tasks: [task], protectionEnabled: true, expiresInMinutes: 10 }),
    );
    expect(protection.protectedTasks).toMatchObject([{ taskArn: task, protectionEnabled: true }]);
    expect((await api.ecs.send(new ListTagsForResourceCommand({ resourceArn: task }))).tags).toEqual([
      { key: 'team', value: 'a' },
    ]);

    await api.ecs.send(new DeleteServiceCommand({ cluster, service: 'web', force: true }));
    await waitUntilServicesInactive(waiter(), { cluster, services: ['web'] });
    expect(await tasksOf()).toEqual([]);
  });

  test('a deployment starts for another definition or by force, and for nothing else', async () => {
    cluster = await api.newCluster();
    const first = await api.define();
    const second = await api.define();
    await create({ taskDefinition: first.taskDefinitionArn });
    const update = async (input: object): Promise<string | undefined> => {
      const { service } = await api.ecs.send(new UpdateServiceCommand({ cluster, service: 'web', ...input }));
      return service?.deployments?.[0]?.id;
    };
    const id = (await described()).deployments?.[0]?.id;
    for (const same of [
      { desiredCount: 1 },
      { taskDefinition: first.taskDefinitionArn },
      { deploymentConfiguration: { maximumPercent: 150 } },
      { placementStrategy: [{ type: 'random' }] },
      { healthCheckGracePeriodSeconds: 5 },
    ]) {
      expect(await update(same)).toBe(id);
    }
    expect((await described()).deploymentConfiguration).toMatchObject({
      maximumPercent: 150,
      minimumHealthyPercent: 100,
    });
    const forced = await update({ forceNewDeployment: true });
    expect(forced).not.toBe(id);
    expect(await update({ taskDefinition: second.taskDefinitionArn })).not.toBe(forced);
    await update({ placementStrategy: [] });
    expect((await described()).placementStrategy).toEqual([]);
  });

  test('a service is given a revision with roles only by whoever may pass them', async () => {
    cluster = await api.newCluster();
    const role = 'arn:aws:iam::000000000000:role/app';
    const plain = await api.define();
    const withRole = await api.define({ taskRoleArn: role });
    await create({ taskDefinition: plain.taskDefinitionArn });
    const hand = () =>
      api.ecs.send(new UpdateServiceCommand({ cluster, service: 'web', taskDefinition: withRole.taskDefinitionArn }));
    api.denied.add('iam:PassRole');
    const denied = { name: 'AccessDeniedException' };
    await expect(create({ serviceName: 'other', taskDefinition: withRole.taskDefinitionArn })).rejects.toMatchObject(
      denied,
    );
    await expect(hand()).rejects.toMatchObject(denied);
    api.denied.clear();
    await hand();
    api.denied.add('iam:PassRole');
    await api.ecs.send(new UpdateServiceCommand({ cluster, service: 'web', desiredCount: 0 }));
    api.denied.clear();
  });

  test('creating the same service twice is one service; another one under its name is refused', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    const first = await create({ taskDefinition: taskDefinitionArn, tags: [{ key: 'a', value: '1' }] });
    const second = await create({ taskDefinition: taskDefinitionArn, tags: [{ key: 'a', value: '1' }] });
    expect(second.service?.deployments?.[0]?.id).toBe(first.service?.deployments?.[0]?.id);
    await expect(create({ taskDefinition: taskDefinitionArn, desiredCount: 3 })).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: 'Creation of service was not idempotent.',
    });
  });

  test('a client token makes a retry return the service, even after it was changed', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    const request = { taskDefinition: taskDefinitionArn, clientToken: 'token' };
    await create(request);
    await api.ecs.send(new UpdateServiceCommand({ cluster, service: 'web', desiredCount: 4 }));
    expect((await create(request)).service?.desiredCount).toBe(4);
    await expect(create({ ...request, serviceName: 'other' })).rejects.toMatchObject({
      name: 'InvalidParameterException',
    });
  });

  test('a service is deleted when nothing is wanted of it, or by force, and its name can be used again', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    await create({ taskDefinition: taskDefinitionArn, desiredCount: 1 });
    const remove = (force?: boolean) =>
      api.ecs.send(new DeleteServiceCommand({ cluster, service: 'web', ...(force === undefined ? {} : { force }) }));
    await expect(remove()).rejects.toThrow('The service cannot be stopped while it is scaled above 0.');
    expect((await remove(true)).service).toMatchObject({ status: 'DRAINING', desiredCount: 0 });
    await waitUntilServicesInactive(waiter(), { cluster, services: ['web'] });
    await expect(
      api.ecs.send(new UpdateServiceCommand({ cluster, service: 'web', desiredCount: 1 })),
    ).rejects.toMatchObject({ name: 'ServiceNotActiveException' });
    const again = await create({ taskDefinition: taskDefinitionArn });
    expect(again.service).toMatchObject({ status: 'ACTIVE', events: [] });
  });

  test('services are listed by cluster, strategy and launch type; unknown ones are MISSING', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    for (const serviceName of ['a', 'b']) await create({ serviceName, taskDefinition: taskDefinitionArn });
    await api.ecs.send(
      new CreateServiceCommand({
        cluster,
        serviceName: 'd',
        taskDefinition: taskDefinitionArn,
        schedulingStrategy: 'DAEMON',
      }),
    );
    const list = async (input: object) =>
      (await api.ecs.send(new ListServicesCommand({ cluster, ...input }))).serviceArns?.map((arn) =>
        arn.split('/').at(-1),
      );
    expect(await list({})).toEqual(['a', 'b', 'd']);
    expect(await list({ schedulingStrategy: 'DAEMON' })).toEqual(['d']);
    expect(await list({ launchType: 'EXTERNAL' })).toEqual([]);
    expect(await list({ resourceManagementType: 'ECS' })).toEqual([]);
    expect(await list({ resourceManagementType: 'CUSTOMER' })).toEqual(['a', 'b', 'd']);
    expect(await list({ maxResults: 1 })).toEqual(['a']);
    const arn = `arn:aws:ecs:us-east-1:000000000000:service/${cluster}`;
    const { services, failures } = await api.ecs.send(
      new DescribeServicesCommand({ cluster, services: [`${arn}/a`, 'nothing'] }),
    );
    expect(services?.map(({ serviceName }) => serviceName)).toEqual(['a']);
    expect(failures).toEqual([{ arn: `${arn}/nothing`, reason: 'MISSING' }]);
    expect((await described('d')).deploymentConfiguration).toMatchObject({
      maximumPercent: 100,
      minimumHealthyPercent: 0,
    });
  });
});
