import {
  BatchGetDeploymentsCommand,
  BatchGetDeploymentTargetsCommand,
  CodeDeployServiceException,
  ContinueDeploymentCommand,
  CreateDeploymentCommand,
  type CreateDeploymentCommandInput,
  type DeploymentInfo,
  GetDeploymentCommand,
  GetDeploymentGroupCommand,
  GetDeploymentTargetCommand,
  ListDeploymentsCommand,
  ListDeploymentTargetsCommand,
  StopDeploymentCommand,
} from '@aws-sdk/client-codedeploy';
import {
  DeleteServiceCommand,
  DescribeServicesCommand,
  PutClusterCapacityProvidersCommand,
  type Service,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { transact } from '@slipway/storage/records';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { account, region } from '../ecs/testing/open-api.ts';
import { beginCodeDeploy, findService } from '../services/index.ts';
import { Alarms } from '../signals/alarms/store/index.ts';
import { newDeploymentId, toJson } from '../state/index.ts';
import { bringAllOn } from './index.ts';
import { codeDeployKeys, codeDeployPartition } from './keys.ts';
import type { CodeDeployRecord } from './records.ts';
import {
  addGroup,
  addService,
  groupArns,
  groupOf,
  openCodeDeploy,
  revisionOf,
  type TestCodeDeploy,
} from './testing/open-codedeploy.ts';

let opened: TestCodeDeploy;
beforeAll(async () => {
  opened = await openCodeDeploy();
});
afterAll(() => opened[Symbol.asyncDispose]());

const get = async (deploymentId: string): Promise<DeploymentInfo> =>
  (await opened.codedeploy.send(new GetDeploymentCommand({ deploymentId }))).deploymentInfo ?? {};
const until = (deploymentId: string, wanted: Partial<DeploymentInfo>): Promise<DeploymentInfo> =>
  vi.waitFor(
    async () => {
      const info = await get(deploymentId);
      expect(info).toMatchObject(wanted);
      return info;
    },
    { timeout: 60_000, interval: 50 },
  );
const describe = async (name: string): Promise<Service> => {
  const { services } = await opened.api.ecs.send(new DescribeServicesCommand({ services: [name] }));
  return services?.[0] ?? {};
};
const refusal = async (request: Promise<unknown>): Promise<{ name: string; message: string }> => {
  const error: unknown = await request.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CodeDeployServiceException)) throw new Error('it was not refused', { cause: error });
  return { name: error.name, message: error.message };
};
type Named = Awaited<ReturnType<typeof addGroup>>;
const deploy = async (named: Named, input: Partial<CreateDeploymentCommandInput>): Promise<string> =>
  (await opened.codedeploy.send(new CreateDeploymentCommand({ ...named, ...input }))).deploymentId ?? '';

/** A service with its group, and another revision of it to deploy. */
async function prepare(
  name: string,
  changes: Parameters<typeof addGroup>[2] = {},
): Promise<{ named: Named; next: string }> {
  await addService(opened, name);
  const named = await addGroup(opened, name, changes);
  const { taskDefinitionArn = '' } = await opened.api.define({
    family: name,
    containerDefinitions: [{ name: 'main', image: 'busybox', memory: 64, portMappings: [{ containerPort: 80 }] }],
  });
  return { named, next: taskDefinitionArn };
}

const events = async (deploymentId: string, name: string) => {
  const input = { deploymentId, targetId: `default:${name}` };
  const { deploymentTarget } = await opened.codedeploy.send(new GetDeploymentTargetCommand(input));
  return Object.fromEntries(
    (deploymentTarget?.ecsTarget?.lifecycleEvents ?? []).map((one) => [one.lifecycleEventName ?? '', one.status]),
  );
};

