import {
  ContinueDeploymentCommand,
  GetDeploymentTargetCommand,
  ListDeploymentsCommand,
  StopDeploymentCommand,
} from '@aws-sdk/client-codedeploy';
import { UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { transact } from '@slipway/storage/records';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { account, region } from '../ecs/testing/open-api.ts';
import { beginCodeDeploy, findService } from '../services/index.ts';
import { Alarms } from '../signals/alarms/store/index.ts';
import { newDeploymentId, toJson } from '../state/index.ts';
import { bringAllOn } from './index.ts';
import { codeDeployKeys, codeDeployPartition } from './keys.ts';
import type { CodeDeployRecord } from './records.ts';
import { deploy, describeService, events, prepare, refusal, until } from './testing/deploying.ts';
import { groupArns, openCodeDeploy, revisionOf, type TestCodeDeploy } from './testing/open-codedeploy.ts';

let opened: TestCodeDeploy;
beforeAll(async () => {
  opened = await openCodeDeploy();
});
afterAll(() => opened[Symbol.asyncDispose]());

test('somebody lets traffic go to the new tasks, or it is stopped and goes back under an id of its own', async () => {
  const { named, next } = await prepare(opened, 'asked', {
    autoRollbackConfiguration: { enabled: true, events: ['DEPLOYMENT_STOP_ON_REQUEST'] },
    blueGreenDeploymentConfiguration: {
      deploymentReadyOption: { actionOnTimeout: 'STOP_DEPLOYMENT', waitTimeInMinutes: 30 },
    },
  });
  const first = await deploy(opened, named, { revision: revisionOf(next) });
  await until(opened, first, { status: 'Ready' });
  expect(await events(opened, first, 'asked')).toMatchObject({
    AllowTestTraffic: 'Succeeded',
    AllowTraffic: 'Pending',
  });
  await opened.codedeploy.send(new ContinueDeploymentCommand({ deploymentId: first }));
  await until(opened, first, { status: 'Succeeded' });
  await expect(
    refusal(opened.codedeploy.send(new ContinueDeploymentCommand({ deploymentId: first }))),
  ).resolves.toMatchObject({
    name: 'DeploymentAlreadyCompletedException',
  });

  const second = await deploy(opened, named, { revision: revisionOf(next) });
  await until(opened, second, { status: 'Ready' });
  await opened.codedeploy.send(new StopDeploymentCommand({ deploymentId: second }));
  const stopped = await until(opened, second, {
    status: 'Stopped',
    rollbackInfo: expect.objectContaining({ rollbackDeploymentId: expect.any(String) as string }) as never,
  });
  const rollbackId = stopped.rollbackInfo?.rollbackDeploymentId ?? '';
  expect(rollbackId).not.toBe(second);
  const back = await until(opened, rollbackId, { status: 'Succeeded' });
  expect(back).toMatchObject({
    creator: 'codeDeployRollback',
    rollbackInfo: { rollbackTriggeringDeploymentId: second },
  });
  expect(await events(opened, rollbackId, 'asked')).toMatchObject({ AllowTraffic: 'Succeeded', Install: 'Skipped' });
  const { deployments } = await opened.codedeploy.send(new ListDeploymentsCommand(named));
  expect(deployments?.toSorted()).toEqual([first, second, rollbackId].toSorted());
  // The service can be changed afterwards as ever, and deployed.
  await opened.api.ecs.send(new UpdateServiceCommand({ service: 'asked', desiredCount: 0 }));
  const third = await deploy(opened, named, { revision: revisionOf(next) });
  await until(opened, third, { status: 'Ready' });
});

test('what was stopped before it began, and begins by a server that had not heard of that, is stopped', async () => {
  const { named, next } = await prepare(opened, 'raced');
  const first = await deploy(opened, named, { revision: revisionOf(next) });
  await until(opened, first, { instanceTerminationWaitTimeStarted: true });
  await opened.codedeploy.send(
    new ContinueDeploymentCommand({ deploymentId: first, deploymentWaitType: 'TERMINATION_WAIT' }),
  );
  await until(opened, first, { status: 'Succeeded' });
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

test('one that is stopped without a rollback leaves everything as it is, until the next', async () => {
  const { named, next } = await prepare(opened, 'halted', {
    deploymentConfigName: 'CodeDeployDefault.ECSCanary10Percent15Minutes',
  });
  const first = await deploy(opened, named, { revision: revisionOf(next) });
  await vi.waitFor(
    async () => {
      const input = { deploymentId: first, targetId: 'default:halted' };
      const { deploymentTarget } = await opened.codedeploy.send(new GetDeploymentTargetCommand(input));
      expect(deploymentTarget?.ecsTarget?.taskSetsInfo).toMatchObject([{ trafficWeight: 10 }, { trafficWeight: 90 }]);
    },
    { timeout: 60_000 },
  );
  expect((await describeService(opened, 'halted')).loadBalancers?.[0]?.targetGroupArn).toBe(groupArns.blue);
  await opened.codedeploy.send(new StopDeploymentCommand({ deploymentId: first }));
  const stopped = await until(opened, first, { status: 'Stopped' });
  expect(stopped.rollbackInfo).toBeUndefined();
  expect(stopped.errorInformation?.code).toBe('MANUAL_STOP');
  expect((await describeService(opened, 'halted')).taskSets).toHaveLength(2);
  const second = await deploy(opened, named, {
    revision: revisionOf(next),
    deploymentConfigName: 'CodeDeployDefault.ECSAllAtOnce',
  });
  await until(opened, second, { instanceTerminationWaitTimeStarted: true });
});

test('a hook that fails ends the deployment, and a pause is named where it waits', async () => {
  const { named, next } = await prepare(opened, 'judged', {
    autoRollbackConfiguration: { enabled: true, events: ['DEPLOYMENT_FAILURE'] },
  });
  const deploymentId = await deploy(opened, named, { revision: revisionOf(next, [{ AfterInstall: 'PAUSE' }]) });
  await vi.waitFor(
    async () => expect(await events(opened, deploymentId, 'judged')).toMatchObject({ AfterInstall: 'InProgress' }),
    {
      timeout: 60_000,
    },
  );
  expect(await events(opened, deploymentId, 'judged')).toMatchObject({
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
  await until(opened, deploymentId, { status: 'Stopped' });
});

test('an alarm stops a deployment, which goes back where it is told to; another one may look past it', async () => {
  const alarms = new Alarms(opened.api.ports);
  const subject = { kind: 'composite', rule: 'FALSE' } as const;
  const actions = { OK: [], ALARM: [], INSUFFICIENT_DATA: [] };
  await alarms.put(account, { name: 'errors', actionsEnabled: true, actions, subject }, {});
  await alarms.setState(account, 'errors', { state: 'OK', reason: 'a good day' });
  const { named, next } = await prepare(opened, 'alarmed', {
    alarmConfiguration: { enabled: true, alarms: [{ name: 'errors' }] },
    autoRollbackConfiguration: { enabled: true, events: ['DEPLOYMENT_STOP_ON_ALARM'] },
  });
  opened.api.denied.add('cloudwatch:DescribeAlarms');
  expect(await refusal(deploy(opened, named, { revision: revisionOf(next) }))).toMatchObject({
    name: 'InvalidRoleException',
    message: expect.stringContaining(
      `cloudwatch:DescribeAlarms on arn:aws:cloudwatch:${region}:${account}:alarm:errors`,
    ),
  });
  opened.api.denied.clear();

  const first = await deploy(opened, named, { revision: revisionOf(next) });
  await until(opened, first, { status: 'InProgress', instanceTerminationWaitTimeStarted: true });
  await alarms.setState(account, 'errors', { state: 'ALARM', reason: 'a bad day' });
  const stopped = await until(opened, first, {
    status: 'Stopped',
    rollbackInfo: expect.objectContaining({ rollbackDeploymentId: expect.any(String) as string }) as never,
  });
  expect(stopped.errorInformation).toEqual({
    code: 'ALARM_ACTIVE',
    message: expect.stringMatching(/^One or more alarms have been activated .* Activated alarms: <errors>$/) as string,
  });
  await until(opened, stopped.rollbackInfo?.rollbackDeploymentId ?? '', { status: 'Succeeded' });

  // It is in ALARM still: a deployment is stopped at once, unless it is told not to ask.
  const second = await deploy(opened, named, { revision: revisionOf(next) });
  await until(opened, second, { status: 'Stopped' });
  const overrideAlarmConfiguration = { enabled: false, ignorePollAlarmFailure: false, alarms: [] };
  await vi.waitFor(
    async () => {
      const third = await deploy(opened, named, { revision: revisionOf(next), overrideAlarmConfiguration });
      await until(opened, third, { instanceTerminationWaitTimeStarted: true, overrideAlarmConfiguration });
    },
    { timeout: 60_000 },
  );
});

test('an alarm that is not there stops a deployment, and says what to do', async () => {
  const { named, next } = await prepare(opened, 'unasked', {
    alarmConfiguration: { enabled: true, alarms: [{ name: 'nobody' }] },
  });
  const deploymentId = await deploy(opened, named, { revision: revisionOf(next) });
  const { errorInformation } = await until(opened, deploymentId, { status: 'Stopped' });
  expect(errorInformation?.code).toBe('CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND');
  expect(errorInformation?.message).toMatch(/alarm nobody cannot be asked.*ignorePollAlarmFailure/);
});
