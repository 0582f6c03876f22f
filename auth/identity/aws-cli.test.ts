import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandLines } from './testing/command-lines.ts';
import { ACCOUNT, callOf, type Installation, type Key, openInstallation, REGION } from './testing/installation.ts';

const run = promisify(execFile);

const found = commandLines();
const absent = [1, 2].filter((major) => !found.some((each) => each.major === major));
if (absent.length > 0 && process.env['CI'] !== undefined)
  throw new Error(`these tests need the AWS command line, version ${absent.join(' and ')}`);

test.skipIf(absent.length > 0)('both versions of the AWS command line are tried', () => {
  expect(absent).toEqual([]);
});

const policy = (Action: string, Resource = '*') => ({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action, Resource },
});

/** Commands of the AWS CLI reference's own examples, against this installation, with every command line there is. */
describe.each(found)('$name', ({ path, current }) => {
  let installation: Installation;
  let folder: string;

  beforeAll(async () => {
    installation = await openInstallation();
    folder = await mkdtemp(join(tmpdir(), 'slipway-aws-cli-'));
    const files = {
      'policy.json': policy('s3:ListAllMyBuckets'),
      'NewPolicyVersion.json': policy('iam:*'),
      'Test-Role-Trust-Policy.json': {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/Bob`, Service: 'ec2.amazonaws.com' },
            Action: 'sts:AssumeRole',
          },
        ],
      },
      'AdminPolicy.json': policy('*'),
    };
    for (const [name, content] of Object.entries(files))
      await writeFile(join(folder, name), JSON.stringify(content, undefined, 2));
  });

  afterAll(async () => {
    await installation[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const environment = (key: Key) => ({
    PATH: process.env['PATH'],
    HOME: folder,
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    ...(key.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: key.sessionToken }),
    AWS_DEFAULT_REGION: REGION,
    AWS_DEFAULT_OUTPUT: 'json',
    AWS_MAX_ATTEMPTS: '1',
    AWS_EC2_METADATA_DISABLED: 'true',
  });

  async function aws(
    command: string,
    key: Key = installation.admin,
  ): Promise<Record<string, never> & { readonly [member: string]: unknown }> {
    const { stdout } = await run(path, [...command.split(' '), '--endpoint-url', installation.url], {
      cwd: folder,
      env: environment(key),
    });
    return stdout.trim() === '' ? {} : (JSON.parse(stdout) as Record<string, never>);
  }

  const keyOf = (given: Record<string, string>): Key => ({
    accessKeyId: given['AccessKeyId'] ?? '',
    secretAccessKey: given['SecretAccessKey'] ?? '',
    ...(given['SessionToken'] === undefined ? {} : { sessionToken: given['SessionToken'] }),
  });

  test('users, groups, policies, roles and sessions as the reference shows them', { timeout: 180_000 }, async () => {
    await Promise.all([aws('iam create-group --group-name Admins'), aws('iam create-user --user-name Bob')]);
    await aws('iam add-user-to-group --user-name Bob --group-name Admins');
    expect(await aws('iam get-group --group-name Admins')).toMatchObject({
      Group: { GroupName: 'Admins', Arn: `arn:aws:iam::${ACCOUNT}:group/Admins` },
      Users: [{ UserName: 'Bob' }],
    });

    const PolicyArn = `arn:aws:iam::${ACCOUNT}:policy/my-policy`;
    expect(await aws('iam create-policy --policy-name my-policy --policy-document file://policy.json')).toMatchObject({
      Policy: { PolicyName: 'my-policy', Arn: PolicyArn, DefaultVersionId: 'v1', AttachmentCount: 0 },
    });
    await aws(`iam attach-group-policy --policy-arn ${PolicyArn} --group-name Admins`);
    expect(
      await aws(
        `iam create-policy-version --policy-arn ${PolicyArn} --policy-document file://NewPolicyVersion.json --set-as-default`,
      ),
    ).toMatchObject({ PolicyVersion: { VersionId: 'v2', IsDefaultVersion: true } });
    expect(await aws(`iam get-policy-version --policy-arn ${PolicyArn} --version-id v2`)).toMatchObject({
      PolicyVersion: { Document: policy('iam:*') },
    });

    const bob = keyOf(
      (await aws('iam create-access-key --user-name Bob'))['AccessKey'] as unknown as Record<string, string>,
    );
    expect(await aws('sts get-caller-identity', bob)).toMatchObject({
      Account: ACCOUNT,
      Arn: `arn:aws:iam::${ACCOUNT}:user/Bob`,
    });
    expect(await aws('iam list-access-keys --user-name Bob', bob)).toMatchObject({
      AccessKeyMetadata: [{ UserName: 'Bob', Status: 'Active', AccessKeyId: bob.accessKeyId }],
    });

    await aws('iam create-role --role-name Test-Role --assume-role-policy-document file://Test-Role-Trust-Policy.json');
    await Promise.all([
      aws(
        'iam put-role-policy --role-name Test-Role --policy-name ExamplePolicy --policy-document file://AdminPolicy.json',
      ),
      aws('iam create-instance-profile --instance-profile-name Webserver'),
    ]);
    await aws('iam add-role-to-instance-profile --role-name Test-Role --instance-profile-name Webserver');
    expect(await aws('iam get-role --role-name Test-Role')).toMatchObject({
      Role: {
        RoleName: 'Test-Role',
        AssumeRolePolicyDocument: { Statement: [{ Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/Bob` } }] },
      },
    });

    const assumed = await aws(
      `sts assume-role --role-arn arn:aws:iam::${ACCOUNT}:role/Test-Role --role-session-name s3-access-example`,
      bob,
    );
    expect(assumed).toMatchObject({
      AssumedRoleUser: { Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/Test-Role/s3-access-example` },
    });
    const session = keyOf(assumed['Credentials'] as unknown as Record<string, string>);
    expect(await aws('iam list-attached-group-policies --group-name Admins', session)).toMatchObject({
      AttachedPolicies: [{ PolicyName: 'my-policy', PolicyArn }],
    });

    expect(
      await aws(
        `iam simulate-custom-policy --policy-input-list ${JSON.stringify(policy('s3:ListAllMyBuckets'))} --action-names s3:ListAllMyBuckets s3:PutObject`,
      ),
    ).toMatchObject({ EvaluationResults: [{ EvalDecision: 'allowed' }, { EvalDecision: 'implicitDeny' }] });
  });

  test.runIf(current)("the README's guide works as written", { timeout: 180_000 }, async () => {
    const readme = await readFile(new URL('./README.md', import.meta.url), 'utf8');
    const guide = readme.slice(readme.indexOf('## Guide: who may do what'), readme.indexOf('**Why was I refused?**'));
    const blocks = [...guide.matchAll(/```sh\n(.*?)```/gs)].map((match) =>
      (match[1] as string).replaceAll('ACCOUNT', ACCOUNT),
    );
    expect(blocks).toHaveLength(3);
    for (const block of blocks) {
      await run('sh', ['-euc', block], {
        cwd: folder,
        env: {
          ...environment(installation.admin),
          PATH: `${dirname(path)}:${process.env['PATH'] ?? ''}`,
          AWS_ENDPOINT_URL: installation.url,
        },
      });
    }
    const repository = (name: string) => `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/${name}`;
    const may = async (who: string, action: string, arn: string) => {
      const [told] = await installation.identity.explain(
        `arn:aws:iam::${ACCOUNT}:${who}`,
        { action, resources: [{ arn }] },
        callOf(),
      );
      return told?.allowed;
    };
    expect(await may('user/pull-a', 'ecr:GetAuthorizationToken', '*')).toBe(true);
    expect(await may('user/pull-a', 'ecr:BatchGetImage', repository('team-a/web'))).toBe(true);
    expect(await may('user/pull-a', 'ecr:BatchGetImage', repository('team-b/web'))).toBe(false);
    expect(await may('user/pull-a', 'ecr:PutImage', repository('team-a/web'))).toBe(false);
    expect(await may('role/ci-push', 'ecr:PutImage', repository('team-a/web'))).toBe(true);
    expect(await may('role/ci-push', 'ecr:DeleteRepository', repository('team-a/web'))).toBe(false);
    const task = {
      roleArn: `arn:aws:iam::${ACCOUNT}:role/web-task`,
      sessionName: 'task',
      service: 'ecs-tasks.amazonaws.com',
    };
    expect((await installation.identity.issueSession(task)).principal.arn).toContain(':assumed-role/web-task/task');
  });

  test('refusals are the errors that the command line knows', { timeout: 180_000 }, async () => {
    const failures = await Promise.all(
      [
        aws('iam get-user --user-name Nobody'),
        aws('iam create-user --user-name a/b'),
        aws('sts get-caller-identity', { accessKeyId: 'AKIAQAAAAAAAAAAAAAAA', secretAccessKey: 'wrong' }),
        aws('sts get-caller-identity', { ...installation.admin, secretAccessKey: 'wrong' }),
      ].map((each) =>
        each.then(
          () => 'no error',
          (error: { stderr: string }) => error.stderr.trim(),
        ),
      ),
    );
    expect(failures[0]).toMatch(
      /^An error occurred \(NoSuchEntity\) when calling the GetUser operation(?: \(reached max retries: 0\))?: The user with name Nobody cannot be found\.$/,
    );
    expect(failures[1]).toMatch(/\(ValidationError\) when calling the CreateUser operation/);
    expect(failures[2]).toMatch(/\(InvalidClientTokenId\)/);
    expect(failures[3]).toMatch(/\(SignatureDoesNotMatch\)/);
  });
});
