import {
  BatchGetApplicationsCommand,
  BatchGetDeploymentGroupsCommand,
  CreateApplicationCommand,
  CreateDeploymentConfigCommand,
  CreateDeploymentGroupCommand,
  type CreateDeploymentGroupCommandInput,
  DeleteApplicationCommand,
  DeleteDeploymentConfigCommand,
  DeleteDeploymentGroupCommand,
  GetApplicationCommand,
  GetDeploymentConfigCommand,
  GetDeploymentGroupCommand,
  GetDeploymentInstanceCommand,
  ListApplicationsCommand,
  ListDeploymentConfigsCommand,
  ListDeploymentGroupsCommand,
  ListTagsForResourceCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateApplicationCommand,
  UpdateDeploymentGroupCommand,
} from '@aws-sdk/client-codedeploy';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { account, region } from '../ecs/testing/open-api.ts';
import { refusal } from './testing/deploying.ts';
import {
  addGroup,
  addService,
  groupOf,
  listeners,
  openCodeDeploy,
  type TestCodeDeploy,
} from './testing/open-codedeploy.ts';

let opened: TestCodeDeploy;
beforeAll(async () => {
  opened = await openCodeDeploy();
  await addService(opened, 'plain');
});
afterAll(() => opened[Symbol.asyncDispose]());

const send: TestCodeDeploy['codedeploy']['send'] = (command: never) => opened.codedeploy.send(command);

test('an application is made once, renamed with its groups, and ends', async () => {
  await addService(opened, 'renamed');
  const named = await addGroup(opened, 'renamed');
  const { applicationName, deploymentGroupName } = named;
  await expect(
    refusal(send(new CreateApplicationCommand({ applicationName, computePlatform: 'ECS' }))),
  ).resolves.toMatchObject({
    name: 'ApplicationAlreadyExistsException',
  });
  await send(new UpdateApplicationCommand({ applicationName, newApplicationName: 'shop' }));
  const { application } = await opened.codedeploy.send(new GetApplicationCommand({ applicationName: 'shop' }));
  expect(application).toMatchObject({ applicationName: 'shop', computePlatform: 'ECS', linkedToGitHub: false });
  expect(
    (await opened.codedeploy.send(new ListDeploymentGroupsCommand({ applicationName: 'shop' }))).deploymentGroups,
  ).toEqual([deploymentGroupName]);
  expect((await opened.codedeploy.send(new ListApplicationsCommand({}))).applications).toContain('shop');
  expect(
    (await opened.codedeploy.send(new BatchGetApplicationsCommand({ applicationNames: ['shop'] }))).applicationsInfo,
  ).toEqual([application]);
  await expect(refusal(send(new GetApplicationCommand({ applicationName })))).resolves.toEqual({
    name: 'ApplicationDoesNotExistException',
    message: `No application found for name: ${applicationName}`,
  });
  await send(new DeleteApplicationCommand({ applicationName: 'shop' }));
  await send(new DeleteApplicationCommand({ applicationName: 'shop' }));
  // Its service is free for another group.
  await addGroup(opened, 'renamed');
  await send(new DeleteApplicationCommand({ applicationName }));
});

test('configurations are those of CodeDeploy and the own ones', async () => {
  const { deploymentConfigsList } = await opened.codedeploy.send(new ListDeploymentConfigsCommand({}));
  expect(deploymentConfigsList).toEqual([
    'CodeDeployDefault.ECSAllAtOnce',
    'CodeDeployDefault.ECSCanary10Percent15Minutes',
    'CodeDeployDefault.ECSCanary10Percent5Minutes',
    'CodeDeployDefault.ECSLinear10PercentEvery1Minutes',
    'CodeDeployDefault.ECSLinear10PercentEvery3Minutes',
  ]);
  const get = async (deploymentConfigName: string) =>
    (await opened.codedeploy.send(new GetDeploymentConfigCommand({ deploymentConfigName }))).deploymentConfigInfo;
  expect(await get('CodeDeployDefault.ECSCanary10Percent5Minutes')).toMatchObject({
    computePlatform: 'ECS',
    trafficRoutingConfig: { type: 'TimeBasedCanary', timeBasedCanary: { canaryPercentage: 10, canaryInterval: 5 } },
  });
  const trafficRoutingConfig = {
    type: 'TimeBasedLinear' as const,
    timeBasedLinear: { linearPercentage: 25, linearInterval: 2 },
  };
  const own = { deploymentConfigName: 'quarters', computePlatform: 'ECS' as const, trafficRoutingConfig };
  await send(new CreateDeploymentConfigCommand(own));
  expect(await get('quarters')).toMatchObject({ deploymentConfigName: 'quarters', trafficRoutingConfig });
  await addService(opened, 'quartered');
  const named = await addGroup(opened, 'quartered', { deploymentConfigName: 'quarters' });
  await expect(
    refusal(send(new DeleteDeploymentConfigCommand({ deploymentConfigName: 'quarters' }))),
  ).resolves.toMatchObject({
    name: 'DeploymentConfigInUseException',
  });
  await send(new DeleteDeploymentGroupCommand(named));
  await send(new DeleteDeploymentConfigCommand({ deploymentConfigName: 'quarters' }));
  await expect(refusal(get('quarters'))).resolves.toMatchObject({ name: 'DeploymentConfigDoesNotExistException' });
});

