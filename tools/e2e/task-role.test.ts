import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateRepositoryCommand,
  DescribeRepositoriesCommand,
  ECRClient,
  GetAuthorizationTokenCommand,
} from '@aws-sdk/client-ecr';
import {
  CreateServiceCommand,
  DescribeContainerInstancesCommand,
  DescribeTasksCommand,
  ECSClient,
  ListContainerInstancesCommand,
  RegisterContainerInstanceCommand,
  RegisterTaskDefinitionCommand,
  ListTasksCommand,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  IAMClient,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { endpointPort, holderText } from '@slipway/scheduler/hosts/agent';
import { freePort } from '@slipway/storage/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { check, run, until } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker, webCommand } from '../testbed/docker.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** Credentials as an SDK in a container gets them. */
interface Handed {
  readonly RoleArn: string;
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly Token: string;
  readonly Expiration: string;
}

interface Running {
  readonly arn: string;
  readonly id: string;
  /** Docker's id of its container. */
  readonly container: string;
  readonly environment: Readonly<Record<string, string>>;
}

const capability = 'com.amazonaws.ecs.capability.task-iam-role';

/** Why the endpoint cannot be had here; undefined when it can. */
async function missingEndpoint(): Promise<string | undefined> {
  const docker = await missingDocker();
  if (docker !== undefined) return docker;
  const rules = await run('iptables', ['-w', '5', '-t', 'nat', '-S', 'OUTPUT'], {}).catch(() => undefined);
  if (rules?.code !== 0) return 'no right to change packet filter rules (root and iptables)';
  const { gateway } = await bridgeOf();
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', ({ message }) => {
      // Packet filter rules lead one address of the whole machine there, so that this test cannot have a port of its own.
      void holderText(endpointPort).then((holder) =>
        resolve(`the credentials port is taken by ${holder} (${message})`),
      );
    });
    server.listen(endpointPort, gateway, () => server.close(() => resolve(undefined)));
  });
}

/** Docker's default bridge network. */
async function bridgeOf(): Promise<{ readonly name: string; readonly gateway: string }> {
  const format = '{{index .Options "com.docker.network.bridge.name"}} {{range .IPAM.Config}}{{.Gateway}}{{end}}';
  const printed = await check('docker', ['network', 'inspect', 'bridge', '--format', format]);
  const [name = '', written = ''] = printed.trim().split(' ');
  // An engine that has not written its gateway down has it all the same.
  const shown = await check('ip', ['-4', '-o', 'address', 'show', 'dev', name]);
  const own = / inet (\d+\.\d+\.\d+\.\d+)\//.exec(shown)?.[1] ?? '';
  return { name, gateway: written === '' ? own : written };
}

