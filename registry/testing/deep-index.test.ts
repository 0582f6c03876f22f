import {
  CreatePullThroughCacheRuleCommand,
  PutReplicationConfigurationCommand,
  UpdateImageStorageClassCommand,
} from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collect } from '../collector/index.ts';
import { parseRepositoryName } from '../images/index.ts';
import { runLifecycle } from '../lifecycle/index.ts';
import { createPolicyCheck, policyTags } from '../scanning/index.ts';
import { ecrClient, type Fetch, loggedIn, passwordOf } from './docker-client.ts';
import { pushDiamond } from './playground.ts';
import { eventually } from './push-image.ts';
import { account, region, type ServedRegistry, serveRegistry } from './serve-registry.ts';
import { newUser } from './users.ts';

/**
 * B4: over an index in which 2^30 ways lead to two images, everything that walks images takes as long as there are images. Where it
 * did not, these tests would not end in a lifetime.
 */
const repository = 'shop/deep';
const limits = { grace: 0, lease: 0 };
let target: ServedRegistry;
let source: ServedRegistry;
let cache: ServedRegistry;
let client: Fetch;
let digest: string;

beforeAll(async () => {
  target = await serveRegistry();
  const credentials = await newUser(target, 'replicator', [{ Effect: 'Allow', Action: 'ecr:*', Resource: '*' }]);
  const destination = { region: 'eu-west-1', registryId: account };
  source = await serveRegistry({
    targets: [{ ...destination, url: target.url, signingRegion: region, ...credentials }],
  });
  client = await loggedIn(source);
  ({ digest } = await pushDiamond(client, repository, 30));
  cache = await serveRegistry({
    upstreams: {
      hosts: { 'upstream.test': source.url },
      secrets: { 'ecr-pullthroughcache/upstream': { username: 'AWS', accessToken: await passwordOf(source) } },
    },
    limits,
  });
});
afterAll(async () => {
  for (const registry of [cache, source, target]) await registry[Symbol.asyncDispose]();
});

const countOf = async (registry: ServedRegistry, name: string): Promise<number> =>
  (await registry.images.repositories.count(account, name)).images;

// Whoever looks at an image once for every way to it never ends here: there are more ways than could be gone in a lifetime.

test('B4: replication copies each image once', async () => {
  const ecr = ecrClient(source);
  const rules = [{ destinations: [{ region: 'eu-west-1', registryId: account }] }];
  await ecr.send(new PutReplicationConfigurationCommand({ replicationConfiguration: { rules } }));
  ecr.destroy();
  // One more push of the top, so that there is an event to act on.
  const top = await client('GET', `/v2/${repository}/manifests/deep`);
  const type = top.headers.get('content-type') ?? '';
  await client('PUT', `/v2/${repository}/manifests/again`, {
    body: await top.text(),
    headers: { 'content-type': type },
  });
  await eventually(
    async () => (await target.images.resolve(account, repository, 'again'))?.digest,
    (found) => found === digest,
  );
  expect(await countOf(target, repository)).toBe(63);
});

test('B4: a rule about findings looks at each image once', async () => {
  const { repositories } = source.images;
  await repositories.update(account, repository, (row) => ({
    ...row,
    tags: { ...row.tags, [policyTags.rollouts]: 'HIGH+unscanned' },
  }));
  const refusal = await createPolicyCheck(source.images, () => false).rollout(account, repository, 'deep');
  expect(refusal?.reason).toContain('has not been scanned');
});

test('B4: archiving and restoring moves each image once', async () => {
  const ecr = ecrClient(source);
  const imageId = { imageDigest: digest };
  for (const [targetStorageClass, archived] of [
    ['ARCHIVE', 63],
    ['STANDARD', 0],
  ] as const) {
    await ecr.send(new UpdateImageStorageClassCommand({ repositoryName: repository, imageId, targetStorageClass }));
    const { images } = await source.images.manifests.list(account, repository, { limit: 100 });
    expect(images.filter(({ archivedAt }) => archivedAt !== undefined)).toHaveLength(archived);
  }
  ecr.destroy();
});

test('B4: a pull through a cache imports each image once, and lifecycle rules, the removal of all and the collector come to an end', async () => {
  const ecr = ecrClient(cache);
  await ecr.send(
    new CreatePullThroughCacheRuleCommand({
      ecrRepositoryPrefix: 'hub',
      upstreamRegistryUrl: 'upstream.test',
      upstreamRegistry: 'docker-hub',
      credentialArn: `arn:aws:secretsmanager:us-east-1:${account}:secret:ecr-pullthroughcache/upstream-AbCdEf`,
    }),
  );
  ecr.destroy();
  const puller = await loggedIn(cache);
  expect((await puller('GET', `/v2/hub/${repository}/manifests/deep`)).status).toBe(200);
  await cache.upstreams.settled();
  expect(await countOf(cache, `hub/${repository}`)).toBe(63);

  const rule = {
    rulePriority: 1,
    selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 },
    action: { type: 'expire' },
  };
  const lifecyclePolicy = JSON.stringify({ rules: [rule] });
  const { repositories } = cache.images;
  await repositories.update(account, `hub/${repository}`, (row) => ({ ...row, lifecyclePolicy }));
  const imagesInUse = async (): Promise<ReadonlySet<string>> => new Set();
  for await (const report of runLifecycle({ images: cache.images, imagesInUse, every: 0 }, account))
    expect(report.repository).toBe(`hub/${repository}`);
  await repositories.remove(account, parseRepositoryName(`hub/${repository}`), { force: true, actor: 'test' });
  // The first run lets go of the one blob, the second removes it.
  expect((await collect(cache.images.ports, account)).released).toBe(1);
  expect((await collect(cache.images.ports, account)).removed).toBe(1);
});
