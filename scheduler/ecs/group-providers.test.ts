import {
  CreateCapacityProviderCommand,
  type CreateCapacityProviderCommandInput,
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteCapacityProviderCommand,
  DeleteClusterCommand,
  DescribeCapacityProvidersCommand,
  DescribeClustersCommand,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ListTagsForResourceCommand,
  PutAttributesCommand,
  PutClusterCapacityProvidersCommand,
  RunTaskCommand,
  StopTaskCommand,
  TagResourceCommand,
  UpdateCapacityProviderCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { associatedCluster } from '../cluster/index.ts';
import { idOf } from '../state/index.ts';
import { findTasks } from '../tasks/index.ts';
import { tally, tasksOf } from './testing/fargate-api.ts';
import { account, openApi, region, type TestApi } from './testing/open-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
  await api.define({ family: 'app' });
  api.hostGroups.set('open', { protectNew: false });
  api.hostGroups.set('closed', { protectNew: true });
});
afterAll(() => api[Symbol.asyncDispose]());

const groupArn = (name: string): string =>
  `arn:aws:autoscaling:${region}:${account}:autoScalingGroup:5e1a2b3c-0000-4000-8000-000000000000:autoScalingGroupName/${name}`;
const providerArn = (name: string): string => `arn:aws:ecs:${region}:${account}:capacity-provider/${name}`;
const create = (name: string, more: Partial<CreateCapacityProviderCommandInput> = {}) =>
  api.ecs.send(
    new CreateCapacityProviderCommand({
      name,
      autoScalingGroupProvider: { autoScalingGroupArn: groupArn(`${name}-hosts`) },
      ...more,
    }),
  );
const described = async (name: string) =>
  (
    await api.ecs.send(
      new DescribeCapacityProvidersCommand({ capacityProviders: [providerArn(name)], include: ['TAGS'] }),
    )
  ).capacityProviders?.[0];
const remove = (capacityProvider: string) => api.ecs.send(new DeleteCapacityProviderCommand({ capacityProvider }));
const put = (cluster: string, capacityProviders: string[], first?: string) =>
  api.ecs.send(
    new PutClusterCapacityProvidersCommand({
      cluster,
      capacityProviders,
      defaultCapacityProviderStrategy: first === undefined ? [] : [{ capacityProvider: first, weight: 1 }],
    }),
  );

