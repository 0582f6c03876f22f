import {
  CreateServiceCommand,
  type CreateServiceCommandInput,
  CreateTaskSetCommand,
  type CreateTaskSetCommandInput,
  DeleteServiceCommand,
  DeleteTaskSetCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  DescribeTaskSetsCommand,
  ListServiceDeploymentsCommand,
  ListTagsForResourceCommand,
  ListTasksCommand,
  type TaskSet,
  TagResourceCommand,
  UpdateServiceCommand,
  UpdateServicePrimaryTaskSetCommand,
  UpdateTaskSetCommand,
  waitUntilServicesInactive,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { openApi, type TestApi } from './testing/open-api.ts';
import { playAgent } from './testing/play-agent.ts';

const home = 'arn:aws:ecs:us-east-1:000000000000';
const groupArn = (name: string): string =>
  `arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/${name}/0123456789abcdef`;

let api: TestApi;
let services = 0;
beforeAll(async () => {
  api = await openApi();
  await api.addInstance();
  await api.define({
    family: 'web',
    containerDefinitions: [{ name: 'main', image: 'busybox', memory: 16, portMappings: [{ containerPort: 80 }] }],
  });
  for (const name of ['blue', 'green']) api.groups.set(groupArn(name), { targetType: 'instance', usedBy: 'web' });
});
afterAll(() => api[Symbol.asyncDispose]());

const create = async (input: Partial<CreateServiceCommandInput> = {}): Promise<string> => {
  const serviceName = `web-${++services}`;
  const all = { serviceName, deploymentController: { type: 'EXTERNAL' as const }, ...input };
  const { service } = await api.ecs.send(new CreateServiceCommand(all));
  return service?.serviceName ?? '';
};
const add = async (service: string, input: Partial<CreateTaskSetCommandInput> = {}): Promise<TaskSet> => {
  const all = { cluster: 'default', service, taskDefinition: 'web', ...input };
  return (await api.ecs.send(new CreateTaskSetCommand(all))).taskSet ?? {};
};
const sets = async (service: string, taskSets?: string[]) =>
  api.ecs.send(
    new DescribeTaskSetsCommand({
      cluster: 'default',
      service,
      include: ['TAGS'],
      ...(taskSets === undefined ? {} : { taskSets }),
    }),
  );
const described = async (name: string) =>
  (await api.ecs.send(new DescribeServicesCommand({ services: [name] }))).services?.[0];
const until = (what: () => Promise<void>) => vi.waitFor(what, { timeout: 60_000, interval: 50 });

describe('a service that is deployed by somebody else', () => {
  test('needs a name alone, and reads back as on AWS before it has a task set', async () => {
    const name = await create();
    const read = await described(name);
    expect(read).toMatchObject({
      status: 'ACTIVE',
      desiredCount: 0,
      runningCount: 0,
      deploymentController: { type: 'EXTERNAL' },
      deployments: [],
      taskSets: [],
    });
    expect(read).not.toHaveProperty('taskDefinition');
    expect(read).not.toHaveProperty('launchType');
    expect((await sets(name)).taskSets).toEqual([]);
  });

  test.each<[string, Partial<CreateServiceCommandInput>, RegExp]>([
    ['a task definition', { taskDefinition: 'web' }, /^TaskDefinition must be blank/],
    ['a launch type', { launchType: 'EC2' }, /^LaunchType must be blank/],
    ['a network', { networkConfiguration: {} }, /^NetworkConfiguration must be blank/],
    ['load balancers', { loadBalancers: [{ targetGroupArn: groupArn('blue') }] }, /^LoadBalancers must be blank/],
    ['daemons', { schedulingStrategy: 'DAEMON' }, /DAEMON|daemon scheduling strategy/],
    ['a rule to follow', { tags: [{ key: 'slipway:follow', value: 'true' }] }, /follows no image/],
    [
      'a circuit breaker',
      { deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } },
      /^deploymentCircuitBreaker is supported with the deployment controller ECS only/,
    ],
    [
      'alarms',
      { deploymentConfiguration: { alarms: { enable: true, rollback: false, alarmNames: ['a'] } } },
      /^alarms is supported with the deployment controller ECS only/,
    ],
    ['a strategy', { deploymentConfiguration: { strategy: 'CANARY' } }, /^The strategy CANARY is supported/],
  ])('is refused %s', async (_what, input, message) => {
    await expect(create(input)).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringMatching(message) as string,
    });
  });

  test('is updated in what ECS still decides, and in nothing else', async () => {
    const name = await create({ desiredCount: 1 });
    const update = (input: object) => api.ecs.send(new UpdateServiceCommand({ service: name, ...input }));
    const { service } = await update({ desiredCount: 3, healthCheckGracePeriodSeconds: 9, propagateTags: 'SERVICE' });
    expect(service).toMatchObject({ desiredCount: 3, healthCheckGracePeriodSeconds: 9, propagateTags: 'SERVICE' });
    await expect(update({ taskDefinition: 'web' })).rejects.toThrow(
      'Unable to update taskDefinition on services with an EXTERNAL deployment controller.',
    );
    await expect(update({ forceNewDeployment: true })).rejects.toThrow('Unable to update forceNewDeployment');
    await expect(update({ deploymentController: { type: 'ECS' } })).rejects.toThrow(/deployment controller/);
    await api.ecs.send(new DeleteServiceCommand({ service: name, force: true }));
  });
});

