import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateRepositoryCommand, ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import { CreateServiceCommand, ECSClient, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateUserCommand,
  DetachUserPolicyCommand,
  IAMClient,
} from '@aws-sdk/client-iam';
import { signatureHeader, signatureOf } from '@slipway/auth/kit';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pushSmallImage } from '../bench/load.ts';
import { type CommandResult, run, until } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** The administration commands beside a running server, as an operator calls them. */
const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const folder = mkdtempSync(join(tmpdir(), 'slipway-commands-'));
const data = join(folder, 'data');
let server: ServerProcess;

let settings: {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
};

const command = (...args: string[]): Promise<CommandResult> =>
  run(slipway, args, { env: { SLIPWAY_DATA: data, AWS_ENDPOINT_URL: undefined } });
const json = async <T>(...args: string[]): Promise<T> => {
  const result = await command(...args, '--output', 'json');
  expect(result.code, result.stderr).toBe(0);
  return JSON.parse(result.stdout) as T;
};

beforeAll(async () => {
  server = new ServerProcess(await freePort(), data, { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  await server.start();
  const env = server.aws();
  settings = {
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
  };
  const ecr = new ECRClient(settings);
  await ecr.send(new CreateRepositoryCommand({ repositoryName: 'web' }));
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
  const target = {
    origin: server.endpoint,
    headers: { authorization: `Basic ${authorizationData?.[0]?.authorizationToken ?? ''}` },
  };
  await pushSmallImage(target, 'web', 'prod');
  const ecs = new ECSClient(settings);
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'web',
      containerDefinitions: [{ name: 'web', image: `${server.registry}/web:prod`, memory: 32 }],
    }),
  );
  await ecs.send(new CreateServiceCommand({ serviceName: 'web', taskDefinition: 'web', desiredCount: 1 }));
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('hosts reclaim says which host there is not', async () => {
  const { code, stderr } = await command('hosts', 'reclaim', 'nowhere');
  expect(code).toBe(1);
  expect(stderr).toContain('there is no container instance nowhere in the cluster default');
  expect((await command('hosts', 'reclaim', 'nowhere', '--cluster', 'none')).stderr).toMatch(/Cluster not found/);
});

test('doctor finds nothing that does not work', async () => {
  const findings = await json<{ what: string; state: string }[]>('doctor');
  expect(findings.filter(({ state }) => state === 'problem')).toEqual([]);
  expect(findings.map(({ what }) => what)).toEqual(
    expect.arrayContaining(['server', 'credentials', 'records', 'blobs']),
  );
});

test('explain says that the service waits for a host', async () => {
  const { verdict } = await until('the event', 180_000, async () => {
    const report = await json<{ verdict: string }>('explain', 'default/web');
    return report.verdict.includes('unable to place') && report;
  });
  expect(verdict).toMatch(/No container instances were found in your cluster/i);
});

test('follow, explain and doctor say when an image is not of this installation', async () => {
  const { port } = new URL(server.endpoint);
  const ecs = new ECSClient(settings);
  const images = [`elsewhere.test:${port}/web:prod`, `${server.registry}/web:prod`, 'busybox'];
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'mixed',
      containerDefinitions: images.map((image, i) => ({ name: `c${i}`, image, memory: 32 })),
    }),
  );
  await ecs.send(new CreateServiceCommand({ serviceName: 'mixed', taskDefinition: 'mixed', desiredCount: 0 }));
  const elsewhere = [images[0], images[2]];
  expect(await json('follow', 'default/mixed')).toMatchObject({ elsewhere });
  expect((await command('follow', 'default/mixed')).stdout).toContain(
    `pushes here do not move ${elsewhere.join(', ')}`,
  );
  expect(await json('explain', 'default/mixed')).toMatchObject({ elsewhere });
  expect((await command('explain', 'default/mixed')).stdout).toContain('SLIPWAY_ENDPOINTS');
  expect(await json('follow', 'default/mixed', '--off')).toMatchObject({ elsewhere: [] });
  expect(await json('explain', 'default/mixed')).toMatchObject({ elsewhere: [] });

  const doctor = await run(slipway, ['doctor', '--output', 'json'], {
    env: { SLIPWAY_DATA: data, AWS_ENDPOINT_URL: `http://elsewhere.test:${port}` },
  });
  const addresses = (JSON.parse(doctor.stdout) as { what: string; state: string; detail: string }[]).filter(
    ({ what }) => what === 'address',
  );
  expect(addresses.map(({ state }) => state)).toEqual(['ok', 'problem']);
  expect(addresses[1]?.detail).toContain(`add it to SLIPWAY_ENDPOINTS`);
});