describe('a capacity provider of an Auto Scaling group', () => {
  test('is made, changed, tagged and deleted', async () => {
    const { capacityProvider } = await create('plain', { tags: [{ key: 'team', value: 'one' }] });
    const expected = {
      capacityProviderArn: providerArn('plain'),
      name: 'plain',
      status: 'ACTIVE',
      updateStatus: 'CREATE_COMPLETE',
      type: 'EC2_AUTOSCALING',
      autoScalingGroupProvider: {
        autoScalingGroupArn: groupArn('plain-hosts'),
        managedScaling: {
          status: 'DISABLED',
          targetCapacity: 100,
          minimumScalingStepSize: 1,
          maximumScalingStepSize: 10_000,
          instanceWarmupPeriod: 300,
        },
        managedTerminationProtection: 'DISABLED',
        managedDraining: 'ENABLED',
      },
      tags: [{ key: 'team', value: 'one' }],
    };
    expect(capacityProvider).toEqual(expected);
    expect(await described('plain')).toEqual(expected);
    const { capacityProvider: changed } = await api.ecs.send(
      new UpdateCapacityProviderCommand({
        name: 'plain',
        autoScalingGroupProvider: { managedScaling: { targetCapacity: 90 } },
      }),
    );
    expect(changed).toMatchObject({
      updateStatus: 'UPDATE_COMPLETE',
      autoScalingGroupProvider: { managedScaling: { status: 'DISABLED', targetCapacity: 90 } },
    });
    const resourceArn = providerArn('plain');
    await api.ecs.send(new TagResourceCommand({ resourceArn, tags: [{ key: 'stage', value: 'test' }] }));
    expect((await api.ecs.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toHaveLength(2);
    expect((await remove(resourceArn)).capacityProvider).toMatchObject({
      status: 'INACTIVE',
      updateStatus: 'DELETE_COMPLETE',
    });
    expect(await described('plain')).toBeUndefined();
    await expect(remove('plain')).rejects.toThrow(/The specified capacity provider was not found/);
    // Its group is free again, by its name as well as by its ARN.
    await create('again', { autoScalingGroupProvider: { autoScalingGroupArn: 'plain-hosts' } });
    await remove('again');
  });

  test('is judged by its own ARN and tags', async () => {
    await create('judged', { tags: [{ key: 'team', value: 'one' }] });
    expect(api.asked.slice(-2)).toMatchObject([
      { action: 'ecs:CreateCapacityProvider', resources: [{ arn: providerArn('judged') }] },
      { action: 'ecs:TagResource', resources: [{ arn: providerArn('judged') }] },
    ]);
    await remove('judged');
    expect(api.asked.at(-1)).toMatchObject({
      action: 'ecs:DeleteCapacityProvider',
      resources: [{ arn: providerArn('judged'), tags: { team: 'one' } }],
    });
  });

  const protecting = { managedScaling: { status: 'ENABLED' }, managedTerminationProtection: 'ENABLED' };
  const group = (more: object): object => ({
    autoScalingGroupProvider: { autoScalingGroupArn: 'free', ...more },
  });
  test.each<[string, string, object, RegExp]>([
    ['a reserved name', 'Fargate-own', {}, /can't be prefixed with 'aws', 'ecs', or 'fargate'/],
    ['a name of other characters', 'a b', {}, /name is invalid/],
    ['no group', 'x', { autoScalingGroupProvider: undefined }, /give autoScalingGroupProvider/],
    [
      'an ARN of another account',
      'x',
      group({ autoScalingGroupArn: groupArn('a').replace(account, '1'.repeat(12)) }),
      /ARN is not valid/,
    ],
    ['an ARN of something else', 'x', group({ autoScalingGroupArn: providerArn('a') }), /ARN is not valid/],
    ['a group that no host can name', 'x', group({ autoScalingGroupArn: "it's" }), /letters, digits/],
    [
      'managed scaling',
      'x',
      group({ managedScaling: { status: 'ENABLED' } }),
      /there is no group free, and managed scaling needs one/,
    ],
    [
      'a capacity of 0',
      'x',
      group({ managedScaling: { targetCapacity: 0 } }),
      /targetCapacity must be a whole number from 1 to 100/,
    ],
    [
      'steps the wrong way',
      'x',
      group({ managedScaling: { minimumScalingStepSize: 3, maximumScalingStepSize: 2 } }),
      /cannot be larger/,
    ],
    ['a warm-up of hours', 'x', group({ managedScaling: { instanceWarmupPeriod: 10_001 } }), /from 0 to 10000/],
    [
      'protection without managed scaling',
      'x',
      group({ managedTerminationProtection: 'ENABLED' }),
      /enable managed scaling too/,
    ],
    [
      'protection of a group that protects no machines',
      'x',
      { autoScalingGroupProvider: { autoScalingGroupArn: 'open', ...protecting } },
      /must have instance protection from scale in enabled/,
    ],
    ['no draining', 'x', group({ managedDraining: 'DISABLED' }), /not drained/],
    ['no such draining', 'x', group({ managedDraining: 'maybe' }), /ENABLED or DISABLED/],
    ['a cluster', 'x', { cluster: 'c' }, /'cluster' is not supported/],
  ])('is refused with %s', async (_what, name, more, message) => {
    await expect(create(name, more)).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringMatching(message),
    });
  });

  test('has a name and a group of its own, and those of Fargate are nobody’s', async () => {
    await create('taken');
    await expect(create('taken', group({}))).rejects.toThrow(/already exists/);
    await expect(create('other', group({ autoScalingGroupArn: 'taken-hosts' }))).rejects.toThrow(
      /already being used by another capacity provider/,
    );
    await expect(remove('FARGATE')).rejects.toThrow(/reserved/);
    await expect(
      api.ecs.send(new UpdateCapacityProviderCommand({ name: 'FARGATE_SPOT', autoScalingGroupProvider: {} })),
    ).rejects.toThrow(/reserved/);
    await remove('taken');
  });
});

describe('managed scaling', () => {
  const managed = { managedScaling: { status: 'ENABLED' as const, targetCapacity: 80 } };
  const update = (name: string, more: object) =>
    api.ecs.send(new UpdateCapacityProviderCommand({ name, autoScalingGroupProvider: more }));

  test('is of a group that is there, and switched on and off', async () => {
    await create('sized', { autoScalingGroupProvider: { autoScalingGroupArn: 'closed', ...managed } });
    const protection = { managedTerminationProtection: 'ENABLED' as const };
    const { capacityProvider } = await update('sized', protection);
    expect(capacityProvider?.autoScalingGroupProvider).toMatchObject({ ...managed, ...protection });
    await expect(update('sized', { managedScaling: { status: 'DISABLED' } })).rejects.toThrow(
      /enable managed scaling too/,
    );
    await update('sized', { managedScaling: { status: 'DISABLED' }, managedTerminationProtection: 'DISABLED' });
    expect((await described('sized'))?.autoScalingGroupProvider).toMatchObject({
      managedScaling: { status: 'DISABLED', targetCapacity: 80 },
      managedTerminationProtection: 'DISABLED',
    });
  });

  test('is for one cluster', async () => {
    await create('single', { autoScalingGroupProvider: { autoScalingGroupArn: 'open', ...managed } });
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'first', capacityProviders: ['single'] }));
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'second' }));
    await put('first', ['single']);
    await expect(put('second', ['single'])).rejects.toThrow(/one cluster: single would be with second and first/);
    await update('single', { managedScaling: { status: 'DISABLED' } });
    await put('second', ['single']);
    await expect(update('single', managed)).rejects.toThrow(/can be associated with one cluster/);
    await put('first', []);
    await update('single', managed);
  });
});

