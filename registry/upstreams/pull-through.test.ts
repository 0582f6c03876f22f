import {
  CreatePullThroughCacheRuleCommand,
  CreateRepositoryCreationTemplateCommand,
  DeletePullThroughCacheRuleCommand,
  DescribeImagesCommand,
  DescribePullThroughCacheRulesCommand,
  DescribeRepositoriesCommand,
  type ECRClient,
  UpdatePullThroughCacheRuleCommand,
  ValidatePullThroughCacheRuleCommand,
} from '@aws-sdk/client-ecr';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient, type Fetch, loggedIn, passwordOf } from '../testing/docker-client.ts';
import { eventually, pushImage } from '../testing/push-image.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';
import { newUser } from '../testing/users.ts';

let upstream: ServedRegistry;
let upstreamEcr: ECRClient;
let cache: ServedRegistry;
let ecr: ECRClient;
let pull: Fetch;
let liar: Server;
const credentialArn = `arn:aws:secretsmanager:us-east-1:${account}:secret:ecr-pullthroughcache/upstream-AbCdEf`;

beforeAll(async () => {
  upstream = await serveRegistry();
  upstreamEcr = ecrClient(upstream);
  // Answers every manifest with other bytes than those its digest is of.
  liar = createServer((request, response) => {
    response.setHeader('docker-content-digest', sha256('something else'));
    response.setHeader('content-type', 'application/vnd.oci.image.manifest.v1+json');
    response.end(request.method === 'HEAD' ? '' : '{"schemaVersion":2}');
  });
  await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
  cache = await serveRegistry({
    upstreams: {
      hosts: {
        'upstream.test': upstream.url,
        'liar.test': `http://127.0.0.1:${(liar.address() as AddressInfo).port}`,
        'gone.test': 'http://127.0.0.1:9',
      },
      secrets: { 'ecr-pullthroughcache/upstream': { username: 'AWS', accessToken: await passwordOf(upstream) } },
      freshFor: 0,
    },
  });
  ecr = ecrClient(cache);
  pull = await loggedIn(cache);
});

afterAll(async () => {
  liar.close();
  for (const client of [ecr, upstreamEcr]) client.destroy();
  await cache[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

test('a rule is made, shown, validated, changed and removed', async () => {
  const rule = await ecr.send(
    new CreatePullThroughCacheRuleCommand({
      ecrRepositoryPrefix: 'hub',
      upstreamRegistryUrl: 'upstream.test',
      upstreamRegistry: 'docker-hub',
      credentialArn,
    }),
  );
  expect(rule).toMatchObject({
    ecrRepositoryPrefix: 'hub',
    upstreamRegistryUrl: 'upstream.test',
    upstreamRegistry: 'docker-hub',
    registryId: account,
    credentialArn,
  });
  const described = await ecr.send(new DescribePullThroughCacheRulesCommand({}));
  expect(described.pullThroughCacheRules).toMatchObject([{ ecrRepositoryPrefix: 'hub', updatedAt: expect.any(Date) }]);
  const valid = await ecr.send(new ValidatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'hub' }));
  expect(valid).toMatchObject({ isValid: true });
  expect(
    await ecr.send(new UpdatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'hub/', credentialArn })),
  ).toMatchObject({ ecrRepositoryPrefix: 'hub', updatedAt: expect.any(Date) });
  await expect(
    ecr.send(
      new CreatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: 'upstream.test' }),
    ),
  ).rejects.toMatchObject({ name: 'PullThroughCacheRuleAlreadyExistsException' });
  await ecr.send(
    new CreatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'away', upstreamRegistryUrl: 'gone.test' }),
  );
  const unreachable = await ecr.send(new ValidatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'away' }));
  expect(unreachable).toMatchObject({ isValid: false, failure: expect.stringContaining('cannot be reached') });
  await ecr.send(new DeletePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'away' }));
  await expect(ecr.send(new DeletePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'away' }))).rejects.toMatchObject({
    name: 'PullThroughCacheRuleNotFoundException',
  });
});

