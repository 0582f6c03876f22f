import {
  AttachRolePolicyCommand,
  CreateAccessKeyCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DeleteRoleCommand,
  DeleteUserCommand,
  GetUserCommand,
  ListUsersCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  type Credentials,
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  GetFederationTokenCommand,
  GetSessionTokenCommand,
} from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ACCOUNT, type Installation, type Key, openInstallation, OTHER_ACCOUNT } from '../testing/installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await openInstallation();
});
afterAll(() => installation[Symbol.asyncDispose]());

const policy = (Action: unknown, more: object = {}): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource: '*', ...more }] });
const trusting = (Principal: unknown, more: object = {}): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal, Action: ['sts:AssumeRole', 'sts:TagSession'], ...more }],
  });

async function user(name: string, document?: string): Promise<Key & { arn: string }> {
  const iam = installation.iam();
  const { User } = await iam.send(new CreateUserCommand({ UserName: name }));
  if (document !== undefined) {
    await iam.send(new PutUserPolicyCommand({ UserName: name, PolicyName: 'own', PolicyDocument: document }));
  }
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: name }));
  return {
    arn: User?.Arn ?? '',
    accessKeyId: AccessKey?.AccessKeyId ?? '',
    secretAccessKey: AccessKey?.SecretAccessKey ?? '',
  };
}

async function role(name: string, trust: string, document = policy('iam:*'), more: object = {}): Promise<string> {
  const iam = installation.iam();
  const { Role } = await iam.send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: trust, ...more }));
  await iam.send(new PutRolePolicyCommand({ RoleName: name, PolicyName: 'own', PolicyDocument: document }));
  return Role?.Arn ?? '';
}

const keyOf = (given: Credentials | undefined): Key => ({
  accessKeyId: given?.AccessKeyId ?? '',
  secretAccessKey: given?.SecretAccessKey ?? '',
  sessionToken: given?.SessionToken ?? '',
});

async function assume(key: Key, RoleArn: string, more: Partial<AssumeRoleCommandInput> = {}): Promise<Key> {
  const { Credentials } = await installation
    .sts(key)
    .send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'run', ...more }));
  return keyOf(Credentials);
}

const listUsers = (key: Key) => installation.iam(key).send(new ListUsersCommand({}));

