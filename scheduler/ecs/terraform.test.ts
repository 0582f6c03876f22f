import {
  type DeploymentConfiguration,
  DeleteServiceCommand,
  DescribeServicesCommand,
  type Service,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { account, region } from './testing/open-api.ts';
import { balancer, blueGreen, plain, role, rule, StrategyApi, task } from './testing/strategies.ts';

/**
 * `aws_ecs_service` as version 6 of Terraform's AWS provider declares it (`internal/service/ecs/service.go` there): what it sends, empty lists
 * and all, and what it makes of an answer. A plan after an apply is empty when that is what was declared. The provider's version 5, which the
 * tests with the real program use, has neither strategies nor hooks.
 */
let opened: StrategyApi;
beforeAll(async () => {
  opened = await StrategyApi.open();
});
afterAll(() => opened[Symbol.asyncDispose]());

interface Declared {
  readonly configuration: DeploymentConfiguration;
  readonly balancers: readonly ReturnType<typeof balancer>[];
}

/** The members that a declaration becomes; lists of which nothing is declared are sent empty. */
const sent = ({ configuration, balancers }: Declared) => ({
  capacityProviderStrategy: [],
  vpcLatticeConfigurations: [],
  enableECSManagedTags: false,
  enableExecuteCommand: false,
  deploymentConfiguration: {
    maximumPercent: 200,
    minimumHealthyPercent: 100,
    deploymentCircuitBreaker: { enable: true, rollback: true },
    ...configuration,
  },
  loadBalancers: [...balancers],
});

/** What is compared with the declaration. Hooks are a set; the stages of each are a list. */
function read({ deploymentConfiguration = {}, loadBalancers = [] }: Service): Declared {
  const { strategy, bakeTimeInMinutes, linearConfiguration, canaryConfiguration, lifecycleHooks } =
    deploymentConfiguration;
  return {
    configuration: {
      strategy,
      bakeTimeInMinutes,
      ...(linearConfiguration && { linearConfiguration }),
      ...(canaryConfiguration && { canaryConfiguration }),
      ...(lifecycleHooks && {
        lifecycleHooks: lifecycleHooks.map(({ hookTargetArn, roleArn, lifecycleStages, hookDetails }) => ({
          hookTargetArn,
          roleArn,
          lifecycleStages,
          ...(hookDetails !== undefined && { hookDetails }),
        })),
      }),
    },
    balancers: loadBalancers,
  };
}

const describeService = async (name: string | undefined): Promise<Service> => {
  const { services } = await opened.api.ecs.send(
    new DescribeServicesCommand({ services: [name ?? ''], include: ['TAGS'] }),
  );
  return services?.[0] ?? {};
};

/** The provider takes nothing but ARNs as targets, and wants a role with each. */
const hooks: DeploymentConfiguration = {
  lifecycleHooks: [
    {
      hookTargetArn: `arn:aws:slipway:${region}:${account}:webhook/https://hooks.example/deploy`,
      roleArn: role,
      lifecycleStages: ['PRODUCTION_TRAFFIC_SHIFT', 'POST_SCALE_UP'],
      hookDetails: { suite: 'smoke' },
    },
    { hookTargetArn: task('smoke:1'), roleArn: role, lifecycleStages: ['POST_TEST_TRAFFIC_SHIFT', 'PRE_SCALE_UP'] },
  ],
};

describe("Terraform's aws_ecs_service", () => {
  test.each<[string, Declared]>([
    [
      'BLUE_GREEN with hooks and a test listener',
      {
        configuration: { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 2, ...hooks },
        balancers: [balancer({ testListenerRule: rule('test') })],
      },
    ],
    [
      'LINEAR',
      {
        configuration: {
          strategy: 'LINEAR',
          bakeTimeInMinutes: 0,
          linearConfiguration: { stepPercent: 25, stepBakeTimeInMinutes: 0 },
        },
        balancers: [balancer()],
      },
    ],
    [
      'CANARY',
      {
        configuration: {
          strategy: 'CANARY',
          bakeTimeInMinutes: 1,
          canaryConfiguration: { canaryPercent: 10.5, canaryBakeTimeInMinutes: 1440 },
          ...hooks,
        },
        balancers: [balancer()],
      },
    ],
    ['ROLLING', { configuration: { strategy: 'ROLLING', bakeTimeInMinutes: 0 }, balancers: [plain()] }],
  ])('reads what was declared: %s', async (_, declared) => {
    const { deploymentConfiguration, ...others } = sent(declared);
    const { serviceName } = await opened.create(deploymentConfiguration, others);
    expect(read(await describeService(serviceName))).toEqual(declared);
  });

  test('changes the strategy of a service, then its hooks, and reads each', async () => {
    const { serviceName } = await opened.create(blueGreen, { desiredCount: 1, loadBalancers: [balancer()] });
    await opened.finish(serviceName);
    const changes: DeploymentConfiguration[] = [
      {
        strategy: 'CANARY',
        bakeTimeInMinutes: 5,
        canaryConfiguration: { canaryPercent: 5, canaryBakeTimeInMinutes: 0 },
      },
      { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 5, ...hooks },
    ];
    for (const configuration of changes) {
      // The provider sends the members of the block that changed, and no others.
      await opened.update(serviceName, { forceNewDeployment: false, deploymentConfiguration: configuration });
      expect(read(await describeService(serviceName))).toEqual({ configuration, balancers: [balancer()] });
    }
    await opened.update(serviceName, {
      deploymentConfiguration: { deploymentCircuitBreaker: { enable: false, rollback: false } },
    });
    expect((await describeService(serviceName)).deploymentConfiguration?.deploymentCircuitBreaker).toEqual({
      enable: false,
      rollback: false,
    });
  });

  test('destroys a service in the middle of a deployment that shifts traffic', async () => {
    const { serviceName } = await opened.create(blueGreen, { desiredCount: 1, loadBalancers: [balancer()] });
    await opened.finish(serviceName);
    await opened.update(serviceName, { forceNewDeployment: true });
    expect((await describeService(serviceName)).deployments).toHaveLength(2);
    await opened.api.ecs.send(new UpdateServiceCommand({ cluster: 'default', service: serviceName, desiredCount: 0 }));
    await opened.api.ecs.send(new DeleteServiceCommand({ cluster: 'default', service: serviceName, force: false }));
    expect((await describeService(serviceName)).status).not.toBe('ACTIVE');
  });
});
