import {
  AttachUserPolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateUserCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DetachUserPolicyCommand,
  GetAccountSummaryCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  ListEntitiesForPolicyCommand,
  ListPoliciesCommand,
  ListPolicyVersionsCommand,
  SetDefaultPolicyVersionCommand,
  SimulateCustomPolicyCommand,
  SimulatePrincipalPolicyCommand,
} from '@aws-sdk/client-iam';
import { CreateRoleCommand, TagPolicyCommand, TagUserCommand, UntagUserCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACCOUNT, type Installation, openInstallation } from '../testing/installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await openInstallation();
});
afterAll(() => installation[Symbol.asyncDispose]());

const document = (action: string): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: action, Resource: '*' }] });

test('versions: five at most, numbers are not reused, the default one rules', async () => {
  const iam = installation.iam();
  const { Policy } = await iam.send(
    new CreatePolicyCommand({ PolicyName: 'versioned', PolicyDocument: document('ecr:a') }),
  );
  const PolicyArn = Policy?.Arn ?? '';
  for (const action of ['ecr:b', 'ecr:c', 'ecr:d', 'ecr:e']) {
    await iam.send(
      new CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: document(action), SetAsDefault: action === 'ecr:c' }),
    );
  }
  const sixth = new CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: document('ecr:f') });
  await expect(iam.send(sixth)).rejects.toMatchObject({ name: 'LimitExceededException' });
  await expect(iam.send(new DeletePolicyVersionCommand({ PolicyArn, VersionId: 'v3' }))).rejects.toMatchObject({
    name: 'DeleteConflictException',
  });
  await iam.send(new DeletePolicyVersionCommand({ PolicyArn, VersionId: 'v5' }));
  expect((await iam.send(sixth)).PolicyVersion?.VersionId).toBe('v6');
  const { Versions } = await iam.send(new ListPolicyVersionsCommand({ PolicyArn }));
  expect(Versions?.map(({ VersionId, IsDefaultVersion }) => [VersionId, IsDefaultVersion])).toEqual([
    ['v6', false],
    ['v4', false],
    ['v3', true],
    ['v2', false],
    ['v1', false],
  ]);
  await iam.send(new SetDefaultPolicyVersionCommand({ PolicyArn, VersionId: 'v1' }));
  expect((await iam.send(new GetPolicyCommand({ PolicyArn }))).Policy?.DefaultVersionId).toBe('v1');
  const version = await iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId: 'v3' }));
  expect(decodeURIComponent(version.PolicyVersion?.Document ?? '')).toBe(document('ecr:c'));
  await expect(iam.send(new DeletePolicyCommand({ PolicyArn }))).rejects.toMatchObject({
    name: 'DeleteConflictException',
  });
});

test('a policy knows what it is attached to and is deleted detached only', async () => {
  const iam = installation.iam();
  const { Policy } = await iam.send(
    new CreatePolicyCommand({ PolicyName: 'used', Path: '/p/', PolicyDocument: document('ecr:*') }),
  );
  const PolicyArn = Policy?.Arn ?? '';
  await iam.send(new CreateUserCommand({ UserName: 'holder' }));
  await iam.send(new AttachUserPolicyCommand({ UserName: 'holder', PolicyArn }));
  const entities = await iam.send(new ListEntitiesForPolicyCommand({ PolicyArn }));
  expect(entities.PolicyUsers?.map((user) => user.UserName)).toEqual(['holder']);
  expect((await iam.send(new GetPolicyCommand({ PolicyArn }))).Policy?.AttachmentCount).toBe(1);
  const attached = await iam.send(new ListPoliciesCommand({ OnlyAttached: true, Scope: 'Local' }));
  expect(attached.Policies?.map((policy) => policy.PolicyName)).toEqual(['used']);
  await expect(iam.send(new DeletePolicyCommand({ PolicyArn }))).rejects.toMatchObject({
    name: 'DeleteConflictException',
  });
  await iam.send(new DetachUserPolicyCommand({ UserName: 'holder', PolicyArn }));
  await iam.send(new DeletePolicyCommand({ PolicyArn }));
  await expect(iam.send(new GetPolicyCommand({ PolicyArn }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
    message: `Policy ${PolicyArn} was not found.`,
  });
});

test("AWS's own policies are there under their ARNs, readable, and cannot be changed", async () => {
  const iam = installation.iam();
  const PolicyArn = 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy';
  const version = await iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId: 'v1' }));
  expect(decodeURIComponent(version.PolicyVersion?.Document ?? '')).toContain('ecr:BatchGetImage');
  await expect(iam.send(new DeletePolicyCommand({ PolicyArn }))).rejects.toMatchObject({
    name: 'InvalidInputException',
  });
  const names: string[] = [];
  for (let Marker: string | undefined; ;) {
    const page = await iam.send(new ListPoliciesCommand({ Scope: 'AWS', MaxItems: 4, Marker }));
    names.push(...(page.Policies ?? []).map((policy) => policy.PolicyName ?? ''));
    if (page.IsTruncated !== true) break;
    Marker = page.Marker;
  }
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(
    expect.arrayContaining(['AdministratorAccess', 'AmazonEC2ContainerRegistryPowerUser', 'AmazonECS_FullAccess']),
  );
});

