import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import { Registry } from '@prometheus-io/client';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../server/config.ts';
import { type Installation, startInstallation } from '../server/installation.ts';
import { builtClient } from '../testbed/clients/programs.ts';
import { check, run } from '../testbed/command.ts';

/**
 * The AWS SDKs for Go and for Python (boto3), unmodified, against a whole server: how they sign, with keys and with sessions, in
 * headers and in queries; what they refuse to send and we to take; how they find out that a clock is wrong.
 */
const account = '000000000000';
const hour = 3_600_000;

/** Why a client cannot be tried here; under CI that is a failure. */
function needed(missing: string | undefined): string | undefined {
  if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);
  return missing;
}

/** Debian's own command line, which is a version 2, beside the version 1 that other tests use. */
const cli = '/usr/bin/aws';
const cliVersion = await run(cli, ['--version']).catch(() => ({ stdout: '' }));
const noCli = needed(
  cliVersion.stdout.startsWith('aws-cli/2.') ? undefined : 'no AWS command line of version 2 (apt install awscli)',
);

/** Boto3 lies beside the AWS command line that was installed for tests, or in the machine's own Python. */
const python = ['/opt/slipway-test-awscli/bin/python', 'python3'].find(
  (path) => path === 'python3' || existsSync(path),
);
const boto = await run(python ?? '', ['-c', 'import boto3']).catch(() => ({ code: 1 }));
const noBoto = needed(boto.code === 0 ? undefined : 'boto3 is not on this machine (pip install boto3)');
const sdk = await builtClient('aws-sdk-go');

const folder = mkdtempSync(join(tmpdir(), 'slipway-sdks-'));
let installation: Installation;
let roleArn: string;

