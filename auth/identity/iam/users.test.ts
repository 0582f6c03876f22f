import {
  AddUserToGroupCommand,
  AttachGroupPolicyCommand,
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateGroupCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteGroupCommand,
  DeleteUserCommand,
  DetachUserPolicyCommand,
  GetGroupCommand,
  GetUserCommand,
  GetUserPolicyCommand,
  ListAccessKeysCommand,
  ListAttachedUserPoliciesCommand,
  ListGroupsForUserCommand,
  ListUserPoliciesCommand,
  ListUsersCommand,
  ListUserTagsCommand,
  PutUserPolicyCommand,
  RemoveUserFromGroupCommand,
  TagUserCommand,
  UntagUserCommand,
  UpdateAccessKeyCommand,
  UpdateGroupCommand,
  UpdateUserCommand,
} from '@aws-sdk/client-iam';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACCOUNT, type Installation, openInstallation } from '../testing/installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await openInstallation();
});
afterAll(() => installation[Symbol.asyncDispose]());

const policy = (action: string, resource = '*'): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: action, Resource: resource }] });

async function userWithKey(name: string) {
  const iam = installation.iam();
  await iam.send(new CreateUserCommand({ UserName: name }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: name }));
  return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
}

test('a user is created, read, tagged and deleted', async () => {
  const iam = installation.iam();
  const created = await iam.send(
    new CreateUserCommand({ UserName: 'Bob', Path: '/team-a/', Tags: [{ Key: 'Team', Value: 'a' }] }),
  );
  expect(created.User).toMatchObject({
    UserName: 'Bob',
    Path: '/team-a/',
    Arn: `arn:aws:iam::${ACCOUNT}:user/team-a/Bob`,
    UserId: expect.stringMatching(/^AIDA[A-Z2-7]{17}$/),
    Tags: [{ Key: 'Team', Value: 'a' }],
  });
  const got = await iam.send(new GetUserCommand({ UserName: 'bob' }));
  expect(got.User?.UserId).toBe(created.User?.UserId);
  await iam.send(
    new TagUserCommand({
      UserName: 'Bob',
      Tags: [
        { Key: 'team', Value: 'b' },
        { Key: 'x', Value: '' },
      ],
    }),
  );
  await iam.send(new UntagUserCommand({ UserName: 'Bob', TagKeys: ['X'] }));
  expect((await iam.send(new ListUserTagsCommand({ UserName: 'Bob' }))).Tags).toEqual([{ Key: 'team', Value: 'b' }]);
  await iam.send(new DeleteUserCommand({ UserName: 'Bob' }));
  await expect(iam.send(new GetUserCommand({ UserName: 'Bob' }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
    message: 'The user with name Bob cannot be found.',
    $metadata: { httpStatusCode: 404 },
  });
});

test('names are unique without regard to case', async () => {
  const iam = installation.iam();
  await iam.send(new CreateUserCommand({ UserName: 'Casey' }));
  await expect(iam.send(new CreateUserCommand({ UserName: 'cASEY' }))).rejects.toMatchObject({
    name: 'EntityAlreadyExistsException',
    $metadata: { httpStatusCode: 409 },
  });
});

test.each([
  [{ UserName: 'a b' }, /UserName.*regular expression/i],
  [{ UserName: 'x'.repeat(65) }, /length less than or equal to 64/],
  [{ UserName: 'ok', Path: 'no-slash' }, /Path.*regular expression/i],
  [{ UserName: 'ok', Tags: [{ Key: 'aws:x', Value: 'y' }] }, /reserved/],
])('a bad user %j is refused with a reason and not made', async (input, message) => {
  const iam = installation.iam();
  await expect(iam.send(new CreateUserCommand(input))).rejects.toThrow(message);
  await expect(iam.send(new GetUserCommand({ UserName: 'ok' }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
  });
});

test('an access key works at once, stops when inactive, works again, and stops when deleted', async () => {
  const iam = installation.iam();
  const key = await userWithKey('keyed');
  const who = () => installation.sts(key).send(new GetCallerIdentityCommand({}));
  expect((await who()).Arn).toBe(`arn:aws:iam::${ACCOUNT}:user/keyed`);
  await iam.send(new UpdateAccessKeyCommand({ UserName: 'keyed', AccessKeyId: key.accessKeyId, Status: 'Inactive' }));
  await expect(who()).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
  await iam.send(new UpdateAccessKeyCommand({ UserName: 'keyed', AccessKeyId: key.accessKeyId, Status: 'Active' }));
  await who();
  await iam.send(new DeleteAccessKeyCommand({ UserName: 'keyed', AccessKeyId: key.accessKeyId }));
  await expect(who()).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
});

test('a user has at most two access keys, and their secrets are shown once only', async () => {
  const iam = installation.iam();
  const first = await userWithKey('two-keys');
  await iam.send(new CreateAccessKeyCommand({ UserName: 'two-keys' }));
  await expect(iam.send(new CreateAccessKeyCommand({ UserName: 'two-keys' }))).rejects.toMatchObject({
    name: 'LimitExceededException',
  });
  const listed = await iam.send(new ListAccessKeysCommand({ UserName: 'two-keys' }));
  expect(listed.AccessKeyMetadata).toHaveLength(2);
  expect(JSON.stringify(listed)).not.toContain(first.secretAccessKey);
});

test('P1 a user without policies may do nothing but ask who it is, and is told why', async () => {
  const key = await userWithKey('nobody');
  await expect(installation.iam(key).send(new ListUsersCommand({}))).rejects.toMatchObject({
    name: 'AccessDenied',
    message: `User: arn:aws:iam::${ACCOUNT}:user/nobody is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::${ACCOUNT}:user/ because no identity-based policy allows the iam:ListUsers action`,
    $metadata: { httpStatusCode: 403 },
  });
});

test('an inline policy grants, and P2 a Deny in a group takes it back', async () => {
  const iam = installation.iam();
  const key = await userWithKey('inline');
  const list = () => installation.iam(key).send(new ListUsersCommand({}));
  await iam.send(
    new PutUserPolicyCommand({ UserName: 'inline', PolicyName: 'p', PolicyDocument: policy('iam:List*') }),
  );
  await list();
  const text = await iam.send(new GetUserPolicyCommand({ UserName: 'inline', PolicyName: 'p' }));
  expect(decodeURIComponent(text.PolicyDocument ?? '')).toBe(policy('iam:List*'));
  expect((await iam.send(new ListUserPoliciesCommand({ UserName: 'inline' }))).PolicyNames).toEqual(['p']);
  await iam.send(new CreateGroupCommand({ GroupName: 'Denied' }));
  await iam.send(
    new AttachGroupPolicyCommand({ GroupName: 'Denied', PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }),
  );
  await iam.send(new AddUserToGroupCommand({ GroupName: 'Denied', UserName: 'inline' }));
  await list();
  const { PutGroupPolicyCommand } = await import('@aws-sdk/client-iam');
  const deny = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Sid: 'NoLists', Effect: 'Deny', Action: 'iam:List*', Resource: '*' }],
  });
  await iam.send(new PutGroupPolicyCommand({ GroupName: 'Denied', PolicyName: 'deny', PolicyDocument: deny }));
  await expect(list()).rejects.toThrow(/with an explicit deny in an identity-based policy$/);
});

