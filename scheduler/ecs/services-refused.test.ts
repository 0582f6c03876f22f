import {
  type CreateServiceCommandInput,
  DeleteServiceCommand,
  DeregisterTaskDefinitionCommand,
  ListServicesCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openApi, type TestApi } from './testing/open-api.ts';
import { createService } from './testing/services.ts';

let api: TestApi;
let cluster: string;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const create = (input: Partial<CreateServiceCommandInput>) => createService(api, { cluster, ...input });

describe('CreateService refuses', () => {
  test.each<[string, Partial<CreateServiceCommandInput>, string, RegExp]>([
    ['an unknown cluster', { cluster: 'nowhere' }, 'ClusterNotFoundException', /Cluster not found/],
    ['a bad name', { serviceName: 'a b' }, 'InvalidParameterException', /service name/],
    ['an unknown definition', { taskDefinition: 'nothing' }, 'ClientException', /TaskDefinition not found/],
    ['no definition', { taskDefinition: undefined }, 'InvalidParameterException', /TaskDefinition/],
    ['no count', { desiredCount: undefined }, 'InvalidParameterException', /desiredCount/],
    ['a negative count', { desiredCount: -1 }, 'InvalidParameterException', /desiredCount/],
    ['a count for a daemon', { schedulingStrategy: 'DAEMON' }, 'InvalidParameterException', /daemon/],
    ['a long client token', { clientToken: 'x'.repeat(37) }, 'InvalidParameterException', /clientToken/],
    ['Fargate', { launchType: 'FARGATE' }, 'InvalidParameterException', /FARGATE/],
    [
      'service discovery',
      { serviceRegistries: [{ registryArn: 'x' }] },
      'InvalidParameterException',
      /serviceRegistries/,
    ],
    [
      'awsvpc',
      { networkConfiguration: { awsvpcConfiguration: { subnets: ['s'] } } },
      'InvalidParameterException',
      /not valid for the given networkMode/,
    ],
    ['blue/green', { deploymentConfiguration: { strategy: 'BLUE_GREEN' } }, 'InvalidParameterException', /BLUE_GREEN/],
    [
      'CodeDeploy without a load balancer',
      { deploymentController: { type: 'CODE_DEPLOY' } },
      'InvalidParameterException',
      /exactly one item in loadBalancers/,
    ],
    [
      'alarms',
      { deploymentConfiguration: { alarms: { alarmNames: ['a'], enable: true, rollback: true } } },
      'InvalidParameterException',
      /alarms/,
    ],
    [
      'hooks',
      { deploymentConfiguration: { lifecycleHooks: [{ roleArn: 'x' }] } },
      'InvalidParameterException',
      /lifecycleHooks/,
    ],
    [
      'a maximum below 100',
      { deploymentConfiguration: { maximumPercent: 50 } },
      'InvalidParameterException',
      /maximumPercent/,
    ],
    [
      'rollback without the breaker',
      { deploymentConfiguration: { deploymentCircuitBreaker: { enable: false, rollback: true } } },
      'InvalidParameterException',
      /rollback/,
    ],
    [
      'Service Connect',
      { serviceConnectConfiguration: { enabled: true } },
      'InvalidParameterException',
      /Service Connect/,
    ],
    [
      'zone rebalancing of daemons',
      { availabilityZoneRebalancing: 'ENABLED', schedulingStrategy: 'DAEMON', desiredCount: undefined },
      'InvalidParameterException',
      /availabilityZoneRebalancing ENABLED is not supported for the service: the scheduling strategy is DAEMON/,
    ],
    [
      'zone rebalancing without room for a task more',
      { availabilityZoneRebalancing: 'ENABLED', deploymentConfiguration: { maximumPercent: 100 } },
      'InvalidParameterException',
      /maximumPercent is 100/,
    ],
    [
      'zone rebalancing against another strategy',
      {
        availabilityZoneRebalancing: 'ENABLED',
        placementStrategy: [
          { type: 'binpack', field: 'memory' },
          { type: 'spread', field: 'attribute:ecs.availability-zone' },
        ],
      },
      'InvalidParameterException',
      /first placement strategy/,
    ],
    [
      'zone rebalancing against a constraint',
      {
        availabilityZoneRebalancing: 'ENABLED',
        placementConstraints: [{ type: 'memberOf', expression: 'attribute:ecs.availability-zone == a' }],
      },
      'InvalidParameterException',
      /a placement constraint uses attribute:ecs.availability-zone/,
    ],
    [
      'zone rebalancing outside of the cloud',
      { availabilityZoneRebalancing: 'ENABLED', launchType: 'EXTERNAL' },
      'InvalidParameterException',
      /launch type is EXTERNAL/,
    ],
    [
      'a bad follow tag',
      { tags: [{ key: 'slipway:follow', value: 'maybe' }] },
      'InvalidParameterException',
      /slipway:follow/,
    ],
    [
      '51 tags',
      { tags: Array.from({ length: 51 }, (_, n) => ({ key: `k${n}`, value: '' })) },
      'InvalidParameterException',
      /50/,
    ],
  ])('%s', async (_what, input, name, message) => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    const refusal = create({ taskDefinition: taskDefinitionArn, ...input });
    await expect(refusal).rejects.toThrow(message);
    await expect(refusal).rejects.toMatchObject({ name });
    expect((await api.ecs.send(new ListServicesCommand({ cluster }))).serviceArns).toEqual([]);
  });

  test('an inactive definition', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    await api.ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: taskDefinitionArn }));
    await expect(create({ taskDefinition: taskDefinitionArn })).rejects.toMatchObject({ name: 'ClientException' });
  });
});

describe('UpdateService and DeleteService refuse', () => {
  test('unknown services and members that nothing acts on', async () => {
    cluster = await api.newCluster();
    const update = (input: object) => api.ecs.send(new UpdateServiceCommand({ cluster, service: 'web', ...input }));
    await expect(update({})).rejects.toMatchObject({ name: 'ServiceNotFoundException' });
    await expect(api.ecs.send(new DeleteServiceCommand({ cluster, service: 'web' }))).rejects.toMatchObject({
      name: 'ServiceNotFoundException',
    });
    const { taskDefinitionArn } = await api.define();
    await create({ taskDefinition: taskDefinitionArn });
    await expect(update({ taskDefinition: 'nothing' })).rejects.toMatchObject({ name: 'ClientException' });
  });
});