test.each([
  [
    'another platform',
    { computePlatform: 'Lambda' as const },
    'OperationNotSupportedException',
    /computePlatform to 'ECS'/,
  ],
  ['no platform', { computePlatform: undefined }, 'OperationNotSupportedException', /Server/],
  [
    'no routing',
    { trafficRoutingConfig: undefined },
    'InvalidTrafficRoutingConfigurationException',
    /trafficRoutingConfig/,
  ],
  [
    'a percentage of 100',
    {
      trafficRoutingConfig: {
        type: 'TimeBasedCanary' as const,
        timeBasedCanary: { canaryPercentage: 100, canaryInterval: 1 },
      },
    },
    'InvalidTrafficRoutingConfigurationException',
    /1 to 99/,
  ],
  [
    'no interval',
    { trafficRoutingConfig: { type: 'TimeBasedLinear' as const, timeBasedLinear: { linearPercentage: 10 } } },
    'InvalidTrafficRoutingConfigurationException',
    /linearInterval/,
  ],
  [
    'healthy hosts',
    { minimumHealthyHosts: { type: 'HOST_COUNT' as const, value: 1 } },
    'InvalidMinimumHealthyHostValueException',
    /Server/,
  ],
  [
    'a name of CodeDeploy',
    { deploymentConfigName: 'CodeDeployDefault.Mine' },
    'InvalidDeploymentConfigNameException',
    /own/,
  ],
])('a configuration with %s is refused', async (_, changes, name, message) => {
  const trafficRoutingConfig = { type: 'AllAtOnce' as const };
  const input = { deploymentConfigName: 'bad', computePlatform: 'ECS' as const, trafficRoutingConfig, ...changes };
  const refused = await refusal(send(new CreateDeploymentConfigCommand(input)));
  expect(refused.name).toBe(name);
  expect(refused.message).toMatch(message);
});

