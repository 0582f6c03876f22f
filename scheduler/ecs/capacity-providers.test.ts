import {
  CreateClusterCommand,
  CreateServiceCommand,
  type CreateServiceCommandInput,
  DeleteAttributesCommand,
  DescribeCapacityProvidersCommand,
  DescribeClustersCommand,
  DescribeServicesCommand,
  PutAttributesCommand,
  PutClusterCapacityProvidersCommand,
  RunTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { idOf } from '../state/index.ts';
import { findTasks } from '../tasks/index.ts';
import { fargateHost, mixed, mixedReadBack, openFargateApi, tally, tasksOf } from './testing/fargate-api.ts';
import { account, region, type TestApi } from './testing/open-api.ts';

let api: TestApi;
let network: NonNullable<CreateServiceCommandInput['networkConfiguration']>;

beforeAll(async () => {
  ({ api, network } = await openFargateApi(['both', 'one']));
});
afterAll(() => api[Symbol.asyncDispose]());

const providerArn = (name: string): string => `arn:aws:ecs:${region}:${account}:capacity-provider/${name}`;
const view = (name: string): object => ({
  capacityProviderArn: providerArn(name),
  name,
  status: 'ACTIVE',
  tags: [],
  type: name,
});

describe('DescribeCapacityProviders', () => {
  test('every account has the two of Fargate', async () => {
    const all = await api.ecs.send(new DescribeCapacityProvidersCommand({}));
    expect(all).toMatchObject({ capacityProviders: [view('FARGATE'), view('FARGATE_SPOT')], failures: [] });
    const named = await api.ecs.send(
      new DescribeCapacityProvidersCommand({ capacityProviders: [providerArn('FARGATE_SPOT'), 'own', 'FARGATE_SPOT'] }),
    );
    expect(named.capacityProviders).toEqual([view('FARGATE_SPOT')]);
    expect(named.failures).toEqual([{ arn: providerArn('own'), reason: 'MISSING' }]);
  });

  test('those of a cluster, by pages', async () => {
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'bare' }));
    const none = await api.ecs.send(new DescribeCapacityProvidersCommand({ cluster: 'bare' }));
    expect(none.capacityProviders).toEqual([]);
    const first = await api.ecs.send(new DescribeCapacityProvidersCommand({ cluster: 'both', maxResults: 1 }));
    expect(first.capacityProviders).toEqual([view('FARGATE')]);
    const { nextToken } = first;
    const second = await api.ecs.send(
      new DescribeCapacityProvidersCommand({ cluster: 'both', maxResults: 1, nextToken }),
    );
    expect(second.capacityProviders).toEqual([view('FARGATE_SPOT')]);
    expect(second.nextToken).toBeUndefined();
    await expect(api.ecs.send(new DescribeCapacityProvidersCommand({ maxResults: 11 }))).rejects.toThrow(/1 to 10/);
    await expect(api.ecs.send(new DescribeCapacityProvidersCommand({ cluster: 'nowhere' }))).rejects.toMatchObject({
      name: 'ClusterNotFoundException',
    });
    await expect(
      api.ecs.send(
        new DescribeCapacityProvidersCommand({ capacityProviders: [`arn:aws:ecs:${region}:${account}:cluster/both`] }),
      ),
    ).rejects.toThrow(/not of type: capacity-provider/);
  });
});