/** The status of an answer to a request with headers that fetch would not send. */
function statusOf(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { headers, timeout: 5_000, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}

const missing = await missingEndpoint();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

describe.skipIf(missing !== undefined)(`task roles${missing === undefined ? '' : ` (${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-role-'));
  const docker = new DockerCli();
  const region = 'us-east-1';
  let server: ServerProcess;
  let image: string;
  let bridge: { readonly name: string; readonly gateway: string };
  let admin: { readonly ecs: ECSClient; readonly ecr: ECRClient; readonly iam: IAMClient };
  let failed = false;

  const clientOptions = (credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }) => ({
    endpoint: server.endpoint,
    region,
    credentials,
    maxAttempts: 1,
  });

  beforeAll(async () => {
    server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_TASK_ENDPOINT: 'auto' });
    await server.start();
    bridge = await bridgeOf();
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = server.aws();
    const options = clientOptions({ accessKeyId, secretAccessKey });
    admin = { ecs: new ECSClient(options), ecr: new ECRClient(options), iam: new IAMClient(options) };
    image = `${server.registry}/worker:1`;
    await admin.ecr.send(new CreateRepositoryCommand({ repositoryName: 'worker' }));
    await makeImage(docker, { reference: image, command: webCommand });
    const { authorizationData = [] } = await admin.ecr.send(new GetAuthorizationTokenCommand({}));
    const password = Buffer.from(authorizationData[0]?.authorizationToken ?? '', 'base64')
      .toString()
      .slice(4);
    await docker.check(['login', '--username', 'AWS', '--password-stdin', server.registry], password);
    await docker.check(['push', image]);
    for (const name of ['reader', 'idle']) {
      await admin.iam.send(
        new CreateRoleCommand({
          RoleName: name,
          AssumeRolePolicyDocument: JSON.stringify({
            Version: '2012-10-17',
            Statement: [
              { Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' },
            ],
          }),
        }),
      );
    }
    await admin.iam.send(
      new PutRolePolicyCommand({
        RoleName: 'reader',
        PolicyName: 'read',
        PolicyDocument: policy({ Action: 'ecr:DescribeRepositories', Resource: '*' }),
      }),
    );
  });

  afterEach((context) => {
    failed ||= context.task.result?.state === 'fail';
  });

  afterAll(async () => {
    if (failed) process.stderr.write(`--- server log ---\n${server.log.slice(-20_000)}\n`);
    await server.stop();
    await docker.forget(server.registry);
    docker.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const policy = (...statements: object[]): string =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: statements.map((statement) => ({ Effect: 'Allow', ...statement })),
    });

  const roleArn = (name: string): string => `arn:aws:iam::000000000000:role/${name}`;

  const register = (family: string, role: string | undefined, client = admin.ecs) =>
    client.send(
      new RegisterTaskDefinitionCommand({
        family,
        ...(role === undefined ? {} : { taskRoleArn: roleArn(role) }),
        containerDefinitions: [{ name: 'main', image, memory: 32 }],
      }),
    );

  async function running(family: string): Promise<Running> {
    const { tasks = [], failures } = await admin.ecs.send(new RunTaskCommand({ taskDefinition: family }));
    const arn = tasks[0]?.taskArn;
    if (arn === undefined) throw new Error(JSON.stringify(failures));
    const task = await until(`a task of ${family}`, 180_000, async () => {
      const described = await describeTask(arn);
      if (described.lastStatus === 'STOPPED') throw new Error(described.stoppedReason);
      return described.lastStatus === 'RUNNING' ? described : undefined;
    });
    const container = task.containers?.[0]?.runtimeId ?? '';
    const environment = JSON.parse(
      await docker.check(['inspect', '--format', '{{json .Config.Env}}', container]),
    ) as string[];
    return {
      arn,
      id: arn.split('/').at(-1) ?? '',
      container,
      environment: Object.fromEntries(environment.map((line) => line.split(/=(.*)/s, 2) as [string, string])),
    };
  }

  const describeTask = async (arn: string): Promise<Task> => {
    const { tasks = [] } = await admin.ecs.send(new DescribeTasksCommand({ tasks: [arn] }));
    return tasks[0] ?? {};
  };

  /** What busybox' wget prints inside a task's container; its error output when the answer is not 200. */
  const wget = async (from: Running, url: string): Promise<string> => {
    const { stdout, stderr, code } = await docker.run(['exec', from.container, 'wget', '-O', '-', url]);
    return code === 0 ? stdout : stderr;
  };

  const credentialsUrl = (of: Running): string =>
    `http://169.254.170.2${of.environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] ?? ''}`;

  let reader: Running;
  let idle: Running;
  let handed: Handed;

  const asReader = () =>
    clientOptions({
      accessKeyId: handed.AccessKeyId,
      secretAccessKey: handed.SecretAccessKey,
      sessionToken: handed.Token,
    });

  test('an instance whose agent serves the endpoint says so', async () => {
    const found = await until('the capability', 180_000, async () => {
      const { containerInstanceArns: [arn = ''] = [] } = await admin.ecs.send(new ListContainerInstancesCommand({}));
      const { containerInstances: [instance] = [] } = await admin.ecs.send(
        new DescribeContainerInstancesCommand({ containerInstances: [arn] }),
      );
      return instance?.attributes?.find(({ name }) => name === capability);
    });
    expect(found.value ?? '').toBe('');
  });

  test('a container gets the credentials of its task role', async () => {
    await register('reader', 'reader');
    await register('idle', 'idle');
    [reader, idle] = await Promise.all([running('reader'), running('idle')]);
    handed = JSON.parse(await wget(reader, credentialsUrl(reader))) as Handed;
    expect(handed).toEqual({
      RoleArn: roleArn('reader'),
      AccessKeyId: expect.stringMatching(/^ASIA[A-Z0-9]{16}$/),
      SecretAccessKey: expect.stringMatching(/^.{40}$/),
      Token: expect.any(String),
      Expiration: expect.stringMatching(/Z$/),
    });
    expect(Date.parse(handed.Expiration)).toBeGreaterThan(Date.now() + 15 * 60_000);
    const identity = await new STSClient(asReader()).send(new GetCallerIdentityCommand({}));
    expect(identity.Arn).toBe(`arn:aws:sts::000000000000:assumed-role/reader/${reader.id}`);
  });

  test('what the role may do works and everything else is denied', async () => {
    const ecr = new ECRClient(asReader());
    const { repositories = [] } = await ecr.send(new DescribeRepositoriesCommand({}));
    expect(repositories.map(({ repositoryName }) => repositoryName)).toEqual(['worker']);
    await expect(ecr.send(new CreateRepositoryCommand({ repositoryName: 'more' }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
    await expect(
      new ECSClient(asReader()).send(new RegisterContainerInstanceCommand({ cluster: 'default' })),
    ).rejects.toMatchObject({ name: 'AccessDeniedException' });
  });

  test('an unmodified SDK in the container finds them by itself', async () => {
    const pid = await docker.check(['inspect', '--format', '{{.State.Pid}}', reader.container]);
    const script = `
      const { STSClient } = await import('@aws-sdk/client-sts');
      const { accessKeyId } = await new STSClient({ region: 'us-east-1' }).config.credentials();
      process.stdout.write(accessKeyId);`;
    // The container's network with this machine's files: the image has no Node.
    const found = await check(
      'nsenter',
      ['--net', '--target', pid, process.execPath, '--input-type=module', '--eval', script],
      {
        cwd: import.meta.dirname,
        env: {
          ...Object.fromEntries(
            Object.keys(process.env)
              .filter((name) => name.startsWith('AWS_'))
              .map((name) => [name, undefined]),
          ),
          HOME: folder,
          AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: reader.environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'],
        },
      },
    );
    expect(found).toBe(handed.AccessKeyId);
  });

  test('T1, T2, T5: another task, an unknown id and this host get nothing', async () => {
    expect(await wget(idle, credentialsUrl(reader))).toContain('403');
    expect(await wget(reader, 'http://169.254.170.2/v2/credentials/00000000-0000-0000-0000-000000000000')).toContain(
      '400',
    );
    expect(await wget(reader, 'http://169.254.170.2/v2/credentials/')).toContain('400');
    const direct = credentialsUrl(reader).replace('169.254.170.2', `${bridge.gateway}:${endpointPort}`);
    expect(await statusOf(direct, { host: '169.254.170.2' })).toBe(403);
    // A name of its own that leads to the listener, as a rebinding page has it.
    expect(await wget(reader, direct)).toContain('403');
  });

  test('T2: a burst of guesses is throttled', async () => {
    const pid = await docker.check(['inspect', '--format', '{{.State.Pid}}', idle.container]);
    // Over connections that stay, so that also a busy machine guesses faster than it may.
    const script = `
      const { Agent, get } = require('node:http');
      const agent = new Agent({ keepAlive: true, maxSockets: 4 });
      const guess = () => new Promise((resolve) => {
        get('http://169.254.170.2/v2/credentials/guess', { agent }, (answer) =>
          answer.resume().on('end', () => resolve(answer.statusCode)),
        ).on('error', (error) => resolve(error.code));
      });
      (async () => {
        const seen = new Set();
        const end = Date.now() + 60_000;
        while (!seen.has(429) && Date.now() < end)
          for (const said of await Promise.all(Array.from({ length: 40 }, guess))) seen.add(said);
        process.stdout.write([...seen].sort().join(' '));
        process.exit();
      })();`;
    expect(await check('nsenter', ['--net', '--target', pid, process.execPath, '--eval', script])).toBe('400 429');
  });

  test('T6: the metadata endpoint describes the container and its task, to that task only', async () => {
    const base = reader.environment['ECS_CONTAINER_METADATA_URI_V4'] ?? '';
    expect(JSON.parse(await wget(reader, base))).toMatchObject({
      DockerId: reader.container,
      Name: 'main',
      Image: image,
      KnownStatus: 'RUNNING',
      Limits: { CPU: 0, Memory: 32 },
      Type: 'NORMAL',
      Networks: [{ NetworkMode: 'bridge', IPv4Addresses: [expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/)] }],
    });
    expect(JSON.parse(await wget(reader, `${base}/task`))).toMatchObject({
      Cluster: 'default',
      TaskARN: reader.arn,
      Family: 'reader',
      Revision: '1',
      DesiredStatus: 'RUNNING',
      KnownStatus: 'RUNNING',
      LaunchType: 'EC2',
      Containers: [{ DockerId: reader.container }],
    });
    expect(JSON.parse(await wget(reader, `${base}/stats`))).toMatchObject({ id: reader.container });
    const stats = JSON.parse(
      await wget(reader, `${reader.environment['ECS_CONTAINER_METADATA_URI'] ?? ''}/task/stats`),
    ) as object;
    expect(Object.keys(stats)).toEqual([reader.container]);
    expect(await wget(idle, base)).toContain('403');
    expect(await wget(reader, `${base}x`)).toContain('404');
  });

  test('T8: secrets are in no file, log or container description', async () => {
    const inspected = await docker.check(['inspect', reader.container]);
    const agentFiles = files(join(server.data, 'agent'));
    expect(agentFiles.length).toBeGreaterThan(1);
    const audit = files(join(server.data, 'audit'));
    for (const text of [
      inspected,
      server.log,
      ...[...agentFiles, ...audit].map((path) => readFileSync(path, 'utf8')),
    ]) {
      expect(text).not.toContain(handed.SecretAccessKey);
      expect(text).not.toContain(handed.Token);
    }
    expect(agentFiles.map((path) => statSync(path).mode & 0o077)).toEqual(agentFiles.map(() => 0));
  });

  test('G1, T4: containers reach neither the control channel nor the metadata service of a cloud', async () => {
    expect(await wget(reader, `http://${bridge.gateway}:${server.port}/agent/acs/ws`)).toMatch(/refused|timed out/);
    const drop = `-w 5 -C DOCKER-USER -i ${bridge.name} -d 169.254.169.254/32 -m comment --comment slipway-agent -j DROP`;
    await check('iptables', drop.split(' '));
    expect(
      await statusOf(`${server.endpoint}/agent/acs/ws`, {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': Buffer.alloc(16).toString('base64'),
      }),
    ).toBe(401);
  });

  test('T4, T7: rules that somebody removed come back', async () => {
    const rule =
      `PREROUTING -i ${bridge.name} -d 169.254.170.2/32 -p tcp --dport 80 -m comment --comment slipway-agent ` +
      `-j DNAT --to-destination ${bridge.gateway}:${endpointPort}`;
    await check('iptables', ['-w', '5', '-t', 'nat', '-D', ...rule.split(' ')]);
    await until('the rule', 180_000, async () => {
      return (await run('iptables', ['-w', '5', '-t', 'nat', '-C', ...rule.split(' ')])).code === 0;
    });
    const rules = await check('iptables', ['-w', '5', '-t', 'nat', '-S', 'PREROUTING']);
    const ours = rules.split('\n').filter((line) => line.includes('slipway-agent'));
    expect(ours.filter((line) => line.includes(`-i ${bridge.name} `))).toHaveLength(1);
  });

  test('T3: credentials of a stopped task end, and its id is served no more', async () => {
    await admin.ecs.send(new StopTaskCommand({ task: reader.arn }));
    await until('the stop', 180_000, async () => (await describeTask(reader.arn)).lastStatus === 'STOPPED');
    const sts = new STSClient(asReader());
    await until('the end of the credentials', 180_000, async () => {
      const refused = await sts.send(new GetCallerIdentityCommand({})).catch((error: Error) => error.name);
      return refused === 'InvalidClientTokenId' || refused === 'ExpiredToken';
    });
    expect(await wget(idle, credentialsUrl(reader))).toContain('400');
  });

  test('a restarted server and agent go on serving a task that runs', async () => {
    const before = JSON.parse(await wget(idle, credentialsUrl(idle))) as Handed;
    await server.stop('SIGKILL');
    await server.start();
    const after = await until('credentials after the restart', 180_000, async () => {
      const answer = await wget(idle, credentialsUrl(idle));
      return answer.startsWith('{') ? (JSON.parse(answer) as Handed) : undefined;
    });
    expect(after.RoleArn).toBe(before.RoleArn);
    expect(
      JSON.parse(await wget(idle, `${idle.environment['ECS_CONTAINER_METADATA_URI_V4'] ?? ''}/task`)),
    ).toMatchObject({ TaskARN: idle.arn });
  });

  test('P16: whoever starts tasks with a role needs iam:PassRole on it', async () => {
    await admin.iam.send(new CreateUserCommand({ UserName: 'starter' }));
    const allow = (...more: object[]) =>
      admin.iam.send(
        new PutUserPolicyCommand({
          UserName: 'starter',
          PolicyName: 'start',
          PolicyDocument: policy({ Action: 'ecs:*', Resource: '*' }, ...more),
        }),
      );
    await allow();
    const { AccessKey } = await admin.iam.send(new CreateAccessKeyCommand({ UserName: 'starter' }));
    const ecs = new ECSClient(
      clientOptions({
        accessKeyId: AccessKey?.AccessKeyId ?? '',
        secretAccessKey: AccessKey?.SecretAccessKey ?? '',
      }),
    );
    await register('plain', undefined);
    const refused = {
      name: 'AccessDeniedException',
      message: expect.stringContaining(`iam:PassRole on resource: ${roleArn('idle')}`),
    };
    const create = new CreateServiceCommand({ serviceName: 'idle', taskDefinition: 'idle', desiredCount: 0 });
    const runIdle = new RunTaskCommand({ taskDefinition: 'idle' });
    await expect(register('idle', 'idle', ecs)).rejects.toMatchObject(refused);
    await expect(ecs.send(runIdle)).rejects.toMatchObject(refused);
    await expect(
      ecs.send(new RunTaskCommand({ taskDefinition: 'plain', overrides: { taskRoleArn: roleArn('idle') } })),
    ).rejects.toMatchObject(refused);
    await expect(ecs.send(create)).rejects.toMatchObject(refused);
    await ecs.send(new CreateServiceCommand({ serviceName: 'plain', taskDefinition: 'plain', desiredCount: 0 }));
    await expect(
      ecs.send(new UpdateServiceCommand({ service: 'plain', taskDefinition: 'idle' })),
    ).rejects.toMatchObject(refused);

    await allow({
      Action: 'iam:PassRole',
      Resource: roleArn('idle'),
      Condition: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
    });
    await until('the right to pass the role', 180_000, async () => (await ecs.send(create)).service !== undefined);
    await ecs.send(new UpdateServiceCommand({ service: 'plain', taskDefinition: 'idle' }));
    // Scaling hands over nothing.
    await allow();
    await until('the end of the right', 180_000, async () => {
      const ended = await ecs.send(runIdle).catch((error: Error) => error.name);
      return ended === 'AccessDeniedException';
    });
    await ecs.send(new UpdateServiceCommand({ service: 'plain', desiredCount: 0 }));
  });

  test('without tasks of its own the agent leaves no rule behind', async () => {
    // The right to start more of them ended a moment after it was taken away.
    const { taskArns = [] } = await admin.ecs.send(new ListTasksCommand({}));
    for (const task of taskArns) await admin.ecs.send(new StopTaskCommand({ task }));
    for (const arn of new Set([idle.arn, ...taskArns]))
      await until('the stop', 180_000, async () => (await describeTask(arn)).lastStatus === 'STOPPED');
    const { agentId } = JSON.parse(readFileSync(join(server.data, 'agent', 'agent.json'), 'utf8')) as {
      agentId: string;
    };
    const own = `-i ecs${createHash('sha256').update(agentId).digest('hex').slice(0, 4)}+`;
    const rules = async (): Promise<string[]> => {
      const tables = ['nat', 'filter'].map((table) => check('iptables-save', ['-t', table]));
      return (await Promise.all(tables)).join('\n').split('\n');
    };
    expect((await rules()).filter((line) => line.includes(own))).not.toEqual([]);
    await server.stop();
    const left = (await rules()).filter((line) => line.includes('slipway-agent'));
    expect(left.filter((line) => line.includes(own))).toEqual([]);
    // What another agent of this machine has is not all its own: agents share the rules of the bridge.
    expect(left.some((line) => / -i ecs[0-9a-f]{4}\+ /.test(line)) ? [] : left).toEqual([]);
  });
});

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