test('P6 a managed policy has at most 6144 characters, white space not counted', async () => {
  const iam = installation.iam();
  const actions = Array.from({ length: 800 }, (_, index) => `ecr:A${index}`);
  const long = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }],
  });
  await expect(iam.send(new CreatePolicyCommand({ PolicyName: 'long', PolicyDocument: long }))).rejects.toMatchObject({
    name: 'LimitExceededException',
    message: 'Cannot exceed quota for PolicySize: 6144',
  });
  const spaced = document('ecr:*').replace('{', `{${' '.repeat(7000)}`);
  await iam.send(new CreatePolicyCommand({ PolicyName: 'spaced', PolicyDocument: spaced }));
});

test('the simulator decides as the front door does, and names the statements', async () => {
  const iam = installation.iam();
  const own =
    '{\n"Version": "2012-10-17",\n"Statement": [{"Effect": "Allow", "Action": "ecr:*", "Resource": "arn:aws:ecr:*:*:repository/${aws:username}/*"}]\n}';
  const { Policy } = await iam.send(new CreatePolicyCommand({ PolicyName: 'own-repositories', PolicyDocument: own }));
  await iam.send(new CreateUserCommand({ UserName: 'simulated' }));
  await iam.send(new AttachUserPolicyCommand({ UserName: 'simulated', PolicyArn: Policy?.Arn }));
  const repository = (name: string) => `arn:aws:ecr:us-east-1:${ACCOUNT}:repository/${name}`;
  const { EvaluationResults } = await iam.send(
    new SimulatePrincipalPolicyCommand({
      PolicySourceArn: `arn:aws:iam::${ACCOUNT}:user/simulated`,
      ActionNames: ['ecr:PutImage', 'ecs:RunTask'],
      ResourceArns: [repository('simulated/x'), repository('other/x')],
    }),
  );
  expect(
    EvaluationResults?.map((result) => [result.EvalActionName, result.EvalResourceName, result.EvalDecision]),
  ).toEqual([
    ['ecr:PutImage', repository('simulated/x'), 'allowed'],
    ['ecr:PutImage', repository('other/x'), 'implicitDeny'],
    ['ecs:RunTask', repository('simulated/x'), 'implicitDeny'],
    ['ecs:RunTask', repository('other/x'), 'implicitDeny'],
  ]);
  expect(EvaluationResults?.[0]?.MatchedStatements).toEqual([
    {
      SourcePolicyId: Policy?.Arn,
      SourcePolicyType: 'user-managed',
      StartPosition: { Line: 3, Column: 15 },
      EndPosition: { Line: 3, Column: 113 },
    },
  ]);
});

test('custom policies are simulated with a boundary and context, and missing keys are listed', async () => {
  const iam = installation.iam();
  const conditional = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: '*', Resource: '*', Condition: { StringEquals: { 'aws:RequestTag/team': 'a' } } },
    ],
  });
  const simulate = async (team?: string, boundary = document('*')) => {
    const { EvaluationResults } = await iam.send(
      new SimulateCustomPolicyCommand({
        PolicyInputList: [conditional],
        PermissionsBoundaryPolicyInputList: [boundary],
        ActionNames: ['ecr:CreateRepository'],
        ...(team === undefined
          ? {}
          : {
              ContextEntries: [
                { ContextKeyName: 'aws:RequestTag/team', ContextKeyType: 'string', ContextKeyValues: [team] },
              ],
            }),
      }),
    );
    return EvaluationResults?.[0];
  };
  expect(await simulate('a')).toMatchObject({
    EvalDecision: 'allowed',
    PermissionsBoundaryDecisionDetail: { AllowedByPermissionsBoundary: true },
  });
  expect(await simulate('b')).toMatchObject({ EvalDecision: 'implicitDeny' });
  expect(await simulate()).toMatchObject({
    EvalDecision: 'implicitDeny',
    MissingContextValues: ['aws:RequestTag/team'],
  });
  expect(await simulate('a', document('ecs:*'))).toMatchObject({
    EvalDecision: 'implicitDeny',
    PermissionsBoundaryDecisionDetail: { AllowedByPermissionsBoundary: false },
  });
});

