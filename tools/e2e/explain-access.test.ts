import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateRepositoryCommand,
  ECRClient,
  SetRepositoryPolicyCommand,
  TagResourceCommand,
} from '@aws-sdk/client-ecr';
import { CreateClusterCommand, ECSClient } from '@aws-sdk/client-ecs';
import {
  AttachRolePolicyCommand,
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  IAMClient,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandResult, run, until } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** `slipway auth explain`, as an operator asks it about every kind of denial. */
const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const account = '000000000000';
const folder = mkdtempSync(join(tmpdir(), 'slipway-explain-'));
const data = join(folder, 'data');
const powerUser = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser';
const repository = (name: string): string => `arn:aws:ecr:us-east-1:${account}:repository/${name}`;
const policy = (...Statement: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement });

let server: ServerProcess;
let settings: { endpoint: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } };
let iam: IAMClient;
let ecr: ECRClient;

beforeAll(async () => {
  server = new ServerProcess(await freePort(), data, { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  await server.start();
  const env = server.aws();
  settings = {
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
  };
  iam = new IAMClient(settings);
  ecr = new ECRClient(settings);
  await ecr.send(new CreateRepositoryCommand({ repositoryName: 'team-a/web' }));
  await ecr.send(new CreateRepositoryCommand({ repositoryName: 'closed' }));
  await iam.send(new CreateUserCommand({ UserName: 'puller' }));
  await iam.send(
    new PutUserPolicyCommand({
      UserName: 'puller',
      PolicyName: 'pull',
      PolicyDocument: policy(
        { Sid: 'Login', Effect: 'Allow', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
        { Sid: 'Pull', Effect: 'Allow', Action: 'ecr:BatchGetImage', Resource: repository('*') },
        {
          Sid: 'PushFromHome',
          Effect: 'Allow',
          Action: 'ecr:PutImage',
          Resource: repository('team-a/*'),
          Condition: { IpAddress: { 'aws:SourceIp': '192.168.1.0/24' } },
        },
      ),
    }),
  );
});

afterAll(async () => {
  iam.destroy();
  ecr.destroy();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const explain = (...args: string[]): Promise<CommandResult> =>
  run(slipway, ['auth', 'explain', ...args], { env: { SLIPWAY_DATA: data } });
/** What an operator reads about a denial. */
async function denial(principal: string, action: string, resource: string, ...more: string[]): Promise<string> {
  const { code, stdout, stderr } = await explain(
    '--principal',
    principal,
    '--action',
    action,
    '--resource',
    resource,
    ...more,
  );
  expect({ code, stderr }).toEqual({ code: 3, stderr: '' });
  return stdout;
}

async function role(name: string, trusted: string): Promise<string> {
  const AssumeRolePolicyDocument = policy({ Effect: 'Allow', Principal: { AWS: trusted }, Action: 'sts:AssumeRole' });
  const { Role } = await iam.send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument }));
  return Role?.Arn ?? '';
}

describe('a denial is explained with what would change it', () => {
  test('by the identity policies: which statement came near, and what it missed', async () => {
    const told = await denial('puller', 'ecr:PutImage', 'team-a/web');
    expect(told).toBe(
      [
        `arn:aws:iam::${account}:user/puller may not ecr:PutImage on ${repository('team-a/web')}`,
        'because no identity-based policy allows the ecr:PutImage action',
        '',
        'identity-based policy  inline:pull',
        '  · PushFromHome  would allow, but its condition on aws:SourceIp does not hold: the key is "127.0.0.1", the policy says IpAddress "192.168.1.0/24"',
        '    2 statements are about other actions',
        '',
        'What would change it',
        '  Meet the condition of statement PushFromHome of inline:pull; or',
        '  Allow it in a policy of the user, for instance:',
        `    aws iam put-user-policy --user-name puller --policy-name allow-PutImage --policy-document '${policy({ Effect: 'Allow', Action: 'ecr:PutImage', Resource: repository('team-a/web') })}'`,
        '',
      ].join('\n'),
    );
    const home = ['--source-ip', '192.168.1.7'];
    const allowed = await explain(
      '--principal',
      'puller',
      '--action',
      'ecr:PutImage',
      '--resource',
      'team-a/web',
      ...home,
    );
    expect(allowed.code).toBe(0);
    expect(allowed.stdout).toMatch(/may ecr:PutImage on .*\nbecause statement PushFromHome of inline:pull allows/);
  });

  test('by an explicit deny of the repository’s own policy', async () => {
    await ecr.send(
      new SetRepositoryPolicyCommand({
        repositoryName: 'closed',
        policyText: policy({
          Sid: 'NotThem',
          Effect: 'Deny',
          Principal: { AWS: `arn:aws:iam::${account}:user/puller` },
          Action: 'ecr:BatchGetImage',
        }),
      }),
    );
    const told = await denial('puller', 'ecr:BatchGetImage', 'closed');
    expect(told).toContain(
      'with an explicit deny in a resource-based policy\ndecided by statement NotThem of resource:',
    );
    expect(told).toMatch(/identity-based policy {2}inline:pull\n {2}✓ Pull {2}allows it/);
    expect(told).toMatch(/resource-based policy {2}resource:.*closed\n {2}✗ NotThem {2}denies it/);
    expect(told).toContain('Nothing allows what a Deny forbids: change statement NotThem of resource:');
  });

  test('by a boundary', async () => {
    const edge = await iam.send(
      new CreatePolicyCommand({
        PolicyName: 'edge',
        PolicyDocument: policy({ Sid: 'Ecs', Effect: 'Allow', Action: 'ecs:*', Resource: '*' }),
      }),
    );
    const PermissionsBoundary = edge.Policy?.Arn ?? '';
    await iam.send(new CreateUserCommand({ UserName: 'bounded', PermissionsBoundary }));
    await iam.send(new AttachUserPolicyCommand({ UserName: 'bounded', PolicyArn: powerUser }));
    const told = await denial('bounded', 'ecr:PutImage', 'team-a/web');
    expect(told).toContain('because no permissions boundary allows the ecr:PutImage action');
    expect(told).toMatch(/identity-based policy {2}arn:.*PowerUser\n {2}✓ 0 {2}allows it/);
    expect(told).toContain(`let ${PermissionsBoundary} allow ecr:PutImage as well, or take the boundary away`);
  });

  test('by the session policy of the very credentials', async () => {
    const RoleArn = await role('ci', `arn:aws:iam::${account}:root`);
    await iam.send(new AttachRolePolicyCommand({ RoleName: 'ci', PolicyArn: powerUser }));
    const sts = new STSClient(settings);
    const { Credentials: made } = await sts.send(
      new AssumeRoleCommand({
        RoleArn,
        RoleSessionName: 'build-7',
        Policy: policy({ Effect: 'Allow', Action: 'ecr:Get*', Resource: '*' }),
      }),
    );
    sts.destroy();
    const told = await denial(made?.AccessKeyId ?? '', 'ecr:PutImage', 'team-a/web');
    expect(told).toMatch(/^arn:aws:sts::0{12}:assumed-role\/ci\/build-7 may not/);
    expect(told).toContain('because no session policy allows the ecr:PutImage action');
    expect(told).toContain('make others with a session policy that allows ecr:PutImage, or without one');
    // The role itself may.
    expect((await explain('--principal', RoleArn, '--action', 'ecr:PutImage', '--resource', 'team-a/web')).code).toBe(
      0,
    );
  });

  test('by the other account, whose policy must allow it as well', async () => {
    const told = await denial('admin', 'ecr:PutImage', 'arn:aws:ecr:us-east-1:111122223333:repository/theirs');
    expect(told).toContain('because no resource-based policy allows the ecr:PutImage action');
    expect(told).toMatch(/Callers of other accounts.* need one that names them and allows ecr:PutImage/);
  });

  test('by the trust policy of a role', async () => {
    const arn = await role('theirs', `arn:aws:iam::${account}:user/puller`);
    const told = await denial('admin', 'sts:AssumeRole', arn);
    expect(told).toContain('because no role trust policy allows the sts:AssumeRole action');
    expect(told).toMatch(/· 0 {2}would allow, but its principal is not arn:aws:iam::0{12}:user\/admin/);
    expect(told).toContain('aws iam update-assume-role-policy --role-name theirs');
  });

  test('by a condition on tags, which are those of the resource now', async () => {
    await iam.send(new CreateUserCommand({ UserName: 'tagged' }));
    const Condition = { StringEquals: { 'aws:ResourceTag/team': 'a' } };
    await iam.send(
      new PutUserPolicyCommand({
        UserName: 'tagged',
        PolicyName: 'own',
        PolicyDocument: policy({ Sid: 'Team', Effect: 'Allow', Action: ['ecr:*', 'ecs:*'], Resource: '*', Condition }),
      }),
    );
    const told = await denial('tagged', 'ecr:PutImage', 'team-a/web');
    expect(told).toContain('the key is not in the request, the policy says StringEquals "a"');
    expect(told).toContain(
      'condition keys that the request does not have: aws:ResourceTag/team (try --context key=value)',
    );
    await ecr.send(
      new TagResourceCommand({ resourceArn: repository('team-a/web'), tags: [{ Key: 'team', Value: 'a' }] }),
    );
    expect((await explain('--principal', 'tagged', '--action', 'ecr:PutImage', '--resource', 'team-a/web')).code).toBe(
      0,
    );

    const ecs = new ECSClient(settings);
    await ecs.send(new CreateClusterCommand({ clusterName: 'b', tags: [{ key: 'team', value: 'b' }] }));
    ecs.destroy();
    const cluster = await denial('tagged', 'ecs:DescribeClusters', `arn:aws:ecs:us-east-1:${account}:cluster/b`);
    expect(cluster).toContain('the key is "b", the policy says StringEquals "a"');
  });

  test('of whoever is not there', async () => {
    const told = await denial('ghost', 'ecr:PutImage', 'team-a/web');
    expect(told).toContain(`because the user arn:aws:iam::${account}:user/ghost does not exist\n\nNo policy applies.`);
    expect(await denial('AKIAQAAAAAAAABCDEFGH', 'ecr:PutImage', 'team-a/web')).toContain('there is no access key AKIA');
  });
});

describe('a request that was made', () => {
  test('is explained by the id in its answer: what was decided then, and what would be now', async () => {
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'puller' }));
    const puller = new ECRClient({
      ...settings,
      credentials: { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' },
    });
    const refused = await puller.send(new CreateRepositoryCommand({ repositoryName: 'mine' })).then(
      () => undefined,
      (error: { $metadata: { requestId?: string } }) => error.$metadata.requestId,
    );
    puller.destroy();
    const args = ['--request', refused ?? ''];
    const then = await until('the audit line', 180_000, async () => {
      const told = await explain(...args);
      return told.code === 3 && told;
    });
    expect(then.stdout).toMatch(
      new RegExp(
        `^\\S+Z {2}ecr:CreateRepository {2}by arn:aws:iam::${account}:user/puller from 127.0.0.1 \\(sigv4\\)\nanswered 400 AccessDeniedException\n {2}then: refused ecr:CreateRepository on ${repository('mine')}: no identity-based policy`,
      ),
    );
    expect(then.stdout).toContain(`user/puller may not ecr:CreateRepository on ${repository('mine')}`);
    // The same from elsewhere, by the server, of the last hour.
    const elsewhere = await until('the refusal', 180_000, async () => {
      const told = await run(slipway, ['explain', ...args], { env: server.aws() });
      return told.code === 0 && told;
    });
    expect(elsewhere.stdout).toContain(`user/puller may not ecr:CreateRepository on ${repository('mine')}`);
    expect(elsewhere.stdout).toContain('inline:pull');

    await iam.send(
      new PutUserPolicyCommand({
        UserName: 'puller',
        PolicyName: 'create',
        PolicyDocument: policy({ Effect: 'Allow', Action: 'ecr:CreateRepository', Resource: '*' }),
      }),
    );
    const now = await explain(...args);
    expect(now.code).toBe(3);
    expect(now.stdout).toContain('then: refused');
    expect(now.stdout).toContain(`user/puller may ecr:CreateRepository on ${repository('mine')}`);
    expect(JSON.parse((await explain(...args, '--output', 'json')).stdout)).toMatchObject({
      request: { requestId: refused, decisions: [{ allowed: false }] },
      now: [{ allowed: true }],
    });
  });

  test('that was refused before any policy was asked says so, with what its sender was not told', async () => {
    const answer = await fetch(`${server.endpoint}/v2/`, { headers: { authorization: 'Basic QVdTOndyb25n' } });
    expect(answer.status).toBe(401);
    const told = await until('the audit line', 180_000, async () => {
      const found = await explain('--request', answer.headers.get('x-amzn-requestid') ?? '');
      return found.stdout !== '' && found;
    });
    expect(told.stdout).toMatch(/answered 401 unauthenticated: .+\n {2}no policy was asked/);
    expect(told.code).toBe(3);
  });
});

test.each([
  [['--principal', 'a'], /name --principal, --action and --resource, or a --request/],
  [['--principal', 'a', '--action', 'PutImage', '--resource', 'b'], /name the action as service:Action/],
  [['--principal', 'a', '--action', 'ecr:PutImage', '--resource', 'UPPER'], /UPPER/],
  [['--principal', 'a', '--action', 'ecs:RunTask', '--resource', 'web'], /name the resource by its ARN/],
  [['--request', 'nothing'], /no audit line of .* x-amzn-requestid/],
])('%j is refused in one line', async (args, message) => {
  const { code, stderr } = await explain(...args);
  expect(code).toBeGreaterThan(0);
  expect(code).not.toBe(3);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\n\s+at /);
});
