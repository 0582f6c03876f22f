import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { callers, type FrontDoor, openFrontDoor } from './testing/front-door.ts';

const run = promisify(execFile);

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe('command lines as people use them', () => {
  let door: FrontDoor;
  let folder: string;
  beforeAll(async () => {
    door = await openFrontDoor();
    folder = await mkdtemp(join(tmpdir(), 'slipway-clients-'));
  });
  afterAll(async () => {
    await door[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs a program; a missing one skips the test, or fails it where everything must be there. */
  async function client(
    context: TestContext,
    file: string,
    args: readonly string[],
    env: Record<string, string> = {},
    input = '',
  ): Promise<Outcome> {
    try {
      const running = run(file, args, { env: { ...process.env, ...env }, timeout: 60_000 });
      running.child.stdin?.end(input);
      const { stdout, stderr } = await running;
      return { code: 0, out: stdout, err: stderr };
    } catch (error) {
      const failed = error as NodeJS.ErrnoException & { code: number | string; stdout: string; stderr: string };
      if (failed.code === 'ENOENT') {
        missing(context, `${file} is not on this machine`);
      }
      return { code: Number(failed.code), out: failed.stdout, err: failed.stderr };
    }
  }

  async function needsEngine(context: TestContext): Promise<void> {
    const { code } = await client(context, 'docker', ['version', '--format', '{{.Server.Version}}']);
    if (code !== 0) missing(context, 'no Docker engine answers');
  }

  const aws = (
    context: TestContext,
    args: string,
    caller: { accessKeyId: string; secretAccessKey: string } = callers.admin,
  ): Promise<Outcome> =>
    client(context, 'aws', args.split(' '), {
      AWS_ACCESS_KEY_ID: caller.accessKeyId,
      AWS_SECRET_ACCESS_KEY: caller.secretAccessKey,
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: door.url,
      AWS_CONFIG_FILE: join(folder, 'none'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
      AWS_MAX_ATTEMPTS: '1',
      AWS_PAGER: '',
      AWS_SESSION_TOKEN: '',
    });

  test('the AWS CLI reads JSON and Query answers', async (context) => {
    const clusters = await aws(context, 'ecs list-clusters --query clusterArns --output text');
    expect(clusters).toMatchObject({ code: 0, out: 'arn:aws:ecs:us-east-1:000000000000:cluster/default\n' });
    const identity = await aws(context, 'sts get-caller-identity --query Arn --output text');
    expect(identity).toMatchObject({ code: 0, out: 'arn:aws:iam::000000000000:user/admin\n' });
    const role = await aws(
      context,
      'iam create-role --role-name r --assume-role-policy-document {} --tags Key=a,Value=b Key=c,Value=d --query Role.Tags[1].Value --output text',
    );
    expect(role).toMatchObject({ code: 0, out: 'd\n' });
  });

  test('the AWS CLI shows the errors by their names', async (context) => {
    const wrong = await aws(context, 'ecs list-clusters', { accessKeyId: 'AKIAADMIN', secretAccessKey: 'wrong' });
    expect(wrong.err).toContain(
      'An error occurred (InvalidSignatureException) when calling the ListClusters operation: The request signature we calculated',
    );
    const unknown = await aws(context, 'sts get-caller-identity', { accessKeyId: 'AKIAX', secretAccessKey: 'x' });
    expect(unknown.err).toContain(
      'An error occurred (InvalidClientTokenId) when calling the GetCallerIdentity operation',
    );
    const denied = await aws(context, 'ecs create-service --service-name web', callers.reader);
    expect(denied.err).toContain(
      '(AccessDeniedException) when calling the CreateService operation: User: arn:aws:iam::000000000000:user/reader is not authorized to perform: ecs:CreateService',
    );
    const missing = await aws(context, 'iam get-role --role-name gone');
    expect(missing.err).toContain(
      '(NoSuchEntity) when calling the GetRole operation: The role with name gone cannot be found.',
    );
    const constraint = await aws(context, 'ecr create-repository --repository-name UPPER');
    expect(constraint.err).toContain(
      "(InvalidParameterException) when calling the CreateRepository operation: 1 validation error detected: Value 'UPPER' at 'repositoryName'",
    );
    const absent = await aws(context, 'ecs list-services');
    expect(absent.err).toContain('(UnknownOperationException)');
  });

  test('docker login takes the password that the AWS CLI prints, and no other', async (context) => {
    const password = await aws(context, 'ecr get-login-password');
    expect(password.code).toBe(0);
    const registry = `127.0.0.1:${door.listening.port}`;
    const login = (user: string, secret: string): Promise<Outcome> =>
      client(
        context,
        'docker',
        ['--config', folder, 'login', '--username', user, '--password-stdin', registry],
        {},
        secret,
      );
    await needsEngine(context);
    expect(await login('AWS', password.out.trim())).toMatchObject({
      code: 0,
      out: expect.stringContaining('Login Succeeded'),
    });
    expect((await login('AWS', 'wrong')).err).toMatch(/unauthorized|401/i);
    expect((await login('AKIAADMIN', 'the-admin-secret')).err).toMatch(/unauthorized|401/i);
  });

  test('docker login works through the token endpoint too', async (context) => {
    await using other = await openFrontDoor({ dockerChallenge: 'bearer' });
    const { password } = await other.tokens.issueAuthorization(callers.admin.principal);
    const registry = `127.0.0.1:${other.listening.port}`;
    const login = (secret: string): Promise<Outcome> =>
      client(
        context,
        'docker',
        ['--config', folder, 'login', '--username', 'AWS', '--password-stdin', registry],
        {},
        secret,
      );
    await needsEngine(context);
    expect(await login(password)).toMatchObject({ code: 0, out: expect.stringContaining('Login Succeeded') });
    expect(other.audit.map(({ service }) => service)).toContain('token');
    expect((await login('wrong')).err).toMatch(/unauthorized|401/i);
  });
});

/** A missing part skips the test with the reason, and fails it where everything must be there. */
function missing(context: TestContext, what: string): void {
  if (process.env['CI'] !== undefined) throw new Error(what);
  context.skip(what);
}
