import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { targetContainer, underLoad } from '../testbed/balanced-service.ts';
import { address, missingForStage, Stage } from '../testbed/balanced-stage.ts';
import { until } from '../testbed/command.ts';
import { describeReport } from '../testbed/load/index.ts';

/**
 * A service that CodeDeploy deploys, by the AWS command line alone: `aws ecs deploy` as it is, `aws deploy` with its waiter, and a
 * deployment that is stopped and goes back, all under load that never sends anything again. On a Docker engine.
 */
const missing = await missingForStage();
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

const named = ['--application-name', 'AppECS-default-web', '--deployment-group-name', 'DgpECS-default-web'] as const;
const role = 'arn:aws:iam::000000000000:role/codedeploy';

describe.skipIf(missing !== undefined)(
  `a service that CodeDeploy deploys${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: 900_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-codedeploy-'));
    let stage: Stage;

    /** A file for the command line. @returns its path */
    const file = (name: string, content: string): string => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    };
    const appSpec = (taskDefinition: string): string => `version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "${taskDefinition}"
        LoadBalancerInfo:
          ContainerName: "target"
          ContainerPort: 8080
`;

    beforeAll(async () => {
      stage = await Stage.open(['--deployment-controller', 'type=CODE_DEPLOY']);
      const { group } = stage.balanced;
      const found = await stage.aws<{ TargetGroups: [{ LoadBalancerArns: [string]; VpcId: string }] }>([
        'elbv2',
        'describe-target-groups',
        '--target-group-arns',
        group,
      ]);
      const [{ LoadBalancerArns, VpcId }] = found.TargetGroups;
      await stage.aws(
        ['elbv2', 'create-target-group', '--name', 'green', '--protocol', 'HTTP', '--port', '8080', '--vpc-id', VpcId],
        ['--target-type', 'instance', '--health-check-interval-seconds', '5', '--health-check-timeout-seconds', '4'],
      );
      const { Listeners } = await stage.aws<{ Listeners: [{ ListenerArn: string }] }>(
        ['elbv2', 'describe-listeners', '--load-balancer-arn'],
        LoadBalancerArns,
      );
      const Principal = { Service: 'codedeploy.amazonaws.com' };
      const trust = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole' }] };
      await stage.aws(
        ['iam', 'create-role', '--role-name', 'codedeploy'],
        ['--assume-role-policy-document', JSON.stringify(trust)],
      );
      await stage.aws(
        ['iam', 'attach-role-policy', '--role-name', 'codedeploy'],
        ['--policy-arn', 'arn:aws:iam::aws:policy/AWSCodeDeployRoleForECS'],
      );
      await stage.aws(
        ['deploy', 'create-application', '--application-name', 'AppECS-default-web'],
        ['--compute-platform', 'ECS'],
      );
      const pair = {
        targetGroups: [{ name: 'web' }, { name: 'green' }],
        prodTrafficRoute: { listenerArns: [Listeners[0].ListenerArn] },
      };
      const times = {
        terminateBlueInstancesOnDeploymentSuccess: { action: 'TERMINATE', terminationWaitTimeInMinutes: 0 },
        deploymentReadyOption: { actionOnTimeout: 'CONTINUE_DEPLOYMENT', waitTimeInMinutes: 0 },
      };
      await stage.aws(
        ['deploy', 'create-deployment-group', ...named, '--service-role-arn', role],
        ['--deployment-style', 'deploymentType=BLUE_GREEN,deploymentOption=WITH_TRAFFIC_CONTROL'],
        ['--ecs-services', 'serviceName=web,clusterName=default'],
        ['--load-balancer-info', JSON.stringify({ targetGroupPairInfoList: [pair] })],
        ['--blue-green-deployment-configuration', JSON.stringify(times)],
        ['--auto-rollback-configuration', 'enabled=true,events=DEPLOYMENT_FAILURE,DEPLOYMENT_STOP_ON_REQUEST'],
      );
    }, 600_000);
    afterAll(async () => {
      await stage?.[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    }, 600_000);

    interface Info {
      readonly deploymentInfo: {
        readonly status: string;
        readonly rollbackInfo?: { readonly rollbackDeploymentId?: string };
      };
    }
    const look = async (id: string): Promise<Info['deploymentInfo']> =>
      (await stage.aws<Info>(['deploy', 'get-deployment', '--deployment-id', id])).deploymentInfo;

    /** What people see of it once it is over, and what they cannot do any more. */
    const checkCommands = async (third: string): Promise<void> => {
      const listed = await stage.slipway('deployments', 'list', 'default/web');
      const rows = listed.stdout.trim().split('\n').slice(1);
      const stand = rows.map((row) => /^(\S+) +(\S+)/.exec(row)?.slice(1));
      // Its first deployment was ECS's own; the others are CodeDeploy's, and one of them a way back.
      expect(stand.map((row) => row?.[1])).toEqual(['Succeeded', 'Stopped', 'Succeeded', 'Succeeded', 'SUCCESSFUL']);
      expect(stand[1]?.[0]).toBe(third);
      const watched = await stage.slipway('deployments', 'watch', 'default/web');
      expect([watched.code, watched.stderr]).toEqual([
        3,
        expect.stringMatching(/Stopped: .*its way back, d-\w+, is Succeeded/),
      ]);
      const first = await stage.slipway('deployments', 'show', 'default/web', stand[4]?.[0] ?? '');
      expect(first.stdout, first.stderr).toContain('SUCCESSFUL; tasks');
      const explained = await stage.slipway('explain', third);
      expect(explained.stdout, explained.stderr).toMatch(/^default\/web: .*web:1/m);
      expect(explained.stdout).toMatch(new RegExp(`^  ${third}: Stopped; .*goes back by d-`, 'm'));
      // By the AppSpec of the last one that succeeded.
      const again = await stage.slipway('deploy', 'default/web', '--image', stage.image, '--wait');
      expect([again.code, again.stderr]).toEqual([0, '']);
      expect(again.stdout).toMatch(/^default\/web deploys web:1$/m);
      for (const action of ['continue', 'rollback'])
        expect(await stage.slipway('deployments', action, third)).toMatchObject({ code: 1, stdout: '' });
    };

    test('aws ecs deploy, aws deploy wait, and one that is stopped: no request fails', async () => {
      const definition = file(
        'task.json',
        JSON.stringify({ family: 'web', containerDefinitions: [targetContainer(stage.image)] }),
      );
      const spec = file('appspec.yaml', appSpec('<TASK_DEFINITION>'));
      let third = '';
      const report = await underLoad(address, stage.balanced, async () => {
        // The command of the AWS CLI itself: registers, deploys, waits.
        const said = await stage.print(
          ['ecs', 'deploy', '--service', 'web', '--task-definition', definition],
          ['--codedeploy-appspec', spec],
        );
        expect(said).toMatch(/Successfully deployed arn:aws:ecs:.*:task-definition\/web:2 to service 'web'/);

        const deploy = async (configuration: string): Promise<string> => {
          const content = appSpec('web:1');
          const revision = { revisionType: 'AppSpecContent', appSpecContent: { content } };
          const { deploymentId } = await stage.aws<{ deploymentId: string }>(
            ['deploy', 'create-deployment', ...named, '--deployment-config-name', configuration],
            ['--revision', JSON.stringify(revision)],
          );
          return deploymentId;
        };
        const second = await deploy('CodeDeployDefault.ECSAllAtOnce');
        await stage.print('deploy', 'wait', 'deployment-successful', '--deployment-id', second);
        expect((await look(second)).status).toBe('Succeeded');

        third = await deploy('CodeDeployDefault.ECSCanary10Percent15Minutes');
        await until('a tenth of traffic to be shifted', 240_000, async () => {
          const { deploymentTargets } = await stage.aws<{
            deploymentTargets: [{ ecsTarget: { taskSetsInfo: { taskSetLabel: string; trafficWeight: number }[] } }];
          }>(['deploy', 'batch-get-deployment-targets', '--deployment-id', third], ['--target-ids', 'default:web']);
          const sets = deploymentTargets[0].ecsTarget.taskSetsInfo;
          return sets.some(({ taskSetLabel, trafficWeight }) => taskSetLabel === 'Green' && trafficWeight === 10);
        });
        const shown = await stage.slipway('deployments', 'show', third);
        expect(shown.stdout, shown.stderr).toMatch(
          /default\/web, deployment d-\w+: InProgress.*production 10 % new; tasks/,
        );
        // The newest is the one that goes on.
        const stopped = await stage.slipway('deployments', 'stop', 'default/web', '--output', 'json');
        expect(JSON.parse(stopped.stdout), stopped.stderr).toMatchObject({
          deploymentId: third,
          // It may have begun to go back by the time of the answer.
          status: expect.stringMatching(/^(Pending|Succeeded)$/) as string,
        });
        await until('the deployment to have gone back', 240_000, async () => {
          const { status, rollbackInfo } = await look(third);
          const rollback = rollbackInfo?.rollbackDeploymentId;
          return status === 'Stopped' && rollback !== undefined && (await look(rollback)).status === 'Succeeded';
        });
      });
      expect(report.failures, `${describeReport(report)}\n${stage.log.slice(-4_000)}`).toEqual([]);
      await checkCommands(third);
      const { taskDefinition, taskSets = [] } = await stage.service();
      expect(taskDefinition).toMatch(/web:1$/);
      expect(taskSets.filter(({ status }) => status === 'PRIMARY')).toMatchObject([{ startedBy: 'CODE_DEPLOY' }]);
    });
  },
);
