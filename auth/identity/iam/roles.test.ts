import {
  AddRoleToInstanceProfileCommand,
  AttachRolePolicyCommand,
  CreateInstanceProfileCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  CreateServiceLinkedRoleCommand,
  CreateUserCommand,
  DeleteInstanceProfileCommand,
  DeletePolicyCommand,
  DeleteRoleCommand,
  DeleteRolePermissionsBoundaryCommand,
  DeleteServiceLinkedRoleCommand,
  DeleteUserCommand,
  GetInstanceProfileCommand,
  GetRoleCommand,
  GetServiceLinkedRoleDeletionStatusCommand,
  ListInstanceProfilesForRoleCommand,
  ListRolesCommand,
  PutRolePermissionsBoundaryCommand,
  RemoveRoleFromInstanceProfileCommand,
  UpdateAssumeRolePolicyCommand,
  UpdateRoleCommand,
} from '@aws-sdk/client-iam';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACCOUNT, type Installation, openInstallation } from '../testing/installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await openInstallation();
});
afterAll(() => installation[Symbol.asyncDispose]());

const trusting = (Principal: unknown): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole' }] });
const tasks = trusting({ Service: 'ecs-tasks.amazonaws.com' });

test('a role keeps its trust policy, description and session length', async () => {
  const iam = installation.iam();
  const { Role } = await iam.send(
    new CreateRoleCommand({
      RoleName: 'task',
      Path: '/svc/',
      AssumeRolePolicyDocument: tasks,
      Description: 'what the service may do',
      MaxSessionDuration: 7200,
    }),
  );
  expect(Role).toMatchObject({ Arn: `arn:aws:iam::${ACCOUNT}:role/svc/task`, MaxSessionDuration: 7200 });
  await iam.send(new UpdateRoleCommand({ RoleName: 'task', Description: 'changed' }));
  const got = await iam.send(new GetRoleCommand({ RoleName: 'task' }));
  expect(decodeURIComponent(got.Role?.AssumeRolePolicyDocument ?? '')).toBe(tasks);
  expect(got.Role).toMatchObject({ Description: 'changed', MaxSessionDuration: 7200, RoleId: Role?.RoleId });
});