test('a group is shown as it was given, changed member by member, and has its service alone', async () => {
  await addService(opened, 'web');
  const alarmConfiguration = { enabled: true, ignorePollAlarmFailure: true, alarms: [{ name: 'errors' }] };
  const autoRollbackConfiguration: CreateDeploymentGroupCommandInput['autoRollbackConfiguration'] = {
    enabled: true,
    events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM'],
  };
  const named = await addGroup(opened, 'web', {
    alarmConfiguration,
    autoRollbackConfiguration,
    tags: [{ Key: 'team', Value: 'a' }],
  });
  const { applicationName, deploymentGroupName } = named;
  const get = async () => (await opened.codedeploy.send(new GetDeploymentGroupCommand(named))).deploymentGroupInfo;
  const { serviceRoleArn, deploymentStyle, ecsServices, loadBalancerInfo } = groupOf('web');
  expect(await get()).toMatchObject({
    applicationName,
    deploymentGroupName,
    serviceRoleArn,
    deploymentStyle,
    ecsServices,
    loadBalancerInfo,
    deploymentConfigName: 'CodeDeployDefault.ECSAllAtOnce',
    computePlatform: 'ECS',
    alarmConfiguration,
    autoRollbackConfiguration,
    blueGreenDeploymentConfiguration: {
      terminateBlueInstancesOnDeploymentSuccess: { action: 'TERMINATE', terminationWaitTimeInMinutes: 5 },
      deploymentReadyOption: { actionOnTimeout: 'CONTINUE_DEPLOYMENT', waitTimeInMinutes: 0 },
    },
  });
  const change = {
    applicationName,
    currentDeploymentGroupName: deploymentGroupName,
    deploymentConfigName: 'CodeDeployDefault.ECSLinear10PercentEvery1Minutes',
    blueGreenDeploymentConfiguration: {
      deploymentReadyOption: { actionOnTimeout: 'STOP_DEPLOYMENT' as const, waitTimeInMinutes: 10 },
    },
  };
  await send(new UpdateDeploymentGroupCommand({ ...change, alarmConfiguration: { alarms: [{ name: 'slow' }] } }));
  expect(await get()).toMatchObject({
    alarmConfiguration: { enabled: false, ignorePollAlarmFailure: false, alarms: [{ name: 'slow' }] },
    deploymentConfigName: 'CodeDeployDefault.ECSLinear10PercentEvery1Minutes',
    serviceRoleArn,
    blueGreenDeploymentConfiguration: {
      terminateBlueInstancesOnDeploymentSuccess: { terminationWaitTimeInMinutes: 5 },
      deploymentReadyOption: { actionOnTimeout: 'STOP_DEPLOYMENT', waitTimeInMinutes: 10 },
    },
  });
  const other = { applicationName, deploymentGroupName: 'other', ...groupOf('web') };
  await expect(refusal(send(new CreateDeploymentGroupCommand(other)))).resolves.toMatchObject({
    name: 'ECSServiceMappingLimitExceededException',
  });
  const batch = new BatchGetDeploymentGroupsCommand({ applicationName, deploymentGroupNames: [deploymentGroupName] });
  expect((await opened.codedeploy.send(batch)).deploymentGroupsInfo).toEqual([await get()]);

  const ResourceArn = `arn:aws:codedeploy:${region}:${account}:deploymentgroup:${applicationName}/${deploymentGroupName}`;
  await send(new TagResourceCommand({ ResourceArn, Tags: [{ Key: 'stage', Value: 'b' }] }));
  await send(new UntagResourceCommand({ ResourceArn, TagKeys: ['team'] }));
  expect((await opened.codedeploy.send(new ListTagsForResourceCommand({ ResourceArn }))).Tags).toEqual([
    { Key: 'stage', Value: 'b' },
  ]);
});