describe('task sets', () => {
  test('run, are scaled, made primary, and deleted, each with its own target group', async () => {
    const name = await create({ desiredCount: 4 });
    using _agent = playAgent(api, 'default', name);
    const balancer = (group: string) => [{ targetGroupArn: groupArn(group), containerName: 'main', containerPort: 80 }];
    const made = await add(name, {
      externalId: 'release-1',
      scale: { unit: 'PERCENT', value: 50 },
      tags: [{ key: 'colour', value: 'blue' }],
    });
    expect(made).toMatchObject({
      id: expect.stringMatching(/^ecs-svc\/\d{19}$/) as string,
      taskSetArn: `${home}:task-set/default/${name}/${made.id}`,
      serviceArn: `${home}:service/default/${name}`,
      clusterArn: `${home}:cluster/default`,
      externalId: 'release-1',
      status: 'ACTIVE',
      taskDefinition: `${home}:task-definition/web:1`,
      computedDesiredCount: 2,
      runningCount: 0,
      launchType: 'EC2',
      loadBalancers: [],
      serviceRegistries: [],
      scale: { unit: 'PERCENT', value: 50 },
      stabilityStatus: 'STABILIZING',
      tags: [{ key: 'colour', value: 'blue' }],
    });
    const blue = made.id ?? '';
    await until(async () => {
      expect((await sets(name)).taskSets?.[0]).toMatchObject({ stabilityStatus: 'STEADY_STATE', runningCount: 2 });
    });
    const green = await add(name, { loadBalancers: balancer('green') });
    expect(green).toMatchObject({ scale: { value: 0, unit: 'PERCENT' }, computedDesiredCount: 0 });
    expect(green.loadBalancers).toEqual(balancer('green'));

    const listed = await api.ecs.send(new ListTasksCommand({ startedBy: blue }));
    expect(listed.taskArns).toHaveLength(2);
    const { tasks = [] } = await api.ecs.send(new DescribeTasksCommand({ tasks: listed.taskArns ?? [] }));
    expect(tasks.map(({ group, startedBy }) => `${group} ${startedBy}`)).toEqual(
      Array(2).fill(`service:${name} ${blue}`),
    );

    const { taskSet: primary } = await api.ecs.send(
      new UpdateServicePrimaryTaskSetCommand({ cluster: 'default', service: name, primaryTaskSet: made.taskSetArn }),
    );
    expect(primary).toMatchObject({ id: blue, status: 'PRIMARY' });
    expect(await described(name)).toMatchObject({
      taskDefinition: `${home}:task-definition/web:1`,
      launchType: 'EC2',
      deployments: [],
      taskSets: [
        { id: blue, status: 'PRIMARY' },
        { id: green.id, status: 'ACTIVE' },
      ],
    });
    expect((await api.ecs.send(new ListServiceDeploymentsCommand({ service: name }))).serviceDeployments).toEqual([]);

    const scaled = await api.ecs.send(
      new UpdateTaskSetCommand({
        cluster: 'default',
        service: name,
        taskSet: blue,
        scale: { value: 30, unit: 'PERCENT' },
      }),
    );
    // 30 % of 4 are 1.2, rounded up: as many as before.
    expect(scaled.taskSet).toMatchObject({ computedDesiredCount: 2, stabilityStatus: 'STABILIZING' });
    await api.ecs.send(new UpdateServiceCommand({ service: name, desiredCount: 10 }));
    await until(async () => {
      expect((await sets(name, [blue])).taskSets?.[0]).toMatchObject({
        runningCount: 3,
        stabilityStatus: 'STEADY_STATE',
      });
    });
    const events = (await described(name))?.events?.map(({ message }) => message) ?? [];
    expect(events).toContain(`(service ${name}, taskSet ${blue}) has reached a steady state.`);
    expect(
      events.some((line) => line?.startsWith(`(service ${name}, taskSet ${blue}) has started 2 tasks: (task `)),
    ).toBe(true);

    const remove = (force?: boolean) =>
      api.ecs.send(
        new DeleteTaskSetCommand({ cluster: 'default', service: name, taskSet: blue, ...(force && { force }) }),
      );
    await expect(remove()).rejects.toThrow(/scaled above 0/);
    await expect(api.ecs.send(new DeleteServiceCommand({ service: name }))).rejects.toThrow(/scaled above 0/);
    expect((await remove(true)).taskSet).toMatchObject({ status: 'DRAINING', computedDesiredCount: 0 });
    await until(async () => {
      const { taskSets, failures } = await sets(name, [blue]);
      expect([taskSets, failures]).toEqual([[], [{ arn: made.taskSetArn, reason: 'MISSING' }]]);
    });
    await api.ecs.send(new UpdateServiceCommand({ service: name, desiredCount: 0 }));
    await expect(api.ecs.send(new DeleteServiceCommand({ service: name }))).rejects.toThrow(/while it has task sets/);
    await api.ecs.send(new DeleteServiceCommand({ service: name, force: true }));
    const waiter = { client: api.ecs, maxWaitTime: 60, minDelay: 1, maxDelay: 1 };
    expect((await waitUntilServicesInactive(waiter, { services: [name] })).state).toBe('SUCCESS');
  });

  test('are made once for a client token', async () => {
    const name = await create();
    const first = await add(name, { clientToken: 'once' });
    expect((await add(name, { clientToken: 'once' })).id).toBe(first.id);
    await expect(add(name, { clientToken: 'once', externalId: 'other' })).rejects.toThrow(/different request/);
    expect((await sets(name)).taskSets).toHaveLength(1);
  });

  test('are five at most', async () => {
    const name = await create();
    for (let count = 0; count < 5; count++) await add(name);
    await expect(add(name)).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: '5 deployments exist on the service. Unable to create new TaskSet since this exceeds the maximum limit.',
    });
  });

  test('are tagged by their ARN', async () => {
    const name = await create();
    const { taskSetArn = '' } = await add(name);
    await api.ecs.send(new TagResourceCommand({ resourceArn: taskSetArn, tags: [{ key: 'a', value: 'b' }] }));
    const { tags } = await api.ecs.send(new ListTagsForResourceCommand({ resourceArn: taskSetArn }));
    expect(tags).toEqual([{ key: 'a', value: 'b' }]);
    expect((await sets(name)).taskSets?.[0]?.tags).toEqual([{ key: 'a', value: 'b' }]);
    expect(
      api.asked.some(({ action, resources }) => action === 'ecs:TagResource' && resources[0]?.arn === taskSetArn),
    ).toBe(true);
  });

  test('are asked for by their ARN and with the service as a condition, and by the roles of what they run', async () => {
    const name = await create();
    const { taskSetArn = '', id = '' } = await add(name);
    await api.ecs.send(new DeleteTaskSetCommand({ cluster: 'default', service: name, taskSet: id }));
    expect(api.asked.at(-1)).toMatchObject({
      action: 'ecs:DeleteTaskSet',
      resources: [{ arn: taskSetArn, tags: {} }],
      context: { 'ecs:cluster': `${home}:cluster/default`, 'ecs:service': `${home}:service/default/${name}` },
    });
    const role = 'arn:aws:iam::000000000000:role/task';
    await api.define({ family: 'role', taskRoleArn: role });
    await add(name, { taskDefinition: 'role' });
    expect(api.asked.slice(-2)).toMatchObject([
      { action: 'ecs:CreateTaskSet', resources: [{ arn: `${home}:service/default/${name}` }] },
      { action: 'iam:PassRole', resources: [{ arn: role }] },
    ]);
  });

  test.each<[string, Partial<CreateTaskSetCommandInput>, RegExp]>([
    ['of a revision that is not there', { taskDefinition: 'nothing' }, /^TaskDefinition not found/],
    ['larger than the service', { scale: { value: 101, unit: 'PERCENT' } }, /from 0 to 100, not 101/],
    ['of a negative size', { scale: { value: -1, unit: 'PERCENT' } }, /from 0 to 100, not -1/],
    ['with service discovery', { serviceRegistries: [{ registryArn: 'x' }] }, /'serviceRegistries' is not supported/],
    [
      'with two target groups',
      { loadBalancers: [{ targetGroupArn: groupArn('blue') }, { targetGroupArn: groupArn('green') }] },
      /one target group at most/,
    ],
    [
      'behind a group that is not there',
      { loadBalancers: [{ targetGroupArn: groupArn('none'), containerName: 'main', containerPort: 80 }] },
      /does not exist/,
    ],
    ['on a platform that EC2 has not', { platformVersion: 'LATEST' }, /platform version must be null/],
    ['of a service that is not there', { service: 'nobody' }, /^Service not found/],
  ])('are refused %s', async (_what, input, message) => {
    const name = await create();
    await expect(add(name, input)).rejects.toThrow(message);
    expect((await sets(name)).taskSets).toEqual([]);
  });

  test('are refused to a service that ECS deploys, and those of others are not found', async () => {
    await api.ecs.send(new CreateServiceCommand({ serviceName: 'plain', taskDefinition: 'web', desiredCount: 0 }));
    const words =
      'Amazon ECS only supports task set management on services configured to use external deployment controllers.';
    await expect(add('plain')).rejects.toThrow(words);
    await expect(sets('plain')).rejects.toThrow(words);
    const name = await create();
    const other = await add(await create());
    const scale = { value: 1, unit: 'PERCENT' } as const;
    const update = (taskSet: string) =>
      api.ecs.send(new UpdateTaskSetCommand({ cluster: 'default', service: name, taskSet, scale }));
    await expect(update(other.id ?? '')).rejects.toMatchObject({ name: 'TaskSetNotFoundException' });
    await expect(update(other.taskSetArn ?? '')).rejects.toThrow(/is not of the service/);
    await expect(update('blue')).rejects.toThrow(/use its id/);
    const primary = new UpdateServicePrimaryTaskSetCommand({
      cluster: 'default',
      service: name,
      primaryTaskSet: other.id ?? '',
    });
    await expect(api.ecs.send(primary)).rejects.toMatchObject({ name: 'TaskSetNotFoundException' });
  });
});