test('a trust policy is about taking the role on, and names somebody; lists that are empty beside others do not count', async () => {
  const iam = installation.iam();
  const put = (change: object, RoleName = 'narrow') =>
    iam.send(
      new CreateRoleCommand({
        RoleName,
        AssumeRolePolicyDocument: JSON.stringify({
          Version: '2012-10-17',
          Statement: [
            { Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'sts:AssumeRole' },
            { Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'sts:AssumeRole', ...change },
          ],
        }),
      }),
    );
  const actions = ['s3:GetObject', '*', 'iam:*', ['sts:AssumeRole', 's3:GetObject'], 'sts:GetCallerIdentity'];
  for (const Action of actions) {
    await expect(put({ Action })).rejects.toMatchObject({
      name: 'MalformedPolicyDocumentException',
      message: expect.stringMatching(/^AssumeRole policy may only specify STS AssumeRole actions\. \(Statement\[1\]/),
    });
  }
  await expect(put({ Action: undefined, NotAction: 's3:*' })).rejects.toThrow(/STS AssumeRole actions/);
  for (const Principal of [{}, { AWS: [], Service: [] }, undefined]) {
    await expect(put({ Principal })).rejects.toMatchObject({ name: 'MalformedPolicyDocumentException' });
  }
  await put({ Action: ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession', 'sts:SetSourceIdentity', 'STS:assume*'] });
  await expect(
    iam.send(
      new UpdateAssumeRolePolicyCommand({
        RoleName: 'narrow',
        PolicyDocument: tasks.replace('sts:AssumeRole', 's3:GetObject'),
      }),
    ),
  ).rejects.toThrow(/STS AssumeRole actions/);
  await put({ Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root`, Service: [] } }, 'module');
  const { Role } = await iam.send(new GetRoleCommand({ RoleName: 'module' }));
  expect(JSON.parse(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? '')).Statement[1].Principal.Service).toEqual(
    [],
  );
});

test('trust policies name users and roles that exist, by unique id: a re-created namesake is somebody else', async () => {
  const iam = installation.iam();
  const { User } = await iam.send(new CreateUserCommand({ UserName: 'trusted' }));
  const named = trusting({ AWS: User?.Arn });
  await iam.send(new CreateRoleCommand({ RoleName: 'trusting', AssumeRolePolicyDocument: named }));
  const shown = async () => {
    const { Role } = await iam.send(new GetRoleCommand({ RoleName: 'trusting' }));
    return decodeURIComponent(Role?.AssumeRolePolicyDocument ?? '');
  };
  expect(await shown()).toBe(named);
  await iam.send(new DeleteUserCommand({ UserName: 'trusted' }));
  expect(await shown()).toBe(trusting({ AWS: User?.UserId }));
  await iam.send(new CreateUserCommand({ UserName: 'trusted' }));
  expect(await shown()).toBe(trusting({ AWS: User?.UserId }));
  await expect(
    iam.send(
      new UpdateAssumeRolePolicyCommand({
        RoleName: 'trusting',
        PolicyDocument: trusting({ AWS: `arn:aws:iam::${ACCOUNT}:user/ghost` }),
      }),
    ),
  ).rejects.toMatchObject({
    name: 'MalformedPolicyDocumentException',
    message: `Invalid principal in policy: "AWS":"arn:aws:iam::${ACCOUNT}:user/ghost"`,
  });
});

test('a trust policy has no resource, and a role has a session length within limits', async () => {
  const iam = installation.iam();
  const withResource = JSON.stringify({
    Statement: { Effect: 'Allow', Principal: '*', Action: 'sts:*', Resource: '*' },
  });
  await expect(
    iam.send(new CreateRoleCommand({ RoleName: 'bad', AssumeRolePolicyDocument: withResource })),
  ).rejects.toMatchObject({
    name: 'MalformedPolicyDocumentException',
    message: expect.stringContaining('prohibited field Resource'),
  });
  await expect(
    iam.send(new CreateRoleCommand({ RoleName: 'bad', AssumeRolePolicyDocument: tasks, MaxSessionDuration: 60 })),
  ).rejects.toMatchObject({ name: 'ValidationError' });
});

test('a permissions boundary is a policy that exists and that nobody deletes meanwhile', async () => {
  const iam = installation.iam();
  const document = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'ecr:*', Resource: '*' }],
  });
  const { Policy } = await iam.send(new CreatePolicyCommand({ PolicyName: 'limit', PolicyDocument: document }));
  const PermissionsBoundary = Policy?.Arn ?? '';
  await iam.send(new CreateRoleCommand({ RoleName: 'bounded', AssumeRolePolicyDocument: tasks, PermissionsBoundary }));
  const { Role } = await iam.send(new GetRoleCommand({ RoleName: 'bounded' }));
  expect(Role?.PermissionsBoundary?.PermissionsBoundaryArn).toBe(PermissionsBoundary);
  await expect(iam.send(new DeletePolicyCommand({ PolicyArn: PermissionsBoundary }))).rejects.toMatchObject({
    name: 'DeleteConflictException',
  });
  await expect(
    iam.send(
      new PutRolePermissionsBoundaryCommand({ RoleName: 'bounded', PermissionsBoundary: `${PermissionsBoundary}x` }),
    ),
  ).rejects.toMatchObject({ name: 'NoSuchEntityException' });
  await iam.send(new DeleteRolePermissionsBoundaryCommand({ RoleName: 'bounded' }));
  await iam.send(new DeletePolicyCommand({ PolicyArn: PermissionsBoundary }));
});

test('an instance profile holds one role, which then cannot be deleted', async () => {
  const iam = installation.iam();
  await iam.send(new CreateRoleCommand({ RoleName: 'host', AssumeRolePolicyDocument: tasks }));
  await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: 'Hosts' }));
  const add = { InstanceProfileName: 'hosts', RoleName: 'host' };
  await iam.send(new AddRoleToInstanceProfileCommand(add));
  await expect(iam.send(new AddRoleToInstanceProfileCommand(add))).rejects.toMatchObject({
    name: 'LimitExceededException',
  });
  const { InstanceProfile } = await iam.send(new GetInstanceProfileCommand({ InstanceProfileName: 'Hosts' }));
  expect(InstanceProfile?.Roles?.map((role) => role.RoleName)).toEqual(['host']);
  const profiles = await iam.send(new ListInstanceProfilesForRoleCommand({ RoleName: 'host' }));
  expect(profiles.InstanceProfiles?.map((profile) => profile.InstanceProfileName)).toEqual(['Hosts']);
  await expect(iam.send(new DeleteRoleCommand({ RoleName: 'host' }))).rejects.toMatchObject({
    name: 'DeleteConflictException',
  });
  await iam.send(new RemoveRoleFromInstanceProfileCommand(add));
  await iam.send(new DeleteInstanceProfileCommand({ InstanceProfileName: 'Hosts' }));
  await iam.send(new DeleteRoleCommand({ RoleName: 'host' }));
});

test('built-in and service-linked roles are there, and cannot be changed by hand', async () => {
  const iam = installation.iam();
  const { Roles } = await iam.send(new ListRolesCommand({ PathPrefix: '/aws-service-role/' }));
  expect(Roles?.map((role) => role.RoleName)).toEqual(['AWSServiceRoleForECS']);
  await expect(iam.send(new DeleteRoleCommand({ RoleName: 'AWSServiceRoleForECS' }))).rejects.toMatchObject({
    name: 'UnmodifiableEntityException',
  });
  await expect(
    iam.send(
      new AttachRolePolicyCommand({
        RoleName: 'AWSServiceRoleForECS',
        PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess',
      }),
    ),
  ).rejects.toMatchObject({ name: 'UnmodifiableEntityException' });
  const AWSServiceName = 'ecs.application-autoscaling.amazonaws.com';
  const made = await iam.send(new CreateServiceLinkedRoleCommand({ AWSServiceName }));
  const RoleName = made.Role?.RoleName ?? '';
  expect(RoleName).toBe('AWSServiceRoleForApplicationAutoScaling_ECSService');
  await expect(iam.send(new CreateServiceLinkedRoleCommand({ AWSServiceName }))).rejects.toMatchObject({
    name: 'InvalidInputException',
  });
  const { DeletionTaskId } = await iam.send(new DeleteServiceLinkedRoleCommand({ RoleName }));
  const status = await iam.send(new GetServiceLinkedRoleDeletionStatusCommand({ DeletionTaskId }));
  expect(status.Status).toBe('SUCCEEDED');
});