describe('the capacity providers of a cluster', () => {
  test('are put and read back with the strategy by default, and taken away', async () => {
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'put' }));
    const put = (input: object) =>
      api.ecs.send(
        new PutClusterCapacityProvidersCommand({
          cluster: 'put',
          capacityProviders: [],
          defaultCapacityProviderStrategy: [],
          ...input,
        }),
      );
    const { cluster } = await put({
      capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
      defaultCapacityProviderStrategy: mixed,
    });
    const expected = {
      capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
      defaultCapacityProviderStrategy: mixedReadBack,
    };
    expect(cluster).toMatchObject(expected);
    const described = async () =>
      (await api.ecs.send(new DescribeClustersCommand({ clusters: ['put'] }))).clusters?.[0];
    expect(await described()).toMatchObject(expected);
    await put({});
    expect(await described()).toMatchObject({ capacityProviders: [], defaultCapacityProviderStrategy: [] });
  });

  const item = (capacityProvider: string, more: object = {}): object => ({ capacityProvider, ...more });
  test.each<[string, object, RegExp]>([
    ['one that there is not', { capacityProviders: ['own'] }, /specified capacity provider was not found/],
    ['one twice', { capacityProviders: ['FARGATE', 'FARGATE'] }, /duplicates/],
    [
      'a mix',
      { capacityProviders: ['FARGATE'], defaultCapacityProviderStrategy: [item('FARGATE'), item('own')] },
      /cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers/,
    ],
    [
      'a strategy of what it does not have',
      { capacityProviders: ['FARGATE'], defaultCapacityProviderStrategy: [item('FARGATE_SPOT')] },
      /not associated with the cluster\. Associate the capacity provider/,
    ],
    [
      'a base on two',
      {
        capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
        defaultCapacityProviderStrategy: [item('FARGATE', { base: 1 }), item('FARGATE_SPOT', { base: 1 })],
      },
      /Only one capacity provider .* can have a base/,
    ],
    [
      'a provider twice in the strategy',
      { capacityProviders: ['FARGATE'], defaultCapacityProviderStrategy: [item('FARGATE'), item('FARGATE')] },
      /duplicate/,
    ],
    [
      'more than 20',
      { capacityProviders: ['FARGATE'], defaultCapacityProviderStrategy: Array(21).fill(item('FARGATE')) },
      /maximum of 20/,
    ],
    ...[-1, 1001].map((weight): [string, object, RegExp] => [
      `a weight of ${weight}`,
      { capacityProviders: ['FARGATE'], defaultCapacityProviderStrategy: [item('FARGATE', { weight })] },
      /weight/,
    ]),
    ...[-1, 100_001].map((base): [string, object, RegExp] => [
      `a base of ${base}`,
      { capacityProviders: ['FARGATE'], defaultCapacityProviderStrategy: [item('FARGATE', { base })] },
      /base/,
    ]),
  ])('cannot have %s', async (_what, input, message) => {
    const refusal = { name: 'InvalidParameterException', message: expect.stringMatching(message) };
    const bare = { cluster: 'one', capacityProviders: [], defaultCapacityProviderStrategy: [] };
    await expect(api.ecs.send(new PutClusterCapacityProvidersCommand({ ...bare, ...input }))).rejects.toMatchObject(
      refusal,
    );
    await expect(api.ecs.send(new CreateClusterCommand({ clusterName: 'never', ...input }))).rejects.toMatchObject(
      refusal,
    );
    const { clusters, failures } = await api.ecs.send(new DescribeClustersCommand({ clusters: ['one', 'never'] }));
    expect(clusters?.[0]?.capacityProviders).toEqual(['FARGATE', 'FARGATE_SPOT']);
    expect(failures).toHaveLength(1);
  });

  test('whoever names them is judged by them', async () => {
    await api.ecs.send(
      new PutClusterCapacityProvidersCommand({
        cluster: 'one',
        capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
        defaultCapacityProviderStrategy: [],
      }),
    );
    expect(api.asked.at(-1)).toMatchObject({
      action: 'ecs:PutClusterCapacityProviders',
      context: { 'ecs:capacity-provider': [providerArn('FARGATE'), providerArn('FARGATE_SPOT')] },
    });
    await api.ecs.send(
      new RunTaskCommand({
        cluster: 'one',
        taskDefinition: 'small',
        capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT' }],
        networkConfiguration: network,
      }),
    );
    expect(api.asked.findLast(({ action }) => action === 'ecs:RunTask')).toMatchObject({
      context: { 'ecs:capacity-provider': [providerArn('FARGATE_SPOT')] },
    });
  });
});