test('what cannot be done is refused with what to do: unknown registries, secrets that are not configured', async () => {
  const create = (members: object) =>
    ecr.send(
      new CreatePullThroughCacheRuleCommand({
        ecrRepositoryPrefix: 'other',
        upstreamRegistryUrl: 'upstream.test',
        ...members,
      }),
    );
  await expect(create({ upstreamRegistryUrl: '169.254.169.254' })).rejects.toMatchObject({
    name: 'UnsupportedUpstreamRegistryException',
  });
  await expect(create({ credentialArn: credentialArn.replace('upstream-AbCdEf', 'nowhere') })).rejects.toMatchObject({
    name: 'SecretNotFoundException',
    message: expect.stringContaining('does not ask Secrets Manager'),
  });
});

test('the first pull makes the repository by its template, serves at once and imports the image whole', async () => {
  await ecr.send(
    new CreateRepositoryCreationTemplateCommand({
      prefix: 'hub',
      appliedFor: ['PULL_THROUGH_CACHE'],
      resourceTags: [{ Key: 'from', Value: 'hub' }],
    }),
  );
  const digest = await pushImage(upstream, upstreamEcr, 'library/app', 'first', 'v1');
  const answer = await pull('GET', '/v2/hub/library/app/manifests/v1');
  expect(answer.status).toBe(200);
  expect(answer.headers.get('docker-content-digest')).toBe(digest);
  const manifest = (await answer.json()) as { config: { digest: string } };
  const blob = await pull('GET', `/v2/hub/library/app/blobs/${manifest.config.digest}`);
  expect(await blob.text()).toBe('{"seed":"first"}');
  await cache.upstreams.settled();
  const described = await ecr.send(new DescribeImagesCommand({ repositoryName: 'hub/library/app' }));
  expect(described.imageDetails).toMatchObject([{ imageDigest: digest, imageTags: ['v1'] }]);
  const { repositories } = await ecr.send(new DescribeRepositoriesCommand({ repositoryNames: ['hub/library/app'] }));
  expect(repositories).toHaveLength(1);
  const kept = await cache.images.repositories.get(account, 'hub/library/app');
  expect(kept.tags).toEqual({ from: 'hub' });
});

test('a tag that moved upstream is seen; many pulls at once ask once', async () => {
  const digest = await pushImage(upstream, upstreamEcr, 'library/app', 'second', 'v1');
  const answers = await Promise.all(Array.from({ length: 8 }, () => pull('GET', '/v2/hub/library/app/manifests/v1')));
  expect(new Set(answers.map((answer) => answer.headers.get('docker-content-digest')))).toEqual(new Set([digest]));
  await cache.upstreams.settled();
  await eventually(
    async () => (await cache.images.resolve(account, 'hub/library/app', 'v1'))?.digest,
    (now) => now === digest,
  );
  expect((await pull('GET', '/v2/hub/library/none/manifests/v1')).status).toBe(404);
});

test('bytes that are not what their digest says are never kept', async () => {
  await ecr.send(
    new CreatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'liar', upstreamRegistryUrl: 'liar.test' }),
  );
  const answer = await pull('GET', '/v2/liar/app/manifests/v1');
  expect(answer.status).toBe(503);
  expect(await cache.images.repositories.find(account, 'liar/app')).toBeUndefined();
});

test('importing takes the right to import; a stranger gets what is here, and no more', async () => {
  const credentials = await newUser(cache, 'puller', [
    { Effect: 'Allow', Action: ['ecr:GetAuthorizationToken', 'ecr:BatchGetImage'], Resource: '*' },
  ]);
  const asPuller = await loggedIn(cache, credentials);
  await pushImage(upstream, upstreamEcr, 'library/app', 'third', 'v1');
  const here = await cache.images.resolve(account, 'hub/library/app', 'v1');
  const known = await asPuller('GET', '/v2/hub/library/app/manifests/v1');
  expect([known.status, known.headers.get('docker-content-digest')]).toEqual([200, here?.digest]);
  expect((await asPuller('GET', '/v2/hub/library/new/manifests/v1')).status).toBe(403);
});

test('when upstream is away, what was pulled before is served', async () => {
  await upstream[Symbol.asyncDispose]();
  expect((await pull('GET', '/v2/hub/library/app/manifests/v1')).status).toBe(200);
  expect((await pull('GET', '/v2/hub/library/other/manifests/v1')).status).toBe(503);
  upstream = await serveRegistry();
});