test('a deployment goes to its end, and is shown at every step as CodeDeploy and ECS show it', async () => {
  const { named, next } = await prepare('web');
  const deploymentId = await deploy(named, { revision: revisionOf(next), description: 'the second' });
  expect(deploymentId).toMatch(/^d-[A-Z0-9]{9}$/);
  const baking = await until(deploymentId, { status: 'InProgress', instanceTerminationWaitTimeStarted: true });
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
  const service = await describe('web');
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
  await expect(refusal(deploy(named, { revision: revisionOf(next) }))).resolves.toEqual({
    name: 'DeploymentLimitExceededException',
    message: `The Deployment Group '${named.deploymentGroupName}' already has an active Deployment '${deploymentId}'`,
  });
  await opened.codedeploy.send(new ContinueDeploymentCommand({ deploymentId, deploymentWaitType: 'TERMINATION_WAIT' }));
  await until(deploymentId, {
    status: 'Succeeded',
    deploymentOverview: expect.objectContaining({ Succeeded: 1 }) as never,
  });
  expect(await events(deploymentId, 'web')).toEqual({
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
  const third = await deploy(named, { revision: revisionOf(next) });
  await until(third, { instanceTerminationWaitTimeStarted: true });
  expect((await describe('web')).loadBalancers?.[0]?.targetGroupArn).toBe(groupArns.blue);
  const listed = await opened.codedeploy.send(
    new ListDeploymentsCommand({ ...named, includeOnlyStatuses: ['Succeeded'] }),
  );
  expect(listed.deployments).toEqual([deploymentId]);
  const both = await opened.codedeploy.send(new BatchGetDeploymentsCommand({ deploymentIds: [third, deploymentId] }));
  expect(both.deploymentsInfo?.map(({ status }) => status)).toEqual(['InProgress', 'Succeeded']);
});

test('somebody lets traffic go to the new tasks, or it is stopped and goes back under an id of its own', async () => {
  const { named, next } = await prepare('asked', {
    autoRollbackConfiguration: { enabled: true, events: ['DEPLOYMENT_STOP_ON_REQUEST'] },
    blueGreenDeploymentConfiguration: {
      deploymentReadyOption: { actionOnTimeout: 'STOP_DEPLOYMENT', waitTimeInMinutes: 30 },
    },
  });
  const first = await deploy(named, { revision: revisionOf(next) });
  await until(first, { status: 'Ready' });
  expect(await events(first, 'asked')).toMatchObject({ AllowTestTraffic: 'Succeeded', AllowTraffic: 'Pending' });
  await opened.codedeploy.send(new ContinueDeploymentCommand({ deploymentId: first }));
  await until(first, { status: 'Succeeded' });
  await expect(
    refusal(opened.codedeploy.send(new ContinueDeploymentCommand({ deploymentId: first }))),
  ).resolves.toMatchObject({
    name: 'DeploymentAlreadyCompletedException',
  });

  const second = await deploy(named, { revision: revisionOf(next) });
  await until(second, { status: 'Ready' });
  await opened.codedeploy.send(new StopDeploymentCommand({ deploymentId: second }));
  const stopped = await until(second, {
    status: 'Stopped',
    rollbackInfo: expect.objectContaining({ rollbackDeploymentId: expect.any(String) as string }) as never,
  });
  const rollbackId = stopped.rollbackInfo?.rollbackDeploymentId ?? '';
  expect(rollbackId).not.toBe(second);
  const back = await until(rollbackId, { status: 'Succeeded' });
  expect(back).toMatchObject({
    creator: 'codeDeployRollback',
    rollbackInfo: { rollbackTriggeringDeploymentId: second },
  });
  expect(await events(rollbackId, 'asked')).toMatchObject({ AllowTraffic: 'Succeeded', Install: 'Skipped' });
  const { deployments } = await opened.codedeploy.send(new ListDeploymentsCommand(named));
  expect(deployments?.toSorted()).toEqual([first, second, rollbackId].toSorted());
  // The service can be changed afterwards as ever, and deployed.
  await opened.api.ecs.send(new UpdateServiceCommand({ service: 'asked', desiredCount: 0 }));
  const third = await deploy(named, { revision: revisionOf(next) });
  await until(third, { status: 'Ready' });
});

test('what was stopped before it began, and begins by a server that had not heard of that, is stopped', async () => {
  const { named, next } = await prepare('raced');
  const first = await deploy(named, { revision: revisionOf(next) });
  await until(first, { instanceTerminationWaitTimeStarted: true });
  await opened.codedeploy.send(
    new ContinueDeploymentCommand({ deploymentId: first, deploymentWaitType: 'TERMINATION_WAIT' }),
  );
  await until(first, { status: 'Succeeded' });
  const { ports } = opened.api;
  const partition = codeDeployPartition(account);
  const found = await ports.records.get<CodeDeployRecord>(partition, codeDeployKeys.deployment(first));
  if (found === undefined) throw new Error('there is no record of it');
  const start = { ...found.value.start, id: newDeploymentId(ports.random) };
  const stopped: CodeDeployRecord = {
    ...found.value,
    id: 'd-RACED0000',
    rollbackId: 'd-RACED0001',
    start,
    stop: { at: ports.clock.now(), by: 'somebody', goesBack: true },
    ended: { status: 'Stopped', endedAt: ports.clock.now(), events: [], weight: 0 },
  };
  await transact(ports.records, partition, (tx) => {
    tx.put(codeDeployKeys.deployment(stopped.id), toJson(stopped));
    tx.put(codeDeployKeys.open(stopped.id), { id: stopped.id });
    return Promise.resolve();
  });
  const bringOn = () => bringAllOn(ports, account, new AbortController().signal);
  const isOpen = async () => (await ports.records.get(partition, codeDeployKeys.open(stopped.id))) !== undefined;
  await bringOn();
  expect(await isOpen()).toBe(true);
  const ref = { account, cluster: 'default', service: 'raced' };
  expect(await beginCodeDeploy(ports, ref, start)).toBe(true);
  await bringOn();
  expect(await isOpen()).toBe(false);
  await vi.waitFor(
    async () => {
      const primary = (await findService(ports, ref))?.deployments.find(({ status }) => status === 'PRIMARY');
      expect(primary).toMatchObject({ id: found.value.start.id, cause: { failed: { id: start.id } } });
    },
    { timeout: 60_000 },
  );
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

test('one that is stopped without a rollback leaves everything as it is, until the next', async () => {
  const { named, next } = await prepare('halted', {
    deploymentConfigName: 'CodeDeployDefault.ECSCanary10Percent15Minutes',
  });
  const first = await deploy(named, { revision: revisionOf(next) });
  await vi.waitFor(
    async () => {
      const input = { deploymentId: first, targetId: 'default:halted' };
      const { deploymentTarget } = await opened.codedeploy.send(new GetDeploymentTargetCommand(input));
      expect(deploymentTarget?.ecsTarget?.taskSetsInfo).toMatchObject([{ trafficWeight: 10 }, { trafficWeight: 90 }]);
    },
    { timeout: 60_000 },
  );
  expect((await describe('halted')).loadBalancers?.[0]?.targetGroupArn).toBe(groupArns.blue);
  await opened.codedeploy.send(new StopDeploymentCommand({ deploymentId: first }));
  const stopped = await until(first, { status: 'Stopped' });
  expect(stopped.rollbackInfo).toBeUndefined();
  expect(stopped.errorInformation?.code).toBe('MANUAL_STOP');
  expect((await describe('halted')).taskSets).toHaveLength(2);
  const second = await deploy(named, {
    revision: revisionOf(next),
    deploymentConfigName: 'CodeDeployDefault.ECSAllAtOnce',
  });
  await until(second, { instanceTerminationWaitTimeStarted: true });
});

test('a hook that fails ends the deployment, and a pause is named where it waits', async () => {
  const { named, next } = await prepare('judged', {
    autoRollbackConfiguration: { enabled: true, events: ['DEPLOYMENT_FAILURE'] },
  });
  const deploymentId = await deploy(named, { revision: revisionOf(next, [{ AfterInstall: 'PAUSE' }]) });
  await vi.waitFor(
    async () => expect(await events(deploymentId, 'judged')).toMatchObject({ AfterInstall: 'InProgress' }),
    {
      timeout: 60_000,
    },
  );
  expect(await events(deploymentId, 'judged')).toMatchObject({
    BeforeInstall: 'Skipped',
    Install: 'Succeeded',
    AllowTraffic: 'Pending',
  });
  // Nobody waits for traffic yet.
  await expect(refusal(opened.codedeploy.send(new ContinueDeploymentCommand({ deploymentId })))).resolves.toMatchObject(
    {
      name: 'DeploymentIsNotInReadyStateException',
    },
  );
  await opened.codedeploy.send(new StopDeploymentCommand({ deploymentId, autoRollbackEnabled: true }));
  await until(deploymentId, { status: 'Stopped' });
});

test('a first deployment that never ends is superseded, and one of a service that is deleted has stopped', async () => {
  // There is no host that could run a task of it.
  await addService(opened, 'stuck', {
    desiredCount: 1,
    loadBalancers: [{ targetGroupArn: groupArns.green, containerName: 'main', containerPort: 80 }],
  });
  const named = await addGroup(opened, 'stuck');
  const { taskDefinition = '' } = await describe('stuck');
  const deploymentId = await deploy(named, { revision: revisionOf(taskDefinition) });
  await vi.waitFor(async () => expect(await events(deploymentId, 'stuck')).toMatchObject({ Install: 'InProgress' }), {
    timeout: 60_000,
  });
  expect((await describe('stuck')).loadBalancers?.[0]?.targetGroupArn).toBe(groupArns.green);
  await opened.api.ecs.send(new UpdateServiceCommand({ service: 'stuck', desiredCount: 0 }));
  await until(deploymentId, { status: 'Succeeded' });
  await bringAllOn(opened.api.ports, account, new AbortController().signal);
  const next = await deploy(named, { revision: revisionOf(taskDefinition) });
  await until(next, { instanceTerminationWaitTimeStarted: true });
  await opened.api.ecs.send(new DeleteServiceCommand({ service: 'stuck', force: true }));
  await until(next, { status: 'Stopped' });
});

test('an alarm stops a deployment, which goes back where it is told to; another one may look past it', async () => {
  const alarms = new Alarms(opened.api.ports);
  const subject = { kind: 'composite', rule: 'FALSE' } as const;
  const actions = { OK: [], ALARM: [], INSUFFICIENT_DATA: [] };
  await alarms.put(account, { name: 'errors', actionsEnabled: true, actions, subject }, {});
  await alarms.setState(account, 'errors', { state: 'OK', reason: 'a good day' });
  const { named, next } = await prepare('alarmed', {
    alarmConfiguration: { enabled: true, alarms: [{ name: 'errors' }] },
    autoRollbackConfiguration: { enabled: true, events: ['DEPLOYMENT_STOP_ON_ALARM'] },
  });
  opened.api.denied.add('cloudwatch:DescribeAlarms');
  expect(await refusal(deploy(named, { revision: revisionOf(next) }))).toMatchObject({
    name: 'InvalidRoleException',
    message: expect.stringContaining(
      `cloudwatch:DescribeAlarms on arn:aws:cloudwatch:${region}:${account}:alarm:errors`,
    ),
  });
  opened.api.denied.clear();

  const first = await deploy(named, { revision: revisionOf(next) });
  await until(first, { status: 'InProgress', instanceTerminationWaitTimeStarted: true });
  await alarms.setState(account, 'errors', { state: 'ALARM', reason: 'a bad day' });
  const stopped = await until(first, {
    status: 'Stopped',
    rollbackInfo: expect.objectContaining({ rollbackDeploymentId: expect.any(String) as string }) as never,
  });
  expect(stopped.errorInformation).toEqual({
    code: 'ALARM_ACTIVE',
    message: expect.stringMatching(/^One or more alarms have been activated .* Activated alarms: <errors>$/) as string,
  });
  await until(stopped.rollbackInfo?.rollbackDeploymentId ?? '', { status: 'Succeeded' });

  // It is in ALARM still: a deployment is stopped at once, unless it is told not to ask.
  const second = await deploy(named, { revision: revisionOf(next) });
  await until(second, { status: 'Stopped' });
  const overrideAlarmConfiguration = { enabled: false, ignorePollAlarmFailure: false, alarms: [] };
  await vi.waitFor(
    async () => {
      const third = await deploy(named, { revision: revisionOf(next), overrideAlarmConfiguration });
      await until(third, { instanceTerminationWaitTimeStarted: true, overrideAlarmConfiguration });
    },
    { timeout: 60_000 },
  );
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
  const described = await describe('placed');
  expect(described).toMatchObject({
    launchType: 'EC2',
    networkConfiguration: { awsvpcConfiguration: { subnets: [subnet] } },
  });
  const changes = {
    NetworkConfiguration: { AwsvpcConfiguration: { Subnets: [subnet], AssignPublicIp: 'ENABLED' } },
    CapacityProviderStrategy: [{ CapacityProvider: 'FARGATE_SPOT', Base: 1, Weight: 2 }],
    PlatformVersion: '1.4.0',
  };
  const first = await deploy(named, { revision: revisionOf(awsvpc, [], changes) });
  await until(first, { instanceTerminationWaitTimeStarted: true });
  const placed = {
    capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', base: 1, weight: 2 }],
    networkConfiguration: { awsvpcConfiguration: { subnets: [subnet], assignPublicIp: 'ENABLED' } },
  };
  const { taskSets, ...service } = await describe('placed');
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
  await until(first, { status: 'Succeeded' });
  const second = await deploy(named, { revision: revisionOf(awsvpc) });
  await until(second, { instanceTerminationWaitTimeStarted: true });
  expect(await describe('placed')).toMatchObject({ ...placed, platformVersion: '1.4.0' });
  const record = await findService(ports, { account, cluster: 'default', service: 'placed' });
  const launch = { launchType: 'FARGATE', platformVersion: '1.4.0' };
  expect(record?.deployments.map((one) => one.launch)).toMatchObject([launch, launch]);

  const refused = async (given: object): Promise<string> =>
    (await refusal(deploy(named, { revision: revisionOf(awsvpc, [], given) }))).message;
  expect(await refused({ NetworkConfiguration: { AwsvpcConfiguration: { Subnets: ['subnet-1'] } } })).toBe(
    "The AppSpec is not valid: The subnet ID 'subnet-1' does not exist",
  );
  expect(await refused({ CapacityProviderStrategy: [{ CapacityProvider: 'other' }] })).toMatch(/not associated with/);
  expect(await refused({ PlatformVersion: '0.1' })).toMatch(/platform version '0\.1' does not exist/);
  const { taskDefinitionArn: bridge = '' } = await api.define({ family: 'bridged' });
  const onBridge = revisionOf(bridge, [], { NetworkConfiguration: { AwsvpcConfiguration: { Subnets: [subnet] } } });
  expect((await refusal(deploy(named, { revision: onBridge }))).name).toBe('InvalidRevisionException');
  for (const arn of Object.values(groupArns)) opened.api.groups.set(arn, { targetType: 'instance', usedBy: 'web' });
});

test('an alarm that is not there stops a deployment, and says what to do', async () => {
  const { named, next } = await prepare('unasked', {
    alarmConfiguration: { enabled: true, alarms: [{ name: 'nobody' }] },
  });
  const deploymentId = await deploy(named, { revision: revisionOf(next) });
  const { errorInformation } = await until(deploymentId, { status: 'Stopped' });
  expect(errorInformation?.code).toBe('CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND');
  expect(errorInformation?.message).toMatch(/alarm nobody cannot be asked.*ignorePollAlarmFailure/);
});

test('what deploys has the rights of the role of the group, and no more', async () => {
  const { named, next } = await prepare('rights');
  opened.api.denied.add('ecs:CreateTaskSet');
  const refused = await refusal(deploy(named, { revision: revisionOf(next) }));
  opened.api.denied.clear();
  expect(refused.name).toBe('InvalidRoleException');
  expect(refused.message).toMatch(/role\/codedeploy of the deployment group may not ecs:CreateTaskSet/);
});

test('UpdateService changes only what ECS lets it change', async () => {
  const { next } = await prepare('fixed');
  const update = (input: object) => opened.api.ecs.send(new UpdateServiceCommand({ service: 'fixed', ...input }));
  await expect(update({ taskDefinition: next })).rejects.toThrow(
    'Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment.',
  );
  await expect(update({ forceNewDeployment: true })).rejects.toThrow(
    /Cannot force a new deployment on services with a CODE_DEPLOY/,
  );
  await expect(
    update({ loadBalancers: [{ targetGroupArn: groupArns.green, containerName: 'main', containerPort: 80 }] }),
  ).rejects.toThrow(/Unable to update load balancers/);
  await expect(
    update({ deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } }),
  ).rejects.toThrow(/circuit breaker/);
  const { service } = await update({
    healthCheckGracePeriodSeconds: 5,
    deploymentConfiguration: { minimumHealthyPercent: 50 },
  });
  expect(service).toMatchObject({
    healthCheckGracePeriodSeconds: 5,
    deploymentConfiguration: { minimumHealthyPercent: 50 },
  });
});

const sha256 = 'a'.repeat(64);
test.each<[string, Partial<CreateDeploymentCommandInput>, string, RegExp]>([
  ['no application', { applicationName: '' }, 'ApplicationNameRequiredException', /required/],
  ['no group', { deploymentGroupName: undefined }, 'DeploymentGroupNameRequiredException', /required/],
  ['another group', { deploymentGroupName: 'gone' }, 'DeploymentGroupDoesNotExistException', /gone/],
  ['another configuration', { deploymentConfigName: 'gone' }, 'DeploymentConfigDoesNotExistException', /gone/],
  ['no revision', { revision: undefined }, 'RevisionRequiredException', /revision/],
  [
    'a bucket',
    { revision: { revisionType: 'S3', s3Location: { bucket: 'b', key: 'k' } } },
    'OperationNotSupportedException',
    /appSpecContent\.content/,
  ],
  [
    'another digest',
    { revision: { ...revisionOf('web:1'), appSpecContent: { content: 'version: 0.0', sha256 } } },
    'InvalidRevisionException',
    /sha256/,
  ],
  [
    'a broken text',
    { revision: { revisionType: 'String', string: { content: 'version: 0.0\nResources: 1' } } },
    'InvalidRevisionException',
    /line 2: Resources must be a list/,
  ],
  ['no such revision', { revision: revisionOf('nothing:7') }, 'InvalidRevisionException', /./],
  [
    'a Lambda function',
    { revision: revisionOf('bad:1', [{ BeforeInstall: 'arn:aws:lambda:us-east-1:000000000000:function:check' }]) },
    'InvalidRevisionException',
    /line 1: Hooks\[0\]\.BeforeInstall: there are no Lambda functions in this installation\. Use the https:/,
  ],
  ['no alarm', { overrideAlarmConfiguration: { enabled: true } }, 'InvalidAlarmConfigException', /must name an alarm/],
  ['instances', { updateOutdatedInstancesOnly: true }, 'InvalidInputException', /Server/],
])('a deployment with %s is refused', async (_, changes, name, message) => {
  if ((await describe('bad')).serviceName === undefined) {
    await prepare('bad');
  }
  const named = { applicationName: 'AppECS-default-bad', deploymentGroupName: 'DgpECS-default-bad' };
  const refused = await refusal(deploy(named, { revision: revisionOf('bad:1'), ...changes }));
  expect(refused.name).toBe(name);
  expect(refused.message).toMatch(message);
});

test('a container or a target group that is not there is told by its name', async () => {
  const { named } = await prepare('places');
  const plain = await opened.api.define({ family: 'portless' });
  await expect(refusal(deploy(named, { revision: revisionOf(plain.taskDefinitionArn ?? '') }))).resolves.toMatchObject({
    name: 'InvalidRevisionException',
    message: expect.stringContaining('did not have a container port 80') as string,
  });
  await addService(opened, 'homeless');
  const info = groupOf('homeless').loadBalancerInfo?.targetGroupPairInfoList?.[0];
  const other = await addGroup(opened, 'homeless', {
    loadBalancerInfo: { targetGroupPairInfoList: [{ ...info, targetGroups: [{ name: 'blue' }, { name: 'gone' }] }] },
  });
  const { taskDefinition = '' } = await describe('homeless');
  await expect(refusal(deploy(other, { revision: revisionOf(taskDefinition) }))).resolves.toEqual({
    name: 'InvalidTargetGroupPairException',
    message: 'There is no target group gone.',
  });
});