describe('RunTask', () => {
  const run = (input: object) =>
    api.ecs.send(
      new RunTaskCommand({ cluster: 'both', taskDefinition: 'small', networkConfiguration: network, ...input }),
    );

  test('shares tasks out by base and weight, and says of each what it is on', async () => {
    const { tasks = [], failures } = await run({ count: 9, capacityProviderStrategy: mixed });
    expect(failures).toEqual([]);
    expect(tally(tasks)).toEqual({ FARGATE: 3, FARGATE_SPOT: 6 });
    for (const task of tasks) {
      expect(task).toMatchObject({ launchType: 'FARGATE', platformVersion: '1.4.0', platformFamily: 'Linux' });
      expect(task.containerInstanceArn).toBeUndefined();
    }
    const plain = await run({ launchType: 'FARGATE' });
    expect(plain.tasks?.[0]).toMatchObject({
      ephemeralStorage: { sizeInGiB: 20 },
      fargateEphemeralStorage: { sizeInGiB: 20 },
    });
    expect(plain.tasks?.[0]?.launchType).toBe('FARGATE');
    expect(plain.tasks?.[0]?.capacityProviderName).toBeUndefined();
  });

  test('goes by what the cluster does by default when it is told nothing', async () => {
    await api.ecs.send(
      new CreateClusterCommand({
        clusterName: 'usual',
        capacityProviders: ['FARGATE_SPOT'],
        defaultCapacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT' }],
      }),
    );
    await api.addInstance({ cluster: 'usual', ...fargateHost });
    const { tasks = [] } = await run({ cluster: 'usual', count: 2 });
    expect(tally(tasks)).toEqual({ FARGATE_SPOT: 2 });
    const named = await run({ cluster: 'usual', launchType: 'EC2' });
    expect(named.tasks?.[0]).toMatchObject({ launchType: 'EC2' });
  });

  test.each<[string, object, RegExp]>([
    [
      'a launch type as well',
      { launchType: 'FARGATE', capacityProviderStrategy: mixed },
      /^Specifying both a launch type and capacity provider strategy is not supported\. Remove one and try again\.$/,
    ],
    [
      'no weight at all',
      { capacityProviderStrategy: [{ capacityProvider: 'FARGATE' }, { capacityProvider: 'FARGATE_SPOT' }] },
      /needs a weight above 0/,
    ],
    [
      'a provider that the cluster does not have',
      { cluster: 'default', capacityProviderStrategy: mixed },
      /not associated with the cluster/,
    ],
    [
      'placement constraints',
      { capacityProviderStrategy: mixed, placementConstraints: [{ type: 'distinctInstance' }] },
      /not supported with FARGATE/,
    ],
    [
      'a size that does not exist',
      { capacityProviderStrategy: mixed, overrides: { cpu: '300' } },
      /^Task definition does not support launch_type FARGATE\. No Fargate configuration exists/,
    ],
    [
      'too little storage',
      { capacityProviderStrategy: mixed, overrides: { ephemeralStorage: { sizeInGiB: 1 } } },
      /from 21 to 200, not 1/,
    ],
    [
      'storage on container instances',
      { launchType: 'EC2', overrides: { ephemeralStorage: { sizeInGiB: 30 } } },
      /launch_type EC2\. 'ephemeralStorage' is only supported for tasks of Fargate/,
    ],
    ['no network', { capacityProviderStrategy: mixed, networkConfiguration: undefined }, /must be provided/],
    ['a platform that is none', { capacityProviderStrategy: mixed, platformVersion: '9' }, /does not exist/],
  ])('refuses a strategy with %s', async (_what, input, message) => {
    await expect(run(input)).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringMatching(message),
    });
  });
});

