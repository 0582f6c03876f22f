import {
  ContinueServiceDeploymentCommand,
  type CreateServiceCommandInput,
  DescribeServiceDeploymentsCommand,
  DescribeServiceRevisionsCommand,
  ListServiceDeploymentsCommand,
  type ListServiceDeploymentsCommandInput,
  StopServiceDeploymentCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openApi, type TestApi } from './testing/open-api.ts';
import { playAgent } from './testing/play-agent.ts';
import { createService, describeService } from './testing/services.ts';

let api: TestApi;
let cluster: string;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const create = (input: Partial<CreateServiceCommandInput>) => createService(api, { cluster, ...input });

const list = async (input: Partial<ListServiceDeploymentsCommandInput> = {}) =>
  (await api.ecs.send(new ListServiceDeploymentsCommand({ cluster, service: 'web', ...input }))).serviceDeployments ??
  [];

const describeOne = async (arn: string | undefined) =>
  (await api.ecs.send(new DescribeServiceDeploymentsCommand({ serviceDeploymentArns: [arn ?? ''] })))
    .serviceDeployments?.[0];

const update = (input: object) => api.ecs.send(new UpdateServiceCommand({ cluster, service: 'web', ...input }));

describe('service deployments', () => {
  test('Terraform finds the deployment of an update by the number of its revision, and sees it succeed', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const first = await api.define();
    const second = await api.define();
    await create({ taskDefinition: first.taskDefinitionArn, desiredCount: 1 });
    using _ = playAgent(api, cluster, 'web');
    await expect.poll(async () => (await list())[0]?.status, { timeout: 60_000 }).toBe('SUCCESSFUL');

    const started = new Date();
    const { service } = await update({ taskDefinition: second.taskDefinitionArn });
    const number = service?.deployments?.find(({ status }) => status === 'PRIMARY')?.id?.split('/')[1] ?? '';
    const [newest] = await list({ createdAt: { after: started } });
    expect(newest?.targetServiceRevisionArn?.endsWith(`/${number}`)).toBe(true);
    expect(newest?.serviceDeploymentArn).toBe(service?.currentServiceDeployment);
    await expect
      .poll(async () => (await describeOne(newest?.serviceDeploymentArn))?.status, { timeout: 60_000 })
      .toBe('SUCCESSFUL');
    const done = await describeOne(newest?.serviceDeploymentArn);
    expect(done).toMatchObject({
      targetServiceRevision: { requestedTaskCount: 1, runningTaskCount: 1, pendingTaskCount: 0 },
      sourceServiceRevisions: [{ arn: expect.stringContaining(':service-revision/') as string }],
      finishedAt: expect.any(Date) as Date,
      deploymentCircuitBreaker: { status: 'DISABLED' },
    });
    expect((await list()).map(({ status }) => status)).toEqual(['SUCCESSFUL', 'SUCCESSFUL']);
    expect(await list({ status: ['IN_PROGRESS'] })).toEqual([]);

    const { serviceRevisions } = await api.ecs.send(
      new DescribeServiceRevisionsCommand({ serviceRevisionArns: [done?.targetServiceRevision?.arn ?? ''] }),
    );
    expect(serviceRevisions).toMatchObject([{ taskDefinition: second.taskDefinitionArn, launchType: 'EC2' }]);
  });

  test('a deployment that is superseded has STOPPED', async () => {
    cluster = await api.newCluster();
    const first = await api.define();
    const second = await api.define();
    await create({ taskDefinition: first.taskDefinitionArn, desiredCount: 1 });
    await update({ taskDefinition: second.taskDefinitionArn });
    expect((await list()).map(({ status }) => status)).toEqual(['IN_PROGRESS', 'STOPPED']);
  });

  test('a deployment that trips the circuit breaker ends as ROLLBACK_SUCCESSFUL', async () => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const good = await api.define();
    const bad = await api.define();
    await create({
      taskDefinition: good.taskDefinitionArn,
      desiredCount: 1,
      deploymentConfiguration: {
        deploymentCircuitBreaker: {
          enable: true,
          rollback: true,
          thresholdConfiguration: { type: 'COUNT', value: 1 },
        },
      },
    });
    let breaks = false;
    using _ = playAgent(api, cluster, 'web', () => breaks);
    await expect.poll(async () => (await list())[0]?.status, { timeout: 60_000 }).toBe('SUCCESSFUL');
    breaks = true;
    const { service } = await update({ taskDefinition: bad.taskDefinitionArn });
    await expect
      .poll(async () => (await describeOne(service?.currentServiceDeployment))?.status, { timeout: 60_000 })
      .toMatch(/^ROLLBACK_/);
    breaks = false;
    await expect
      .poll(async () => (await describeOne(service?.currentServiceDeployment))?.status, { timeout: 60_000 })
      .toBe('ROLLBACK_SUCCESSFUL');
    const end = await describeOne(service?.currentServiceDeployment);
    expect(end).toMatchObject({
      rollback: { serviceRevisionArn: expect.stringContaining(':service-revision/') as string },
      deploymentCircuitBreaker: { status: 'TRIGGERED', threshold: 1, failureCount: 1 },
      statusReason: expect.stringContaining('1 of 1 failed tasks') as string,
    });
    expect((await describeService(api, cluster)).taskDefinition).toBe(good.taskDefinitionArn);

    // It stays so when the service has moved on and forgotten both.
    await update({ forceNewDeployment: true });
    await expect
      .poll(async () => (await list()).map(({ status }) => status), { timeout: 60_000 })
      .toEqual(['SUCCESSFUL', 'ROLLBACK_SUCCESSFUL', 'SUCCESSFUL']);
  });

  test.each([
    ['ROLLBACK', 'ROLLBACK_SUCCESSFUL'],
    ['ABORT', 'STOPPED'],
  ] as const)('a rolling deployment is stopped with %s, and ends as %s', async (stopType, end) => {
    cluster = await api.newCluster();
    await api.addInstance({ cluster });
    const good = await api.define();
    const next = await api.define();
    await create({
      taskDefinition: good.taskDefinitionArn,
      desiredCount: 1,
      deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } },
    });
    using agent = playAgent(api, cluster, 'web', () => false);
    await expect.poll(async () => (await list())[0]?.status, { timeout: 60_000 }).toBe('SUCCESSFUL');
    // From here on no task gets to run: the deployment stays under way until it is stopped.
    agent[Symbol.dispose]();
    const { service } = await update({ taskDefinition: next.taskDefinitionArn });
    const serviceDeploymentArn = service?.currentServiceDeployment ?? '';
    const stop = () => api.ecs.send(new StopServiceDeploymentCommand({ serviceDeploymentArn, stopType }));
    await stop();
    await expect.poll(async () => (await describeOne(serviceDeploymentArn))?.status, { timeout: 60_000 }).toBe(end);
    expect(await describeOne(serviceDeploymentArn)).toMatchObject({
      deploymentCircuitBreaker: { status: 'MONITORING_COMPLETE' },
      rollback: { reason: expect.stringContaining('stopped by arn:') as string },
    });
    expect(await list({ status: [end] })).toMatchObject([{ serviceDeploymentArn, status: end }]);
    await expect(stop()).rejects.toMatchObject({ name: 'ConflictException' });
    expect(await describeService(api, cluster)).toMatchObject({ taskDefinition: good.taskDefinitionArn });
  });

  test('pages join to the whole list, newest first', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    await create({ taskDefinition: taskDefinitionArn });
    for (let n = 0; n < 3; n++) await update({ forceNewDeployment: true });
    const whole = (await list()).map(({ serviceDeploymentArn }) => serviceDeploymentArn);
    expect(whole).toHaveLength(4);
    const seen: (string | undefined)[] = [];
    let nextToken: string | undefined;
    do {
      const page = await api.ecs.send(
        new ListServiceDeploymentsCommand({
          cluster,
          service: 'web',
          maxResults: 3,
          ...(nextToken ? { nextToken } : {}),
        }),
      );
      seen.push(...(page.serviceDeployments ?? []).map(({ serviceDeploymentArn }) => serviceDeploymentArn));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    expect(seen).toEqual(whole);
  });

  test('nothing is stopped that is not there, nor continued that is rolling', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    const { service } = await create({ taskDefinition: taskDefinitionArn, desiredCount: 1 });
    const serviceDeploymentArn = service?.currentServiceDeployment ?? '';
    const stop = (arn: string, stopType?: 'ROLLBACK') =>
      api.ecs.send(new StopServiceDeploymentCommand({ serviceDeploymentArn: arn, ...(stopType && { stopType }) }));
    const go = (arn: string, action?: 'CONTINUE') =>
      api.ecs.send(
        new ContinueServiceDeploymentCommand({ serviceDeploymentArn: arn, hookId: 'x', ...(action && { action }) }),
      );
    await expect(stop(`${serviceDeploymentArn}x`)).rejects.toMatchObject({
      name: 'ServiceDeploymentNotFoundException',
    });
    await stop(serviceDeploymentArn);
    expect(api.asked.at(-1)).toMatchObject({
      action: 'ecs:StopServiceDeployment',
      resources: [{ arn: serviceDeploymentArn }],
    });
    await expect(go(serviceDeploymentArn)).rejects.toMatchObject({ name: 'InvalidParameterException' });
    expect(api.asked.at(-1)).toMatchObject({ action: 'ecs:ContinueServiceDeployment' });
    for (const call of [stop, go]) {
      await expect(call(`${serviceDeploymentArn}x`)).rejects.toMatchObject({
        name: 'ServiceDeploymentNotFoundException',
      });
      await expect(call('web')).rejects.toMatchObject({ name: 'InvalidParameterException' });
    }
    await expect(stop(serviceDeploymentArn, 'NEVER' as 'ROLLBACK')).rejects.toThrow(
      'stopType must be ROLLBACK or ABORT',
    );
    await expect(go(serviceDeploymentArn, 'WAIT' as 'CONTINUE')).rejects.toThrow('action must be CONTINUE or ROLLBACK');
  });

  test('unknown services, deployments and malformed ARNs are told apart', async () => {
    cluster = await api.newCluster();
    await expect(list()).rejects.toMatchObject({ name: 'ServiceNotFoundException' });
    const missing = `arn:aws:ecs:us-east-1:000000000000:service-deployment/${cluster}/web/nothing`;
    const { serviceDeployments, failures } = await api.ecs.send(
      new DescribeServiceDeploymentsCommand({ serviceDeploymentArns: [missing] }),
    );
    expect({ serviceDeployments, failures }).toEqual({
      serviceDeployments: [],
      failures: [{ arn: missing, reason: 'MISSING' }],
    });
    await expect(describeOne('arn:aws:ecs:us-east-1:000000000000:service/x/y')).rejects.toMatchObject({
      name: 'InvalidParameterException',
    });
  });
});
