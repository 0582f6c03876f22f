import {
  BatchGetDeploymentsCommand,
  BatchGetDeploymentTargetsCommand,
  ContinueDeploymentCommand,
  GetDeploymentGroupCommand,
  GetDeploymentTargetCommand,
  ListDeploymentsCommand,
  ListDeploymentTargetsCommand,
  StopDeploymentCommand,
} from '@aws-sdk/client-codedeploy';
import { DeleteServiceCommand, PutClusterCapacityProvidersCommand, UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { account, region } from '../ecs/testing/open-api.ts';
import { findService } from '../services/index.ts';
import { bringAllOn } from './index.ts';
import { codeDeployPartition } from './keys.ts';
import { deploy, describeService, events, prepare, refusal, until } from './testing/deploying.ts';
import {
  addGroup,
  addService,
  groupArns,
  openCodeDeploy,
  revisionOf,
  type TestCodeDeploy,
} from './testing/open-codedeploy.ts';

let opened: TestCodeDeploy;
beforeAll(async () => {
  opened = await openCodeDeploy();
});
afterAll(() => opened[Symbol.asyncDispose]());

test('a deployment goes to its end, and is shown at every step as CodeDeploy and ECS show it', async () => {
  const { named, next } = await prepare(opened, 'web');
  const deploymentId = await deploy(opened, named, { revision: revisionOf(next), description: 'the second' });
  expect(deploymentId).toMatch(/^d-[A-Z0-9]{9}$/);
  const baking = await until(opened, deploymentId, { status: 'InProgress', instanceTerminationWaitTimeStarted: true });
  expect(baking).toMatchObject({
    applicationName: named.applicationName,
    deploymentGroupName: named.deploymentGroupName,
    deploymentConfigName: 'CodeDeployDefault.ECSAllAtOnce',
    creator: 'user',
    computePlatform: 'ECS',
    description: 'the second',
    revision: { revisionType: 'AppSpecContent' },
    deploymentOverview: { InProgress: 1, Pending: 0 },
  });
  const service = await describeService(opened, 'web');
  expect(service).toMatchObject({
    deployments: [],
    deploymentController: { type: 'CODE_DEPLOY' },
    taskDefinition: next,
    loadBalancers: [{ targetGroupArn: groupArns.green, containerName: 'main', containerPort: 80 }],
  });
  expect(
    service.taskSets?.map(({ status, externalId, startedBy, loadBalancers }) => [
      status,
      externalId,
      startedBy,
      loadBalancers?.[0]?.targetGroupArn,
    ]),
  ).toEqual([
    ['PRIMARY', deploymentId, 'CODE_DEPLOY', groupArns.green],
    ['ACTIVE', undefined, undefined, groupArns.blue],
  ]);
  const targets = await opened.codedeploy.send(new ListDeploymentTargetsCommand({ deploymentId }));
  expect(targets.targetIds).toEqual(['default:web']);
  const batch = new BatchGetDeploymentTargetsCommand({ deploymentId, targetIds: targets.targetIds });
  const [target] = (await opened.codedeploy.send(batch)).deploymentTargets ?? [];
  expect(target).toMatchObject({
    deploymentTargetType: 'ECSTarget',
    ecsTarget: {
      targetArn: `arn:aws:ecs:${region}:${account}:service/default/web`,
      taskSetsInfo: [
        { taskSetLabel: 'Green', trafficWeight: 100, targetGroup: { name: 'green' } },
        { taskSetLabel: 'Blue', trafficWeight: 0, targetGroup: { name: 'blue' } },
      ],
    },
  });
  await expect(refusal(deploy(opened, named, { revision: revisionOf(next) }))).resolves.toEqual({
    name: 'DeploymentLimitExceededException',
    message: `The Deployment Group '${named.deploymentGroupName}' already has an active Deployment '${deploymentId}'`,
  });
  await opened.codedeploy.send(new ContinueDeploymentCommand({ deploymentId, deploymentWaitType: 'TERMINATION_WAIT' }));
  await until(opened, deploymentId, {
    status: 'Succeeded',
    deploymentOverview: expect.objectContaining({ Succeeded: 1 }) as never,
  });
  expect(await events(opened, deploymentId, 'web')).toEqual({
    BeforeInstall: 'Skipped',
    Install: 'Succeeded',
    AfterInstall: 'Skipped',
    AllowTestTraffic: 'Succeeded',
    AfterAllowTestTraffic: 'Skipped',
    BeforeAllowTraffic: 'Skipped',
    AllowTraffic: 'Succeeded',
    AfterAllowTraffic: 'Skipped',
  });
  const group = await opened.codedeploy.send(new GetDeploymentGroupCommand(named));
  expect(group.deploymentGroupInfo).toMatchObject({
    lastAttemptedDeployment: { deploymentId, status: 'Succeeded' },
    lastSuccessfulDeployment: { deploymentId },
  });
  await expect(refusal(opened.codedeploy.send(new StopDeploymentCommand({ deploymentId })))).resolves.toMatchObject({
    name: 'DeploymentAlreadyCompletedException',
  });
  // The next one takes the other group, though the end of the first was nowhere written down.
  const third = await deploy(opened, named, { revision: revisionOf(next) });
  await until(opened, third, { instanceTerminationWaitTimeStarted: true });
  expect((await describeService(opened, 'web')).loadBalancers?.[0]?.targetGroupArn).toBe(groupArns.blue);
  const listed = await opened.codedeploy.send(
    new ListDeploymentsCommand({ ...named, includeOnlyStatuses: ['Succeeded'] }),
  );
  expect(listed.deployments).toEqual([deploymentId]);
  const both = await opened.codedeploy.send(new BatchGetDeploymentsCommand({ deploymentIds: [third, deploymentId] }));
  expect(both.deploymentsInfo?.map(({ status }) => status)).toEqual(['InProgress', 'Succeeded']);
});

test('ids that nobody has given out cost a read each, whoever asks: no list of all deployments', async () => {
  const list = vi.spyOn(opened.api.ports.records, 'list');
  const deploymentIds = Array.from({ length: 100 }, (_, number) => `d-NOBODY${String(number).padStart(3, '0')}`);
  const { deploymentsInfo } = await opened.codedeploy.send(new BatchGetDeploymentsCommand({ deploymentIds }));
  expect(deploymentsInfo).toEqual([]);
  const target = new GetDeploymentTargetCommand({ deploymentId: deploymentIds[0], targetId: 'default:web' });
  expect((await refusal(opened.codedeploy.send(target))).name).toBe('DeploymentDoesNotExistException');
  const listed = list.mock.calls.filter(([partition]) => partition === codeDeployPartition(account));
  list.mockRestore();
  expect(listed).toEqual([]);
});

test('a first deployment that never ends is superseded, and one of a service that is deleted has stopped', async () => {
  // There is no host that could run a task of it.
  await addService(opened, 'stuck', {
    desiredCount: 1,
    loadBalancers: [{ targetGroupArn: groupArns.green, containerName: 'main', containerPort: 80 }],
  });
  const named = await addGroup(opened, 'stuck');
  const { taskDefinition = '' } = await describeService(opened, 'stuck');
  const deploymentId = await deploy(opened, named, { revision: revisionOf(taskDefinition) });
  await vi.waitFor(
    async () => expect(await events(opened, deploymentId, 'stuck')).toMatchObject({ Install: 'InProgress' }),
    {
      timeout: 60_000,
    },
  );
  expect((await describeService(opened, 'stuck')).loadBalancers?.[0]?.targetGroupArn).toBe(groupArns.green);
  await opened.api.ecs.send(new UpdateServiceCommand({ service: 'stuck', desiredCount: 0 }));
  await until(opened, deploymentId, { status: 'Succeeded' });
  await bringAllOn(opened.api.ports, account, new AbortController().signal);
  const next = await deploy(opened, named, { revision: revisionOf(taskDefinition) });
  await until(opened, next, { instanceTerminationWaitTimeStarted: true });
  await opened.api.ecs.send(new DeleteServiceCommand({ service: 'stuck', force: true }));
  await until(opened, next, { status: 'Stopped' });
});

test('the AppSpec says where, by what and on which platform the new tasks run; what it leaves out is as before', async () => {
  const { api } = opened;
  const { ecs, ports } = api;
  await ecs.send(
    new PutClusterCapacityProvidersCommand({
      cluster: 'default',
      capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
      defaultCapacityProviderStrategy: [],
    }),
  );
  const { taskDefinitionArn: awsvpc = '' } = await api.define({
    family: 'placed-by-spec',
    networkMode: 'awsvpc',
    requiresCompatibilities: ['EC2', 'FARGATE'],
    cpu: '256',
    memory: '512',
    containerDefinitions: [{ name: 'main', image: 'busybox', portMappings: [{ containerPort: 80 }] }],
  });
  for (const arn of Object.values(groupArns)) opened.api.groups.set(arn, { targetType: 'ip', usedBy: 'web' });
  const [subnet = ''] = await api.subnets();
  await addService(opened, 'placed', {
    taskDefinition: awsvpc,
    networkConfiguration: { awsvpcConfiguration: { subnets: [subnet], assignPublicIp: 'DISABLED' } },
  });
  const named = await addGroup(opened, 'placed');
  const described = await describeService(opened, 'placed');
  expect(described).toMatchObject({
    launchType: 'EC2',
    networkConfiguration: { awsvpcConfiguration: { subnets: [subnet] } },
  });
  const changes = {
    NetworkConfiguration: { AwsvpcConfiguration: { Subnets: [subnet], AssignPublicIp: 'ENABLED' } },
    CapacityProviderStrategy: [{ CapacityProvider: 'FARGATE_SPOT', Base: 1, Weight: 2 }],
    PlatformVersion: '1.4.0',
  };
  const first = await deploy(opened, named, { revision: revisionOf(awsvpc, [], changes) });
  await until(opened, first, { instanceTerminationWaitTimeStarted: true });
  const placed = {
    capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', base: 1, weight: 2 }],
    networkConfiguration: { awsvpcConfiguration: { subnets: [subnet], assignPublicIp: 'ENABLED' } },
  };
  const { taskSets, ...service } = await describeService(opened, 'placed');
  expect(service).toMatchObject({ ...placed, platformVersion: '1.4.0' });
  expect(service).not.toHaveProperty('launchType');
  expect(taskSets).toMatchObject([
    { status: 'PRIMARY', ...placed },
    {
      status: 'ACTIVE',
      launchType: 'EC2',
      networkConfiguration: { awsvpcConfiguration: { assignPublicIp: 'DISABLED' } },
    },
  ]);
  const without = new PutClusterCapacityProvidersCommand({
    cluster: 'default',
    capacityProviders: [],
    defaultCapacityProviderStrategy: [],
  });
  await expect(ecs.send(without)).rejects.toThrow('The specified capacity provider is in use and cannot be removed.');
  await opened.codedeploy.send(
    new ContinueDeploymentCommand({ deploymentId: first, deploymentWaitType: 'TERMINATION_WAIT' }),
  );
  await until(opened, first, { status: 'Succeeded' });
  const second = await deploy(opened, named, { revision: revisionOf(awsvpc) });
  await until(opened, second, { instanceTerminationWaitTimeStarted: true });
  expect(await describeService(opened, 'placed')).toMatchObject({ ...placed, platformVersion: '1.4.0' });
  const record = await findService(ports, { account, cluster: 'default', service: 'placed' });
  const launch = { launchType: 'FARGATE', platformVersion: '1.4.0' };
  expect(record?.deployments.map((one) => one.launch)).toMatchObject([launch, launch]);

  const refused = async (given: object): Promise<string> =>
    (await refusal(deploy(opened, named, { revision: revisionOf(awsvpc, [], given) }))).message;
  expect(await refused({ NetworkConfiguration: { AwsvpcConfiguration: { Subnets: ['subnet-1'] } } })).toBe(
    "The AppSpec is not valid: The subnet ID 'subnet-1' does not exist",
  );
  expect(await refused({ CapacityProviderStrategy: [{ CapacityProvider: 'other' }] })).toMatch(/not associated with/);
  expect(await refused({ PlatformVersion: '0.1' })).toMatch(/platform version '0\.1' does not exist/);
  const { taskDefinitionArn: bridge = '' } = await api.define({ family: 'bridged' });
  const onBridge = revisionOf(bridge, [], { NetworkConfiguration: { AwsvpcConfiguration: { Subnets: [subnet] } } });
  expect((await refusal(deploy(opened, named, { revision: onBridge }))).name).toBe('InvalidRevisionException');
  for (const arn of Object.values(groupArns)) opened.api.groups.set(arn, { targetType: 'instance', usedBy: 'web' });
});