test.each<[string, Partial<CreateDeploymentGroupCommandInput>, string, RegExp]>([
  ['no name', { deploymentGroupName: '' }, 'DeploymentGroupNameRequiredException', /required/],
  ['an application that is not there', { applicationName: 'nobody' }, 'ApplicationDoesNotExistException', /nobody/],
  ['no role', { serviceRoleArn: '' }, 'RoleRequiredException', /serviceRoleArn/],
  [
    'a role of another account',
    { serviceRoleArn: 'arn:aws:iam::111111111111:role/x' },
    'InvalidRoleException',
    /role of this account/,
  ],
  ['another configuration', { deploymentConfigName: 'nothing' }, 'DeploymentConfigDoesNotExistException', /nothing/],
  ['no style', { deploymentStyle: undefined }, 'InvalidDeploymentStyleException', /BLUE_GREEN/],
  ['no service', { ecsServices: [] }, 'InvalidECSServiceException', /ecsServices/],
  [
    'a service that is not there',
    { ecsServices: [{ clusterName: 'default', serviceName: 'gone' }] },
    'InvalidECSServiceException',
    /gone/,
  ],
  [
    'alarms, and none is named',
    { alarmConfiguration: { enabled: true, alarms: [] } },
    'InvalidAlarmConfigException',
    /must name an alarm/,
  ],
  ['an alarm without a name', { alarmConfiguration: { alarms: [{}] } }, 'InvalidAlarmConfigException', /needs a name/],
  [
    'a name that is too long',
    { alarmConfiguration: { alarms: [{ name: 'a'.repeat(256) }] } },
    'InvalidAlarmConfigException',
    /1 to 255/,
  ],
  [
    'an alarm that is named twice',
    { alarmConfiguration: { enabled: true, alarms: [{ name: 'a' }, { name: 'a' }] } },
    'InvalidAlarmConfigException',
    /names a twice/,
  ],
  [
    'eleven alarms',
    { alarmConfiguration: { enabled: true, alarms: Array.from({ length: 11 }, (_, n) => ({ name: `a${n}` })) } },
    'AlarmsLimitExceededException',
    /at most 10/,
  ],
  [
    'a trigger',
    { triggerConfigurations: [{ triggerName: 't', triggerTargetArn: 'x', triggerEvents: ['DeploymentFailure'] }] },
    'OperationNotSupportedException',
    /triggerConfigurations/,
  ],
  [
    'rollback on nothing',
    { autoRollbackConfiguration: { enabled: true, events: [] } },
    'InvalidAutoRollbackConfigException',
    /DEPLOYMENT_FAILURE, DEPLOYMENT_STOP_ON_ALARM, DEPLOYMENT_STOP_ON_REQUEST/,
  ],
  ['instances', { ec2TagFilters: [{ Key: 'a' }] }, 'InvalidInputException', /ec2TagFilters/],
  [
    'old tasks that stay',
    { blueGreenDeploymentConfiguration: { terminateBlueInstancesOnDeploymentSuccess: { action: 'KEEP_ALIVE' } } },
    'InvalidBlueGreenDeploymentConfigurationException',
    /TERMINATE/,
  ],
  [
    'a wait for nobody',
    {
      blueGreenDeploymentConfiguration: {
        deploymentReadyOption: { actionOnTimeout: 'CONTINUE_DEPLOYMENT', waitTimeInMinutes: 5 },
      },
    },
    'InvalidBlueGreenDeploymentConfigurationException',
    /STOP_DEPLOYMENT/,
  ],
  [
    'one target group',
    { loadBalancerInfo: { targetGroupPairInfoList: [{ targetGroups: [{ name: 'blue' }] }] } },
    'InvalidTargetGroupPairException',
    /two target groups/,
  ],
  [
    'one listener for both',
    {
      loadBalancerInfo: {
        targetGroupPairInfoList: [
          {
            targetGroups: [{ name: 'blue' }, { name: 'green' }],
            prodTrafficRoute: { listenerArns: [listeners.test] },
            testTrafficRoute: { listenerArns: [listeners.test] },
          },
        ],
      },
    },
    'InvalidTargetGroupPairException',
    /another one/,
  ],
])('a group with %s is refused', async (_, changes, name, message) => {
  await opened.codedeploy
    .send(new CreateApplicationCommand({ applicationName: 'bad', computePlatform: 'ECS' }))
    .catch(() => undefined);
  const input = { applicationName: 'bad', deploymentGroupName: 'bad', ...groupOf('plain'), ...changes };
  const refused = await refusal(send(new CreateDeploymentGroupCommand(input)));
  expect(refused.name).toBe(name);
  expect(refused.message).toMatch(message);
});

test('a service of another controller is refused, and so is an operation of Server deployments', async () => {
  await addService(opened, 'rolling', { deploymentController: { type: 'ECS' } });
  const input = { applicationName: 'bad', deploymentGroupName: 'bad', ...groupOf('rolling') };
  await expect(refusal(send(new CreateDeploymentGroupCommand(input)))).resolves.toEqual({
    name: 'InvalidECSServiceException',
    message: "Deployment group's ECS service must be configured for a CODE_DEPLOY deployment controller.",
  });
  const instance = new GetDeploymentInstanceCommand({ deploymentId: 'd-1', instanceId: 'i-1' });
  await expect(refusal(send(instance))).resolves.toMatchObject({
    name: 'OperationNotSupportedException',
    message: expect.stringContaining('GetDeploymentTarget') as string,
  });
});

test('handing CodeDeploy a role needs iam:PassRole for it', async () => {
  opened.api.denied.add('iam:PassRole');
  const input = { applicationName: 'bad', deploymentGroupName: 'bad', ...groupOf('plain') };
  await expect(refusal(send(new CreateDeploymentGroupCommand(input)))).resolves.toMatchObject({
    name: 'AccessDeniedException',
  });
  opened.api.denied.clear();
  expect(opened.api.asked).toContainEqual(
    expect.objectContaining({ action: 'iam:PassRole', context: { 'iam:PassedToService': 'codedeploy.amazonaws.com' } }),
  );
});
