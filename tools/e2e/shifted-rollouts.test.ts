import {
  DescribeServiceDeploymentsCommand,
  type DeploymentConfiguration,
  ListServiceDeploymentsCommand,
  type ServiceDeployment,
  RegisterTaskDefinitionCommand,
  StopServiceDeploymentCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeBeside, shiftedBalancer, targetContainer, underLoad } from '../testbed/balanced-service.ts';
import { until } from '../testbed/command.ts';
import { describeReport } from '../testbed/load/index.ts';
import { address, type Engine, missingForStage, Stage, unacknowledged } from '../testbed/balanced-stage.ts';

/**
 * No request is lost either while traffic is shifted from one revision to the next, and back: load that never sends anything again, on a
 * rule between two target groups. On a Docker engine, with each traffic engine.
 */
const missing = await missingForStage();
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

/** How often the plan of each engine is carried out. */
const rounds = { nightly: 20, release: 170 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 1;
const hours = { nightly: 2, release: 12 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 0.2;

const noBake = { bakeTimeInMinutes: 0 } as const;
const strategies = {
  BLUE_GREEN: { strategy: 'BLUE_GREEN', ...noBake },
  LINEAR: {
    strategy: 'LINEAR',
    ...noBake,
    linearConfiguration: { stepPercent: 50, stepBakeTimeInMinutes: 0 },
  },
  CANARY: {
    strategy: 'CANARY',
    ...noBake,
    canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: 0 },
  },
} as const satisfies Record<string, DeploymentConfiguration>;

/** The same, as they stand still where both revisions have traffic, or the new one has all: there they are called back. */
const halted = {
  BLUE_GREEN: { ...strategies.BLUE_GREEN, bakeTimeInMinutes: 60 },
  LINEAR: { ...strategies.LINEAR, linearConfiguration: { stepPercent: 50, stepBakeTimeInMinutes: 60 } },
  CANARY: { ...strategies.CANARY, canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: 60 } },
} as const satisfies Record<string, DeploymentConfiguration>;
/** What the new revision has there, in percent. */
const shares = { BLUE_GREEN: 100, LINEAR: 50, CANARY: 10 } as const;
type Strategy = keyof typeof strategies;

/** What each engine carries: where there is little time, each strategy goes to its end with one of them, and back with the other. */
const every: readonly Strategy[] = ['BLUE_GREEN', 'LINEAR', 'CANARY'];
const plans: Readonly<Record<Engine, { readonly back: readonly Strategy[]; readonly ends: readonly Strategy[] }>> =
  process.env['SLIPWAY_TEST_SIZE'] === undefined
    ? {
        haproxy: { back: ['CANARY'], ends: ['BLUE_GREEN', 'LINEAR'] },
        embedded: { back: ['BLUE_GREEN', 'LINEAR'], ends: ['CANARY'] },
      }
    : { haproxy: { back: every, ends: every }, embedded: { back: every, ends: every } };

/** Of ten requests that come through a load balancer one fails; health checks pass. */
const failsOften = `let asked = 0;
require('http').createServer((request, response) => {
  response.statusCode = 'x-forwarded-for' in request.headers && asked++ % 10 === 0 ? 500 : 200;
  response.end('bad');
}).listen(8080);`;

/** The service of a stage, as its deployments shift traffic. */
class Shifting {
  readonly #stage: Stage;
  #rule = '';
  #green = '';

