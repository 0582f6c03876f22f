import {
  DescribeServiceDeploymentsCommand,
  type DeploymentConfiguration,
  ListServiceDeploymentsCommand,
  type ServiceDeployment,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeBeside, shiftedBalancer, targetContainer } from '../testbed/balanced-service.ts';
import { until } from '../testbed/command.ts';
import { missingForStage, Stage } from '../testbed/balanced-stage.ts';

/**
 * A step of a canary that is judged by what a traffic engine counts, on a Docker engine. That no request is lost while traffic is shifted, and
 * back, is shown on several hosts by `balanced-hosts.test.ts`.
 */
const missing = await missingForStage();
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

const canary = {
  strategy: 'CANARY',
  bakeTimeInMinutes: 0,
  canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: 0 },
} as const satisfies DeploymentConfiguration;

/** Of ten requests that come through a load balancer one fails; health checks pass. */
const failsOften = `let asked = 0;
require('http').createServer((request, response) => {
  response.statusCode = 'x-forwarded-for' in request.headers && asked++ % 10 === 0 ? 500 : 200;
  response.end('bad');
}).listen(8080);`;

/** The service of a stage, as its deployments shift traffic. */
class Shifting {
  readonly #stage: Stage;

  private constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Gives the stage's service a second group, beside its own behind a rule that all requests fit, and a strategy. */
  static async on(stage: Stage): Promise<Shifting> {
    const shifting = new Shifting(stage);
    const { group } = stage.balanced;
    const beside = await makeBeside((...words) => stage.aws(...words), stage.balanced);
    await stage.ecs.send(
      new UpdateServiceCommand({
        service: 'web',
        deploymentConfiguration: canary,
        loadBalancers: [shiftedBalancer(group, beside, 'target')],
      }),
    );
    await shifting.settled();
    return shifting;
  }

  /** Waits until one deployment is left, and completed. */
  readonly settled = async (): Promise<void> => {
    await until('the service to have one deployment, which is over', 240_000, async () => {
      const { deployments = [], desiredCount, runningCount } = await this.#stage.service();
      return deployments.length === 1 && deployments[0]?.rolloutState === 'COMPLETED' && runningCount === desiredCount;
    });
  };

  /** Begins a deployment of another task definition. @returns its ARN */
  async begin(taskDefinition: string | undefined): Promise<string> {
    const { ecs } = this.#stage;
    await ecs.send(new UpdateServiceCommand({ service: 'web', taskDefinition, deploymentConfiguration: canary }));
    const { serviceDeployments = [] } = await ecs.send(
      new ListServiceDeploymentsCommand({ service: 'web', status: ['PENDING', 'IN_PROGRESS'] }),
    );
    const [{ serviceDeploymentArn } = {}] = serviceDeployments;
    if (serviceDeploymentArn === undefined) throw new Error('no deployment began');
    return serviceDeploymentArn;
  }

  async see(arn: string): Promise<ServiceDeployment> {
    const { serviceDeployments = [] } = await this.#stage.ecs.send(
      new DescribeServiceDeploymentsCommand({ serviceDeploymentArns: [arn] }),
    );
    const [seen] = serviceDeployments;
    if (seen === undefined) throw new Error(`there is no deployment ${arn}`);
    return seen;
  }
}

describe.skipIf(missing !== undefined)(
  `a service whose deployments shift traffic${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: 720_000 },
  () => {
    let stage: Stage;
    let shifting: Shifting;
    beforeAll(async () => {
      stage = await Stage.open();
      shifting = await Shifting.on(stage);
    }, 600_000);
    afterAll(async () => {
      await stage?.[Symbol.asyncDispose]();
    }, 600_000);

    test('a revision that fails one request in ten is called worse by what the engine counts, and traffic goes back', async () => {
      const { ecs, balanced } = stage;
      const { taskDefinition: good } = await stage.service();
      const judged = async (rule: string): Promise<void> => {
        const { code, stdout, stderr } = await stage.slipway(
          'strategy',
          'default/web',
          'canary',
          '--bake',
          '0',
          '--judge',
          rule,
        );
        expect([code, stderr]).toEqual([0, expect.stringContaining('slipway deployments watch default/web') as string]);
        expect(stdout).toContain('default/web is deployed by CANARY');
      };
      await judged('failed:1 slow:off else:wait');
      const bad = { ...targetContainer(stage.image), command: ['node', '-e', failsOften] };
      const { taskDefinition } = await ecs.send(
        new RegisterTaskDefinitionCommand({ family: 'web', containerDefinitions: [bad] }),
      );
      const deployment = await shifting.begin(taskDefinition?.taskDefinitionArn);
      let isOver = false;
      const asking = Array.from({ length: 4 }, async () => {
        while (!isOver) await stage.ask(balanced.port, balanced.host);
      });
      try {
        await until('the deployment to be rolled back', 240_000, async () =>
          ['ROLLBACK_SUCCESSFUL', 'ROLLBACK_FAILED', 'SUCCESSFUL'].includes(
            (await shifting.see(deployment)).status ?? '',
          ),
        );
      } finally {
        isOver = true;
        await Promise.all(asking);
      }
      const seen = await shifting.see(deployment);
      expect(seen, stage.log.slice(-4_000)).toMatchObject({
        status: 'ROLLBACK_SUCCESSFUL',
        rollback: {
          reason: expect.stringMatching(
            /judged worse with 10 % of production traffic: \d+ of \d+ .* requests of the new revision failed, 0 of \d+/,
          ) as string,
        },
      });
      await shifting.settled();
      expect((await stage.service()).taskDefinition).toBe(good);
      await judged('off');
    });
  },
);
