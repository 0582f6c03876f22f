import {
  type CapacityProviderStrategyItem,
  CreateServiceCommand,
  type CreateServiceCommandInput,
  DescribeServiceRevisionsCommand,
  DescribeServicesCommand,
  ListTasksCommand,
  PutClusterCapacityProvidersCommand,
  RunTaskCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { mixed, mixedReadBack, openFargateApi, tally, tasksOf } from './testing/fargate-api.ts';
import { type TestApi } from './testing/open-api.ts';

let api: TestApi;
let network: NonNullable<CreateServiceCommandInput['networkConfiguration']>;

beforeAll(async () => {
  ({ api, network } = await openFargateApi(['both', 'scaled']));
});
afterAll(() => api[Symbol.asyncDispose]());

describe('services', () => {
  const create = (input: object) =>
    api.ecs.send(
      new CreateServiceCommand({
        cluster: 'scaled',
        serviceName: 'web',
        taskDefinition: 'small',
        desiredCount: 5,
        networkConfiguration: network,
        ...input,
      }),
    );
  const update = (input: object) =>
    api.ecs.send(new UpdateServiceCommand({ cluster: 'scaled', service: 'web', ...input }));
  const described = async (cluster = 'scaled', service = 'web') =>
    (await api.ecs.send(new DescribeServicesCommand({ cluster, services: [service] }))).services?.[0];
  const settled = (counts: Record<string, number>, cluster = 'scaled', service = 'web') =>
    vi.waitFor(async () => expect(tally(await tasksOf(api, cluster, service))).toEqual(counts), {
      timeout: 30_000,
      interval: 50,
    });

  test('keep their shares, and their strategy reads back in place of a launch type', async () => {
    const { service } = await create({ capacityProviderStrategy: mixed });
    const expected = { capacityProviderStrategy: mixedReadBack, platformFamily: 'Linux' };
    expect(service).toMatchObject({
      ...expected,
      platformVersion: 'LATEST',
      deployments: [{ ...expected, platformVersion: '1.4.0' }],
    });
    expect(service?.launchType).toBeUndefined();
    expect(service?.deployments?.[0]?.launchType).toBeUndefined();
    await settled({ FARGATE: 2, FARGATE_SPOT: 3 });
    const revisions = await api.ecs.send(
      new DescribeServiceRevisionsCommand({
        serviceRevisionArns: [service?.currentServiceRevisions?.[0]?.arn ?? ''],
      }),
    );
    expect(revisions.serviceRevisions?.[0]).toMatchObject({ capacityProviderStrategy: mixedReadBack });
    await update({ desiredCount: 9 });
    await settled({ FARGATE: 3, FARGATE_SPOT: 6 });
    await update({ desiredCount: 2 });
    await settled({ FARGATE: 1, FARGATE_SPOT: 1 });
    const going = await api.ecs.send(
      new ListTasksCommand({ cluster: 'scaled', serviceName: 'web', desiredStatus: 'STOPPED' }),
    );
    for (const task of going.taskArns ?? []) await api.report(task, 'STOPPED', 0);
  });

  test('another strategy is for the next tasks and starts no deployment; none goes back to the launch type', async () => {
    const before = (await described())?.deployments?.[0]?.id;
    const { service } = await update({ capacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1 }] });
    expect(service).toMatchObject({
      capacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1, base: 0 }],
      deployments: [{ id: before }],
    });
    expect(tally(await tasksOf(api, 'scaled', 'web'))).toEqual({ FARGATE: 1, FARGATE_SPOT: 1 });
    await update({ desiredCount: 3 });
    await settled({ FARGATE: 2, FARGATE_SPOT: 1 });
    const plain = (await update({ capacityProviderStrategy: [] })).service;
    expect(plain).toMatchObject({ launchType: 'FARGATE', deployments: [{ id: before, launchType: 'FARGATE' }] });
    expect(plain?.capacityProviderStrategy).toBeUndefined();
    await update({ desiredCount: 4 });
    await settled({ FARGATE: 2, FARGATE_SPOT: 1, none: 1 });
  });

  test('the platform reads back as it was asked for, and another one is a deployment', async () => {
    const { service } = await create({
      serviceName: 'platform',
      desiredCount: 0,
      launchType: 'FARGATE',
      platformVersion: '1.3.0',
    });
    expect(service).toMatchObject({
      platformVersion: '1.3.0',
      deployments: [{ platformVersion: '1.4.0' }],
      networkConfiguration: { awsvpcConfiguration: { securityGroups: [] } },
    });
    const same = (await update({ service: 'platform', platformVersion: '1.3.0' })).service;
    expect(same?.deployments?.[0]?.id).toBe(service?.deployments?.[0]?.id);
    const other = (await update({ service: 'platform', platformVersion: 'LATEST' })).service;
    expect(other?.platformVersion).toBe('LATEST');
    expect(other?.deployments?.[0]?.id).not.toBe(service?.deployments?.[0]?.id);
    await expect(update({ service: 'platform', platformVersion: '2.0.0' })).rejects.toThrow(/does not exist/);
  });

  test('one of launch type EC2 comes to Fargate and goes back', async () => {
    await create({ serviceName: 'moved', desiredCount: 1, launchType: 'EC2' });
    await settled({ none: 1 }, 'scaled', 'moved');
    const change = (strategy: CapacityProviderStrategyItem[]) =>
      update({ service: 'moved', capacityProviderStrategy: strategy });
    expect((await change(mixed)).service?.capacityProviderStrategy).toEqual(mixedReadBack);
    await change([{ capacityProvider: 'FARGATE_SPOT' }]);
    await update({ service: 'moved', forceNewDeployment: true });
    await vi.waitFor(
      async () => expect(tally(await tasksOf(api, 'scaled', 'moved'))).toMatchObject({ FARGATE_SPOT: 1 }),
      {
        timeout: 30_000,
        interval: 50,
      },
    );
    expect((await change([])).service).toMatchObject({ launchType: 'EC2' });
  });

  test('a strategy by default is stamped on the service', async () => {
    await api.ecs.send(
      new PutClusterCapacityProvidersCommand({
        cluster: 'scaled',
        capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
        defaultCapacityProviderStrategy: mixed,
      }),
    );
    const { service } = await create({ serviceName: 'usual', desiredCount: 0 });
    expect(service?.capacityProviderStrategy).toEqual(mixedReadBack);
    await expect(create({ serviceName: 'usual', desiredCount: 0, launchType: 'FARGATE' })).rejects.toThrow(
      /not idempotent/,
    );
  });

  test('a provider that is in use stays with the cluster', async () => {
    const put = (capacityProviders: string[]) =>
      api.ecs.send(
        new PutClusterCapacityProvidersCommand({
          cluster: 'scaled',
          capacityProviders,
          defaultCapacityProviderStrategy: [],
        }),
      );
    await expect(put(['FARGATE'])).rejects.toMatchObject({
      name: 'ResourceInUseException',
      message: 'The specified capacity provider is in use and cannot be removed.',
    });
    // Whose strategy is gone, but whose task is still there.
    const spot = { capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT' }] };
    await api.ecs.send(
      new RunTaskCommand({ cluster: 'both', taskDefinition: 'small', networkConfiguration: network, ...spot }),
    );
    await expect(
      api.ecs.send(
        new PutClusterCapacityProvidersCommand({
          cluster: 'both',
          capacityProviders: [],
          defaultCapacityProviderStrategy: [],
        }),
      ),
    ).rejects.toMatchObject({ name: 'ResourceInUseException' });
  });

  test.each<[string, object, RegExp]>([
    [
      'a launch type as well',
      { launchType: 'FARGATE' },
      /Specifying both a launch type and capacity provider strategy/,
    ],
    ['daemons', { schedulingStrategy: 'DAEMON', desiredCount: undefined }, /daemon scheduling strategy/],
    ['strategies of placement', { placementStrategy: [{ type: 'random' }] }, /not supported with FARGATE/],
  ])('cannot have a strategy with %s', async (_what, input, message) => {
    await expect(create({ serviceName: 'never', capacityProviderStrategy: mixed, ...input })).rejects.toThrow(message);
  });

  test('UpdateService refuses what cannot be', async () => {
    await create({
      serviceName: 'placed',
      desiredCount: 0,
      launchType: 'EC2',
      placementStrategy: [{ type: 'random' }],
    });
    await expect(update({ service: 'placed', capacityProviderStrategy: mixed })).rejects.toThrow(
      /Placement strategies are not supported with FARGATE/,
    );
    await expect(
      update({ service: 'placed', capacityProviderStrategy: [{ capacityProvider: 'own' }] }),
    ).rejects.toThrow(/not associated with the cluster/);
    await api.define({ family: 'bridged' });
    await create({
      serviceName: 'bridged',
      taskDefinition: 'bridged',
      desiredCount: 0,
      launchType: 'EC2',
      networkConfiguration: undefined,
    });
    await expect(update({ service: 'bridged', capacityProviderStrategy: mixed })).rejects.toThrow(
      /does not support launch_type FARGATE/,
    );
  });
});
