import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CommandResult, run } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const folder = mkdtempSync(join(tmpdir(), 'slipway-conformance-command-'));
let server: ServerProcess;
let password: string;

beforeAll(async () => {
  server = new ServerProcess(await freePort(), join(folder, 'data'), {
    SLIPWAY_AGENT: 'off',
    SLIPWAY_WORKERS: '1',
    // A Bearer token is for the repositories it names: a mount from anywhere is not to be had with one.
    SLIPWAY_DOCKER_CHALLENGE: 'basic',
  });
  await server.start();
  const env = server.aws();
  const credentials = {
    accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
  };
  const ecr = new ECRClient({ endpoint: server.endpoint, region: 'us-east-1', credentials });
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
  password = Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64')
    .toString()
    .replace(/^AWS:/, '');
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const conformance = (args: readonly string[], input = ''): Promise<CommandResult> =>
  run(slipway, ['conformance', ...args], { input, env: { SLIPWAY_DATA: join(folder, 'data') } });
const login = ['--username', 'AWS', '--password-stdin'];

test('a whole run against a server of this project passes and says how much it asked', async () => {
  const { code, stdout, stderr } = await conformance([server.registry, '--spec', 'dev', ...login], `${password}\n`);
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual([
    'OCI distribution, dev: 986 of 986 checks passed',
    expect.stringMatching(/^beyond the official suite: (\d+) of \1 checks passed$/),
  ]);
  expect(code).toBe(0);
});

test('a registry that refuses is told case by case, and is exit 1', async () => {
  const { code, stdout } = await conformance([server.endpoint, '--group', 'ping', 'image']);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^failed {4}ping\n {10}GET \/v2\/: answered 401, not 200/);
  expect(stdout).toMatch(/Manifest put by tag\s+failed/);
  expect(stdout).toContain('OCI distribution, stable: 0 of');
});

test('programs get JSON, and build servers JUnit', async () => {
  const args = [server.registry, '--group', 'image', ...login];
  const { stdout } = await conformance([...args, '--output', 'json'], password);
  expect(JSON.parse(stdout)).toMatchObject({ version: 'stable', passed: true, groups: { image: 'passed' } });
  const junit = await conformance([...args, '--output', 'junit'], password);
  expect(junit.stdout).toMatch(/<testsuite name="OCI distribution, stable" tests="\d+" failures="0"/);
});

test.each([
  [['example.com', '--spec', '1.1'], /--spec is stable \(1\.1\) or dev/],
  [['example.com/library/nginx'], /name the registry as <host>/],
  [['example.com', '--username', 'me'], /go together/],
  [['example.com', '--repositories', 'one'], /takes two names/],
  [['example.com', '--group', 'images'], /no group 'images'; there are: ping, empty/],
  [['example.com', '--output', 'xml'], /--output is text or json/],
  [['example.com', ...login], /no password on standard input/],
])('%j is refused with what is wrong', async (args, message) => {
  const { code, stderr } = await conformance(args);
  expect(stderr).toMatch(message);
  expect(code).toBe(2);
});

test('the help says what it does', async () => {
  const { code, stdout } = await conformance(['--help']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/OCI Distribution Specification[\s\S]*--spec[\s\S]*--password-stdin/);
});