test('webhooks are made, listed and deleted', async () => {
  const made = await json<{ id: string; url: string; secret: string }>('webhook', 'create', 'default/web');
  expect(made.url).toBe(`${server.endpoint}/webhooks/${made.id}`);
  expect(made.secret.length).toBeGreaterThanOrEqual(32);
  const listed = await json<{ webhooks: { id: string; secret?: string }[] }>('webhook', 'list', 'default/web');
  expect(listed.webhooks.map(({ id }) => id)).toEqual([made.id]);
  expect(JSON.stringify(listed)).not.toContain(made.secret);
  const body = Buffer.from('{"image":"not an image"}');
  const headers = { 'slipway-signature': signatureOf(made.secret, made.id, Math.floor(Date.now() / 1000), body) };
  expect((await fetch(made.url, { method: 'POST', body, headers })).status).toBe(422);
  const sent = await json<{ id: string }[]>('webhook', 'deliveries', 'default/web');
  expect(sent).toMatchObject([{ webhook: made.id, image: 'not an image', status: 422, attempts: 1 }]);
  const again = await command('webhook', 'redeliver', 'default/web', made.id, sent[0]?.id ?? '');
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('not an image')]);
  expect((await command('webhook', 'delete', 'default/web', made.id)).code).toBe(0);
  expect((await json<{ webhooks: unknown[] }>('webhook', 'list', 'default/web')).webhooks).toEqual([]);
});

test('the secret of deployment hooks is shown, stays, and is made anew', async () => {
  const secret = async (...args: string[]): Promise<string> =>
    (await json<{ secret: string }>('hook', 'secret', 'default/not-there-yet', ...args)).secret;
  const first = await secret();
  expect(first).toMatch(/^[\w-]{43}$/);
  expect(await secret()).toBe(first);
  const second = await secret('--renew');
  expect(second).not.toBe(first);
  expect((await command('hook', 'secret', 'default/not-there-yet')).stdout.trim()).toBe(second);
});

test('F9: a webhook stops once its maker may not update the service any more, and the list says so', async () => {
  const iam = new IAMClient(settings);
  const policies = ['AmazonECS_FullAccess', 'AmazonEC2ContainerRegistryReadOnly'].map(
    (name) => `arn:aws:iam::aws:policy/${name}`,
  );
  await iam.send(new CreateUserCommand({ UserName: 'maker' }));
  for (const PolicyArn of policies) await iam.send(new AttachUserPolicyCommand({ UserName: 'maker', PolicyArn }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'maker' }));
  const made = await run(slipway, ['webhook', 'create', 'default/web', '--output', 'json'], {
    env: {
      SLIPWAY_DATA: data,
      AWS_ENDPOINT_URL: server.endpoint,
      AWS_ACCESS_KEY_ID: AccessKey?.AccessKeyId,
      AWS_SECRET_ACCESS_KEY: AccessKey?.SecretAccessKey,
    },
  });
  const hook = JSON.parse(made.stdout) as { id: string; url: string; secret: string; createdBy: string };
  expect(hook.createdBy).toBe('arn:aws:iam::000000000000:user/maker');
  const deliver = (body: string): Promise<Response> =>
    fetch(hook.url, {
      method: 'POST',
      body,
      headers: {
        [signatureHeader]: signatureOf(hook.secret, hook.id, Math.floor(Date.now() / 1000), Buffer.from(body)),
      },
    });
  expect((await deliver('{"n":0}')).status).toBe(200);

  const [ecsFullAccess] = policies;
  await iam.send(new DetachUserPolicyCommand({ UserName: 'maker', PolicyArn: ecsFullAccess }));
  let n = 0;
  const refused = await until('the first delivery that is refused', 180_000, async () => {
    n += 1;
    const answer = await deliver(JSON.stringify({ n }));
    return answer.status === 403 && answer;
  });
  expect(await refused.json()).toMatchObject({
    code: 'denied',
    message: expect.stringMatching(
      /whoever made it, who may not do this any more.*user\/maker is not authorized to perform: ecs:UpdateService/,
    ),
  });
  const list = await command('webhook', 'list', 'default/web');
  expect(list.stdout).toMatch(
    new RegExp(`${hook.id}  stopped .*user/maker: no identity-based policy allows the ecs:UpdateService action`),
  );
  expect((await command('webhook', 'delete', 'default/web', hook.id)).code).toBe(0);
});

