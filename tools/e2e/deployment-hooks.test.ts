import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateServiceCommand,
  type DeploymentLifecycleHook,
  type ECSClient,
  ListServiceDeploymentsCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { verifyDelivery } from '@slipway/auth/kit';
import { ScriptedHook } from '@slipway/scheduler/hooks/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ecsClient, sdkOptions } from '../testbed/aws-clients.ts';
import { describeWeb } from '../testbed/balanced-service.ts';
import { check, until } from '../testbed/command.ts';
import { missingDocker, webCommand } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import type { ServerProcess } from '../testbed/server-process.ts';

/** Hooks of a deployment on real parts: a server process, a receiver behind TLS, and a command task on a Docker engine. */
const missing = await missingDocker();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

describe.skipIf(missing !== undefined)('deployment hooks', { timeout: 600_000 }, () => {
  const stage = new LocalStage('hooks');
  let server: ServerProcess;
  let ecs: ECSClient;
  let hook: ScriptedHook;
  let image: string;
  let passed = false;

  beforeAll(async () => {
    hook = await ScriptedHook.open();
    const authority = join(stage.folder, 'authority.pem');
    writeFileSync(authority, hook.ca);
    server = await stage.serve({
      SLIPWAY_WORKERS: '1',
      SLIPWAY_HEALTHY_AFTER_SECONDS: '1',
      SLIPWAY_OUTBOUND_ALLOW: '127.0.0.1/32',
      NODE_EXTRA_CA_CERTS: authority,
    });
    ecs = ecsClient(server);
    image = await stage.push('hooks:1', { files: { '/www/index.html': 'here' }, command: webCommand });
  }, 600_000);

  afterAll(async () => {
    if (!passed) process.stderr.write(`--- server log ---\n${server.log.slice(-20_000)}\n`);
    ecs.destroy();
    await stage[Symbol.asyncDispose]();
    await hook[Symbol.asyncDispose]();
  }, 600_000);

  test('a command task and a signed webhook let a deployment go on; a webhook that refuses sends it back', async () => {
    const iam = new IAMClient(sdkOptions(server));
    const policy = (statement: object): string =>
      JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });
    const trust = policy({ Principal: { Service: 'ecs.amazonaws.com' }, Action: 'sts:AssumeRole' });
    const { Role: role } = await iam.send(
      new CreateRoleCommand({ RoleName: 'hooks', AssumeRolePolicyDocument: trust }),
    );
    const allowed = policy({ Action: 'ecs:RunTask', Resource: '*' });
    await iam.send(new PutRolePolicyCommand({ RoleName: 'hooks', PolicyName: 'run', PolicyDocument: allowed }));
    iam.destroy();
    const define = async (family: string, command?: string[]): Promise<string> => {
      const container = {
        name: 'app',
        image,
        memory: 64,
        essential: true,
        ...(command === undefined ? {} : { command }),
      };
      const definition = await ecs.send(
        new RegisterTaskDefinitionCommand({ family, containerDefinitions: [container] }),
      );
      return definition.taskDefinition?.taskDefinitionArn ?? '';
    };
    const job = await define('migrate', ['/bin/sh', '-c', '[ "$SLIPWAY_HOOK_STAGE" = PRE_SCALE_UP ]']);
    const lifecycleHooks: DeploymentLifecycleHook[] = [
      { hookTargetArn: job, roleArn: role?.Arn, lifecycleStages: ['PRE_SCALE_UP'] },
      { hookTargetArn: hook.localUrl, lifecycleStages: ['POST_SCALE_UP'] },
    ];
    hook.says(() =>
      hook.heard.length === 1 ? { hookStatus: 'IN_PROGRESS', callBackDelay: 1 } : { hookStatus: 'SUCCEEDED' },
    );
    const first = await define('web');
    await ecs.send(
      new CreateServiceCommand({
        serviceName: 'web',
        taskDefinition: first,
        desiredCount: 1,
        deploymentConfiguration: { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 0, lifecycleHooks },
      }),
    );
    const settled = (what: string, revision: string) =>
      until(what, 120_000, async () => {
        const { deployments = [], runningCount } = await describeWeb(ecs);
        const [one] = deployments;
        if (deployments.length !== 1 || one?.rolloutState !== 'COMPLETED' || runningCount !== 1) return undefined;
        return one.taskDefinition === revision && one;
      });
    await settled('the first deployment', first);
    expect(hook.heard).toHaveLength(2);
    const printed = await check(join(import.meta.dirname, '..', 'bin', 'slipway'), ['hook', 'secret', 'default/web'], {
      env: server.aws(),
    });
    for (const { headers, body, payload } of hook.heard) {
      const signed = { secret: printed.trim(), id: payload.executionId, body, now: Date.now() };
      expect(verifyDelivery(String(headers['slipway-signature']), signed)).toBeDefined();
    }
    const jobs = async (): Promise<number> =>
      (await ecs.send(new ListTasksCommand({ family: 'migrate', desiredStatus: 'STOPPED' }))).taskArns?.length ?? 0;
    expect(await jobs()).toBe(1);

    hook.says(() => ({ hookStatus: 'FAILED' }));
    await ecs.send(new UpdateServiceCommand({ service: 'web', taskDefinition: await define('web') }));
    const { serviceDeployments = [] } = await until('the way back', 180_000, async () => {
      const listed = await ecs.send(new ListServiceDeploymentsCommand({ service: 'web', cluster: 'default' }));
      return listed.serviceDeployments?.some(({ status }) => status === 'ROLLBACK_SUCCESSFUL') === true && listed;
    });
    const back = serviceDeployments.find(({ status }) => status === 'ROLLBACK_SUCCESSFUL');
    expect(back?.statusReason).toContain(`Webhook ${hook.localUrl} failed: it answered FAILED.`);
    await settled('the old revision', first);
    expect(await jobs()).toBe(2);
    passed = true;
  });
});