test('P6 a malformed policy is refused with the place of the mistake', async () => {
  const iam = installation.iam();
  await iam.send(new CreateUserCommand({ UserName: 'malformed' }));
  const document =
    '{\n "Version": "2012-10-17",\n "Statement": [{"Effect": "Allow", "Action": "ecr", "Resource": "*"}]\n}';
  await expect(
    iam.send(new PutUserPolicyCommand({ UserName: 'malformed', PolicyName: 'p', PolicyDocument: document })),
  ).rejects.toMatchObject({
    name: 'MalformedPolicyDocumentException',
    message:
      'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. (Statement[0].Action, line 3, column 46)',
  });
  expect((await iam.send(new ListUserPoliciesCommand({ UserName: 'malformed' }))).PolicyNames).toEqual([]);
});

test('managed policies attach by ARN and are counted until they are detached', async () => {
  const iam = installation.iam();
  await iam.send(new CreateUserCommand({ UserName: 'attached' }));
  const PolicyArn = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly';
  await iam.send(new AttachUserPolicyCommand({ UserName: 'attached', PolicyArn }));
  await iam.send(new AttachUserPolicyCommand({ UserName: 'attached', PolicyArn }));
  expect((await iam.send(new ListAttachedUserPoliciesCommand({ UserName: 'attached' }))).AttachedPolicies).toEqual([
    { PolicyName: 'AmazonEC2ContainerRegistryReadOnly', PolicyArn },
  ]);
  await expect(iam.send(new DeleteUserCommand({ UserName: 'attached' }))).rejects.toMatchObject({
    name: 'DeleteConflictException',
    message: 'Cannot delete entity, must detach all policies first.',
  });
  await iam.send(new DetachUserPolicyCommand({ UserName: 'attached', PolicyArn }));
  await expect(iam.send(new DetachUserPolicyCommand({ UserName: 'attached', PolicyArn }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
  });
  await iam.send(new DeleteUserCommand({ UserName: 'attached' }));
});

test('groups hold users, follow their renaming, and are deleted empty only', async () => {
  const iam = installation.iam();
  await iam.send(new CreateGroupCommand({ GroupName: 'Devs', Path: '/x/' }));
  await iam.send(new CreateUserCommand({ UserName: 'dev' }));
  await iam.send(new AddUserToGroupCommand({ GroupName: 'devs', UserName: 'dev' }));
  await iam.send(new UpdateUserCommand({ UserName: 'dev', NewUserName: 'Developer', NewPath: '/y/' }));
  await iam.send(new UpdateGroupCommand({ GroupName: 'Devs', NewGroupName: 'Developers' }));
  const group = await iam.send(new GetGroupCommand({ GroupName: 'developers' }));
  expect(group.Users?.map((user) => user.Arn)).toEqual([`arn:aws:iam::${ACCOUNT}:user/y/Developer`]);
  const groups = await iam.send(new ListGroupsForUserCommand({ UserName: 'developer' }));
  expect(groups.Groups?.map((each) => each.GroupName)).toEqual(['Developers']);
  await expect(iam.send(new DeleteGroupCommand({ GroupName: 'Developers' }))).rejects.toMatchObject({
    name: 'DeleteConflictException',
  });
  await iam.send(new RemoveUserFromGroupCommand({ GroupName: 'Developers', UserName: 'Developer' }));
  await iam.send(new DeleteGroupCommand({ GroupName: 'Developers' }));
  await iam.send(new DeleteUserCommand({ UserName: 'Developer' }));
});

test('lists continue at their marker without gaps or repeats', async () => {
  const iam = installation.iam();
  const names = Array.from({ length: 7 }, (_, index) => `page-${index}`);
  for (const UserName of names) await iam.send(new CreateUserCommand({ UserName, Path: '/paged/' }));
  const seen: string[] = [];
  for (let Marker: string | undefined; ;) {
    const page = await iam.send(new ListUsersCommand({ PathPrefix: '/paged/', MaxItems: 3, Marker }));
    seen.push(...(page.Users ?? []).map((user) => user.UserName ?? ''));
    expect(page.Users?.length).toBeLessThanOrEqual(3);
    if (page.IsTruncated !== true) break;
    Marker = page.Marker;
  }
  expect(seen).toEqual(names);
  await expect(iam.send(new ListUsersCommand({ Marker: 'not a marker' }))).rejects.toMatchObject({
    name: 'ValidationError',
  });
});

test('P12 an account cannot see or touch what another account has', async () => {
  await installation.iam().send(new CreateUserCommand({ UserName: 'tenant' }));
  const foreign = installation.iam(installation.otherAdmin);
  await expect(foreign.send(new GetUserCommand({ UserName: 'tenant' }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
  });
  await expect(foreign.send(new DeleteUserCommand({ UserName: 'tenant' }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
  });
  const users = await foreign.send(new ListUsersCommand({}));
  expect(users.Users?.map((user) => user.UserName)).toEqual(['admin']);
});

test('P17 extra members of a request change nothing', async () => {
  const iam = installation.iam();
  const input = { UserName: 'extra', UserId: 'AIDAEVIL', Arn: 'arn:evil', isAdmin: true };
  const { User } = await iam.send(new CreateUserCommand(input));
  expect(User?.UserId).not.toBe('AIDAEVIL');
});
