import {
  type DeploymentConfiguration,
  type DeploymentLifecycleHook,
  DescribeServicesCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Alarms } from '../signals/alarms/store/index.ts';
import { account } from './testing/open-api.ts';
import { balancer, blueGreen, group, plain, role, rule, task, StrategyApi } from './testing/strategies.ts';

let opened: StrategyApi;
beforeAll(async () => {
  opened = await StrategyApi.open();
});
afterAll(() => opened[Symbol.asyncDispose]());

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
    const { serviceName = '' } = await opened.create(
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
    const { services: read } = await opened.api.ecs.send(new DescribeServicesCommand({ services: [serviceName] }));
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

    await opened.finish(serviceName);
    const canary = await opened.update(serviceName, {
      deploymentConfiguration: { strategy: 'CANARY', bakeTimeInMinutes: 7 },
    });
    expect(canary.deploymentConfiguration).toMatchObject({
      strategy: 'CANARY',
      bakeTimeInMinutes: 7,
      canaryConfiguration: { canaryPercent: 5, canaryBakeTimeInMinutes: 10 },
      lifecycleHooks: [hook, {}, {}],
    });
    expect(canary.deploymentConfiguration).not.toHaveProperty('linearConfiguration');
    const changed = await opened.update(serviceName, {
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
      opened.api.asked.flatMap(({ action, resources, context }) =>
        action === 'iam:PassRole' ? [[resources[0]?.arn, context?.['iam:PassedToService']]] : [],
      );
    const both = [
      [role, 'ecs.amazonaws.com'],
      [`${role}-2`, 'ecs.amazonaws.com'],
    ];
    opened.api.asked.length = 0;
    const input = { loadBalancers: [balancer()], deploymentConfiguration: hooks as DeploymentConfiguration };
    const { serviceName } = await opened.create(input.deploymentConfiguration, { loadBalancers: input.loadBalancers });
    expect(passed()).toEqual(both);
    opened.api.asked.length = 0;
    await opened.update(serviceName, input);
    expect(passed()).toEqual(both);
    opened.api.denied.add('iam:PassRole');
    await expect(opened.update(serviceName, input)).rejects.toMatchObject({ name: 'AccessDeniedException' });
    opened.api.denied.clear();
  });

  test('a service turns to a strategy and back with the groups that serve it', async () => {
    const { serviceName } = await opened.create({}, { desiredCount: 1, loadBalancers: [plain('green')] });
    await opened.finish(serviceName);
    await expect(opened.update(serviceName, { deploymentConfiguration: blueGreen })).rejects.toThrow(
      'needs an advancedConfiguration',
    );
    opened.api.rules.set(rule('others'), {
      kind: 'rule',
      balancer: { name: 'web', type: 'application' },
      groups: [group('blue'), group('third')],
    });
    const elsewhere = balancer({ alternateTargetGroupArn: group('third'), productionListenerRule: rule('others') });
    await expect(
      opened.update(serviceName, { deploymentConfiguration: blueGreen, loadBalancers: [elsewhere] }),
    ).rejects.toThrow(`are in the target group ${group('green')}: make it the targetGroupArn or the alternate`);
    await opened.update(serviceName, { deploymentConfiguration: blueGreen, loadBalancers: [balancer()] });
    expect((await opened.recordOf(serviceName)).deployments[0]?.loadBalancers?.[0]?.targetGroupArn).toBe(group('blue'));

    const rolling = { deploymentConfiguration: { strategy: 'ROLLING' as const }, loadBalancers: [plain('blue')] };
    await expect(opened.update(serviceName, rolling)).rejects.toThrow(
      'The newest deployment has not shifted all traffic yet',
    );
    await opened.finish(serviceName);
    await expect(opened.update(serviceName, { ...rolling, loadBalancers: undefined })).rejects.toThrow('remove it');
    await expect(opened.update(serviceName, { ...rolling, loadBalancers: [plain('green')] })).rejects.toThrow(
      `are in the target group ${group('blue')}: make it the targetGroupArn.`,
    );
    const back = await opened.update(serviceName, rolling);
    expect(back.deploymentConfiguration).toMatchObject({ strategy: 'ROLLING', bakeTimeInMinutes: 0 });
    expect((await opened.recordOf(serviceName)).deployments[0]).not.toHaveProperty('shifting');
  });

  test('alarms that exist are taken, with a bake time for ROLLING too, and read back', async () => {
    const alarms = new Alarms(opened.api.ports);
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
    const { serviceName } = await opened.create({ alarms: given, bakeTimeInMinutes: 3 });
    const [described] =
      (await opened.api.ecs.send(new DescribeServicesCommand({ services: [serviceName ?? ''] }))).services ?? [];
    expect(described?.deploymentConfiguration).toMatchObject({
      strategy: 'ROLLING',
      bakeTimeInMinutes: 3,
      alarms: given,
    });
    const off = await opened.update(serviceName, {
      deploymentConfiguration: { alarms: { ...given, enable: false, rollback: false } },
    });
    expect(off.deploymentConfiguration).toMatchObject({ bakeTimeInMinutes: 0, alarms: { enable: false } });
  });
});