test('P12 a simulation tells nothing about the users of another account', async () => {
  const foreign = installation.iam(installation.otherAdmin);
  const simulate = (CallerArn: string) =>
    foreign.send(
      new SimulateCustomPolicyCommand({ PolicyInputList: [document('*')], ActionNames: ['ecr:PutImage'], CallerArn }),
    );
  const messages = await Promise.all(
    ['admin', 'ghost'].map((name) =>
      simulate(`arn:aws:iam::${ACCOUNT}:user/${name}`).then(
        () => 'simulated',
        (error: Error) => error.message.replace(name, 'NAME'),
      ),
    ),
  );
  expect(messages[0]).toMatch(/is not a user or role of this account/);
  expect(messages[1]).toBe(messages[0]);
});

test('the account summary counts', async () => {
  const { SummaryMap } = await installation.iam(installation.otherAdmin).send(new GetAccountSummaryCommand({}));
  expect(SummaryMap).toMatchObject({ Users: 1, Groups: 0, Roles: 2, Policies: 0, AccessKeysPerUserQuota: 2 });
});

test('GetPolicy tells description and tags, also when there are none', async () => {
  const iam = installation.iam();
  const PolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Action: 'ecr:*', Resource: '*' },
  });
  const { Policy } = await iam.send(
    new CreatePolicyCommand({ PolicyName: 'described', PolicyDocument, Description: 'what for' }),
  );
  const read = await iam.send(new GetPolicyCommand({ PolicyArn: Policy?.Arn }));
  expect(read.Policy).toMatchObject({ Description: 'what for', Tags: [] });
  const aws = await iam.send(new GetPolicyCommand({ PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' }));
  expect(aws.Policy).toMatchObject({ Description: expect.any(String), Tags: [] });
  const listed = await iam.send(new ListPoliciesCommand({ Scope: 'Local' }));
  const brief = listed.Policies?.find(({ PolicyName }) => PolicyName === 'described');
  expect([brief?.Description, brief?.Tags]).toEqual([undefined, undefined]);
});

test('a request names at most 50 tags, and an entity has at most 50', async () => {
  const iam = installation.iam();
  const tags = (count: number, from = 0) =>
    Array.from({ length: count }, (_, index) => ({ Key: `key-${from + index}`, Value: 'v' }));
  const tooMany = {
    name: 'ValidationError',
    message: expect.stringMatching(/1 validation error detected: .*at '[Tt]ags' .*length less than or equal to 50/),
  };
  await expect(iam.send(new CreateUserCommand({ UserName: 'tagged', Tags: tags(51) }))).rejects.toMatchObject(tooMany);
  const trust = JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'sts:AssumeRole' },
  });
  await expect(
    iam.send(new CreateRoleCommand({ RoleName: 'tagged', AssumeRolePolicyDocument: trust, Tags: tags(51) })),
  ).rejects.toMatchObject(tooMany);
  await iam.send(new CreateUserCommand({ UserName: 'tagged', Tags: tags(50) }));
  await expect(iam.send(new TagUserCommand({ UserName: 'tagged', Tags: tags(51) }))).rejects.toMatchObject(tooMany);
  await expect(iam.send(new TagUserCommand({ UserName: 'tagged', Tags: tags(1, 50) }))).rejects.toMatchObject({
    name: 'LimitExceededException',
  });
  await iam.send(new TagUserCommand({ UserName: 'tagged', Tags: tags(50) }));
  const TagKeys = tags(51).map(({ Key }) => Key);
  await expect(iam.send(new UntagUserCommand({ UserName: 'tagged', TagKeys }))).rejects.toMatchObject({
    name: 'ValidationError',
  });
  const PolicyArn = `arn:aws:iam::${ACCOUNT}:policy/described`;
  await expect(iam.send(new TagPolicyCommand({ PolicyArn, Tags: tags(51) }))).rejects.toMatchObject(tooMany);
});
