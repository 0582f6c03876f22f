import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { check, run, until } from '../testbed/command.ts';
import { missingDocker, webCommand } from '../testbed/docker.ts';
import { engineChoices, type Engines } from '../testbed/engines.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import type { ServerProcess } from '../testbed/server-process.ts';

/** Secrets and parameters from their clients to a container, and nowhere else: here in a Redis and an S3 server, in settings-kill in the embedded stores. */
const stores = engineChoices.find(({ name }) => name === 'Redis and S3');
const missing = (await missingDocker()) ?? (await missingAwsCli());
const python = ['/opt/slipway-test-awscli/bin/python'].find((path) => existsSync(path)) ?? 'python3';
const boto = await run(python, ['-c', 'import boto3']).catch(() => ({ code: 1 }));
const lacking =
  missing ?? stores?.missing() ?? (boto.code === 0 ? undefined : 'boto3 is not on this machine (pip install boto3)');
if (lacking !== undefined && process.env['CI']) throw new Error(lacking);

const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');

describe.skipIf(lacking !== undefined)(`secrets${lacking === undefined ? '' : ` (${lacking})`}`, () => {
  let engines: Engines | undefined;
  const stage = new LocalStage('secrets');
  const { folder } = stage;
  const planted = {
    password: 'canary-pass-91e2',
    parameter: 'canary-param-5d0f',
    secure: 'canary-secure-33ab',
    keyed: 'canary-keyed-70c4',
  };
  let server: ServerProcess;
  let aws: AwsCli;
  let image: string;
  let passed = false;

  beforeAll(async () => {
    engines = await stores?.start();
    server = await stage.serve({ ...engines?.env, SLIPWAY_LOG: 'trace' });
    aws = new AwsCli(server.aws());
    image = await stage.push('secrets:1', { command: webCommand });
  }, 600_000);

  afterAll(async () => {
    if (!passed) process.stderr.write(`--- server log ---\n${server?.log.slice(-20_000)}\n`);
    await stage[Symbol.asyncDispose]();
    await engines?.stop();
  }, 600_000);

  const command = (...args: string[]) => run(slipway, ['secrets', ...args], { env: server.aws() });

  test('are put by the command, the AWS CLI and boto3, given to a container, and are found nowhere else', async () => {
    const file = join(folder, 'value.json');
    writeFileSync(file, `${JSON.stringify({ user: 'ada', password: planted.password })}\n`);
    const made = await command('set', 'prod/db', '--file', file, '--output', 'json');
    const { ARN: arn } = JSON.parse(made.stdout) as { ARN: string };
    expect((await command('get', 'prod/db')).stdout).toBe(readFileSync(file, 'utf8').trimEnd());
    expect((await command('list')).stdout).toContain(arn);
    expect((await command('get', 'none')).stderr).toContain("can't find the specified secret");

    const rotate = (RotationLambdaARN: string) =>
      aws.json([
        'secretsmanager',
        'rotate-secret',
        '--cli-input-json',
        JSON.stringify({
          SecretId: 'prod/db',
          RotationLambdaARN,
          RotationRules: { AutomaticallyAfterDays: 30 },
          RotateImmediately: false,
        }),
      ]);
    await expect(rotate('arn:aws:lambda:us-east-1:000000000000:function:x')).rejects.toThrow('name a webhook');
    await rotate('https://rotate.example.com/db');
    const standing = (await command('rotation', 'prod/db')).stdout;
    expect(standing).toMatch(/^rotated by https:\/\/rotate\.example\.com\/db\nlast: never\nnext: 20/);
    const key = (await command('rotation', 'prod/db', '--key')).stdout;
    expect([key.trim().length, (await command('rotation', 'prod/db', '--key')).stdout]).toEqual([43, key]);
    await aws.json(['secretsmanager', 'cancel-rotate-secret', '--secret-id', 'prod/db']);

    const ssm = ['ssm', 'put-parameter', '--name', '/prod/mode', '--type', 'String', '--value', planted.parameter];
    expect(await aws.json(ssm)).toEqual({ Version: 1, Tier: 'Standard' });
    const script = `
import boto3
sm, ssm = boto3.client('secretsmanager'), boto3.client('ssm')
ssm.put_parameter(Name='/prod/key', Type='SecureString', Value='${planted.secure}')
assert ssm.get_parameter(Name='/prod/key', WithDecryption=True)['Parameter']['Value'] == '${planted.secure}'
assert ssm.get_parameter(Name='/prod/key')['Parameter']['Value'] != '${planted.secure}'
names = [p['Name'] for page in ssm.get_paginator('get_parameters_by_path').paginate(Path='/prod') for p in page['Parameters']]
assert names == ['/prod/key', '/prod/mode'], names
bytes = sm.create_secret(Name='bytes', SecretBinary=b'\\x00\\xff')
assert sm.get_secret_value(SecretId=bytes['ARN'])['SecretBinary'] == b'\\x00\\xff'
sm.delete_secret(SecretId='bytes', RecoveryWindowInDays=7)
try:
    sm.get_secret_value(SecretId='bytes')
    raise SystemExit('not refused')
except sm.exceptions.InvalidRequestException as error:
    assert 'marked for deletion' in str(error)
sm.restore_secret(SecretId='bytes')
kms = boto3.client('kms')
key = kms.create_key(Description='of the test')['KeyMetadata']['Arn']
kms.create_alias(AliasName='alias/test', TargetKeyId=key)
blob = kms.encrypt(KeyId='alias/test', Plaintext=b'${planted.keyed}', EncryptionContext={'app': 'web'})['CiphertextBlob']
assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={'app': 'web'})['Plaintext'] == b'${planted.keyed}'
try:
    kms.decrypt(CiphertextBlob=blob)
    raise SystemExit('opened without its context')
except kms.exceptions.InvalidCiphertextException:
    pass
sm.create_secret(Name='keyed', SecretString='${planted.keyed}', KmsKeyId='alias/test')
kms.rotate_key_on_demand(KeyId=key)
assert sm.get_secret_value(SecretId='keyed')['SecretString'] == '${planted.keyed}'
kms.disable_key(KeyId=key)
try:
    sm.get_secret_value(SecretId='keyed')
    raise SystemExit('read without its key')
except sm.exceptions.DecryptionFailure:
    pass
kms.enable_key(KeyId=key)
print(len(sm.get_random_password(PasswordLength=20)['RandomPassword']))`;
    expect((await check(python, ['-c', script], { env: server.aws() })).trim()).toBe('20');

    const executionRoleArn = await stage.executionRole();
    const definition = join(folder, 'definition.json');
    writeFileSync(
      definition,
      JSON.stringify({
        family: 'web',
        executionRoleArn,
        containerDefinitions: [
          {
            name: 'app',
            image,
            memory: 64,
            secrets: [
              { name: 'PASSWORD', valueFrom: `${arn}:password::` },
              { name: 'MODE', valueFrom: '/prod/mode' },
              { name: 'KEY', valueFrom: 'arn:aws:ssm:us-east-1:000000000000:parameter/prod/key' },
            ],
          },
        ],
      }),
    );
    await aws.json(['ecs', 'register-task-definition', '--cli-input-json', `file://${definition}`]);

    await stage.host();

    // Without the right to read them, the task says so.
    const denied = await aws.json<{ tasks: { taskArn: string }[] }>(['ecs', 'run-task', '--task-definition', 'web']);
    const stopped = await until('the end of a task that may not read its secrets', 180_000, async () => {
      const named = ['ecs', 'describe-tasks', '--tasks', denied.tasks[0]?.taskArn ?? ''];
      const { tasks } = await aws.json<{ tasks: { lastStatus: string; stoppedReason?: string }[] }>(named);
      return tasks[0]?.lastStatus === 'STOPPED' && tasks[0];
    });
    expect(stopped.stoppedReason).toMatch(
      /^ResourceInitializationError: .*AccessDeniedException: .*role\/execution\/\w+ is not authorized to perform: ssm:GetParameters/,
    );

    await stage.allowExecution(['secretsmanager:GetSecretValue', 'ssm:GetParameters']);
    const service = ['--service-name', 'web', '--task-definition', 'web', '--desired-count', '1'];
    await aws.json(['ecs', 'create-service', ...service]);
    const container = await until('the container of the service', 180_000, async () => {
      const { stdout } = await run('docker', ['ps', '--no-trunc', '-q', '--filter', `ancestor=${image}`]);
      return stdout.trim() !== '' && stdout.trim().split('\n')[0];
    });
    const [info] = JSON.parse(await check('docker', ['inspect', container])) as {
      Config: { Env: string[]; Labels: object };
    }[];
    expect(info?.Config.Env).toEqual(
      expect.arrayContaining([`PASSWORD=${planted.password}`, `MODE=${planted.parameter}`, `KEY=${planted.secure}`]),
    );
    const shown = JSON.stringify([
      info?.Config.Labels,
      await aws.json(['ecs', 'describe-services', '--services', 'web']),
      await aws.json(['ecs', 'describe-task-definition', '--task-definition', 'web']),
      await aws.json(['ecs', 'describe-tasks', '--tasks', denied.tasks[0]?.taskArn ?? '']),
      await aws.json(['secretsmanager', 'list-secrets']),
      await aws.json(['ssm', 'describe-parameters']),
      await (await fetch(`${server.endpoint}/metrics`)).text(),
    ]);

    // A server that was killed has them still.
    await server.stop('SIGKILL');
    await server.start();
    expect((await command('get', arn)).stdout).toContain(planted.password);
    expect((await command('get', 'keyed')).stdout).toBe(planted.keyed);
    const removed = await command('rm', 'prod/db', '--now');
    expect([removed.code, (await command('get', 'prod/db')).code]).toEqual([0, 1]);
    await aws.json(['ecs', 'delete-service', '--service', 'web', '--force']);
    await server.stop();
    const stored = [server.data, ...(engines?.folders ?? [])].map((kept) =>
      readdirSync(kept, { recursive: true, withFileTypes: true })
        .flatMap((entry) => (entry.isFile() ? [readFileSync(join(entry.parentPath, entry.name), 'latin1')] : []))
        .join('\n'),
    );
    // What is no secret is in Redis: it is looked for where the server stores.
    expect(stored[1]).toContain('/prod/mode');
    const found = [shown, server.log, ...stored].flatMap((text, place) =>
      Object.values(planted).flatMap((value) =>
        [value, Buffer.from(value).toString('base64').slice(0, -4)].flatMap((form) =>
          text.includes(form) ? [`${value} in place ${place}`] : [],
        ),
      ),
    );
    expect(found).toEqual([]);
    passed = true;
  }, 600_000);
});
