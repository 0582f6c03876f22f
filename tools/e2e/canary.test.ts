import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startReceiver, type TraceReceiver } from '@slipway/storage/telemetry/testing';
import { freePort } from '@slipway/storage/testing';
import aws4 from 'aws4';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { until } from '../testbed/command.ts';
import { missingDocker } from '../testbed/docker.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/**
 * K1, K3, K4, K6: secrets of every kind go through a whole server at its most talkative level, in good requests and bad ones;
 * afterwards none is in a log, metric, trace, audit line or error, and those that are kept are sealed.
 */
const missing = await missingAwsCli();
const noDocker = await missingDocker();
for (const lacking of [missing, noDocker])
  if (lacking !== undefined && process.env['CI'] !== undefined) throw new Error(lacking);

const folder = mkdtempSync(join(tmpdir(), 'slipway-canary-'));
const collectorKey = 'canary-key-of-the-collector';
let server: ServerProcess;
let receiver: TraceReceiver;
let aws: AwsCli;

beforeAll(async () => {
  if (missing !== undefined) return;
  receiver = await startReceiver();
  server = new ServerProcess(await freePort(), join(folder, 'data'), {
    SLIPWAY_LOG: 'trace',
    SLIPWAY_WORKERS: '1',
    SLIPWAY_AGENT: noDocker === undefined ? 'auto' : 'off',
    ...receiver.environment,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${collectorKey}`,
  });
  await server.start();
  aws = new AwsCli(server.aws());
});

afterAll(async () => {
  await server?.stop();
  await receiver?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Every file below a folder, as bytes in latin1. */
function contents(path: string): string {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((name) => statSync(name).isFile())
    .map((name) => readFileSync(name, 'latin1'))
    .join('\n');
}

test.skipIf(missing !== undefined)(
  'secrets that pass through a server are in nothing that it writes or answers',
  async () => {
    const planted = (name: string): string => `canary${createHash('sha256').update(name).digest('hex').slice(0, 24)}`;
    const errors: string[] = [];
    /** What must never be seen in logs, metrics, audit or errors; `atRest`: nor in the data folder in the clear. */
    const secrets: { readonly what: string; readonly value: string; readonly atRest: boolean }[] = [];
    const keep = (what: string, value: string, atRest = true): string => {
      expect(value.length).toBeGreaterThan(12);
      secrets.push({ what, value, atRest });
      return value;
    };
    const fails = async (args: readonly string[], env: Record<string, string> = {}): Promise<void> => {
      const { code, stdout, stderr } = await aws.run(args, env);
      expect(code).not.toBe(0);
      errors.push(stdout, stderr);
    };
    const send = async (path: string, init: RequestInit): Promise<void> => {
      errors.push(await (await fetch(`${server.endpoint}${path}`, init)).text());
    };

    keep('key of the collector of traces', collectorKey);

    // Long-term and temporary keys.
    await aws.json(['iam', 'create-user', '--user-name', 'canary']);
    const { AccessKey } = await aws.json<{ AccessKey: { AccessKeyId: string; SecretAccessKey: string } }>([
      'iam',
      'create-access-key',
      '--user-name',
      'canary',
    ]);
    keep('secret access key', AccessKey.SecretAccessKey);
    const { Credentials } = await aws.json<{ Credentials: { SecretAccessKey: string; SessionToken: string } }>([
      'sts',
      'get-session-token',
    ]);
    keep('secret key of a session', Credentials.SecretAccessKey);
    keep('session token', Credentials.SessionToken);
    const wrongKey = keep('secret key that is wrong', planted('key'));
    await fails(['ecr', 'describe-repositories'], { AWS_SECRET_ACCESS_KEY: wrongKey });
    await fails(['ecr', 'describe-repositories'], {
      AWS_SESSION_TOKEN: keep('session token that is wrong', planted('session')),
    });
    const forbidden = { AWS_ACCESS_KEY_ID: AccessKey.AccessKeyId, AWS_SECRET_ACCESS_KEY: AccessKey.SecretAccessKey };
    await fails(['iam', 'list-users'], forbidden);

    // Docker's passwords, right and wrong, in every place a client may put one.
    const login = await aws.run(['ecr', 'get-login-password']);
    const password = keep('docker password', login.stdout.trim());
    const basic = (secret: string): string => keep('basic header', Buffer.from(`AWS:${secret}`).toString('base64'));
    await send('/v2/nothing/manifests/latest', { headers: { authorization: `Basic ${basic(password)}` } });
    await send('/v2/', { headers: { authorization: `Basic ${basic(keep('wrong password', planted('password')))}` } });
    await send('/v2/', { headers: { authorization: `Bearer ${keep('wrong bearer', planted('bearer'))}` } });
    await send(`/v2/?access_token=${keep('token in a query', planted('query'))}`, {});
    await send(
      `/token?service=x&scope=repository:a:pull&password=${keep('password in a query', planted('token-query'))}`,
      {},
    );
    const form = {
      grant_type: 'password',
      service: 'x',
      username: 'AWS',
      password: keep('password in a form', planted('form')),
    };
    await send('/token', { method: 'POST', body: new URLSearchParams(form) });
    await send('/webhooks/push', {
      method: 'POST',
      headers: { 'x-hub-signature-256': keep('webhook signature', planted('hook')) },
    });

    // Signatures, and bodies that cannot be read.
    const variables = server.aws();
    const credentials = {
      accessKeyId: variables['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: keep('secret key of the administrator', variables['AWS_SECRET_ACCESS_KEY'] ?? '', false),
    };
    const broken = `{"containerDefinitions":[{"environment":"${keep('broken body', planted('body'))}`;
    const { headers } = aws4.sign(
      {
        method: 'POST',
        path: '/',
        host: server.registry,
        service: 'ecs',
        region: 'us-east-1',
        headers: { 'X-Amz-Target': 'AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition' },
        body: broken,
      },
      credentials,
    );
    const { Host: _host, 'Content-Length': _length, ...signed } = headers as Record<string, string>;
    keep('signature', (signed['Authorization'] ?? '').slice(-64));
    await send('/', { method: 'POST', headers: signed, body: broken });

    // Environments of containers. People who may read the task definition read them; nobody reads them in a log.
    const environment = keep('value of an environment variable', planted('environment'), false);
    const definition = JSON.stringify([
      {
        name: 'web',
        image: `${server.registry}/nothing:latest`,
        memory: 16,
        environment: [{ name: 'TOKEN', value: environment }],
      },
    ]);
    await aws.json(['ecs', 'register-task-definition', '--family', 'canary', '--container-definitions', definition]);
    await fails(['ecs', 'register-task-definition', '--family', 'a b', '--container-definitions', definition]);
    const override = keep('value of an override', planted('override'), false);
    const overrides = JSON.stringify({
      containerOverrides: [{ name: 'web', environment: [{ name: 'T', value: override }] }],
    });
    if (noDocker === undefined) {
      await until('the agent to join', 180_000, async () => {
        const { containerInstanceArns } = await aws.json<{ containerInstanceArns: string[] }>([
          'ecs',
          'list-container-instances',
        ]);
        return containerInstanceArns.length > 0;
      });
      // Its image does not exist: the agent has something to complain about.
      const { tasks } = await aws.json<{ tasks: { taskArn: string }[] }>([
        'ecs',
        'run-task',
        '--task-definition',
        'canary',
        '--overrides',
        overrides,
      ]);
      const task = tasks[0]?.taskArn ?? '';
      await until('the task to stop', 180_000, async () => {
        const seen = await aws.json<{ tasks: { lastStatus: string; stoppedReason?: string }[] }>([
          'ecs',
          'describe-tasks',
          '--tasks',
          task,
        ]);
        errors.push(seen.tasks[0]?.stoppedReason ?? '');
        return seen.tasks[0]?.lastStatus === 'STOPPED';
      });
    } else {
      await fails(['ecs', 'run-task', '--task-definition', 'canary', '--overrides', overrides]);
    }
    const metrics = await (await fetch(`${server.endpoint}/metrics`)).text();
    // Described resources have no secrets to give either.
    const described = JSON.stringify([
      await aws.json(['iam', 'list-access-keys', '--user-name', 'canary']),
      await aws.json(['iam', 'get-user', '--user-name', 'canary']),
      await aws.json(['ecr', 'describe-registry']),
    ]);
    await server.stop();

    const audit = contents(join(server.data, 'audit'));
    expect(metrics).toContain('slipway_requests_total{service="ecs"');
    expect(audit).toContain('"operation":"RegisterTaskDefinition"');
    expect(audit).toContain('"service":"token"');
    const traces = receiver.bodies.join('\n');
    expect(traces).toContain('ecs RegisterTaskDefinition');
    const places = { log: server.log, audit, metrics, traces, errors: errors.join('\n'), described };
    const found = secrets.flatMap(({ what, value }) =>
      Object.entries(places).flatMap(([place, text]) =>
        text.includes(value) || text.includes(encodeURIComponent(value)) ? [`${what} in ${place}`] : [],
      ),
    );
    expect(found).toEqual([]);
    const stored = contents(server.data);
    expect(secrets.filter(({ value, atRest }) => atRest && stored.includes(value)).map(({ what }) => what)).toEqual([]);
    for (const name of ['credentials', 'keys/master.key'])
      expect(statSync(join(server.data, name)).mode & 0o077).toBe(0);
  },
);
