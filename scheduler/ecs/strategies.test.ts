import {
  CreateServiceCommand,
  type CreateServiceCommandInput,
  type DeploymentConfiguration,
  type DeploymentLifecycleHook,
  DescribeServicesCommand,
  type LoadBalancer,
  type Service,
  TagResourceCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Alarms } from '../signals/alarms/store/index.ts';
import { clusterKeys, clusterPartition, type ServiceRecord } from '../state/index.ts';
import { account, openApi, region, type TestApi } from './testing/open-api.ts';

const elb = (resource: string): string => `arn:aws:elasticloadbalancing:${region}:${account}:${resource}`;
const group = (name: string): string => elb(`targetgroup/${name}/0123456789abcdef`);
const rule = (name: string): string => elb(`listener-rule/app/web/0123456789abcdef/0123456789abcdef/${name}`);
const role = `arn:aws:iam::${account}:role/shifts`;
const task = (name: string): string => `arn:aws:ecs:${region}:${account}:task-definition/${name}`;

let api: TestApi;
let services = 0;
beforeAll(async () => {
  api = await openApi();
  await api.define({
    family: 'web',
    containerDefinitions: [
      { name: 'main', image: 'busybox', memory: 64, portMappings: [{ containerPort: 80 }, { containerPort: 81 }] },
    ],
  });
  await api.define({ family: 'smoke' });
  const one = { image: 'busybox', memory: 64 };
  await api.define({
    family: 'pair',
    containerDefinitions: [
      { name: 'a', ...one },
      { name: 'b', ...one },
    ],
  });
  for (const name of ['blue', 'green', 'third']) api.groups.set(group(name), { targetType: 'instance', usedBy: 'web' });
  api.groups.set(group('far'), { targetType: 'instance', usedBy: 'other' });
  const balancer = { name: 'web', type: 'application' } as const;
  const pair = [group('blue'), group('green')];
  api.rules.set(rule('main'), { kind: 'rule', balancer, groups: pair });
  api.rules.set(rule('test'), { kind: 'rule', balancer, groups: pair.toReversed() });
  api.rules.set(rule('half'), { kind: 'rule', balancer, groups: [group('blue')] });
  api.rules.set(rule('fixed'), { kind: 'rule', balancer, groups: [] });
  api.groups.set(group('spare'), { targetType: 'instance', usedBy: undefined });
  api.rules.set(rule('wide'), { kind: 'rule', balancer, groups: [...pair, group('third')] });
  api.rules.set(rule('elsewhere'), { kind: 'rule', balancer: { ...balancer, name: 'other' }, groups: pair });
  api.rules.set(elb('listener/app/web/1/2'), { kind: 'listener', balancer, groups: pair });
  const net = { name: 'web', type: 'network' } as const;
  api.rules.set(elb('listener/net/web/1/2'), { kind: 'listener', balancer: net, groups: pair });
  api.rules.set(elb('listener-rule/net/web/1/2/3'), { kind: 'rule', balancer: net, groups: pair });
});
afterAll(() => api[Symbol.asyncDispose]());

type Advanced = NonNullable<LoadBalancer['advancedConfiguration']>;

const balancer = (advanced: Advanced = {}, more: LoadBalancer = {}): LoadBalancer => ({
  targetGroupArn: group('blue'),
  containerName: 'main',
  containerPort: 80,
  advancedConfiguration: {
    alternateTargetGroupArn: group('green'),
    productionListenerRule: rule('main'),
    roleArn: role,
    ...advanced,
  },
  ...more,
});
const plain = (name = 'blue'): LoadBalancer => ({
  targetGroupArn: group(name),
  containerName: 'main',
  containerPort: 80,
});
const blueGreen: DeploymentConfiguration = { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 0 };

const create = async (
  deploymentConfiguration: DeploymentConfiguration,
  more: Partial<CreateServiceCommandInput> = {},
): Promise<Service> => {
  const serviceName = `web-${++services}`;
  const input = { serviceName, taskDefinition: 'web', desiredCount: 0, deploymentConfiguration, ...more };
  return (await api.ecs.send(new CreateServiceCommand(input))).service ?? {};
};
const update = async (service: string | undefined, input: object): Promise<Service> =>
  (await api.ecs.send(new UpdateServiceCommand({ service, ...input }))).service ?? {};