beforeAll(async () => {
  installation = await startInstallation(
    readConfig({ SLIPWAY_DATA: join(folder, 'data'), SLIPWAY_PORT: '0', SLIPWAY_AGENT: 'off' }),
    pino({ level: 'silent' }),
    { port: 0, metrics: new Registry() },
  );
  if (installation.administrator === undefined) throw new Error('a new installation makes an administrator');
  const iam = new IAMClient({
    endpoint: installation.listening.url,
    region: 'us-east-1',
    credentials: installation.administrator,
  });
  const AssumeRolePolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'sts:AssumeRole' }],
  });
  const { Role } = await iam.send(new CreateRoleCommand({ RoleName: 'sdk', AssumeRolePolicyDocument }));
  roleArn = Role?.Arn ?? '';
  iam.destroy();
});
afterAll(async () => {
  vi.useRealTimers();
  await installation.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What the clients read from their environment, as `slipway env` prints it. */
const environment = (endpoint = installation.listening.url): Record<string, string> => ({
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: installation.administrator?.accessKeyId ?? '',
  AWS_SECRET_ACCESS_KEY: installation.administrator?.secretAccessKey ?? '',
  AWS_SESSION_TOKEN: '',
  AWS_CONFIG_FILE: join(folder, 'none'),
  AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_MAX_ATTEMPTS: '2',
  ROLE_ARN: roleArn,
});

/** The server with a clock that is an hour ahead of the clients', which is what its answers' `Date` says as well. */
async function anHourAhead<T>(use: (endpoint: string) => Promise<T>): Promise<T> {
  const { port } = installation.listening;
  const proxy = createServer((request, response) => {
    const passed = httpRequest(
      { port, host: '127.0.0.1', method: request.method, path: request.url, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, {
          ...answer.headers,
          date: new Date(Date.now()).toUTCString(),
        });
        answer.pipe(response);
      },
    );
    request.pipe(passed);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + hour });
  try {
    return await use(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  } finally {
    vi.useRealTimers();
    proxy.closeAllConnections();
    proxy.close();
  }
}

const administrator = `arn:aws:iam::${account}:user/admin`;

describe.skipIf(sdk.missing !== undefined)('the AWS SDK for Go', () => {
  const [program] = sdk.command(folder);
  const calls = async <T>(steps: readonly string[], endpoint?: string): Promise<T> =>
    JSON.parse(await check(program, steps, { env: environment(endpoint) })) as T;

  test('signs its calls of STS, IAM, ECR and ECS, pages through lists, and knows our errors by their types', async () => {
    const seen = await calls<Record<string, Record<string, unknown>>>(['identity', 'iam', 'ecr', 'ecs']);
    expect(seen).toEqual({
      identity: administrator,
      iam: {
        users: ['admin', 'go-user'],
        tag: 'größe=a = b',
        keyId: expect.stringMatching(/^AKIA[A-Z0-9]{16}$/),
        typedError: true,
      },
      ecr: {
        uri: `${new URL(installation.listening.url).host}/go/web`,
        age: expect.any(Number),
        expires: expect.any(Number),
        typedError: true,
      },
      ecs: {
        clusters: [`arn:aws:ecs:us-east-1:${account}:cluster/default`],
        text: 'ü "quoted" \\',
        typedError: true,
      },
    });
    expect(Math.abs(Number(seen['ecr']?.['age']))).toBeLessThan(60);
    expect(Number(seen['ecr']?.['expires'])).toBeGreaterThan(11.9);
  });

  test('S15: a session is its keys and its token together', async () => {
    expect(await calls(['session'])).toEqual({
      session: {
        arn: `arn:aws:sts::${account}:assumed-role/sdk/go`,
        withoutToken: 'InvalidClientTokenId',
        otherToken: 'InvalidClientTokenId',
      },
    });
  });

  test('S14: a presigned request is good as it is, and no other', async () => {
    const { presign } = await calls<{ presign: Record<string, string> }>(['presign']);
    expect(presign['asItIs']).toMatch(new RegExp(`^200 .*<Arn>${administrator}</Arn>`, 's'));
    expect(presign['otherMethod']).toMatch(/^403 .*SignatureDoesNotMatch/s);
    expect(presign['otherAction']).toMatch(/^403 .*SignatureDoesNotMatch/s);
  });

  test('S9: a payload that is not signed is refused, however it says so', async () => {
    const { payloads } = await calls<{ payloads: Record<string, string> }>(['payloads']);
    const { hash, ...others } = payloads;
    expect(hash).toMatch(/^200 \{"clusterArns"/);
    expect(Object.keys(others)).toHaveLength(4);
    for (const [mode, answer] of Object.entries(others))
      expect([mode, answer.slice(0, 3), /"__type":"(\w+)"/.exec(answer)?.[1]]).toEqual([
        mode,
        '400',
        'InvalidSignatureException',
      ]);
  });

  test('S4: another secret is a signature that does not match, in the words of each protocol', async () => {
    expect(await calls(['wrong'])).toEqual({
      wrong: { query: 'SignatureDoesNotMatch', json: 'InvalidSignatureException' },
    });
  });

  test('S5: corrects a clock that is an hour off by our answer', async () => {
    const seen = await anHourAhead((endpoint) => calls<Record<string, unknown>>(['identity', 'wrong'], endpoint));
    expect(seen['identity']).toBe(administrator);
    // A wrong secret stays one, with the right time as well.
    expect(seen['wrong']).toEqual({ query: 'SignatureDoesNotMatch', json: 'InvalidSignatureException' });
  });
});

describe.skipIf(noCli !== undefined)(`the AWS command line ${cliVersion.stdout.split(' ', 1)[0] ?? ''}`, () => {
  // An older one does not read AWS_ENDPOINT_URL.
  const aws = (args: readonly string[], endpoint = installation.listening.url) =>
    run(cli, [...args, '--endpoint-url', endpoint, '--no-cli-pager'], { env: environment(endpoint) });

  test('signs its calls of STS, ECR and ECS, and prints times as it does', async () => {
    expect((await aws(['sts', 'get-caller-identity', '--query', 'Arn', '--output', 'text'])).stdout.trim()).toBe(
      administrator,
    );
    const made = await aws(['ecr', 'create-repository', '--repository-name', 'cli/web', '--output', 'yaml']);
    expect(made.stdout).toMatch(/createdAt: '\d{4}-\d\d-\d\dT[\d:.]+\+00:00'/);
    const { stdout: password } = await aws(['ecr', 'get-login-password']);
    const authorization = `Basic ${Buffer.from(`AWS:${password.trim()}`).toString('base64')}`;
    expect((await fetch(`${installation.listening.url}/v2/`, { headers: { authorization } })).status).toBe(200);
    const definition = JSON.stringify([{ name: 'main', image: 'busybox', memory: 16, command: ['ü "x"'] }]);
    const registered = await aws([
      'ecs',
      'register-task-definition',
      '--family',
      'cli',
      '--container-definitions',
      definition,
    ]);
    expect(JSON.parse(registered.stdout)).toMatchObject({
      taskDefinition: { revision: 1, containerDefinitions: [{ command: ['ü "x"'] }] },
    });
    const missing = await aws(['ecs', 'describe-services', '--services', 'web', '--cluster', 'none']);
    expect([missing.code, missing.stderr]).toEqual([254, expect.stringContaining('(ClusterNotFoundException)')]);
  });

  test('S5: a clock that is an hour off is told by the name that says so', async () => {
    const { stderr } = await anHourAhead((endpoint) => aws(['ecs', 'list-clusters'], endpoint));
    expect(stderr).toMatch(/\(InvalidSignatureException\).*Signature expired: \d{8}T\d{6}Z is now earlier than/);
  });
});

describe.skipIf(noBoto !== undefined)('boto3', () => {
  const script = async (lines: string, endpoint?: string): Promise<string[]> => {
    const out = await check(
      python ?? '',
      ['-c', `import boto3, os\nfrom botocore.exceptions import ClientError\n${lines}`],
      {
        env: { ...environment(endpoint), PYTHONIOENCODING: 'utf-8' },
      },
    );
    return out.trimEnd().split('\n');
  };

  test('signs its calls of STS, IAM, ECR and ECS, pages through lists, and knows our errors by their names', async () => {
    const seen = await script(`
print(boto3.client('sts').get_caller_identity()['Arn'])
iam = boto3.client('iam')
iam.create_user(UserName='boto', Tags=[{'Key': 'größe', 'Value': 'a = b'}])
print(iam.list_user_tags(UserName='boto')['Tags'][0]['Key'])
pages = iam.get_paginator('list_users').paginate(PaginationConfig={'PageSize': 1})
print('boto' in [user['UserName'] for page in pages for user in page['Users']])
try: iam.get_user(UserName='nobody-here')
except iam.exceptions.NoSuchEntityException as error: print(error.response['Error']['Code'])
ecr = boto3.client('ecr')
print(ecr.create_repository(repositoryName='boto/web')['repository']['repositoryUri'])
try: ecr.describe_repositories(repositoryNames=['boto/none'])
except ecr.exceptions.RepositoryNotFoundException as error: print(error.response['Error']['Code'])
ecs = boto3.client('ecs')
text = 'ü "quoted" \\\\\\\\'
made = ecs.register_task_definition(family='boto', containerDefinitions=[{'name': 'main', 'image': 'busybox', 'memory': 16, 'environment': [{'name': 'TEXT', 'value': text}]}])
print(made['taskDefinition']['containerDefinitions'][0]['environment'][0]['value'] == text)
try: ecs.describe_services(cluster='none', services=['web'])
except ecs.exceptions.ClusterNotFoundException as error: print(error.response['Error']['Code'])
`);
    expect(seen).toEqual([
      administrator,
      'größe',
      'True',
      'NoSuchEntity',
      `${new URL(installation.listening.url).host}/boto/web`,
      'RepositoryNotFoundException',
      'True',
      'ClusterNotFoundException',
    ]);
  });

  test('tells the two APIs of load balancers apart, waits for them by its waiters, and knows their errors by their names', async () => {
    const seen = await script(`
subnet = boto3.client('ec2').describe_subnets()['Subnets'][0]['SubnetId']
elb, old = boto3.client('elbv2'), boto3.client('elb')
made = elb.create_load_balancer(Name='boto', Subnets=[subnet])['LoadBalancers'][0]
arns = {'LoadBalancerArns': [made['LoadBalancerArn']]}
for name in ['load_balancer_exists', 'load_balancer_available']:
    elb.get_waiter(name).wait(**arns)
group = elb.create_target_group(Name='boto', Protocol='HTTP', Port=80, VpcId=made['VpcId'], TargetType='ip')
group = {'TargetGroupArn': group['TargetGroups'][0]['TargetGroupArn']}
elb.register_targets(Targets=[{'Id': '10.0.0.1'}], **group)
elb.deregister_targets(Targets=[{'Id': '10.0.0.1'}], **group)
elb.get_waiter('target_deregistered').wait(Targets=[{'Id': '10.0.0.1'}], WaiterConfig={'Delay': 1, 'MaxAttempts': 60}, **group)
print([one['LoadBalancerName'] for page in elb.get_paginator('describe_load_balancers').paginate() for one in page['LoadBalancers']])
print([one for page in old.get_paginator('describe_load_balancers').paginate() for one in page['LoadBalancerDescriptions']])
elb.delete_load_balancer(LoadBalancerArn=made['LoadBalancerArn'])
elb.get_waiter('load_balancers_deleted').wait(**arns)
try:
    elb.describe_load_balancers(Names=['boto'])
except elb.exceptions.LoadBalancerNotFoundException as error:
    print(error.response['Error']['Code'])
try:
    old.describe_load_balancers(LoadBalancerNames=['boto'])
except old.exceptions.AccessPointNotFoundException as error:
    print(error.response['Error']['Code'])
`);
    expect(seen).toEqual(["['boto']", '[]', 'LoadBalancerNotFound', 'LoadBalancerNotFound']);
  });

  test('S14, S15: sessions and presigned requests', async () => {
    const seen = await script(`
def session(token):
    return boto3.client('sts', aws_access_key_id=keys['AccessKeyId'], aws_secret_access_key=keys['SecretAccessKey'], aws_session_token=token)
sts = boto3.client('sts')
keys = sts.assume_role(RoleArn=os.environ['ROLE_ARN'], RoleSessionName='boto')['Credentials']
print(session(keys['SessionToken']).get_caller_identity()['Arn'])
for token in (None, keys['SessionToken'] + 'x'):
    try: session(token).get_caller_identity()
    except ClientError as error: print(error.response['Error']['Code'])
for client in (sts, session(keys['SessionToken'])):
    for method in ('GET', 'POST'): print(client.generate_presigned_url('get_caller_identity', HttpMethod=method, ExpiresIn=60))
`);
    const session = `arn:aws:sts::${account}:assumed-role/sdk/boto`;
    expect(seen.slice(0, 3)).toEqual([session, 'InvalidClientTokenId', 'InvalidClientTokenId']);
    const [get = '', post = '', sessionGet = ''] = seen.slice(3);
    const answer = async (url: string, method = 'GET'): Promise<string> => (await fetch(url, { method })).text();
    expect(await answer(get)).toContain(`<Arn>${administrator}</Arn>`);
    expect(await answer(post, 'POST')).toContain(`<Arn>${administrator}</Arn>`);
    expect(await answer(get, 'POST')).toContain('SignatureDoesNotMatch');
    expect(await answer(sessionGet)).toContain(`<Arn>${session}</Arn>`);
    expect(await answer(sessionGet.replace(/X-Amz-Security-Token=[^&]+&?/, ''))).toMatch(
      /InvalidClientTokenId|SignatureDoesNotMatch/,
    );
  });

  test('S5: a clock that is an hour off is told by the name that says so', async () => {
    const seen = await anHourAhead((endpoint) =>
      script(
        `
for name, operation in (('sts', 'get_caller_identity'), ('ecs', 'list_clusters')):
    try: print(getattr(boto3.client(name), operation)()['ResponseMetadata']['HTTPStatusCode'])
    except ClientError as error: print(error.response['Error']['Code'], error.response['Error']['Message'][:17])
`,
        endpoint,
      ),
    );
    // It corrects nothing by itself, and shows people what to do.
    expect(seen).toEqual(['SignatureDoesNotMatch Signature expired', 'InvalidSignatureException Signature expired']);
  });
});
