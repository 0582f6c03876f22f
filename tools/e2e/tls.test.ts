import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awsVariables } from '../cli/env.ts';
import { readServerState } from '../server/state-files.ts';
import { AwsCli } from '../testbed/aws-cli.ts';
import { check, run, until } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker, webImage } from '../testbed/docker.ts';

const main = join(import.meta.dirname, '..', 'cli', 'main.ts');
const slipway = (args: readonly string[], env: Record<string, string> = {}) =>
  run(process.execPath, [main, ...args], { env });

/** Docker takes any certificate from loopback, so the trust is tried on another address of this machine. */
const address = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

describe('slipway tls init', () => {
  const data = mkdtempSync(join(tmpdir(), 'slipway-tls-test-'));
  afterAll(() => rmSync(data, { recursive: true, force: true }));
  const init = (...args: string[]) => slipway(['tls', 'init', '--data', data, ...args]);
  const read = (name: string): string => readFileSync(join(data, 'tls', name), 'utf8');

  test('makes an authority and a server certificate for every name of this machine', async () => {
    const printed = await init('--host', 'registry.example.com', '--port', '7700');
    expect(printed.stdout).toContain('/etc/docker/certs.d/registry.example.com:7700/ca.crt');
    expect(printed.stdout).toContain('AWS_CA_BUNDLE=');
    const usual = await init('--host', 'registry.example.com', '--port', '443');
    expect(usual.stdout).toContain('/etc/docker/certs.d/registry.example.com/ca.crt');
    const authority = new X509Certificate(read('ca.crt'));
    const certificate = new X509Certificate(read('server.crt'));
    expect(authority.ca && !certificate.ca && certificate.verify(authority.publicKey)).toBe(true);
    for (const name of ['registry.example.com', 'localhost']) expect(certificate.checkHost(name)).toBe(name);
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    for (const key of ['ca.key', 'server.key']) expect(statSync(join(data, 'tls', key)).mode & 0o777).toBe(0o600);
  });

  test('keeps the authority, so that clients go on trusting, and renews the certificate', async () => {
    const [authority, certificate] = [read('ca.crt'), read('server.crt')];
    expect((await init()).stdout).toContain('Kept the certificate authority');
    expect(read('ca.crt')).toBe(authority);
    expect(read('server.crt')).not.toBe(certificate);
  });

  test.each([
    ['--host', 'a b'],
    ['--host', 'a:80'],
    ['--host', 'a,IP:1.2.3.4'],
    ['--days', '0'],
  ])('refuses %s %s in one line', async (...args) => {
    const { code, stderr } = await init(...args);
    expect(code).toBe(2);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

test('plain HTTP beyond loopback is refused with what to do, until it is asked for', async () => {
  const data = mkdtempSync(join(tmpdir(), 'slipway-plain-'));
  const port = String(await freePort());
  const env = { SLIPWAY_DATA: data, SLIPWAY_HOST: '0.0.0.0', SLIPWAY_PORT: port, SLIPWAY_AGENT: 'off' };
  const refused = await slipway(['serve'], env);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('plain HTTP on 0.0.0.0 would send credentials in the clear');
  rmSync(data, { recursive: true, force: true });
});

const missing = (await missingDocker()) ?? (address === undefined ? 'only loopback addresses' : notRoot());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

function notRoot(): string | undefined {
  try {
    mkdirSync('/etc/docker', { recursive: true });
    accessSync('/etc/docker', constants.W_OK);
    return undefined;
  } catch {
    return 'nobody but root may tell docker whom to trust';
  }
}

describe.skipIf(missing !== undefined)(`a server on TLS${missing === undefined ? '' : ` (${missing})`}`, () => {
  const data = mkdtempSync(join(tmpdir(), 'slipway-tls-server-'));
  const docker = new DockerCli();
  const authority = join(data, 'tls', 'ca.crt');
  let log = '';
  let child: ChildProcess;
  let port: number;
  let registry: string;
  let trust: string;

  beforeAll(async () => {
    port = await freePort();
    registry = `${address}:${port}`;
    trust = `/etc/docker/certs.d/${registry}`;
    await slipway(['tls', 'init', '--data', data]);
    child = spawn(process.execPath, [main, 'serve'], {
      env: {
        ...process.env,
        SLIPWAY_DATA: data,
        SLIPWAY_HOST: '0.0.0.0',
        SLIPWAY_PORT: String(port),
        SLIPWAY_WORKERS: '1',
        SLIPWAY_TASK_ENDPOINT: 'off',
        SLIPWAY_TLS_CERTIFICATE: join(data, 'tls', 'server.crt'),
        SLIPWAY_TLS_KEY: join(data, 'tls', 'server.key'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await until('the server to serve', 180_000, async () => {
      if (child.exitCode !== null) throw new Error(log);
      return readServerState(data)?.pid === child.pid && (await health());
    });
  });

  afterAll(async () => {
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGTERM');
    await ended;
    await docker.forget(registry);
    docker.dispose();
    rmSync(trust, { recursive: true, force: true });
    rmSync(data, { recursive: true, force: true });
  });

  const health = (): Promise<boolean> =>
    new Promise((resolve, reject) => {
      get({ host: address, port, path: '/healthz', ca: readFileSync(authority) }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      }).on('error', reject);
    });
  const aws = (): AwsCli =>
    new AwsCli({ ...awsVariables(data), AWS_ENDPOINT_URL: `https://${registry}`, AWS_CA_BUNDLE: authority });
  const login = async () => {
    const password = await aws().run(['ecr', 'get-login-password']);
    return docker.run(['login', '--username', 'AWS', '--password-stdin', registry], password.stdout.trim());
  };

  test('the AWS CLI works with AWS_CA_BUNDLE, and not without', async () => {
    expect(await aws().json(['sts', 'get-caller-identity'])).toHaveProperty('Account', '000000000000');
    const distrusted = await aws().run(['sts', 'get-caller-identity'], { AWS_CA_BUNDLE: '' });
    expect(distrusted.stderr).toMatch(/SSL|certificate/i);
  });

  test('docker logs in and pushes once it trusts the authority as printed, and not before', async () => {
    expect((await login()).stderr).toMatch(/certificate signed by unknown authority|x509/);
    mkdirSync(trust, { recursive: true });
    writeFileSync(join(trust, 'ca.crt'), readFileSync(authority));
    expect((await login()).stdout).toContain('Login Succeeded');
    await aws().json(['ecr', 'create-repository', '--repository-name', 'tls']);
    await makeImage(docker, webImage(`${registry}/tls:1`, 'tls'));
    expect(await docker.check(['push', `${registry}/tls:1`])).toMatch(/digest: sha256:[0-9a-f]{64}/);
  });

  test('the agent beside the server joins through it, and slipway commands reach it', async () => {
    await until('the agent to join', 180_000, async () => {
      const { containerInstanceArns } = await aws().json<{ containerInstanceArns: string[] }>([
        'ecs',
        'list-container-instances',
      ]);
      return containerInstanceArns.length === 1;
    });
    const shown = await slipway(['explain', 'default/nothing'], { SLIPWAY_DATA: data });
    expect(shown.stderr).toMatch(/nothing/);
    expect(shown.stderr).not.toMatch(/certificate|fetch failed|SSL/i);
  });

  test('commands and copies of files go through it, both ways', async () => {
    const json = <T>(...args: readonly string[]): Promise<T> => aws().json<T>(['ecs', ...args]);
    const containers = JSON.stringify([{ name: 'web', image: `${registry}/tls:1`, memory: 32 }]);
    await json('register-task-definition', '--family', 'tls', '--container-definitions', containers);
    const asked = await json<{ tasks: { taskArn: string }[] }>(
      'run-task',
      '--task-definition',
      'tls',
      '--enable-execute-command',
    );
    const task = asked.tasks[0]?.taskArn ?? '';
    await until('the task to take commands', 180_000, async () => {
      const { tasks } = await json<{ tasks: { containers: { managedAgents?: { lastStatus: string }[] }[] }[] }>(
        'describe-tasks',
        '--tasks',
        task,
      );
      return tasks[0]?.containers[0]?.managedAgents?.[0]?.lastStatus === 'RUNNING';
    });
    const [file, back] = [join(data, 'sent'), join(data, 'back')];
    // More than what waits on the way.
    const much = randomBytes(4_000_000);
    writeFileSync(file, much);
    const id = task.slice(-32);
    const own = (...args: readonly string[]) => slipway(args, { SLIPWAY_DATA: data });
    expect(await own('cp', file, `${id}:/tmp/there`)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await own('exec', id, '--', 'busybox', 'wc', '-c', '/tmp/there')).stdout).toBe('4000000 /tmp/there\n');
    expect(await own('cp', `${id}:/tmp/there`, back)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(back).equals(much)).toBe(true);
    await json('stop-task', '--task', task);
  }, 600_000);

  test('TLS 1.1 is not spoken', async () => {
    const args = ['s_client', '-connect', registry, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'];
    expect((await run('openssl', args)).code).not.toBe(0);
    expect(await check('openssl', ['s_client', '-connect', registry, '-tls1_2', '-CAfile', authority])).toContain(
      'Verify return code: 0 (ok)',
    );
  });
});