describe('hosts', () => {
  const spotHost = { ...fargateHost, attributes: { ...fargateHost.attributes, 'slipway.spot': 'true' } };
  const deaf = { ...fargateHost, attributes: { ...fargateHost.attributes } as Record<string, string> };
  delete deaf.attributes['slipway.capability.fargate'];
  const cluster = async (clusterName: string, ...hosts: (typeof fargateHost)[]): Promise<string[]> => {
    await api.ecs.send(new CreateClusterCommand({ clusterName, capacityProviders: ['FARGATE', 'FARGATE_SPOT'] }));
    const arns: string[] = [];
    for (const one of hosts) arns.push(await api.addInstance({ cluster: clusterName, ...one }));
    return arns;
  };
  const run = (clusterName: string, capacityProvider: string, count = 1) =>
    api.ecs.send(
      new RunTaskCommand({
        cluster: clusterName,
        taskDefinition: 'small',
        count,
        networkConfiguration: network,
        capacityProviderStrategy: [{ capacityProvider }],
      }),
    );
  const on = async (clusterName: string, tasks: readonly Task[] | undefined): Promise<string[]> => {
    const ids = (tasks ?? []).map(({ taskArn = '' }) => idOf(taskArn));
    const found = await findTasks(api.ports, { account, cluster: clusterName }, ids);
    return [...found.values()].map(({ instanceId = '' }) => instanceId);
  };

  test('a host that isolates tasks gets what its runtime can isolate, and the refusal of the rest says why', async () => {
    const isolating = (containers: string) => ({
      'slipway.isolation': 'safe',
      'slipway.isolation.containers': containers,
    });
    const host = (by: Record<string, string>) => ({
      ...fargateHost,
      attributes: {
        ...fargateHost.attributes,
        'ecs.capability.pid-ipc-namespace-sharing': '',
        ...by,
      },
    });
    await cluster('one-each', host(isolating('one')));
    await cluster('several', host(isolating('several')));
    const main = { name: 'main', image: 'web', memory: 64 };
    const size = { networkMode: 'awsvpc' as const, cpu: '256', memory: '512' };
    const somaxconn = { namespace: 'net.core.somaxconn', value: '1024' };
    await api.define({ family: 'pair', ...size, containerDefinitions: [main, { ...main, name: 'side' }] });
    await api.define({ family: 'one-pid', ...size, pidMode: 'task' });
    await api.define({ family: 'tuned', ...size, containerDefinitions: [{ ...main, systemControls: [somaxconn] }] });
    const placed = async (clusterName: string, taskDefinition: string): Promise<string> => {
      const request = { cluster: clusterName, taskDefinition, networkConfiguration: network };
      const { failures = [] } = await api.ecs.send(new RunTaskCommand({ ...request, launchType: 'FARGATE' }));
      return failures.map(({ detail }) => detail).join();
    };
    expect(await placed('one-each', 'small')).toBe('');
    expect(await placed('one-each', 'pair')).toMatch(/this one has several containers/);
    expect(await placed('several', 'pair')).toBe('');
    for (const clusterName of ['one-each', 'several']) {
      expect(await placed(clusterName, 'one-pid')).toMatch(/this one has one PID namespace/);
      expect(await placed(clusterName, 'tuned')).toMatch(/this one sets parameters of the kernel/);
    }
  });

  test('a host that does not offer itself gets no task of Fargate, and the refusal says why', async () => {
    const [arn = ''] = await cluster('deaf', deaf as typeof fargateHost);
    for (const provider of ['FARGATE', 'FARGATE_SPOT']) {
      const { tasks, failures } = await run('deaf', provider);
      expect(tasks).toEqual([]);
      expect(failures).toEqual([
        {
          reason: 'RESOURCE:FARGATE',
          detail: expect.stringMatching(
            new RegExp(`${idOf(arn)} offers itself to no tasks of Fargate: its agent runs with --fargate off`),
          ),
        },
      ]);
    }
    const other = await api.ecs.send(
      new RunTaskCommand({ cluster: 'deaf', taskDefinition: 'small', networkConfiguration: network }),
    );
    expect(other.tasks).toHaveLength(1);
  });

  test('what may be interrupted goes first to hosts that may be taken back, and what may not never does', async () => {
    const [spot = '', plain = ''] = await cluster('mixed', spotHost, fargateHost);
    expect(await on('mixed', (await run('mixed', 'FARGATE_SPOT', 10)).tasks)).toEqual(Array(10).fill(idOf(spot)));
    expect(await on('mixed', (await run('mixed', 'FARGATE', 10)).tasks)).toEqual(Array(10).fill(idOf(plain)));
    await cluster('taken', spotHost);
    const { failures } = await run('taken', 'FARGATE');
    expect(failures?.[0]).toMatchObject({
      reason: 'RESOURCE:FARGATE',
      detail: expect.stringMatching(/may be taken back \(its agent runs with --spot\)/),
    });
    await cluster('steady', fargateHost);
    expect((await run('steady', 'FARGATE_SPOT')).tasks).toHaveLength(1);
  });

  test('what finds no room on hosts that may be taken back goes to others, by requests and by services', async () => {
    // Room for three on the one, and for four on the other.
    const [spot = '', plain = ''] = await cluster('full', { ...spotHost, cpu: 768 }, { ...fargateHost, cpu: 1_024 });
    const by = (ids: readonly string[]): Record<string, number> => {
      const at = (arn: string): number => ids.filter((id) => id === idOf(arn)).length;
      return { spot: at(spot), plain: at(plain) };
    };
    const first = await run('full', 'FARGATE_SPOT', 4);
    expect(by(await on('full', first.tasks))).toEqual({ spot: 3, plain: 1 });
    await cluster('filled');
    const arns = [
      await api.addInstance({ cluster: 'filled', ...spotHost, cpu: 768 }),
      await api.addInstance({ cluster: 'filled', ...fargateHost, cpu: 1_024 }),
    ];
    await api.ecs.send(
      new CreateServiceCommand({
        cluster: 'filled',
        serviceName: 'web',
        taskDefinition: 'small',
        desiredCount: 5,
        networkConfiguration: network,
        capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT' }],
      }),
    );
    await vi.waitFor(
      async () => {
        const placed = await on('filled', await tasksOf(api, 'filled', 'web'));
        expect(arns.map((arn) => placed.filter((id) => id === idOf(arn)).length)).toEqual([3, 2]);
      },
      { timeout: 30_000, interval: 50 },
    );
  });

  test('callers cannot say of a host what its agent says', async () => {
    const [arn = ''] = await cluster('said', fargateHost);
    const attributes = [{ name: 'slipway.spot', value: 'true', targetId: arn }];
    await expect(api.ecs.send(new PutAttributesCommand({ cluster: 'said', attributes }))).rejects.toThrow(/reserved/);
    await expect(
      api.ecs.send(
        new DeleteAttributesCommand({
          cluster: 'said',
          attributes: [{ name: 'slipway.capability.fargate', targetId: arn }],
        }),
      ),
    ).rejects.toThrow(/reserved/);
  });

  test('a service that finds no host is told why in its events', async () => {
    await cluster('told', deaf as typeof fargateHost);
    await api.ecs.send(
      new CreateServiceCommand({
        cluster: 'told',
        serviceName: 'web',
        taskDefinition: 'small',
        desiredCount: 1,
        networkConfiguration: network,
        capacityProviderStrategy: mixed,
      }),
    );
    await vi.waitFor(
      async () => {
        const { services } = await api.ecs.send(new DescribeServicesCommand({ cluster: 'told', services: ['web'] }));
        expect(services?.[0]?.events?.[0]?.message).toMatch(/offers itself to no tasks of Fargate/);
      },
      { timeout: 30_000, interval: 50 },
    );
  });
});