  private constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Gives the stage's service a second group, beside its own behind a rule that all requests fit, and a strategy. */
  static async on(stage: Stage): Promise<Shifting> {
    const shifting = new Shifting(stage);
    const { group } = stage.balanced;
    const beside = await makeBeside((...words) => stage.aws(...words), stage.balanced);
    shifting.#green = beside.green;
    shifting.#rule = beside.rule;
    await stage.ecs.send(
      new UpdateServiceCommand({
        service: 'web',
        deploymentConfiguration: strategies.BLUE_GREEN,
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

  /** Begins another deployment, of the same task definition unless it is said which. @returns its ARN */
  async begin(deploymentConfiguration: DeploymentConfiguration, taskDefinition?: string): Promise<string> {
    const { ecs } = this.#stage;
    const what = taskDefinition === undefined ? { forceNewDeployment: true } : { taskDefinition };
    await ecs.send(new UpdateServiceCommand({ service: 'web', ...what, deploymentConfiguration }));
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

  /** Calls a deployment back, and waits until all is as before. @returns how it ended */
  async rollBack(arn: string): Promise<string | undefined> {
    await this.#stage.ecs.send(new StopServiceDeploymentCommand({ serviceDeploymentArn: arn, stopType: 'ROLLBACK' }));
    await until('the deployment to be rolled back', 240_000, async () =>
      ['ROLLBACK_SUCCESSFUL', 'ROLLBACK_FAILED'].includes((await this.see(arn)).status ?? ''),
    );
    await this.settled();
    return (await this.see(arn)).status;
  }

  /** Percent of the rule's weights that each group has; the one that the service began with first. */
  async weights(): Promise<readonly [number, number]> {
    const { Rules } = await this.#stage.aws<{
      Rules: [{ Actions: [{ ForwardConfig: { TargetGroups: { TargetGroupArn: string; Weight: number }[] } }] }];
    }>('elbv2', 'describe-rules', '--rule-arns', this.#rule);
    const groups = Rules[0].Actions[0].ForwardConfig.TargetGroups;
    const of = (arn: string): number => groups.find(({ TargetGroupArn }) => TargetGroupArn === arn)?.Weight ?? 0;
    const all = groups.reduce((sum, { Weight }) => sum + Weight, 0);
    return [(of(this.#stage.balanced.group) * 100) / all, (of(this.#green) * 100) / all];
  }
}

describe.skipIf(missing !== undefined)(
  `a service whose deployments shift traffic${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: hours * 3_600_000 },
  () => {
    let stage: Stage;
    let shifting: Shifting;
    beforeAll(async () => {
      stage = await Stage.open();
      shifting = await Shifting.on(stage);
    }, 600_000);
    afterAll(async () => {
      await stage?.[Symbol.asyncDispose]();
    }, 120_000);

    /** Deployments one after the other: some are called back halfway, others go to their end. */
    async function round({ back, ends }: (typeof plans)[Engine]): Promise<void> {
      for (const strategy of back) {
        const before = await shifting.weights();
        const deployment = await shifting.begin(halted[strategy]);
        const share = shares[strategy];
        const halfway = before[0] === 100 ? [100 - share, share] : [share, 100 - share];
        await until(`${strategy} to have shifted ${share} %`, 240_000, async () =>
          (await shifting.weights()).every((weight, i) => weight === halfway[i]),
        );
        expect(await shifting.rollBack(deployment)).toBe('ROLLBACK_SUCCESSFUL');
        expect(await shifting.weights()).toEqual(before);
      }
      for (const strategy of ends) {
        const before = await shifting.weights();
        expect(before.toSorted((x, y) => x - y)).toEqual([0, 100]);
        const deployment = await shifting.begin(strategies[strategy]);
        await shifting.settled();
        expect((await shifting.see(deployment)).status).toBe('SUCCESSFUL');
        expect(await shifting.weights()).toEqual(before.toReversed());
      }
    }

    const begin = async (engine: Engine, more: Readonly<Record<string, string>> = {}): Promise<void> => {
      if (engine !== 'haproxy' || Object.keys(more).length > 0) await stage.restart(engine, more, shifting.settled);
    };

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
      const deployment = await shifting.begin(strategies.CANARY, taskDefinition?.taskDefinitionArn);
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

    test.each(['haproxy', 'embedded'] as const)(
      '%s: no request fails while traffic is shifted to another revision, and back',
      async (engine) => {
        await begin(engine);
        const report = await underLoad(address, stage.balanced, async () => {
          for (let done = 0; done < rounds; done++) await round(plans[engine]);
        });
        expect(report.failures, `${describeReport(report)}\n${stage.log.slice(-4_000)}`).toEqual([]);
      },
    );

    test('requests fail when tasks are stopped before engines have acknowledged', async () => {
      await begin('embedded', unacknowledged);
      let failed = 0;
      for (let attempt = 0; attempt < 10 && failed === 0; attempt++) {
        const report = await underLoad(address, stage.balanced, async () => {
          await shifting.begin(strategies.BLUE_GREEN);
          await shifting.settled();
        });
        failed = report.failures.length;
      }
      expect(failed).toBeGreaterThan(0);
    });
  },
);
