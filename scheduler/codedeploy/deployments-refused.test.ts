import type { CreateDeploymentCommandInput } from '@aws-sdk/client-codedeploy';
import { UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { deploy, describeService, prepare, refusal } from './testing/deploying.ts';
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

test('what deploys has the rights of the role of the group, and no more', async () => {
  const { named, next } = await prepare(opened, 'rights');
  opened.api.denied.add('ecs:CreateTaskSet');
  const refused = await refusal(deploy(opened, named, { revision: revisionOf(next) }));
  opened.api.denied.clear();
  expect(refused.name).toBe('InvalidRoleException');
  expect(refused.message).toMatch(/role\/codedeploy of the deployment group may not ecs:CreateTaskSet/);
});

test('UpdateService changes only what ECS lets it change', async () => {
  const { next } = await prepare(opened, 'fixed');
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
  if ((await describeService(opened, 'bad')).serviceName === undefined) {
    await prepare(opened, 'bad');
  }
  const named = { applicationName: 'AppECS-default-bad', deploymentGroupName: 'DgpECS-default-bad' };
  const refused = await refusal(deploy(opened, named, { revision: revisionOf('bad:1'), ...changes }));
  expect(refused.name).toBe(name);
  expect(refused.message).toMatch(message);
});

test('a container or a target group that is not there is told by its name', async () => {
  const { named } = await prepare(opened, 'places');
  const plain = await opened.api.define({ family: 'portless' });
  await expect(
    refusal(deploy(opened, named, { revision: revisionOf(plain.taskDefinitionArn ?? '') })),
  ).resolves.toMatchObject({
    name: 'InvalidRevisionException',
    message: expect.stringContaining('did not have a container port 80') as string,
  });
  await addService(opened, 'homeless');
  const info = groupOf('homeless').loadBalancerInfo?.targetGroupPairInfoList?.[0];
  const other = await addGroup(opened, 'homeless', {
    loadBalancerInfo: { targetGroupPairInfoList: [{ ...info, targetGroups: [{ name: 'blue' }, { name: 'gone' }] }] },
  });
  const { taskDefinition = '' } = await describeService(opened, 'homeless');
  await expect(refusal(deploy(opened, other, { revision: revisionOf(taskDefinition) }))).resolves.toEqual({
    name: 'InvalidTargetGroupPairException',
    message: 'There is no target group gone.',
  });
});