describe('AssumeRole', () => {
  test('a trusted user gets temporary credentials that are the role', async () => {
    const caller = await user('assumer');
    const arn = await role('assumed', trusting({ AWS: caller.arn }), policy('iam:*'), { Path: '/path/' });
    const answer = await installation.sts(caller).send(new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'run' }));
    expect(answer.AssumedRoleUser).toEqual({
      Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/assumed/run`,
      AssumedRoleId: expect.stringMatching(/^AROA[A-Z2-7]{17}:run$/),
    });
    expect(answer.Credentials?.AccessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    const key = keyOf(answer.Credentials);
    const identity = await installation.sts(key).send(new GetCallerIdentityCommand({}));
    expect(identity).toMatchObject({
      Account: ACCOUNT,
      Arn: answer.AssumedRoleUser?.Arn,
      UserId: answer.AssumedRoleUser?.AssumedRoleId,
    });
    await listUsers(key);
    await expect(installation.iam(caller).send(new ListUsersCommand({}))).rejects.toMatchObject({
      name: 'AccessDenied',
    });
  });

  test('a role that does not exist and one that does not trust the caller are refused alike', async () => {
    const caller = await user('untrusted', policy('sts:AssumeRole'));
    const arn = await role('untrusting', trusting({ AWS: OTHER_ACCOUNT }));
    const messages = await Promise.all(
      [arn, `${arn}-missing`].map((each) =>
        assume(caller, each).then(
          () => 'assumed',
          (error: Error) => error.message.replaceAll(each, 'ROLE'),
        ),
      ),
    );
    expect(messages[0]).toBe(messages[1]);
    expect(messages[0]).toMatch(/because no role trust policy allows the sts:AssumeRole action$/);
  });

  test('trust in the account needs the caller to be allowed as well; P4 also across accounts', async () => {
    const arn = await role('for-accounts', trusting({ AWS: [ACCOUNT, OTHER_ACCOUNT] }));
    const [without, permitted] = [await user('no-grant'), await user('grant', policy('sts:AssumeRole'))];
    await expect(assume(without, arn)).rejects.toMatchObject({ name: 'AccessDenied' });
    await assume(permitted, arn);
    const foreign = await assume(installation.otherAdmin, arn);
    const identity = await installation.sts(foreign).send(new GetCallerIdentityCommand({}));
    expect(identity.Account).toBe(ACCOUNT);
  });

  test('an external id is demanded where the trust policy says so', async () => {
    const caller = await user('external');
    const arn = await role(
      'external-id',
      trusting({ AWS: caller.arn }, { Condition: { StringEquals: { 'sts:ExternalId': 'agreed' } } }),
    );
    await expect(assume(caller, arn)).rejects.toMatchObject({ name: 'AccessDenied' });
    await expect(assume(caller, arn, { ExternalId: 'other' })).rejects.toMatchObject({ name: 'AccessDenied' });
    await assume(caller, arn, { ExternalId: 'agreed' });
  });

  test('P3 a session policy narrows the session, inline and managed ones add up', async () => {
    const caller = await user('narrow');
    const arn = await role('wide', trusting({ AWS: caller.arn }));
    const get = (key: Key) => installation.iam(key).send(new GetUserCommand({ UserName: 'narrow' }));
    const narrow = await assume(caller, arn, { Policy: policy('iam:List*') });
    await listUsers(narrow);
    await expect(get(narrow)).rejects.toThrow(/because no session policy allows the iam:GetUser action$/);
    const { Policy } = await installation
      .iam()
      .send(new CreatePolicyCommand({ PolicyName: 'gets', PolicyDocument: policy('iam:Get*') }));
    const both = await assume(caller, arn, { Policy: policy('iam:List*'), PolicyArns: [{ arn: Policy?.Arn }] });
    await listUsers(both);
    await get(both);
  });

  test('P7 what a narrowed session may make is no more than the session: no keys, no tokens', async () => {
    const caller = await user('escape');
    const arn = await role('escapable', trusting({ AWS: caller.arn }), policy('*'));
    const narrow = await assume(caller, arn, { Policy: policy('iam:List*') });
    await expect(
      installation.iam(narrow).send(new CreateAccessKeyCommand({ UserName: 'escape' })),
    ).rejects.toMatchObject({ name: 'AccessDenied' });
    await expect(installation.sts(narrow).send(new GetSessionTokenCommand({}))).rejects.toMatchObject({
      name: 'AccessDenied',
    });
    await expect(
      installation.sts(narrow).send(new GetFederationTokenCommand({ Name: 'me', Policy: policy('*') })),
    ).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  test('durations: the role sets the limit, chained sessions last an hour at most', async () => {
    const caller = await user('long');
    const arn = await role('two-hours', trusting({ AWS: ACCOUNT }), policy('sts:AssumeRole'), {
      MaxSessionDuration: 7200,
    });
    await installation
      .iam()
      .send(
        new PutUserPolicyCommand({ UserName: 'long', PolicyName: 'assume', PolicyDocument: policy('sts:AssumeRole') }),
      );
    const session = await assume(caller, arn, { DurationSeconds: 7200 });
    await expect(assume(caller, arn, { DurationSeconds: 7201 })).rejects.toMatchObject({ name: 'ValidationError' });
    await expect(assume(caller, arn, { DurationSeconds: 899 })).rejects.toMatchObject({ name: 'ValidationError' });
    await expect(assume(session, arn, { DurationSeconds: 7200 })).rejects.toThrow(/role chaining/);
    await assume(session, arn, { DurationSeconds: 3600 });
  });

  test('session tags are condition keys of the session; transitive ones go along a chain', async () => {
    const caller = await user('tagger', policy('sts:*'));
    const conditional = policy(['iam:ListUsers', 'sts:*'], {
      Condition: { StringEquals: { 'aws:PrincipalTag/team': 'a' } },
    });
    const arn = await role('by-tag', trusting({ AWS: ACCOUNT }), conditional);
    const untagged = await assume(caller, arn);
    await expect(listUsers(untagged)).rejects.toMatchObject({ name: 'AccessDenied' });
    const tagged = await assume(caller, arn, { Tags: [{ Key: 'Team', Value: 'a' }], TransitiveTagKeys: ['Team'] });
    await listUsers(tagged);
    await listUsers(await assume(tagged, arn));
    await expect(assume(tagged, arn, { Tags: [{ Key: 'team', Value: 'b' }] })).rejects.toMatchObject({
      name: 'ValidationError',
    });
  });

  test('a session ends with its time, and at once with its role; a role of the same name does not revive it', async () => {
    const caller = await user('ending');
    const arn = await role('ended', trusting({ AWS: caller.arn }));
    const key = await assume(caller, arn, { DurationSeconds: 900 });
    await listUsers(key);
    installation.clock.offset = 899_000;
    await installation.identity.credentials.find(key.accessKeyId, key.sessionToken);
    installation.clock.offset = 901_000;
    expect(await installation.identity.credentials.find(key.accessKeyId, key.sessionToken)).toEqual({
      refused: 'expired',
    });
    installation.clock.offset = 0;
    const iam = installation.iam();
    const { DeleteRolePolicyCommand } = await import('@aws-sdk/client-iam');
    await iam.send(new DeleteRolePolicyCommand({ RoleName: 'ended', PolicyName: 'own' }));
    await iam.send(new DeleteRoleCommand({ RoleName: 'ended' }));
    await expect(listUsers(key)).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
    await role('ended', trusting({ AWS: caller.arn }));
    await expect(listUsers(key)).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
  });

  test('a user of the same name as a trusted one that was deleted is not trusted', async () => {
    const first = await user('recycled');
    const arn = await role('trusts-recycled', trusting({ AWS: first.arn }));
    await assume(first, arn);
    const iam = installation.iam();
    const { DeleteAccessKeyCommand } = await import('@aws-sdk/client-iam');
    await iam.send(new DeleteAccessKeyCommand({ UserName: 'recycled', AccessKeyId: first.accessKeyId }));
    await iam.send(new DeleteUserCommand({ UserName: 'recycled' }));
    await expect(assume(await user('recycled'), arn)).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  test('a boundary limits the sessions of its role', async () => {
    const caller = await user('bounded');
    const { Policy } = await installation
      .iam()
      .send(new CreatePolicyCommand({ PolicyName: 'only-get', PolicyDocument: policy('iam:Get*') }));
    const arn = await role('bounded', trusting({ AWS: caller.arn }), policy('iam:*'), {
      PermissionsBoundary: Policy?.Arn,
    });
    await expect(listUsers(await assume(caller, arn))).rejects.toThrow(
      /because no permissions boundary allows the iam:ListUsers action$/,
    );
  });
});

describe('sessions of users', () => {
  test('GetSessionToken is the user, without IAM', async () => {
    const caller = await user('tokened', policy('*'));
    const { Credentials } = await installation.sts(caller).send(new GetSessionTokenCommand({ DurationSeconds: 900 }));
    const key = keyOf(Credentials);
    expect((await installation.sts(key).send(new GetCallerIdentityCommand({}))).Arn).toBe(caller.arn);
    await expect(listUsers(key)).rejects.toMatchObject({ name: 'AccessDenied' });
    await expect(installation.sts(key).send(new GetSessionTokenCommand({}))).rejects.toThrow(/session credentials/);
    const arn = await role('from-token', trusting({ AWS: caller.arn }));
    await listUsers(await assume(key, arn));
  });

  test('GetFederationToken is what the user and the session policy both allow', async () => {
    const caller = await user('federating', policy(['sts:GetFederationToken', 'ecr:*']));
    const federate = async (Policy?: string) => {
      const answer = await installation.sts(caller).send(new GetFederationTokenCommand({ Name: 'jane', Policy }));
      expect(answer.FederatedUser).toEqual({
        Arn: `arn:aws:sts::${ACCOUNT}:federated-user/jane`,
        FederatedUserId: `${ACCOUNT}:jane`,
      });
      const found = await installation.identity.credentials.find(
        answer.Credentials?.AccessKeyId ?? '',
        answer.Credentials?.SessionToken,
      );
      if ('refused' in found) throw new Error(found.refused);
      return found.principal;
    };
    const { callOf } = await import('../testing/installation.ts');
    const may = async (action: string, document?: string) =>
      installation.identity.authorizer.authorize(
        await federate(document),
        { action, resources: [{ arn: '*' }] },
        callOf(),
      );
    expect(await may('ecr:PutImage', policy('ecr:Put*'))).toMatchObject({ allowed: true });
    expect(await may('ecr:GetAuthorizationToken', policy('ecr:Put*'))).toMatchObject({ allowed: false });
    expect(await may('ecs:RunTask', policy('*'))).toMatchObject({ allowed: false });
    expect(await may('ecr:PutImage')).toMatchObject({ allowed: false });
  });

  test('S15 temporary keys need their own session token, long-term keys none', async () => {
    const caller = await user('tokens', policy('*'));
    const [first, second] = await Promise.all(
      [1, 2].map(async () => keyOf((await installation.sts(caller).send(new GetSessionTokenCommand({}))).Credentials)),
    );
    const who = (key: Key) => installation.sts(key).send(new GetCallerIdentityCommand({}));
    await who(first as Key);
    const { sessionToken: _, ...bare } = first as Key;
    await expect(who(bare)).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
    await expect(who({ ...bare, sessionToken: second?.sessionToken ?? '' })).rejects.toMatchObject({
      name: 'InvalidClientTokenId',
    });
    await expect(who({ ...caller, sessionToken: first?.sessionToken ?? '' })).rejects.toMatchObject({
      name: 'InvalidClientTokenId',
    });
  });
});

test('the account of a key is known from the key', async () => {
  const { accessKeyId } = installation.otherAdmin;
  const answer = await installation.sts().send(new GetAccessKeyInfoCommand({ AccessKeyId: accessKeyId }));
  expect(answer.Account).toBe(OTHER_ACCOUNT);
  await expect(
    installation.sts().send(new GetAccessKeyInfoCommand({ AccessKeyId: 'AKIA1111111111111111' })),
  ).rejects.toMatchObject({
    name: 'ValidationError',
  });
});

test('a managed policy attached to a role gives its sessions what it allows', async () => {
  const caller = await user('reader');
  const arn = await role('reads', trusting({ AWS: caller.arn }), policy('ecr:*'));
  const key = await assume(caller, arn);
  await expect(listUsers(key)).rejects.toMatchObject({ name: 'AccessDenied' });
  await installation
    .iam()
    .send(new AttachRolePolicyCommand({ RoleName: 'reads', PolicyArn: 'arn:aws:iam::aws:policy/IAMReadOnlyAccess' }));
  await listUsers(key);
});
