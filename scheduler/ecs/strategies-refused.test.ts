import { type DeploymentConfiguration, type LoadBalancer, TagResourceCommand } from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { account, region } from './testing/open-api.ts';
import { balancer, blueGreen, elb, group, plain, role, rule, task, StrategyApi } from './testing/strategies.ts';

let opened: StrategyApi;
beforeAll(async () => {
  opened = await StrategyApi.open();
});
afterAll(() => opened[Symbol.asyncDispose]());

describe('deployment strategies', () => {
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
      'there are no Lambda functions in this installation. Use the https:// URL of a webhook (or arn:aws:slipway:<region>:<account>:webhook/https://… for programs that take nothing but ARNs), the ARN of an ECS task definition whose exit code decides',
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
    await expect(opened.create(configuration)).rejects.toMatchObject({
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
    await expect(opened.create(blueGreen, { loadBalancers })).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringContaining(message) as string,
    });
  });

  test('a rule may forward to the first group alone, and the second one be used by nothing yet: deployments add it', async () => {
    const given = [balancer({ productionListenerRule: rule('half'), alternateTargetGroupArn: group('spare') })];
    expect((await opened.create(blueGreen, { loadBalancers: given })).loadBalancers).toEqual(given);
  });

  test('a listener of a Network Load Balancer is a rule without conditions', async () => {
    const given = [balancer({ productionListenerRule: elb('listener/net/web/1/2') })];
    expect((await opened.create(blueGreen, { loadBalancers: given })).loadBalancers).toEqual(given);
  });

  test('a test listener is refused beside steps that are judged, whichever comes first', async () => {
    const tags = [{ key: 'slipway:judge', value: 'true' }];
    const tested = [balancer({ testListenerRule: rule('test') })];
    const refused = {
      name: 'InvalidParameterException',
      message: expect.stringContaining('leave testListenerRule out') as string,
    };
    await expect(opened.create(blueGreen, { loadBalancers: tested, tags })).rejects.toMatchObject(refused);
    const { serviceArn } = await opened.create(blueGreen, { loadBalancers: tested });
    await expect(opened.api.ecs.send(new TagResourceCommand({ resourceArn: serviceArn, tags }))).rejects.toMatchObject(
      refused,
    );
    const { serviceName = '' } = await opened.create({ strategy: 'CANARY' }, { loadBalancers: [balancer()], tags });
    await opened.finish(serviceName);
    await expect(opened.update(serviceName, { loadBalancers: tested })).rejects.toMatchObject(refused);
    await expect(opened.create({ strategy: 'LINEAR' }, { tags })).rejects.toThrow('the service has none: give it one');
  });

  test('rules of load balancers are refused with ROLLING, and strategies of daemons', async () => {
    await expect(opened.create({}, { loadBalancers: [balancer()] })).rejects.toThrow(
      'remove it, or set deploymentConfiguration.strategy',
    );
    await expect(
      opened.create(
        { ...blueGreen, maximumPercent: 100, minimumHealthyPercent: 0 },
        { schedulingStrategy: 'DAEMON', desiredCount: undefined },
      ),
    ).rejects.toThrow('The daemon scheduling strategy is not supported with the strategy BLUE_GREEN');
  });
});