/** The service's record. */
async function recordOf(name = ''): Promise<ServiceRecord> {
  const stored = await api.ports.records.get<ServiceRecord>(
    clusterPartition(account, 'default'),
    clusterKeys.service(name),
  );
  if (stored === undefined) throw new Error(`there is no service ${name}`);
  return stored.value;
}

/** Says that the newest deployment of a service is done. There is no instance: nothing ends but what the tests end. */
async function finish(name: string | undefined): Promise<void> {
  const service = await recordOf(name);
  const deployments = service.deployments.map((one) =>
    one.status === 'PRIMARY' ? { ...one, rolloutState: 'COMPLETED', completedAt: Date.now() } : one,
  );
  const key = clusterKeys.service(service.name);
  await api.ports.records.commit(clusterPartition(account, 'default'), {
    put: [{ key, value: JSON.parse(JSON.stringify({ ...service, deployments })) }],
  });
}

describe('deployment strategies', () => {
  test('read back as they were given, with the defaults of ECS', async () => {
    const hook: DeploymentLifecycleHook = {
      targetType: 'AWS_LAMBDA',
      hookTargetArn: task('smoke:1'),
      roleArn: role,
      lifecycleStages: ['POST_SCALE_UP', 'PRODUCTION_TRAFFIC_SHIFT'],
      hookDetails: { suite: ['fast'], retries: 2 },
      timeoutConfiguration: { timeoutInMinutes: 5, action: 'CONTINUE' },
    };
    const { serviceName = '' } = await create(
      {
        strategy: 'LINEAR',
        linearConfiguration: { stepPercent: 12.3 },
        lifecycleHooks: [
          hook,
          { targetType: 'PAUSE', lifecycleStages: ['PRE_PRODUCTION_TRAFFIC_SHIFT'] },
          { hookTargetArn: 'https://hooks.example/', roleArn: role, lifecycleStages: ['POST_SCALE_UP'] },
        ],
      },
      { desiredCount: 1, loadBalancers: [balancer({ testListenerRule: rule('test') })] },
    );
    const { services: read } = await api.ecs.send(new DescribeServicesCommand({ services: [serviceName] }));
    expect(read?.[0]?.loadBalancers).toEqual([balancer({ testListenerRule: rule('test') })]);
    expect(read?.[0]?.deploymentConfiguration).toMatchObject({
      strategy: 'LINEAR',
      bakeTimeInMinutes: 0,
      linearConfiguration: { stepPercent: 12.3, stepBakeTimeInMinutes: 6 },
      lifecycleHooks: [
        hook,
        {
          targetType: 'PAUSE',
          lifecycleStages: ['PRE_PRODUCTION_TRAFFIC_SHIFT'],
          timeoutConfiguration: { timeoutInMinutes: 1440, action: 'ROLLBACK' },
        },
        { hookTargetArn: 'https://hooks.example/', roleArn: role },
      ],
    });

    await finish(serviceName);
    const canary = await update(serviceName, { deploymentConfiguration: { strategy: 'CANARY', bakeTimeInMinutes: 7 } });
    expect(canary.deploymentConfiguration).toMatchObject({
      strategy: 'CANARY',
      bakeTimeInMinutes: 7,
      canaryConfiguration: { canaryPercent: 5, canaryBakeTimeInMinutes: 10 },
      lifecycleHooks: [hook, {}, {}],
    });
    expect(canary.deploymentConfiguration).not.toHaveProperty('linearConfiguration');
    const changed = await update(serviceName, {
      deploymentConfiguration: { canaryConfiguration: { canaryPercent: 0.1 }, lifecycleHooks: [] },
    });
    expect(changed.deploymentConfiguration).toMatchObject({
      bakeTimeInMinutes: 7,
      canaryConfiguration: { canaryPercent: 0.1, canaryBakeTimeInMinutes: 10 },
    });
    expect(changed.deploymentConfiguration).not.toHaveProperty('lifecycleHooks');
  });

  test('roles are handed over with iam:PassRole to ecs.amazonaws.com, each that a request names', async () => {
    const hooks = {
      ...blueGreen,
      lifecycleHooks: [{ hookTargetArn: task('smoke'), roleArn: `${role}-2`, lifecycleStages: ['POST_SCALE_UP'] }],
    };
    const passed = () =>
      api.asked.flatMap(({ action, resources, context }) =>
        action === 'iam:PassRole' ? [[resources[0]?.arn, context?.['iam:PassedToService']]] : [],
      );
    const both = [
      [role, 'ecs.amazonaws.com'],
      [`${role}-2`, 'ecs.amazonaws.com'],
    ];
    api.asked.length = 0;
    const input = { loadBalancers: [balancer()], deploymentConfiguration: hooks as DeploymentConfiguration };
    const { serviceName } = await create(input.deploymentConfiguration, { loadBalancers: input.loadBalancers });
    expect(passed()).toEqual(both);
    api.asked.length = 0;
    await update(serviceName, input);
    expect(passed()).toEqual(both);
    api.denied.add('iam:PassRole');
    await expect(update(serviceName, input)).rejects.toMatchObject({ name: 'AccessDeniedException' });
    api.denied.clear();
  });

  test('a service turns to a strategy and back with the groups that serve it', async () => {
    const { serviceName } = await create({}, { desiredCount: 1, loadBalancers: [plain('green')] });
    await finish(serviceName);
    await expect(update(serviceName, { deploymentConfiguration: blueGreen })).rejects.toThrow(
      'needs an advancedConfiguration',
    );
    api.rules.set(rule('others'), {
      kind: 'rule',
      balancer: { name: 'web', type: 'application' },
      groups: [group('blue'), group('third')],
    });
    const elsewhere = balancer({ alternateTargetGroupArn: group('third'), productionListenerRule: rule('others') });
    await expect(
      update(serviceName, { deploymentConfiguration: blueGreen, loadBalancers: [elsewhere] }),
    ).rejects.toThrow(`are in the target group ${group('green')}: make it the targetGroupArn or the alternate`);
    await update(serviceName, { deploymentConfiguration: blueGreen, loadBalancers: [balancer()] });
    expect((await recordOf(serviceName)).deployments[0]?.loadBalancers?.[0]?.targetGroupArn).toBe(group('blue'));

    const rolling = { deploymentConfiguration: { strategy: 'ROLLING' as const }, loadBalancers: [plain('blue')] };
    await expect(update(serviceName, rolling)).rejects.toThrow('The newest deployment has not shifted all traffic yet');
    await finish(serviceName);
    await expect(update(serviceName, { ...rolling, loadBalancers: undefined })).rejects.toThrow('remove it');
    await expect(update(serviceName, { ...rolling, loadBalancers: [plain('green')] })).rejects.toThrow(
      `are in the target group ${group('blue')}: make it the targetGroupArn.`,
    );
    const back = await update(serviceName, rolling);
    expect(back.deploymentConfiguration).toMatchObject({ strategy: 'ROLLING', bakeTimeInMinutes: 0 });
    expect((await recordOf(serviceName)).deployments[0]).not.toHaveProperty('shifting');
  });

  test('alarms that exist are taken, with a bake time for ROLLING too, and read back', async () => {
    const alarms = new Alarms(api.ports);
    await alarms.put(
      account,
      {
        name: 'errors',
        actionsEnabled: true,
        actions: { OK: [], ALARM: [], INSUFFICIENT_DATA: [] },
        subject: { kind: 'composite', rule: 'FALSE' },
      },
      {},
    );
    const given = { alarmNames: ['errors'], enable: true, rollback: true };
    const { serviceName } = await create({ alarms: given, bakeTimeInMinutes: 3 });
    const [described] =
      (await api.ecs.send(new DescribeServicesCommand({ services: [serviceName ?? ''] }))).services ?? [];
    expect(described?.deploymentConfiguration).toMatchObject({
      strategy: 'ROLLING',
      bakeTimeInMinutes: 3,
      alarms: given,
    });
    const off = await update(serviceName, {
      deploymentConfiguration: { alarms: { ...given, enable: false, rollback: false } },
    });
    expect(off.deploymentConfiguration).toMatchObject({ bakeTimeInMinutes: 0, alarms: { enable: false } });
  });

  const pause = (lifecycleStages: string[], more: object = {}) =>
    ({ lifecycleHooks: [{ targetType: 'PAUSE', lifecycleStages, ...more }] }) as DeploymentConfiguration;
  const hook = (hookTargetArn: string, more: object = {}) =>
    ({ lifecycleHooks: [{ hookTargetArn, lifecycleStages: ['POST_SCALE_UP'], ...more }] }) as DeploymentConfiguration;
  const lambda = `arn:aws:lambda:${region}:${account}:function:check`;
  test.each<readonly [string, DeploymentConfiguration, string]>([
    [
      'another strategy',
      { strategy: 'PURPLE' as 'ROLLING' },
      "strategy must be one of ROLLING, BLUE_GREEN, LINEAR, CANARY, not 'PURPLE'.",
    ],
    ['no bake time', { strategy: 'BLUE_GREEN' }, 'bakeTimeInMinutes must be specified with the strategy BLUE_GREEN'],
    [
      'a day and a minute of bake time',
      { ...blueGreen, bakeTimeInMinutes: 1441 },
      'bakeTimeInMinutes must be a whole number from 0 to 1440',
    ],
    [
      'bake time on ROLLING',
      { strategy: 'ROLLING', bakeTimeInMinutes: 5 },
      'bakeTimeInMinutes with ROLLING is how long alarms',
    ],
    [
      'alarms that are not there',
      { alarms: { alarmNames: ['none', 'neither'], enable: true, rollback: true } },
      'The following alarms do not exist: none, neither. Create them with PutMetricAlarm',
    ],
    [
      'no alarms',
      { alarms: { alarmNames: [], enable: true, rollback: false } },
      'alarms.alarmNames must name at least one alarm',
    ],
    [
      'a rollback by alarms that are off',
      { alarms: { alarmNames: ['a'], enable: false, rollback: true } },
      'alarms.rollback needs alarms.enable',
    ],
    ['hooks on ROLLING', pause(['POST_SCALE_UP']), 'lifecycleHooks are for the strategies'],
    [
      'steps of CANARY',
      { strategy: 'CANARY', linearConfiguration: {} },
      'linearConfiguration is for the strategy LINEAR, not for CANARY',
    ],
    [
      'a canary of LINEAR',
      { strategy: 'LINEAR', canaryConfiguration: {} },
      'canaryConfiguration is for the strategy CANARY, not for LINEAR',
    ],
    [
      'small steps',
      { strategy: 'LINEAR', linearConfiguration: { stepPercent: 2.9 } },
      'linearConfiguration.stepPercent must be a multiple of 0.1 from 3.0 to 100.0, not 2.9.',
    ],
    [
      'fine steps',
      { strategy: 'LINEAR', linearConfiguration: { stepPercent: 10.05 } },
      'must be a multiple of 0.1 from 3.0',
    ],
    [
      'no canary',
      { strategy: 'CANARY', canaryConfiguration: { canaryPercent: 0 } },
      'canaryConfiguration.canaryPercent must be a multiple of 0.1 from 0.1',
    ],
    ['a large canary', { strategy: 'CANARY', canaryConfiguration: { canaryPercent: 100.1 } }, 'to 100.0, not 100.1.'],
    [
      'a long canary',
      { strategy: 'CANARY', canaryConfiguration: { canaryBakeTimeInMinutes: 1441 } },
      'canaryBakeTimeInMinutes must be a whole number from 0 to 1440',
    ],
    [
      'half minutes',
      { strategy: 'LINEAR', linearConfiguration: { stepBakeTimeInMinutes: -1 } },
      'stepBakeTimeInMinutes must be a whole number',
    ],
    [
      'a stage without hooks',
      { ...blueGreen, ...pause(['BAKE_TIME']) },
      "lifecycleHooks[0]: a hook cannot have the stage 'BAKE_TIME'",
    ],
    [
      'a pause amid traffic',
      { ...blueGreen, ...pause(['PRODUCTION_TRAFFIC_SHIFT']) },
      'a pause cannot have the stage PRODUCTION_TRAFFIC_SHIFT',
    ],
    ['no stages', { ...blueGreen, ...pause([]) }, 'lifecycleHooks[0].lifecycleStages must name at least one stage.'],
    [
      'a pause that calls',
      { ...blueGreen, ...pause(['POST_SCALE_UP'], { hookTargetArn: 'https://x.test/' }) },
      'hookTargetArn is not for a hook of targetType PAUSE',
    ],
    [
      'a pause of a month',
      { ...blueGreen, ...pause(['POST_SCALE_UP'], { timeoutConfiguration: { timeoutInMinutes: 20_161 } }) },
      'timeoutInMinutes must be a whole number from 1 to 20160',
    ],
    [
      'a call of two days',
      { ...blueGreen, ...hook('https://x.test/', { timeoutConfiguration: { timeoutInMinutes: 1441 } }) },
      'from 1 to 1440',
    ],
    [
      'a Lambda function',
      { ...blueGreen, ...hook(lambda, { roleArn: role }) },
      'there are no Lambda functions in this installation. Use the https:// URL of a webhook, the ARN of an ECS task definition whose exit code decides',
    ],
    ['no target', { ...blueGreen, ...hook('') }, 'hookTargetArn can not be blank. Use the https:// URL'],
    [
      'a queue',
      { ...blueGreen, ...hook(`arn:aws:sqs:${region}:${account}:q`) },
      'cannot be called. Use the https:// URL',
    ],
    ['plain HTTP', { ...blueGreen, ...hook('http://x.test/') }, 'cannot be called. Use the https:// URL'],
    [
      'a private address',
      { ...blueGreen, ...hook('https://10.0.0.1/') },
      'lifecycleHooks[0].hookTargetArn: The URL cannot be called: the address is private',
    ],
    ['a task without a role', { ...blueGreen, ...hook(task('smoke')) }, 'lifecycleHooks[0].roleArn is needed'],
    [
      'a task of two',
      { ...blueGreen, ...hook(task('pair'), { roleArn: role }) },
      'exactly one essential container, whose exit code decides; it has 2.',
    ],
    [
      'a task that is not there',
      { ...blueGreen, ...hook(task('nothing'), { roleArn: role }) },
      'does not exist, or is not ACTIVE.',
    ],
    [
      'a role of others',
      { ...blueGreen, ...hook(task('smoke'), { roleArn: 'arn:aws:iam::111111111111:role/x' }) },
      'must be the ARN of a role of this account',
    ],
    [
      'details that are a list',
      { ...blueGreen, ...hook('https://x.test/', { hookDetails: [1] }) },
      'hookDetails must be a JSON object.',
    ],
    [
      'long details',
      { ...blueGreen, ...hook('https://x.test/', { hookDetails: { a: 'x'.repeat(4096) } }) },
      'hookDetails can have at most 4096 characters',
    ],
    [
      'too many hooks',
      {
        ...blueGreen,
        lifecycleHooks: Array.from({ length: 21 }, () => ({ targetType: 'PAUSE', lifecycleStages: ['POST_SCALE_UP'] })),
      },
      'lifecycleHooks can have at most 20 items, not 21.',
    ],
  ])('are refused with %s', async (_what, configuration, message) => {
    await expect(create(configuration)).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringContaining(message) as string,
    });
  });

  test.each<readonly [string, LoadBalancer[], string]>([
    ['no rules', [plain()], 'The strategy BLUE_GREEN needs an advancedConfiguration'],
    ['no second group', [balancer({ alternateTargetGroupArn: '' })], 'alternateTargetGroupArn can not be blank'],
    [
      'one group twice',
      [balancer({ alternateTargetGroupArn: group('blue') })],
      'must be another target group than targetGroupArn',
    ],
    ['no production rule', [balancer({ productionListenerRule: '' })], 'productionListenerRule can not be blank'],
    ['no role', [balancer({ roleArn: '' })], 'advancedConfiguration.roleArn can not be blank'],
    [
      'a user as the role',
      [balancer({ roleArn: `arn:aws:iam::${account}:user/x` })],
      'must be the ARN of a role of this account',
    ],
    [
      'one rule for both',
      [balancer({ testListenerRule: rule('main') })],
      'testListenerRule must be another rule than productionListenerRule',
    ],
    [
      'a second group that is not there',
      [balancer({ alternateTargetGroupArn: group('nobody') })],
      `The target group with targetGroupArn ${group('nobody')} does not exist.`,
    ],
    [
      'a rule that is not there',
      [balancer({ productionListenerRule: rule('nothing') })],
      `The productionListenerRule ${rule('nothing')} does not exist.`,
    ],
    ['a test rule that is not there', [balancer({ testListenerRule: rule('nothing') })], 'The testListenerRule'],
    [
      'a rule of another load balancer',
      [balancer({ productionListenerRule: rule('elsewhere') })],
      `of the load balancer other, and the target group ${group('blue')} of web`,
    ],
    [
      'a second group of another load balancer',
      [balancer({ alternateTargetGroupArn: group('far') })],
      `of the load balancer web, and the target group ${group('far')} of other`,
    ],
    [
      'a rule that does something else',
      [balancer({ productionListenerRule: rule('fixed') })],
      'The productionListenerRule must forward to the target groups',
    ],
    [
      'a rule with a third group',
      [balancer({ testListenerRule: rule('wide') })],
      'The testListenerRule must forward to the target groups',
    ],
    [
      'a listener of an Application Load Balancer',
      [balancer({ productionListenerRule: elb('listener/app/web/1/2') })],
      'must be the ARN of a rule',
    ],
    [
      'a rule of a Network Load Balancer',
      [balancer({ productionListenerRule: elb('listener-rule/net/web/1/2/3') })],
      'must be the ARN of a listener',
    ],
    [
      'two that share a rule',
      [
        balancer(),
        balancer({ alternateTargetGroupArn: group('third') }, { targetGroupArn: group('far'), containerPort: 81 }),
      ],
      `can not share ${rule('main')}`,
    ],
  ])('are refused with load balancers with %s', async (_what, loadBalancers, message) => {
    await expect(create(blueGreen, { loadBalancers })).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringContaining(message) as string,
    });
  });

  test('a rule may forward to the first group alone, and the second one be used by nothing yet: deployments add it', async () => {
    const given = [balancer({ productionListenerRule: rule('half'), alternateTargetGroupArn: group('spare') })];
    expect((await create(blueGreen, { loadBalancers: given })).loadBalancers).toEqual(given);
  });

  test('a listener of a Network Load Balancer is a rule without conditions', async () => {
    const given = [balancer({ productionListenerRule: elb('listener/net/web/1/2') })];
    expect((await create(blueGreen, { loadBalancers: given })).loadBalancers).toEqual(given);
  });

  test('a test listener is refused beside steps that are judged, whichever comes first', async () => {
    const tags = [{ key: 'slipway:judge', value: 'true' }];
    const tested = [balancer({ testListenerRule: rule('test') })];
    const refused = {
      name: 'InvalidParameterException',
      message: expect.stringContaining('leave testListenerRule out') as string,
    };
    await expect(create(blueGreen, { loadBalancers: tested, tags })).rejects.toMatchObject(refused);
    const { serviceArn } = await create(blueGreen, { loadBalancers: tested });
    await expect(api.ecs.send(new TagResourceCommand({ resourceArn: serviceArn, tags }))).rejects.toMatchObject(
      refused,
    );
    const { serviceName = '' } = await create({ strategy: 'CANARY' }, { loadBalancers: [balancer()], tags });
    await finish(serviceName);
    await expect(update(serviceName, { loadBalancers: tested })).rejects.toMatchObject(refused);
    await expect(create({ strategy: 'LINEAR' }, { tags })).rejects.toThrow('the service has none: give it one');
  });

  test('rules of load balancers are refused with ROLLING, and strategies of daemons', async () => {
    await expect(create({}, { loadBalancers: [balancer()] })).rejects.toThrow(
      'remove it, or set deploymentConfiguration.strategy',
    );
    await expect(
      create(
        { ...blueGreen, maximumPercent: 100, minimumHealthyPercent: 0 },
        { schedulingStrategy: 'DAEMON', desiredCount: undefined },
      ),
    ).rejects.toThrow('The daemon scheduling strategy is not supported with the strategy BLUE_GREEN');
  });
});
