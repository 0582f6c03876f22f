import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'minio';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { until } from '../testbed/command.ts';
import { missingDocker, webCommand } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import type { ServerProcess } from '../testbed/server-process.ts';

/** Buckets and objects by their clients, and a task that reads its variables from one. */
const missing = (await missingDocker()) ?? (await missingAwsCli());
if (missing !== undefined && process.env['CI']) throw new Error(missing);

describe.skipIf(missing !== undefined)(`objects${missing === undefined ? '' : ` (${missing})`}`, () => {
  const stage = new LocalStage('objects');
  const { folder } = stage;
  let server: ServerProcess;
  let aws: AwsCli;
  let passed = 0;
  const s3 = async (...args: string[]): Promise<string> => (await aws.run(['s3', ...args])).stdout;

  beforeAll(async () => {
    server = await stage.serve({ SLIPWAY_WORKERS: '1' });
    aws = new AwsCli(server.aws());
  }, 600_000);

  afterAll(async () => {
    if (passed < 4) process.stderr.write(`--- server log ---\n${server?.log.slice(-20_000)}\n`);
    await stage[Symbol.asyncDispose]();
  }, 600_000);

  test('the AWS CLI makes buckets, copies, lists, synchronises, shares and removes', async () => {
    await s3('mb', 's3://shelf');
    const large = join(folder, 'large');
    const bytes = randomBytes(21_000_000);
    writeFileSync(large, bytes);
    await s3('cp', '--quiet', large, 's3://shelf/deep/large ü');
    const head = await aws.json(['s3api', 'head-object', '--bucket', 'shelf', '--key', 'deep/large ü']);
    expect(head).toMatchObject({ ContentLength: bytes.length, ETag: expect.stringMatching(/-3"$/) });
    await s3('cp', '--quiet', 's3://shelf/deep/large ü', 's3://shelf/copy');
    await s3('cp', '--quiet', 's3://shelf/copy', `${large}.back`);
    expect(readFileSync(`${large}.back`).equals(bytes)).toBe(true);

    const site = join(folder, 'site');
    mkdirSync(join(site, 'css'), { recursive: true });
    for (const [name, text] of Object.entries({ 'index.html': '<p>', 'css/a.css': 'a', 'css/b.css': 'b' }))
      writeFileSync(join(site, name), text);
    await s3('sync', '--quiet', site, 's3://shelf/site');
    rmSync(join(site, 'css', 'b.css'));
    writeFileSync(join(site, 'index.html'), '<p>longer');
    await s3('sync', '--quiet', '--delete', site, 's3://shelf/site');
    const listed = await s3('ls', '--recursive', 's3://shelf/site/');
    expect(
      listed
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/).slice(2).join(' ')),
    ).toEqual(['1 site/css/a.css', '9 site/index.html']);
    expect(await s3('ls', 's3://shelf/')).toMatch(/PRE deep\/\n\s+PRE site\/\n.* copy\n/);

    const older = (await s3('presign', 's3://shelf/site/index.html')).trim();
    expect(await (await fetch(older)).text()).toContain('Please use AWS4-HMAC-SHA256');
    const config = join(folder, 'config');
    writeFileSync(config, '[default]\ns3 =\n  signature_version = s3v4\n');
    const shared = await aws.run(['s3', 'presign', 's3://shelf/site/index.html'], { AWS_CONFIG_FILE: config });
    const url = shared.stdout.trim();
    expect(await (await fetch(url)).text()).toBe('<p>longer');
    expect((await fetch(url.replace('index.html', 'css/a.css'))).status).toBe(403);
    expect((await fetch(url.split('?')[0] as string)).status).toBe(403);

    await s3('rm', '--quiet', 's3://shelf/copy');
    await s3('rb', '--force', 's3://shelf');
    expect(await s3('ls')).toBe('');
    passed++;
  }, 600_000);

  test('so does a client of others', async () => {
    const {
      AWS_ENDPOINT_URL: endpoint = '',
      AWS_ACCESS_KEY_ID: accessKey = '',
      AWS_SECRET_ACCESS_KEY: secretKey = '',
    } = server.aws();
    const { hostname, port } = new URL(endpoint);
    const client = new Client({
      endPoint: hostname,
      port: Number(port),
      useSSL: false,
      accessKey,
      secretKey,
      region: 'us-east-1',
    });
    await client.makeBucket('others');
    const bytes = randomBytes(12_000_000);
    await client.putObject('others', 'a/b', bytes, bytes.length, { 'X-Amz-Meta-Colour': 'blue' });
    const stat = await client.statObject('others', 'a/b');
    expect([stat.size, stat.metaData['colour']]).toEqual([bytes.length, 'blue']);
    const chunks: Buffer[] = [];
    for await (const chunk of await client.getPartialObject('others', 'a/b', 5, 100)) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(bytes.subarray(5, 105))).toBe(true);
    const put = await client.presignedPutObject('others', 'from a browser', 60);
    expect((await fetch(put, { method: 'PUT', body: 'text' })).status).toBe(200);
    const names: string[] = [];
    for await (const { name, prefix } of client.listObjectsV2('others', '', false) as AsyncIterable<{
      name?: string;
      prefix?: string;
    }>)
      names.push(name ?? prefix ?? '');
    expect(names.toSorted()).toEqual(['a/', 'from a browser']);
    await client.removeObjects('others', ['a/b', 'from a browser']);
    await client.removeBucket('others');
    passed++;
  }, 600_000);

  test('a server that is killed in the middle of an upload has all of it or nothing, and takes it again', async () => {
    await s3('mb', 's3://killed');
    const large = join(folder, 'killed');
    const bytes = randomBytes(60_000_000);
    writeFileSync(large, bytes);
    const copying = aws.run(['s3', 'cp', '--quiet', large, 's3://killed/large']);
    type Uploads = { readonly Uploads?: readonly { readonly UploadId: string }[] };
    const uploads = async (): Promise<readonly string[]> =>
      ((await aws.json<Uploads>(['s3api', 'list-multipart-uploads', '--bucket', 'killed'])).Uploads ?? []).map(
        ({ UploadId }) => UploadId,
      );
    // Fast machines are done by then: there all of it is there.
    let isDone = false;
    const done = copying.then(() => (isDone = true));
    await until('the upload', 180_000, async () => isDone || (await uploads()).length > 0, 20);
    await server.stop('SIGKILL');
    await server.start();
    await done;
    const whole = async (): Promise<boolean> => {
      const back = `${large}.back`;
      rmSync(back, { force: true });
      const { code } = await aws.run(['s3', 'cp', '--quiet', 's3://killed/large', back]);
      if (code !== 0) return false;
      expect(readFileSync(back).equals(bytes)).toBe(true);
      return true;
    };
    const listed = (await s3('ls', 's3://killed')).includes(`${bytes.length} large`);
    expect(await whole()).toBe(listed);
    await s3('cp', '--quiet', large, 's3://killed/large');
    expect(await whole()).toBe(true);
    for (const id of await uploads())
      await aws.json(['s3api', 'abort-multipart-upload', '--bucket', 'killed', '--key', 'large', '--upload-id', id]);
    expect(await uploads()).toEqual([]);
    await s3('rb', '--force', 's3://killed');
    passed++;
  }, 600_000);

  test('a task has the variables of a file that its execution role may read, and does not start without', async () => {
    const image = await stage.push('files:1', { command: webCommand });
    writeFileSync(join(folder, 'web.env'), '# of the shop\nMODE=from file\nPLACE=file\n');
    await s3('mb', 's3://settings');
    await s3('cp', '--quiet', join(folder, 'web.env'), 's3://settings/web.env');
    const container = {
      name: 'app',
      image,
      memory: 64,
      environment: [{ name: 'PLACE', value: 'definition' }],
      environmentFiles: [{ type: 's3', value: 'arn:aws:s3:::settings/web.env' }],
    };
    const executor = ['--execution-role-arn', await stage.executionRole()];
    const definition = ['--family', 'web', '--container-definitions', JSON.stringify([container])];
    await aws.json(['ecs', 'register-task-definition', ...definition, ...executor]);
    await stage.host();
    const run = async (): Promise<string> => {
      const { tasks } = await aws.json<{ tasks: { taskArn: string }[] }>([
        'ecs',
        'run-task',
        '--task-definition',
        'web',
      ]);
      return tasks[0]?.taskArn ?? '';
    };
    interface Task {
      readonly lastStatus: string;
      readonly stoppedReason?: string;
      readonly containers: { readonly runtimeId?: string }[];
    }
    const state = async (arn: string, wanted: string): Promise<Task> =>
      until(`a task that is ${wanted}`, 180_000, async () => {
        const { tasks } = await aws.json<{ tasks: Task[] }>(['ecs', 'describe-tasks', '--tasks', arn]);
        return tasks[0]?.lastStatus === wanted ? tasks[0] : undefined;
      });
    expect((await state(await run(), 'STOPPED')).stoppedReason).toBe(
      'ResourceInitializationError: failed to download env files: arn:aws:s3:::settings/web.env: AccessDenied: Access Denied',
    );
    await stage.allowExecution(['s3:GetObject'], 'arn:aws:s3:::settings/*');
    const arn = await run();
    const { containers } = await state(arn, 'RUNNING');
    const environment = await stage.docker.check([
      'inspect',
      '--format',
      '{{json .Config.Env}}',
      containers[0]?.runtimeId ?? '',
    ]);
    expect(JSON.parse(environment)).toEqual(expect.arrayContaining(['MODE=from file', 'PLACE=definition']));
    await aws.json(['ecs', 'stop-task', '--task', arn]);
    await state(arn, 'STOPPED');
    passed++;
  }, 600_000);
});