describe('a cluster with one', () => {
  const host = (clusterName: string, name?: string) =>
    api.addInstance({
      cluster: clusterName,
      cpu: 1024,
      memory: 1024,
      ...(name === undefined ? {} : { attributes: { 'slipway.auto-scaling-group': `${name}-hosts` } }),
    });

  test('keeps it from being deleted, until it or the cluster goes', async () => {
    await create('kept');
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'keeps', capacityProviders: ['kept', 'FARGATE'] }));
    const { clusters } = await api.ecs.send(new DescribeClustersCommand({ clusters: ['keeps'] }));
    expect(clusters?.[0]).toMatchObject({ capacityProviders: ['kept', 'FARGATE'] });
    await expect(remove('kept')).rejects.toMatchObject({
      name: 'ResourceInUseException',
      message: expect.stringMatching(/Take it from cluster 'keeps'/),
    });
    await put('keeps', ['FARGATE']);
    await remove('kept');
    await create('kept');
    await put('keeps', ['kept'], 'kept');
    await api.ecs.send(new DeleteClusterCommand({ cluster: 'keeps' }));
    await remove('kept');
  });

  test('runs tasks of it on hosts of its group alone, and shows where', async () => {
    await create('blue');
    await create('green');
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'grouped' }));
    await put('grouped', ['blue', 'green'], 'blue');
    const [other, blue, green] = [await host('grouped'), await host('grouped', 'blue'), await host('grouped', 'green')];
    const { containerInstances } = await api.ecs.send(
      new DescribeContainerInstancesCommand({ cluster: 'grouped', containerInstances: [other, blue, green] }),
    );
    expect(containerInstances?.map(({ capacityProviderName }) => capacityProviderName)).toEqual([
      undefined,
      'blue',
      'green',
    ]);
    const places = async (tasks: readonly { taskArn?: string | undefined }[] | undefined) => {
      const ids = (tasks ?? []).map(({ taskArn = '' }) => idOf(taskArn));
      const found = await findTasks(api.ports, { account, cluster: 'grouped' }, ids);
      return [...found.values()].map(({ instanceId }) => instanceId);
    };
    const { tasks } = await api.ecs.send(new RunTaskCommand({ cluster: 'grouped', taskDefinition: 'app', count: 3 }));
    expect(tasks).toMatchObject(Array(3).fill({ launchType: 'EC2', capacityProviderName: 'blue' }));
    expect(await places(tasks)).toEqual(Array(3).fill(idOf(blue)));
    const shares = [
      { capacityProvider: 'blue', weight: 1, base: 0 },
      { capacityProvider: 'green', weight: 2, base: 1 },
    ];
    const { service } = await api.ecs.send(
      new CreateServiceCommand({
        cluster: 'grouped',
        serviceName: 'web',
        taskDefinition: 'app',
        desiredCount: 4,
        capacityProviderStrategy: shares,
      }),
    );
    expect(service?.launchType).toBeUndefined();
    expect(service?.capacityProviderStrategy).toEqual(shares);
    await vi.waitFor(async () => expect(tally(await tasksOf(api, 'grouped', 'web'))).toEqual({ blue: 1, green: 3 }), {
      timeout: 60_000,
      interval: 50,
    });
    const of = await tasksOf(api, 'grouped', 'web');
    expect(await places(of)).toEqual(of.map((task) => idOf(task.capacityProviderName === 'blue' ? blue : green)));
    await expect(put('grouped', ['blue'], 'blue')).rejects.toMatchObject({ name: 'ResourceInUseException' });
    const moved = await api.ecs.send(
      new UpdateServiceCommand({ cluster: 'grouped', service: 'web', capacityProviderStrategy: [] }),
    );
    expect(moved.service).toMatchObject({ launchType: 'EC2' });
  });

  test('says why there is no room in the events of a service', async () => {
    await create('empty');
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'roomless', capacityProviders: ['empty'] }));
    const arn = await host('roomless');
    const strategy = { capacityProviderStrategy: [{ capacityProvider: 'empty' }] };
    await api.ecs.send(
      new CreateServiceCommand({
        cluster: 'roomless',
        serviceName: 'web',
        taskDefinition: 'app',
        desiredCount: 1,
        ...strategy,
      }),
    );
    await vi.waitFor(
      async () => {
        const { services } = await api.ecs.send(
          new DescribeServicesCommand({ cluster: 'roomless', services: ['web'] }),
        );
        expect(services?.[0]?.events?.[0]?.message).toContain(
          `${idOf(arn)} is not of the Auto Scaling group empty-hosts`,
        );
      },
      { timeout: 60_000, interval: 50 },
    );
    // A host of the group is all that it waits for.
    await host('roomless', 'empty');
    await vi.waitFor(async () => expect(tally(await tasksOf(api, 'roomless', 'web'))).toEqual({ empty: 1 }), {
      timeout: 60_000,
      interval: 50,
    });
  });

  test('keeps tasks of requests until a host has room, the oldest first', async () => {
    await create('later');
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'waiting', capacityProviders: ['later'] }));
    await api.define({ family: 'half', containerDefinitions: [{ name: 'main', image: 'busybox', memory: 512 }] });
    const run = (count: number) =>
      api.ecs.send(
        new RunTaskCommand({
          cluster: 'waiting',
          taskDefinition: 'half',
          count,
          capacityProviderStrategy: [{ capacityProvider: 'later' }],
        }),
      );
    const states = async (arns: readonly (string | undefined)[]) => {
      const { tasks } = await api.ecs.send(
        new DescribeTasksCommand({ cluster: 'waiting', tasks: arns.map((arn = '') => arn) }),
      );
      return tasks?.map(({ lastStatus, containerInstanceArn }) => [lastStatus, containerInstanceArn]);
    };
    const arnsOf = ({ tasks, failures }: Awaited<ReturnType<typeof run>>): (string | undefined)[] => {
      expect(failures).toEqual([]);
      return (tasks ?? []).map(({ taskArn }) => taskArn);
    };
    // There is no host at all.
    const [gone, first, second] = arnsOf(await run(3));
    const [third] = arnsOf(await run(1));
    expect(await states([gone, first, second, third])).toEqual(Array(4).fill(['PROVISIONING', undefined]));
    const { task } = await api.ecs.send(new StopTaskCommand({ cluster: 'waiting', task: gone }));
    expect(task).toMatchObject({ lastStatus: 'STOPPED', stopCode: 'UserInitiated' });
    const left = [first, second, third];
    const one = await host('waiting', 'later');
    await vi.waitFor(async () => expect((await states([first, second]))?.every(([, on]) => on === one)).toBe(true), {
      timeout: 60_000,
      interval: 50,
    });
    expect(await states([third])).toEqual([['PROVISIONING', undefined]]);
    expect(await states(left)).toContainEqual(['PENDING', one]);
    // Room that a task leaves is as good as a new host.
    await api.report(first ?? '', 'STOPPED', 0);
    await vi.waitFor(async () => expect(await states([third])).toEqual([['PENDING', one]]), {
      timeout: 60_000,
      interval: 50,
    });
  });

  test('keeps 500 of them at most', async () => {
    await create('crowd');
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'crowded', capacityProviders: ['crowd'] }));
    const run = () =>
      api.ecs.send(
        new RunTaskCommand({
          cluster: 'crowded',
          taskDefinition: 'app',
          count: 10,
          capacityProviderStrategy: [{ capacityProvider: 'crowd' }],
        }),
      );
    for (let turn = 0; turn < 50; turn++) expect((await run()).failures).toEqual([]);
    // With no host in the cluster that is what ECS says of it.
    await expect(run()).rejects.toThrow(/No Container Instances were found/);
  });

  test('is waited for when a service names it just before its cluster has it, for a while', async () => {
    await create('late');
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'hurried' }));
    const ref = { account, cluster: 'hurried' };
    const named = (capacityProvider: string) => [{ capacityProvider }];
    let time = 0;
    let sleeps = 0;
    let meanwhile: () => Promise<unknown> = () => Promise.resolve();
    const clock = {
      now: () => time,
      monotonic: () => time,
      sleep: async (ms: number): Promise<void> => {
        time += ms;
        sleeps++;
        await meanwhile();
      },
    };
    const cluster = (name: string) =>
      associatedCluster({ ...api.ports, clock }, ref, named(name), new AbortController().signal);
    expect((await cluster('late')).capacityProviders).toEqual([]);
    expect([time, sleeps]).toEqual([10_000, 40]);
    // What is nowhere does not come.
    await cluster('nowhere');
    await cluster('FARGATE');
    expect(sleeps).toBe(40);
    meanwhile = () => put('hurried', ['late']);
    expect((await cluster('late')).capacityProviders).toEqual(['late']);
    expect(sleeps).toBe(41);
    // However often a request names one, it is read once a look.
    let reads = 0;
    const records = new Proxy(api.ports.records, {
      get(of, key) {
        const value = Reflect.get(of, key) as unknown;
        if (key === 'get') reads++;
        return typeof value === 'function' ? (value.bind(of) as unknown) : value;
      },
    });
    meanwhile = () => Promise.resolve();
    await create('forgotten');
    const many = Array.from({ length: 500 }, () => ({ capacityProvider: 'forgotten' }));
    await associatedCluster({ ...api.ports, records, clock }, ref, many, new AbortController().signal);
    expect(reads).toBeLessThanOrEqual(2 * 41);
  });

  test('mixes them with Fargate in no strategy, and gives daemons none', async () => {
    await create('alone');
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'single', capacityProviders: ['alone', 'FARGATE'] }));
    const arn = await host('single', 'alone');
    const run = (names: string[]) =>
      api.ecs.send(
        new RunTaskCommand({
          cluster: 'single',
          taskDefinition: 'app',
          capacityProviderStrategy: names.map((capacityProvider) => ({ capacityProvider, weight: 1 })),
        }),
      );
    await expect(run(['alone', 'FARGATE'])).rejects.toThrow(/cannot contain a mix of capacity providers/);
    await expect(run(['blue'])).rejects.toThrow(/not associated with the cluster/);
    await expect(
      api.ecs.send(
        new CreateServiceCommand({
          cluster: 'single',
          serviceName: 'daemon',
          taskDefinition: 'app',
          schedulingStrategy: 'DAEMON',
          capacityProviderStrategy: [{ capacityProvider: 'alone' }],
        }),
      ),
    ).rejects.toThrow(/daemon service cannot have a capacity provider strategy/);
    // What a host's agent says nobody else can say.
    await expect(
      api.ecs.send(
        new PutAttributesCommand({
          cluster: 'single',
          attributes: [{ name: 'slipway.auto-scaling-group', value: 'x', targetId: arn }],
        }),
      ),
    ).rejects.toThrow(/reserved/);
    const { tasks } = await run(['alone']);
    const { tasks: found } = await api.ecs.send(
      new DescribeTasksCommand({ cluster: 'single', tasks: [tasks?.[0]?.taskArn ?? ''] }),
    );
    expect(found?.[0]).toMatchObject({ capacityProviderName: 'alone', containerInstanceArn: arn });
  });
});