test('advisories are imported from a folder, and an image is scanned', async () => {
  const advisory = {
    id: 'TEST-1',
    modified: '2026-01-01T00:00:00Z',
    summary: 'an example',
    affected: [
      {
        package: { ecosystem: 'npm', name: 'example' },
        ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '2.0.0' }] }],
      },
    ],
  };
  writeFileSync(join(folder, 'TEST-1.json'), JSON.stringify(advisory));
  expect(await json('scan', 'update', join(folder, 'TEST-1.json'))).toMatchObject({
    advisories: 1,
    imported: 1,
    ecosystems: ['npm'],
  });
  expect((await command('scan', 'start', 'web:prod')).code).toBe(0);
  const done = await until('the end of the scan', 180_000, async () => {
    const report = await json<{ status: { status: string } }>('scan', 'findings', 'web:prod');
    return !['IN_PROGRESS', 'PENDING'].includes(report.status.status) && report.status.status;
  });
  expect(['COMPLETE', 'ACTIVE', 'UNSUPPORTED_IMAGE', 'FAILED']).toContain(done);
});

test('a rule for the whole registry is set, kept, refused when it makes no sense, and taken back', async () => {
  expect(await json('scan', 'policy', '--block-pulls', 'critical+unscanned')).toEqual({
    blockPulls: { severity: 'CRITICAL', unscanned: true },
  });
  expect(await json('scan', 'policy', '--block-rollouts', 'HIGH')).toMatchObject({
    blockPulls: { severity: 'CRITICAL' },
    blockRollouts: { severity: 'HIGH' },
  });
  expect((await command('scan', 'policy', '--block-pulls', 'bad')).stderr).toMatch(/takes a severity such as HIGH/);
  expect(await json('scan', 'policy', '--block-pulls', 'none', '--block-rollouts', 'none')).toEqual({});
});

test('gc counts without removing, and placement explain says what is missing', async () => {
  expect(await json('gc', '--dry-run')).toMatchObject({ '000000000000': { removed: 0 } });
  const placement = await command('placement', 'explain', '--service', 'web');
  expect(placement.stdout + placement.stderr).toMatch(/no container instance/i);
});

test.each([
  [['explain', 'a/b/c'], /name the service as <cluster>\/<service>/],
  [['scan', 'findings', 'web'], /name the image as/],
  [['gc', '--maximum', 'many'], /--maximum is a number of blobs/],
  [['webhook', 'create', 'default/nothing'], /service|not found/i],
  [['hook', 'secret', 'nowhere/web'], /no cluster nowhere/i],
  [['nonsense'], /unknown command/],
])('%j is refused in one line', async (args, message) => {
  const result = await command(...args);
  expect(result.code).toBeGreaterThan(0);
  expect(result.stderr).toMatch(message);
  expect(result.stderr).not.toMatch(/\n\s+at /);
});
